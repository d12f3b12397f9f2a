//! Several processes on one checkpoint of real files: each newer one fences the older.

use super::*;

const TAKEOVERS: usize = 4;

#[test]
fn the_older_of_two_processes_is_fenced_and_nothing_is_lost_or_committed_twice() {
    let mut random = fastrand::Rng::with_seed(setting("KILL_SEED", 1));
    let server = Server::start();
    server.csv(STREAMS);
    let checkpoint = folder("two-runs");
    let query = copying(&checkpoint, "");
    let writer = Writer::start(&server.url);
    let spawn = || Running::spawn(server.client().args(["-c", &query]));
    let mut running = spawn();
    let mut log = BTreeMap::new();
    for takeover in 0..TAKEOVERS {
        // This does not wait for a condition: the state of the older process is what is tested.
        thread::park_timeout(Duration::from_millis(random.u64(300..900)));
        let newer = spawn();
        let ended = std::mem::replace(&mut running, newer).wait();
        let said = ended.stderr.join("\n");
        assert_eq!(ended.status.code(), Some(1), "takeover {takeover}: {said}");
        assert!(
            said.contains("taken over by epoch"),
            "takeover {takeover}: {said}"
        );
        let now = offsets(&checkpoint);
        for (batch, entry) in &log {
            assert_eq!(now.get(batch), Some(entry), "offsets/{batch} changed");
        }
        log = now;
    }
    running.kill();
    let written = writer.end();
    server.csv(&format!("SET streaming.trigger = 'available now'; {query}"));
    check(&server, &checkpoint, written);
}

/// Each number is in one range of one batch, that batch is committed once, and the number was
/// copied: more than once only if its batch was begun by more than one process.
fn check(server: &Server, checkpoint: &Path, written: u64) {
    let log = offsets(checkpoint);
    assert!(
        log.keys().copied().eq(0..log.len() as u64),
        "{:?}",
        log.keys()
    );
    let commits = fs::read_dir(checkpoint.join("commits")).unwrap();
    let commits = commits.filter_map(|entry| {
        let name = entry.unwrap().file_name();
        name.to_str()?.parse::<u64>().ok()
    });
    let mut commits: Vec<_> = commits.collect();
    commits.sort_unstable();
    assert!(log.keys().copied().eq(commits));
    let log: Vec<_> = log.values().map(|entry| ranges(entry)).collect();
    let numbers = written_by_key(server);
    let copies = copies_by_key(server);
    let mut total = 0;
    let mut repeated = std::collections::BTreeSet::new();
    for (key, numbers) in &numbers {
        let batches = batches(numbers, &log);
        let mut times = BTreeMap::<u64, usize>::new();
        for copy in &copies[key] {
            *times.entry(*copy).or_default() += 1;
        }
        for (batch, numbers) in batches.iter().enumerate() {
            total += numbers.len() as u64;
            for number in numbers {
                let times = times.remove(number);
                let times = times.unwrap_or_else(|| panic!("{key}: {number} is lost"));
                if times > 1 {
                    repeated.insert(batch);
                }
            }
        }
        assert!(times.is_empty(), "{key}: {times:?} are in no batch");
    }
    assert_eq!(total, written);
    // A takeover finds at most one batch in flight; the last process was killed.
    assert!(repeated.len() <= TAKEOVERS + 1, "{repeated:?}");
    say(&format!(
        "{TAKEOVERS} takeovers: {written} records in {} batches, {} of them begun twice",
        log.len(),
        repeated.len()
    ));
}
