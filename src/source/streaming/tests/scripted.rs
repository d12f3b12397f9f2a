//! Shard tasks over scripted pages: what they do about failures, full buffers, gaps and ends.

use tokio::sync::mpsc;

use super::*;
use crate::error::ErrorKind;
use crate::kinesis::ChildShard;
use crate::model::HashRange;
use crate::source::pages::scripted::ScriptedPages;
use crate::source::pages::{Failure, ShardPage};
use crate::source::retention::{Gap, RetentionWindow};
use crate::source::streaming::shard_task::ShardTask;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// One tracked shard without a reader, and the shards that were started since.
struct Tracked {
    shared: Arc<SharedState>,
    started: mpsc::UnboundedReceiver<ShardId>,
}

impl Tracked {
    fn new(fixture: &Fixture) -> Self {
        let kinesis: Arc<dyn Kinesis> = Arc::<InMemoryKinesis>::clone(&fixture.kinesis);
        let context = Arc::new(fixture.context(kinesis));
        let (starts, started) = mpsc::unbounded_channel();
        let shared = SharedState::new(context, fixture.settings.clone(), starts);
        let offsets = [(shard(0), ShardPosition::TrimHorizon)];
        shared.begin(
            offsets.into_iter().collect(),
            |_| ReadHistory::default(),
            &[],
        );
        let mut tracked = Self {
            shared: Arc::new(shared),
            started,
        };
        assert_eq!(tracked.started(), [shard(0)]);
        tracked
    }

    /// Runs a task over `pages` for a minute.
    async fn run(&self, pages: ScriptedPages) {
        let random = fastrand::Rng::with_seed(7);
        let task = ShardTask::new(Arc::clone(&self.shared), shard(0), pages, random);
        let _ = tokio::time::timeout(Duration::from_secs(60), task.run()).await;
    }

    fn started(&mut self) -> Vec<ShardId> {
        std::iter::from_fn(|| self.started.try_recv().ok()).collect()
    }

    fn take(&self) -> StreamBatch {
        let name = self.shared.context.stream_name().clone();
        let settings = &self.shared.settings;
        let (batch, started) = self
            .shared
            .with(|state| state.take(name, settings, DAY, Instant::now()));
        self.shared.start(started);
        batch
    }

    fn readiness(&self) -> Result<Readiness> {
        let now = Instant::now();
        self.shared.with(|state| state.readiness(now, now))
    }

    fn failures(&self) -> (u64, u64, u64) {
        let failures = self.shared.with(|state| state.failures);
        (failures.throttled, failures.retries, failures.losses)
    }
}

fn pages() -> ScriptedPages {
    ScriptedPages::starting_at(ShardPosition::TrimHorizon)
}

fn gap() -> Gap {
    Gap::unknown(RetentionWindow::constant(DAY))
}

#[tokio::test(start_paused = true)]
async fn pages_fill_the_buffer_and_an_attempt_without_one_is_repeated() {
    let tracked = Tracked::new(&Fixture::with_shards(1).await);
    let first = ShardPage::scripted(&[1, 2]);
    let second = ShardPage::scripted(&[3]).covering(START);
    tracked
        .run(pages().page(first).no_page().page(second))
        .await;
    assert_eq!(tracked.readiness().unwrap(), Readiness::Ready);
    let batch = tracked.take();
    assert_eq!((batch.rows, batch.ranges.read_to), (3, Some(START)));
}

#[tokio::test(start_paused = true)]
async fn transient_failures_are_retried_for_ever_with_growing_waits() {
    let tracked = Tracked::new(&Fixture::with_shards(1).await);
    let code = "ProvisionedThroughputExceededException";
    let script = pages().failures(6, Failure::Transient, code);
    let script = script.failures(1, Failure::StartInFuture, "InvalidArgumentException");
    let script = script.page(ShardPage::scripted(&[1]));
    let log = script.log();
    tracked.run(script).await;
    assert_eq!(tracked.take().rows, 1);
    assert_eq!(tracked.failures(), (6, 1, 0));
    let requests = &log.lock().unwrap().requests;
    let waits: Vec<Duration> = (requests.windows(2))
        .map(|pair| pair[1].0 - pair[0].0)
        .collect();
    assert!(waits[4] > waits[0] * 2, "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_ends_the_query_with_its_location() {
    let tracked = Tracked::new(&Fixture::with_shards(1).await);
    let script = pages().page(ShardPage::scripted(&[1]));
    let script = script.failures(1, Failure::Permanent, "AccessDeniedException");
    tracked.run(script.page(ShardPage::scripted(&[2]))).await;
    let error = tracked.readiness().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
    let location = "stream 'words', shard 'shardId-000000000000', position AFTER 1";
    assert!(error.to_string().contains(location), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_position_rejected_before_and_after_a_listing_ends_the_query() {
    let tracked = Tracked::new(&Fixture::with_shards(1).await);
    let code = "InvalidArgumentException";
    let script = pages().failures(2, Failure::RejectedPosition, code);
    let log = script.log();
    let requests = || log.lock().unwrap().requests.len();
    let listing = async {
        sleep(Duration::from_secs(30)).await;
        assert_eq!(requests(), 1, "no request before a listing");
        assert!(tracked.readiness().is_ok());
        tracked.shared.listed(&[]);
    };
    tokio::join!(tracked.run(script), listing);
    assert_eq!(requests(), 2);
    let error = tracked.readiness().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
}

#[tokio::test(start_paused = true)]
async fn a_full_buffer_pauses_the_source_until_rows_are_released() {
    let mut fixture = Fixture::with_shards(1).await;
    fixture.options.buffer_max_bytes = 100;
    let tracked = Tracked::new(&fixture);
    let script = pages().page(ShardPage::scripted(&[1]));
    let script = script.page(ShardPage::scripted(&[2]));
    let log = script.log();
    let seen = || {
        let log = log.lock().unwrap();
        (log.requests.len(), log.pauses)
    };
    let batch = async {
        sleep(Duration::from_secs(30)).await;
        assert_eq!(seen(), (1, 1));
        let batch = tracked.take();
        sleep(Duration::from_secs(5)).await;
        assert_eq!(seen(), (1, 1), "the batch is not committed");
        let ends = batch.ranges.ends();
        tracked.shared.with(|state| state.release(&ends));
        tracked.shared.notify_room();
    };
    tokio::join!(tracked.run(script), batch);
    assert_eq!(seen().0, 2);
    assert_eq!(tracked.take().rows, 1);
}

#[tokio::test(start_paused = true)]
async fn a_gap_ends_the_query_or_is_counted() {
    for fails in [true, false] {
        let mut fixture = Fixture::with_shards(1).await;
        fixture.options.fail_on_data_loss = fails;
        let tracked = Tracked::new(&fixture);
        let page = ShardPage {
            gap: Some(gap()),
            ..ShardPage::scripted(&[7])
        };
        let script = pages().page(ShardPage::scripted(&[1])).page(page);
        tracked.run(script).await;
        if fails {
            let error = tracked.readiness().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::DataLoss);
        } else {
            assert_eq!(tracked.take().rows, 2);
        }
        assert_eq!(tracked.failures().2, u64::from(!fails));
    }
}

#[tokio::test(start_paused = true)]
async fn children_start_when_the_rows_of_their_parent_are_taken() {
    let mut tracked = Tracked::new(&Fixture::with_shards(1).await);
    let child = |n| ChildShard {
        id: shard(n),
        parents: vec![shard(0)],
        hash_range: HashRange::ALL,
    };
    let last = ShardPage::scripted(&[1]).ending(vec![child(1), child(2)]);
    let script = pages().page(last).page(ShardPage::scripted(&[2]));
    let log = script.log();
    tracked.run(script).await;
    assert_eq!(log.lock().unwrap().requests.len(), 1, "the shard has ended");
    assert_eq!(tracked.started(), []);
    assert_eq!(tracked.take().rows, 1);
    assert_eq!(tracked.started(), [shard(1), shard(2)]);
}
