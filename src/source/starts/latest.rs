//! "From now on" as a time that the service has reached.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::kinesis::{
    ApiErrorKind, Backoff, IteratorPosition, ShardFilter, list_all_shards, with_retries,
};
use crate::model::UnixMillis;
use crate::source::context::ReadContext;

/// How far our clock is taken to be ahead of the service's, the first time it is found to be.
const FIRST_STEP: Duration = Duration::from_secs(1);

/// How far it may be ahead: signatures of requests bear no more.
const MOST_AHEAD: Duration = Duration::from_secs(300);

/// A time no later than the service's clock showed at `began`, when ours showed `now`: what was put
/// since then is read from there on.
///
/// The service refuses times in its future, so it is asked; where it refuses, earlier ones are tried,
/// one second first and then twice as far each time. With clocks that agree it is `now` less what
/// asking took. What was put shortly before may be read, too: as far back as our clock is behind, or
/// up to twice as far as it is ahead.
///
/// # Errors
/// A request fails for good, or our clock is ahead by more than five minutes.
pub(crate) async fn resolve_latest(
    context: &ReadContext,
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
    let place = format!("stream '{}', shard '{shard}'", stream.name());
    let mut ahead = Duration::ZERO;
    while ahead < 2 * MOST_AHEAD {
        let time = now.minus(ahead);
        let at = IteratorPosition::AtTimestamp(time);
        let reached = with_retries(&mut backoff, &place, || async {
            match kinesis.get_shard_iterator(stream, shard, &at).await {
                Err(error) if error.kind() == ApiErrorKind::InvalidArgument => Ok(false),
                answer => answer.map(|_| true),
            }
        });
        if reached.await? {
            // To the next millisecond, which is what the service counts in.
            let asking = began.elapsed().as_micros().div_ceil(1_000);
            let asking = Duration::from_millis(u64::try_from(asking).unwrap_or(u64::MAX));
            return Ok(time.minus(asking));
        }
        ahead = (2 * ahead).max(FIRST_STEP);
    }
    Err(Error::new(
        ErrorKind::InvalidOption,
        format!(
            "{place}: the service takes {now} for the future, and five minutes before that, too: \
             expected a clock of this machine that is right"
        ),
    ))
}
