//! Events of the stream and the clock, at their scheduled times.

use std::sync::Arc;
use std::time::Duration;

use datafusion_kinesis::kinesis::{ApiErrorKind, ApiResult, ShardFilter};
use datafusion_kinesis::model::{HashKey, Shard};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::ground::Ground;
use super::schedule::Event;
use super::tally::Met;

/// More shards would slow a simulation down without further coverage.
const MOST_SHARDS: usize = 8;

/// How long a reshard waits for a list of the shards.
const PATIENCE: Duration = Duration::from_secs(1);

/// Rows that are not in the sink yet are lag.
const LAG: usize = 10;

pub(super) async fn happen(ground: &Arc<Ground>, began: Instant, events: &[(Duration, Event)]) {
    for (time, event) in events {
        sleep_until(began + *time).await;
        match event {
            Event::Weather(weather) => ground.set_weather(*weather),
            Event::Clock { offset_millis } => {
                ground.tell(format_args!("clock at {offset_millis} ms"));
                ground.query_clock.set(*offset_millis);
                ground.tally.lock().unwrap().add(Met::ClockJumps, 1);
            }
            reshard => ground.reshard(*reshard).await,
        }
    }
}

impl Ground {
    pub(super) async fn reshard(&self, event: Event) {
        let Ok(mut shards) = timeout(PATIENCE, self.shards(ShardFilter::AtLatest)).await else {
            return self.tell(format_args!("{event:?}: the service is unavailable"));
        };
        shards.sort_by_key(|shard| shard.hash_range.start);
        loop {
            match self.try_reshard(event, &shards).await {
                None => return,
                Some(Ok(())) => break,
                Some(Err(error)) if error.kind() == ApiErrorKind::ResourceInUse => {
                    sleep(Duration::from_millis(200)).await;
                }
                // Too large a step for the service.
                Some(Err(error)) => return self.tell(format_args!("{event:?}: {error}")),
            }
        }
        let acknowledged = self.written.lock().unwrap().acknowledged.len();
        let lag = acknowledged.saturating_sub(self.sink.lock().unwrap().rows);
        self.tell(format_args!("{event:?} with {lag} rows to read"));
        let mut tally = self.tally.lock().unwrap();
        tally.add(Met::Reshards, 1);
        tally.add(Met::ReshardsUnderLag, u64::from(lag >= LAG));
    }

    /// `None` if the stream does not allow it.
    async fn try_reshard(&self, event: Event, shards: &[Shard]) -> Option<ApiResult<()>> {
        let chosen = |at: f64, most: usize| (at * most as f64) as usize;
        let Self {
            kinesis, stream, ..
        } = self;
        Some(match event {
            Event::Split { at, share } if shards.len() < MOST_SHARDS => {
                let shard = &shards[chosen(at, shards.len())];
                let (start, end) = (shard.hash_range.start.0, shard.hash_range.end.0);
                let first = ((end - start) as f64 * share) as u128;
                let second = HashKey((start + first).clamp(start + 2, end - 1));
                kinesis.split_shard(stream, &shard.id, second).await
            }
            Event::Merge { at } if shards.len() > 1 => {
                let place = chosen(at, shards.len() - 1);
                let [left, right] = [place, place + 1].map(|place| &shards[place].id);
                kinesis.merge_shards(stream, left, right).await
            }
            Event::Scale { factor } => {
                let target = (shards.len() as f64 * factor).round() as usize;
                let target = target.clamp(1, MOST_SHARDS) as u32;
                kinesis.update_shard_count(stream, target).await
            }
            _ => return None,
        })
    }
}
