//! Tries a table as a query will use it, and leaves nothing behind.

use bytes::Bytes;

use super::super::committer::{OffsetCommitter, Put, StoreError, StoreResult};
use super::DynamoDbCommitter;
use super::client::committer;
use super::item::Slot;
use crate::aws::AwsAccess;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ConnectionSettings, StreamName};
use crate::options::DynamoDbSettings;

/// What the items of a trial are called, beside those of queries.
const TRIAL: &str = "trial of a table";

/// Looks at the table, creates an item, reads it and deletes it. Gives the name of the table, and whether
/// it is there: if not, it is made when a query starts, and not by this.
///
/// # Errors
/// What stands in the way: also a table with another key.
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
    // What a trial has left that was killed.
    committer.delete(Slot::METADATA).await?;
    let written = committer.create_metadata(entry.clone()).await?;
    let read = committer.metadata().await?;
    committer.delete(Slot::METADATA).await?;
    if written != Put::Done || read != Some(entry) {
        return Err(StoreError::permanent(Error::new(
            ErrorKind::Checkpoint,
            format!(
                "checkpoint '{}': the table does not give back what was written",
                committer.location
            ),
        )));
    }
    Ok(true)
}
