//! The stream behind a table: found, waited for, or made.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::kinesis::{ApiErrorKind, Backoff, Kinesis, StreamStatus, StreamSummary, with_retries};
use crate::options::TableOptions;

use super::KinesisTable;

/// How long a stream may take to come up; AWS takes well under a minute.
const CREATION_TIMEOUT: Duration = Duration::from_secs(300);

const FIRST_POLL: Duration = Duration::from_millis(50);
const LONGEST_POLL: Duration = Duration::from_secs(2);

impl KinesisTable {
    /// The stream as it is now: it may have changed since the table was made, or be another one of the
    /// same name.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) where it is gone, or what the service answers.
    pub(crate) async fn describe(&self, random: fastrand::Rng) -> Result<StreamSummary> {
        resolve(&*self.config.kinesis, &self.config.options, random).await
    }
}

/// Describes the stream of a table, once it can be read and written; makes it if the options say so.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) with the way to make it, or what the service answers.
pub(super) async fn resolve(
    kinesis: &dyn Kinesis,
    options: &TableOptions,
    random: fastrand::Rng,
) -> Result<StreamSummary> {
    let stream = &options.stream;
    let mut backoff = Backoff::new(options.retry, random);
    let place = || format!("stream '{}'", stream.name());
    let mut missing = false;
    let mut waited = Duration::ZERO;
    let mut wait = FIRST_POLL;
    loop {
        let found = with_retries(&mut backoff, place(), || async {
            match kinesis.describe_stream(stream).await {
                Err(error) if error.kind() == ApiErrorKind::NotFound => Ok(None),
                found => found.map(Some),
            }
        })
        .await?;
        match (
            found.map(|summary| (summary.status, summary)),
            options.create_with_shards,
        ) {
            (Some((StreamStatus::Active | StreamStatus::Updating, summary)), _) => {
                return Ok(summary);
            }
            (Some((StreamStatus::Creating | StreamStatus::Deleting, _)), _) => {}
            (None, None) => {
                return Err(Error::new(
                    ErrorKind::NotFound,
                    format!(
                        "stream '{stream}' does not exist: create it, or let the table create it \
                         with option 'kinesis.createStream' = 'true'"
                    ),
                ));
            }
            (None, Some(shards)) if !missing => {
                missing = true;
                create(kinesis, options, shards, &mut backoff).await?;
                continue;
            }
            (None, Some(_)) => {}
        }
        if waited >= CREATION_TIMEOUT {
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!(
                    "stream '{stream}' is not active after {} s: try again later",
                    waited.as_secs()
                ),
            ));
        }
        tokio::time::sleep(wait).await;
        waited += wait;
        wait = (wait * 2).min(LONGEST_POLL);
    }
}

/// Makes the stream; somebody else may be faster.
async fn create(
    kinesis: &dyn Kinesis,
    options: &TableOptions,
    shards: u32,
    backoff: &mut Backoff,
) -> Result<()> {
    let name = options.stream.name();
    with_retries(backoff, format!("stream '{name}'"), || async {
        match kinesis.create_stream(name, shards).await {
            Err(error) if error.kind() == ApiErrorKind::ResourceInUse => Ok(()),
            created => created,
        }
    })
    .await
}
