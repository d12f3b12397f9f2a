//! Empty shards next to one that is catching up for a long time.

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(start_paused = true)]
async fn an_empty_shard_is_not_lost_while_another_one_catches_up() {
    let mut fixture = Fixture::with_shards(2).await;
    fixture.settings.created_at = UnixMillis(0);
    fixture.options.fail_on_data_loss = true;
    fixture.options.records_per_fetch = 1;
    sleep(24 * HOUR).await;
    for text in numbers(30) {
        fixture.put(&text).await;
    }
    let reader = fixture.read_all().await;
    let mut taken = 0;
    while taken < 10 {
        taken += reader.next().await.rows;
    }
    let ranges = reader.take().ranges;
    assert!(taken < 30, "every page was full");
    drop(reader);
    sleep(HOUR).await;
    let from = StreamStart::Resume {
        offsets: ranges.ends(),
        read_to: ranges.read_to,
        retention: ranges.retention,
    };
    let reader = fixture.read(from).await;
    assert_eq!(reader.rows(20).await.last().unwrap(), "k 29");
    sleep(HOUR).await;
    assert_eq!(reader.readiness(Instant::now()).unwrap(), Readiness::NoData);
    let starts = reader.take().ranges.ends();
    assert!(
        starts
            .values()
            .any(|place| *place == ShardPosition::TrimHorizon)
    );
}
