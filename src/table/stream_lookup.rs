//! Looks up the stream of a table: describes it, waits until it is active, or creates it.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::kinesis::{ApiErrorKind, Backoff, Kinesis, StreamStatus, StreamSummary, with_retries};
use crate::model::{StreamIdentity, StreamName};
use crate::options::CheckedOptions;

/// How long to wait for a stream to become active; AWS takes well under a minute.
const CREATION_TIMEOUT: Duration = Duration::from_secs(300);

const FIRST_POLL: Duration = Duration::from_millis(50);
const MAX_POLL: Duration = Duration::from_secs(2);

/// Describes a stream of a table. Waits while it is being created or deleted, and creates it if the options
/// request that.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) if it does not exist and the options do not request its creation; any
/// other error of the service.
pub(super) async fn find_stream(
    kinesis: &dyn Kinesis,
    stream: &StreamIdentity,
    options: &CheckedOptions,
    random: fastrand::Rng,
) -> Result<StreamSummary> {
    let mut backoff = Backoff::new(options.retry, random);
    let subject = || format!("stream '{}'", stream.name());
    let mut missing = false;
    let mut waited = Duration::ZERO;
    let mut wait = FIRST_POLL;
    loop {
        let found = with_retries(&mut backoff, subject(), || async {
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
                check_identity(kinesis, stream, "its name refers to", &mut backoff).await?;
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
                check_identity(kinesis, stream, "its name refers to", &mut backoff).await?;
                create(kinesis, stream.name(), shards, &mut backoff).await?;
                check_identity(kinesis, stream, "it was created as", &mut backoff).await?;
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
        wait = (wait * 2).min(MAX_POLL);
    }
}

/// Checks that the name in the table's ARN refers to that ARN. A name refers to a stream in the caller's account
/// and region, an ARN may not; and a stream can be created by name only.
///
/// # Errors
/// [`InvalidOption`](ErrorKind::InvalidOption) with both ARNs if they differ.
async fn check_identity(
    kinesis: &dyn Kinesis,
    stream: &StreamIdentity,
    finding: &str,
    backoff: &mut Backoff,
) -> Result<()> {
    let Some(wanted) = stream.arn() else {
        return Ok(());
    };
    let named = StreamIdentity::named(stream.name().clone());
    let found = with_retries(backoff, format!("stream '{wanted}'"), || async {
        match kinesis.describe_stream(&named).await {
            // A caller may have access to the stream of the ARN only.
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
            "stream '{wanted}' does not exist; with these credentials and this endpoint, {finding} \
             '{found}', in another account or region: use that ARN in the table, or credentials and an \
             endpoint of the account and region in the ARN"
        ))),
    }
}

/// Creates the stream. It is not an error if another process created it first.
async fn create(
    kinesis: &dyn Kinesis,
    name: &StreamName,
    shards: u32,
    backoff: &mut Backoff,
) -> Result<()> {
    with_retries(backoff, format!("stream '{name}'"), || async {
        match kinesis.create_stream(name, shards).await {
            Err(error) if error.kind() == ApiErrorKind::ResourceInUse => Ok(()),
            created => created,
        }
    })
    .await
}
