//! A query that is killed while the shards of its source split and merge, and that subscribes in some of its lives.

use super::*;

/// Long enough to subscribe, which takes a start up to five seconds after the subscription of a killed one.
const LONGEST_LIFE_MILLIS: u64 = 3_000;

#[test]
fn killed_under_splits_and_merges_it_copies_every_record_in_order() {
    let (server, checkpoint) = (Server::start(), folder("killed-resharded"));
    let types = [
        "",
        ", 'kinesis.consumerType' 'SubscribeToShard', 'kinesis.consumerName' 'copying'",
    ];
    let queries = types.map(|options| copying(&checkpoint, options));
    let mut random = fastrand::Rng::with_seed(setting("KILL_SEED", 1));
    let kills = setting("KILLS", 10);
    server.csv(STREAMS);
    let writer = Writer::start(&server.url);
    let mut reshards = 0;
    for _ in 0..kills {
        // Two of three lives subscribe.
        let query = &queries[usize::from(random.u32(0..3) > 0)];
        let running = Running::spawn(server.client().args(["-c", query]));
        let life = random.u64(0..LONGEST_LIFE_MILLIS);
        let reshards_after = random.u64(0..=life);
        // This does not wait for a condition: the times of the reshard and of the kill are what is tested.
        thread::park_timeout(Duration::from_millis(reshards_after));
        reshards += u64::from(reshard(&server.url, random.i32(1..=6)));
        thread::park_timeout(Duration::from_millis(life - reshards_after));
        running.kill();
    }
    let written = writer.end();
    server.csv(&format!(
        "SET streaming.trigger = 'available now'; {}",
        queries[0]
    ));
    assert!(reshards > 0);
    let (mut total, mut again) = (0, 0);
    for (key, copies) in copies_by_key(&server) {
        let (mut next, last) = (copies[0], copies.len() as u64);
        let mut firsts = 0;
        for number in copies {
            // A number that is not the next one is a copy of an earlier one, from a batch that ran again.
            assert!(number <= next, "{key}: {next} is missing before {number}");
            if number == next {
                next += KEYS;
                firsts += 1;
            }
        }
        assert!(next >= written, "{key}: {next} of {written} is missing");
        total += firsts;
        again += last - firsts;
    }
    assert_eq!(total, written);
    say(&format!(
        "{kills} kills and {reshards} reshards: {written} records, {again} of them copied again"
    ));
}

/// Splits or merges shards; returns whether the service did, which it refuses while it still works on the last one.
fn reshard(url: &str, shards: i32) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(async {
        let scale = sdk::client(url).update_shard_count().stream_name("numbers");
        let scale = scale.target_shard_count(shards);
        let scale = scale.scaling_type(ScalingType::UniformScaling);
        scale.send().await.is_ok()
    })
}
