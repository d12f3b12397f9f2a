//! Reads from scripted pages: what they retry, and where they end.

use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;

use super::*;
use crate::source::pages::scripted::ScriptedPages;
use crate::source::pages::{Failure, ShardPage};
use crate::source::read::shard_reader::ShardReader;

/// When the scripted reads begin.
const BEGUN: UnixMillis = UnixMillis(100);

/// The number of rows of a read, or its error; and its counters.
async fn count_rows(until: Until, pages: ScriptedPages) -> (Result<usize>, ReadCounters) {
    let mut fixture = Fixture::with_records(0, 0, Shape::plain()).await;
    fixture.context.retry.max_retries = 3;
    let context = Arc::new(ReadContext::new(fixture.context));
    let counters = ReadCounters::new(&ExecutionPlanMetricsSet::new(), 0);
    let mut reader = ShardReader::new(
        context,
        fixture::read(ShardPosition::TrimHorizon, until),
        pages,
        BEGUN,
        &RowColumn::STANDARD,
        counters.clone(),
        fastrand::Rng::with_seed(1),
    );
    let mut rows = 0;
    let outcome = loop {
        match reader.next_batch().await {
            Ok(Some(batch)) => rows += batch.num_rows(),
            Ok(None) => break Ok(rows),
            Err(error) => break Err(error),
        }
    };
    (outcome, counters)
}

fn pages() -> ScriptedPages {
    ScriptedPages::starting_at(ShardPosition::TrimHorizon)
}

const THROTTLED: &str = "ProvisionedThroughputExceededException";

#[tokio::test(start_paused = true)]
async fn a_read_to_the_tip_ends_with_the_page_that_covers_its_begin() {
    let script = pages()
        .page(ShardPage::scripted(&[1, 2]).covering(UnixMillis(99)))
        .no_page()
        .page(ShardPage::scripted(&[3]).covering(BEGUN))
        .page(ShardPage::scripted(&[4]));
    let log = script.log();
    let (rows, _) = count_rows(Until::Tip(BEGUN), script).await;
    assert_eq!(rows.unwrap(), 3);
    assert_eq!(log.lock().unwrap().requests.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_read_to_the_tip_ends_with_its_shard() {
    let script = pages().page(ShardPage::scripted(&[1, 2]).ending(vec![]));
    assert_eq!(count_rows(Until::Tip(BEGUN), script).await.0.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn transient_failures_are_retried_up_to_the_limit() {
    let fails = |times| {
        let script = pages().failures(times, Failure::Transient, THROTTLED);
        script.page(ShardPage::scripted(&[1]).covering(BEGUN))
    };
    let (rows, counters) = count_rows(Until::Tip(BEGUN), fails(3)).await;
    assert_eq!((rows.unwrap(), counters.throttles.value()), (1, 3));
    let (error, _) = count_rows(Until::Tip(BEGUN), fails(4)).await;
    let error = error.unwrap_err().to_string();
    let location = "stream 'words', shard 'shardId-000000000000', position TRIM_HORIZON";
    assert!(error.contains(location), "{error}");
    assert!(error.contains("gave up after 4 tries"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn other_failures_are_not_retried() {
    for failure in [
        Failure::UnknownShard,
        Failure::RejectedPosition,
        Failure::StartInFuture,
        Failure::Permanent,
    ] {
        let script = pages().failures(1, failure, "InvalidArgumentException");
        let script = script.page(ShardPage::scripted(&[1]));
        let log = script.log();
        let (error, _) = count_rows(Until::Tip(BEGUN), script).await;
        assert!(error.is_err(), "{failure:?}");
        assert_eq!(log.lock().unwrap().requests.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_range_over_an_unknown_shard_is_lost() {
    let script = pages().failures(1, Failure::UnknownShard, "ResourceNotFoundException");
    let upto = Until::Position(ShardPosition::ShardEnd);
    let (error, _) = count_rows(upto, script).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::DataLoss);
}
