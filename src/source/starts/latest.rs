//! Resolves `LATEST` to a time that the service's clock has reached.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::kinesis::{
    ApiErrorKind, Backoff, IteratorPosition, ShardFilter, list_all_shards, with_retries,
};
use crate::model::UnixMillis;
use crate::source::context::StreamContext;

/// How far this machine's clock is first assumed to be ahead of the service's, once it is found to be.
const FIRST_STEP: Duration = Duration::from_secs(1);

/// How far it may be ahead: the service accepts no request signatures beyond that.
const MAX_SKEW: Duration = Duration::from_secs(300);

/// A time no later than what the service's clock showed at `began`, when this machine's clock showed `now`.
/// Records that were put since `began` are read from there on.
///
/// The service rejects times in its future, which shows whether its clock has reached a time. If it rejects
/// `now`, earlier times are tried: first one second earlier, then twice as far back each time. If the clocks
/// agree, the result is `now` less the duration of the requests. Some records from before `began` may
/// therefore be read, too: back to the amount by which this machine's clock is behind, or up to twice the
/// amount by which it is ahead.
///
/// # Errors
/// A request fails permanently, or this machine's clock is more than five minutes ahead.
pub(crate) async fn resolve_latest(
    context: &StreamContext,
    now: UnixMillis,
    began: Instant,
    random: fastrand::Rng,
) -> Result<UnixMillis> {
    let (kinesis, stream) = (&*context.kinesis, &context.stream);
    let mut backoff = Backoff::new(context.retry, random);
    let shards = list_all_shards(kinesis, stream, ShardFilter::AtLatest, &mut backoff).await?;
    let Some(shard) = shards.first().map(|shard| &shard.id) else {
        return Ok(now);
    };
    let location = format!("stream '{}', shard '{shard}'", stream.name());
    let mut ahead = Duration::ZERO;
    while ahead < 2 * MAX_SKEW {
        let time = now.minus(ahead);
        let at = IteratorPosition::AtTimestamp(time);
        let is_reached = with_retries(&mut backoff, &location, || async {
            match kinesis.get_shard_iterator(stream, shard, &at).await {
                Err(error) if error.kind() == ApiErrorKind::InvalidArgument => Ok(false),
                answer => answer.map(|_| true),
            }
        });
        if is_reached.await? {
            // Rounded up, because the service counts in milliseconds.
            let elapsed = began.elapsed().as_micros().div_ceil(1_000);
            let elapsed = Duration::from_millis(u64::try_from(elapsed).unwrap_or(u64::MAX));
            return Ok(time.minus(elapsed));
        }
        ahead = (2 * ahead).max(FIRST_STEP);
    }
    Err(Error::new(
        ErrorKind::InvalidOption,
        format!(
            "{location}: the service considers {now} to be in the future, and even the time five minutes \
             before it: correct the clock of this machine"
        ),
    ))
}
