//! Probes a table: performs the operations of a query on a temporary item.

use bytes::Bytes;

use super::super::committer::{OffsetCommitter, Put, StoreError, StoreResult};
use super::DynamoDbCommitter;
use super::client::committer;
use super::item::Slot;
use crate::aws::AwsAccess;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ConnectionSettings, StreamName};
use crate::options::DynamoDbSettings;

/// The query name of the probe.
const TRIAL: &str = "trial of a table";

/// Checks the table, creates an item, reads it and deletes it. Returns the name of the table, and whether it
/// exists. A missing table is not created here, but by the start of a query.
///
/// # Errors
/// The error that a query would get, such as that for a table with another key.
pub(crate) async fn try_table(
    access: &AwsAccess,
    settings: &ConnectionSettings,
    dynamodb: &DynamoDbSettings,
    stream: &StreamName,
) -> Result<(String, bool)> {
    let committer = committer(access, settings, dynamodb, stream, TRIAL).await?;
    let there = try_items(&committer).await;
    let there = there.map_err(StoreError::into_error)?;
    Ok((committer.table, there))
}

async fn try_items(committer: &DynamoDbCommitter) -> StoreResult<bool> {
    if committer.described().await?.is_none() {
        committer.expect_transactions().await?;
        return Ok(false);
    }
    let entry = Bytes::from_static(b"{}\n");
    // A killed probe may have left an item.
    committer.delete(Slot::METADATA).await?;
    let written = committer.create_metadata(entry.clone()).await?;
    let read = committer.metadata().await?;
    committer.delete(Slot::METADATA).await?;
    if written != Put::Done || read != Some(entry) {
        return Err(StoreError::permanent(Error::new(
            ErrorKind::Checkpoint,
            format!(
                "checkpoint '{}': the table does not return what was written",
                committer.location
            ),
        )));
    }
    Ok(true)
}
