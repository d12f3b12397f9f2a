//! The stream behind a table: found, waited for, or made.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::kinesis::{ApiErrorKind, Backoff, Kinesis, StreamStatus, StreamSummary, with_retries};
use crate::model::StreamIdentity;
use crate::options::TableOptions;

/// How long a stream may take to come up; AWS takes well under a minute.
const CREATION_TIMEOUT: Duration = Duration::from_secs(300);

const FIRST_POLL: Duration = Duration::from_millis(50);
const LONGEST_POLL: Duration = Duration::from_secs(2);

/// Describes the stream of a table, once it can be read and written; makes it if the options say so.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) with the way to make it, or what the service answers.
pub(super) async fn find_stream(
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
                check_place(kinesis, options, "find", &mut backoff).await?;
                let stream = stream.arn().unwrap_or(stream.name().as_str());
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
                check_place(kinesis, options, "find", &mut backoff).await?;
                create(kinesis, options, shards, &mut backoff).await?;
                check_place(kinesis, options, "create", &mut backoff).await?;
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

/// A name stands for a stream in the account and region of the caller, which an ARN need not be of; and a
/// stream is created by its name. Fails where the name stands for another stream than the ARN.
///
/// # Errors
/// [`InvalidOption`](ErrorKind::InvalidOption) with both ARNs.
async fn check_place(
    kinesis: &dyn Kinesis,
    options: &TableOptions,
    verb: &str,
    backoff: &mut Backoff,
) -> Result<()> {
    let Some(wanted) = options.stream.arn() else {
        return Ok(());
    };
    let named = StreamIdentity::named(options.stream.name().clone());
    let found = with_retries(backoff, format!("stream '{wanted}'"), || async {
        match kinesis.describe_stream(&named).await {
            // Who may use the stream of the ARN alone need not be allowed to look at others.
            Err(error)
                if matches!(
                    error.kind(),
                    ApiErrorKind::NotFound | ApiErrorKind::AccessDenied
                ) =>
            {
                Ok(None)
            }
            found => found.map(Some),
        }
    })
    .await?;
    let found = found.map(|summary| summary.arn);
    match found.filter(|found| **found != *wanted) {
        None => Ok(()),
        Some(found) => Err(Error::invalid_option(format!(
            "stream '{wanted}' does not exist, and by its name these credentials and this endpoint \
             {verb} '{found}', of another account or region: name that ARN in the table, or use \
             credentials of the account and an endpoint of the region in the ARN"
        ))),
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
