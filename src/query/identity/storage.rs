//! Where a query stores its log, its state and its stop lock.

use std::sync::Arc;

use crate::checkpoint::{OffsetCommitter, StopLock, open, open_table, private};
use crate::error::{Error, ErrorKind, Result};
use crate::options::{CommitterKind, DynamoDbSettings, MetadataOptions};
use crate::query::plan::QuerySource;

/// The settings of the builder, the session and the tables that determine where a query stores its progress.
#[derive(Debug)]
pub(in crate::query) struct StorageSettings<'a> {
    pub(in crate::query) committer: Option<Arc<dyn OffsetCommitter>>,
    pub(in crate::query) checkpoint_location: Option<&'a str>,
    pub(in crate::query) query_name: Option<&'a str>,
    pub(in crate::query) log: &'a MetadataOptions,
    pub(in crate::query) sources: &'a [QuerySource],
}

/// Where a query stores its progress.
#[derive(Debug)]
pub(in crate::query) struct CheckpointStorage {
    pub(in crate::query) committer: Arc<dyn OffsetCommitter>,
    pub(in crate::query) stop_lock: Option<StopLock>,
    /// The location of state files; `None` if nothing outlives the run.
    pub(in crate::query) state: Option<String>,
    /// The locations that no other query may use while this one runs. Empty if nothing outlives the run.
    pub(in crate::query) exclusive: Vec<String>,
}

impl CheckpointStorage {
    /// Opens the storage. The log is stored by the given committer, else in DynamoDB if the options of the
    /// tables select it, else at the metadata path, else at the checkpoint location. The stop lock is at the
    /// checkpoint location, else at the metadata path.
    ///
    /// # Errors
    /// An invalid location, or none for an INSERT; a query in DynamoDB without a name.
    pub(in crate::query) async fn open(
        settings: StorageSettings<'_>,
        inserts: bool,
    ) -> Result<Self> {
        let path = settings.log.path.as_deref();
        let state_location = settings.checkpoint_location.or(path);
        let stop_lock = state_location.map(StopLock::at).transpose()?;
        let log = path.or(settings.checkpoint_location);
        let committer = match (settings.committer, &settings.log.committer, log) {
            (Some(committer), _, _) => committer,
            (None, CommitterKind::DynamoDb(dynamodb), _) => {
                let query = query_key(stop_lock.as_ref(), settings.query_name)?;
                open_dynamodb(dynamodb, settings.sources, query).await?
            }
            (None, CommitterKind::ObjectStore, Some(location)) => open(location)?,
            (None, CommitterKind::ObjectStore, None) if inserts => return Err(no_location()),
            (None, CommitterKind::ObjectStore, None) => {
                tracing::info!(
                    "no checkpoint location: the next start of this query starts from scratch"
                );
                return Ok(Self {
                    committer: private(),
                    stop_lock: None,
                    state: None,
                    exclusive: Vec::new(),
                });
            }
        };
        let mut exclusive = vec![committer.location()];
        exclusive.extend(stop_lock.as_ref().map(|lock| lock.location().to_owned()));
        Ok(Self {
            committer,
            state: state_location.map(str::to_owned),
            stop_lock,
            exclusive,
        })
    }
}

/// Refuses a start if there is already a STOP_LOCK. It was meant for an earlier run that ended without
/// seeing it, and may or may not be meant for this one, too. Running would ignore the request, and ending as
/// if the work were done would hide that nothing ran.
///
/// # Errors
/// [`Checkpoint`](ErrorKind::Checkpoint) with the location.
pub(in crate::query) async fn refuse_stop_lock(lock: &StopLock) -> Result<()> {
    match lock.is_there().await {
        Ok(false) => Ok(()),
        Ok(true) => Err(Error::new(
            ErrorKind::Checkpoint,
            format!(
                "checkpoint '{}' has a STOP_LOCK that was created before this start, so the query does not \
                 start: a running query ends when it finds one, and removes it. Remove the object STOP_LOCK and \
                 start the query again",
                lock.location()
            ),
        )),
        // If the location cannot be reached, the running query logs that and continues.
        Err(error) => {
            tracing::debug!(%error, "cannot look for a STOP_LOCK before the start");
            Ok(())
        }
    }
}

/// The key of a query in a DynamoDB table: its normalized location, else its name.
fn query_key<'a>(location: Option<&'a StopLock>, query_name: Option<&'a str>) -> Result<&'a str> {
    let location = location.map(|location| location.location().trim_end_matches('/'));
    location.or(query_name).ok_or_else(no_name)
}

/// The log of the query with the key `query` in a DynamoDB table. Defaults of the options come from the
/// first source. They must be the same for all sources, or reordering the sources would select another log.
async fn open_dynamodb(
    dynamodb: &DynamoDbSettings,
    sources: &[QuerySource],
    query: &str,
) -> Result<Arc<dyn OffsetCommitter>> {
    let Some((first, others)) = sources.split_first() else {
        return Err(Error::internal("a streaming query without a source"));
    };
    let connection = |source: &QuerySource| source.table().options().connection.clone();
    let region = |source: &QuerySource| source.table().options().dynamodb_region(dynamodb);
    let caller =
        |source: &QuerySource| dynamodb.credentials_with_defaults(&connection(source).credentials);
    let stream = |source: &QuerySource| source.table().stream_summary().stream.name().clone();
    for other in others {
        let missing = if dynamodb.table.is_none() && stream(other) != stream(first) {
            "kinesis.dynamodb.tableName"
        } else if region(other) != region(first) {
            "kinesis.dynamodb.region"
        } else if caller(other) != caller(first) {
            return Err(Error::invalid_option(format!(
                "tables '{}' and '{}' have different credentials: expected the same, since the offsets \
                 of both go to one DynamoDB table",
                first.name, other.name
            )));
        } else {
            continue;
        };
        return Err(Error::invalid_option(format!(
            "option '{missing}' is missing: it is required if 'kinesis.metadataCommitterType' is \
             'DYNAMODB' and a query reads different streams, here '{}' and '{}'",
            first.name, other.name
        )));
    }
    let dynamodb = &DynamoDbSettings {
        region: region(first),
        ..dynamodb.clone()
    };
    let access = first.table().access();
    open_table(&access, &connection(first), dynamodb, &stream(first), query).await
}

fn no_location() -> Error {
    Error::invalid_option(
        "a streaming INSERT needs a location for its progress: expected SET \
         streaming.checkpoint_location = 'file:///some/directory' (or s3://…), or \
         with_checkpoint_location(…) in code",
    )
}

fn no_name() -> Error {
    Error::invalid_option(
        "a query that keeps its offsets in DynamoDB needs a name, by which the next start finds them: \
         expected SET streaming.query_name = 'some name', with_name(…) in code, or a \
         streaming.checkpoint_location",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_location_give_the_same_key() {
        let key = |location: &str, query_name: Option<&str>| {
            let location = StopLock::at(location).unwrap();
            query_key(Some(&location), query_name).unwrap().to_owned()
        };
        for spelling in [
            "/var/lib/a b",
            "/var/lib//a b/",
            "file:///var/lib/a%20b",
            "file:///var/lib/a%20b/",
        ] {
            assert_eq!(key(spelling, Some("other")), "/var/lib/a b", "{spelling}");
        }
        assert_eq!(key("memory://a/b/", None), "memory://a/b");
        assert_eq!(query_key(None, Some("alarms")).unwrap(), "alarms");
        assert!(query_key(None, None).is_err());
    }
}
