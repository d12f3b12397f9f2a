//! Many shards at once: no shard waits for the answer to another one.

use super::*;
use crate::source::test_service::TestService;

async fn stream_of(shards: u32) -> Fixture {
    let mut fixture = Fixture::with_shards(shards).await;
    fixture.shards = shards as usize;
    fixture
}

impl Fixture {
    /// Reads through a service that answers after `latency`, and never for the first `hung` shards.
    async fn read_slowly(&self, hung: u32, latency: Duration) -> StreamReader {
        let service = Arc::new(TestService {
            hanging: (0..hung).map(shard).collect(),
            latency,
            ..TestService::over(&self.kinesis)
        });
        self.read_through(service, from_trim_horizon()).await
    }
}

#[tokio::test(start_paused = true)]
async fn hanging_requests_do_not_delay_other_shards() {
    for (shards, hung) in [(72, 64), (600, 500)] {
        let fixture = stream_of(shards).await;
        let mut expected = Vec::new();
        for number in 0..1_000 {
            let text = format!("{number} x");
            let entry = PutEntry {
                data: Bytes::from(text.clone()),
                partition_key: number.to_string().into(),
                explicit_hash_key: None,
            };
            let put = fixture.kinesis.put_record(&fixture.stream, &entry).await;
            if put.unwrap().shard >= shard(hung) {
                expected.push(text);
            }
        }
        let reader = fixture.read_slowly(hung, Duration::from_millis(15)).await;
        let wait = Duration::from_secs(3);
        let rows = tokio::time::timeout(wait, reader.rows(expected.len())).await;
        let mut rows =
            rows.unwrap_or_else(|_| panic!("{hung} of {shards} shards block the others"));
        rows.sort();
        expected.sort();
        assert_eq!(rows, expected);
        // The other shards are polled at their usual pace.
        sleep(Duration::from_secs(10)).await;
        let polled = fixture.kinesis.calls(Operation::GetRecords);
        sleep(Duration::from_secs(10)).await;
        let polled = fixture.kinesis.calls(Operation::GetRecords) - polled;
        let due = u64::from(shards - hung) * 10 * 5;
        assert!(polled >= due * 9 / 10, "{polled} of {due}");
    }
}

#[tokio::test(start_paused = true)]
async fn twelve_hundred_idle_shards_are_polled_five_times_per_second() {
    const SHARDS: u32 = 1_200;
    let fixture = stream_of(SHARDS).await;
    let reader = fixture.read_slowly(0, Duration::from_millis(15)).await;
    sleep(Duration::from_secs(2)).await;
    let polls = || fixture.kinesis.calls(Operation::GetRecords);
    let before = polls();
    sleep(Duration::from_secs(5)).await;
    let due = u64::from(SHARDS) * 5 * 5;
    let polled = polls() - before;
    assert!(polled >= due * 95 / 100, "{polled} of {due}");
    drop(reader);
}
