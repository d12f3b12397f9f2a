//! Finding new shards, and making a reader for each shard that may be read.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument;

use super::shard_task::ShardFollower;
use super::shared_state::Shared;
use crate::error::{Error, ErrorKind};
use crate::kinesis::{Backoff, ShardFilter, list_all_shards};
use crate::model::ShardId;

/// How often the retention of the stream is asked for when no decision depends on it. The log and the time
/// between two entries without rows go by the answer.
const RETENTION_INTERVAL: Duration = Duration::from_secs(600);

/// Runs the discovery and the readers; all of them end with it.
pub(crate) async fn supervise(
    shared: Arc<Shared>,
    mut started: mpsc::UnboundedReceiver<ShardId>,
    mut random: fastrand::Rng,
) {
    let mut tasks = JoinSet::new();
    tasks.spawn(discover(Arc::clone(&shared), random.fork()).in_current_span());
    if shared.settings.until.is_none() {
        tasks.spawn(watch_retention(Arc::clone(&shared)).in_current_span());
    }
    loop {
        tokio::select! {
            biased;
            Some(shard) = started.recv() => {
                let follower = ShardFollower::new(Arc::clone(&shared), shard, random.fork());
                tasks.spawn(follower.run().in_current_span());
            }
            Some(ended) = tasks.join_next() => {
                if let Err(error) = ended {
                    let stream = shared.context.stream.name();
                    let message = format!("stream '{stream}': a reader ended without a reason");
                    shared.fail(Error::internal(message).with_source(error));
                }
            }
            else => return,
        }
    }
}

/// Lists the shards once per interval, and with a frozen tip only when a shard is missing.
async fn discover(shared: Arc<Shared>, random: fastrand::Rng) {
    let context = &shared.context;
    let mut backoff = Backoff::new(context.retry, random);
    let mut listed_at = Instant::now();
    loop {
        if shared.settings.until.is_some() {
            shared.listing_wanted().await;
        }
        tokio::time::sleep_until(listed_at + context.options.describe_shard_interval).await;
        listed_at = Instant::now();
        let filter = ShardFilter::FromTrimHorizon;
        shared.with(|state| state.listings_begun += 1);
        match list_all_shards(&*context.kinesis, &context.stream, filter, &mut backoff).await {
            Ok(shards) => shared.listed(&shards),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                shared.fail(deleted(error));
                return;
            }
            Err(error) => {
                backoff.reset();
                tracing::warn!(%error, "new shards cannot be looked for, which is tried again");
            }
        }
    }
}

/// Learns now and then how long the stream keeps its records. A failure is left to the requests that
/// need an answer.
async fn watch_retention(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(RETENTION_INTERVAL).await;
        if let Err(error) = shared.context.learn_retention(Instant::now()).await {
            tracing::debug!(%error, "the retention of the stream cannot be asked for now");
        }
    }
}

fn deleted(error: Error) -> Error {
    let message = format!(
        "{error}: the stream was deleted while the query reads it; once there is one of this name \
         again, start the query again, and 'kinesis.failOnDataLoss' = 'false' has it read that one"
    );
    Error::new(ErrorKind::NotFound, message).with_source(error)
}
