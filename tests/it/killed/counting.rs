//! A counting query that is killed: its state survives every kill.

use super::*;

/// Counts the numbers of each key into the stream of the copies.
fn query(checkpoint: &Path) -> String {
    format!(
        "{STREAMS}
         CREATE UNBOUNDED EXTERNAL TABLE live STORED AS \"aws-kinesis\" LOCATION 'numbers'
           OPTIONS ('kinesis.startingPosition' 'TRIM_HORIZON', 'kinesis.getRecords.fetchIntervalMs' '10',
                    'kinesis.minBatchesToRetain' '3');
         SET streaming.checkpoint_location = 'file://{}';
         SET streaming.output_mode = 'update';
         INSERT INTO copies (partitionKey, data)
           SELECT partitionKey, CAST(count(*) AS VARCHAR) || ' ' || CAST(sum(n) AS VARCHAR) || ' ' ||
             CAST(max(n) AS VARCHAR)
           FROM (SELECT partitionKey, CAST(CAST(data AS VARCHAR) AS BIGINT) AS n FROM live)
           GROUP BY partitionKey;",
        checkpoint.display()
    )
}

/// Count, sum and maximum.
type Counts = [u64; 3];

fn counts(text: &str) -> Counts {
    let numbers: Vec<u64> = text.split(' ').map(|word| word.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

/// The expected values for all numbers of a key below `written`.
fn expected(key: u64, written: u64) -> Counts {
    let numbers: Vec<u64> = (key..written).step_by(KEYS as usize).collect();
    let sum = numbers.iter().sum();
    [numbers.len() as u64, sum, numbers.last().copied().unwrap()]
}

#[test]
fn a_counting_query_is_exact_however_often_it_is_killed() {
    let (server, checkpoint) = (Server::start(), folder("killed-counting"));
    let query = query(&checkpoint);
    let kills = setting("KILLS", 15);
    let mut random = fastrand::Rng::with_seed(setting("KILL_SEED", 1));
    server.csv(STREAMS);
    let writer = Writer::start(&server.url);
    for _ in 0..kills {
        let running = Running::spawn(server.client().args(["-c", &query]));
        // This does not wait for a condition: the time of the kill is what is tested.
        thread::park_timeout(Duration::from_millis(random.u64(0..LONGEST_LIFE_MILLIS)));
        running.kill();
    }
    let written = writer.end();
    server.csv(&format!("SET streaming.trigger = 'available now'; {query}"));
    let given = by_key(&select(&server, "", "copies"), |row| counts(row[0]));
    for key in 0..KEYS {
        let rows = &given[&format!("key {key}")];
        assert!(rows.is_sorted(), "key {key}: a count decreased");
        assert_eq!(rows.last(), Some(&expected(key, written)), "key {key}");
    }
    let batches = offsets(&checkpoint);
    let newest = batches.keys().last().unwrap();
    let state = fs::read_dir(checkpoint.join("state")).unwrap();
    let state: Vec<String> = state
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    let torn = state.iter().find(|name| name.starts_with('.'));
    assert_eq!(torn, None, "leftovers of killed writers are removed");
    say(&format!(
        "{kills} kills: {written} records counted in {newest} batches, {} files of state",
        state.len()
    ));
}
