//! Runs the tasks of a stream reader: one per shard, the discovery of new shards, and the check of the
//! retention.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument;

use super::shard_task::ShardTask;
use super::shared_state::SharedState;
use crate::error::{Error, ErrorKind};
use crate::kinesis::{Backoff, ShardFilter, list_all_shards};
use crate::model::ShardId;

/// How often the retention of the stream is checked while no decision depends on it. The log, and the time
/// between two log entries without rows, use the last known value.
const RETENTION_INTERVAL: Duration = Duration::from_secs(600);

/// Runs the tasks, and starts one for each shard that `started` receives. Dropping it ends all of them.
pub(super) async fn supervise(
    shared: Arc<SharedState>,
    mut started: mpsc::UnboundedReceiver<ShardId>,
    mut random: fastrand::Rng,
) {
    let mut tasks = JoinSet::new();
    tasks.spawn(discover_shards(Arc::clone(&shared), random.fork()).in_current_span());
    if shared.settings.until.is_none() {
        tasks.spawn(check_retention(Arc::clone(&shared)).in_current_span());
    }
    loop {
        tokio::select! {
            biased;
            Some(shard) = started.recv() => {
                let (shared, random) = (Arc::clone(&shared), random.fork());
                let span = tracing::error_span!("shard", id = %shard);
                match shared.settings.subscribed.clone() {
                    None => {
                        let task = ShardTask::polling(shared, shard, random);
                        tasks.spawn(task.run().instrument(span));
                    }
                    Some(settings) => {
                        let task = ShardTask::subscribed(shared, shard, settings, random);
                        tasks.spawn(task.run().instrument(span));
                    }
                }
            }
            Some(ended) = tasks.join_next() => {
                if let Err(error) = ended {
                    let stream = shared.context.stream_name();
                    let message = format!("stream '{stream}': a reader task ended unexpectedly");
                    shared.fail(Error::internal(message).with_source(error));
                }
            }
            else => return,
        }
    }
}

/// Lists the shards once per interval; with a frozen tip, only when a listing is requested.
async fn discover_shards(shared: Arc<SharedState>, random: fastrand::Rng) {
    let context = &shared.context;
    let mut backoff = Backoff::new(context.retry, random);
    let mut listed_at = Instant::now();
    loop {
        if shared.settings.until.is_some() {
            shared.listing_requested().await;
        }
        tokio::time::sleep_until(listed_at + context.options.describe_shard_interval).await;
        listed_at = Instant::now();
        let filter = ShardFilter::FromTrimHorizon;
        shared.with(|state| state.listings_requested += 1);
        match list_all_shards(&*context.kinesis, &context.stream, filter, &mut backoff).await {
            Ok(shards) => shared.listed(&shards),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                shared.fail(stream_deleted(error));
                return;
            }
            Err(error) => {
                backoff.reset();
                tracing::warn!(%error, "cannot list the shards to find new ones, retrying");
            }
        }
    }
}

/// Checks the retention of the stream from time to time. Failures are ignored: a decision that needs the
/// retention sends its own request.
async fn check_retention(shared: Arc<SharedState>) {
    loop {
        tokio::time::sleep(RETENTION_INTERVAL).await;
        if let Err(error) = shared.context.refresh_retention(Instant::now()).await {
            tracing::debug!(%error, "cannot check the retention of the stream");
        }
    }
}

fn stream_deleted(error: Error) -> Error {
    let message = format!(
        "{error}: the stream was deleted while the query was reading it. To read a new stream of this name, \
         restart the query with 'kinesis.failOnDataLoss' = 'false'"
    );
    Error::new(ErrorKind::NotFound, message).with_source(error)
}
