//! Where a query keeps its progress, and is told to stop.

use std::sync::Arc;

use crate::checkpoint::{OffsetCommitter, StopLock, open, open_table, private};
use crate::error::{Error, ErrorKind, Result};
use crate::options::{CommitterKind, DynamoDbSettings, MetadataOptions};
use crate::query::plan::PlanSource;

/// What the builder, the session and the tables say about it.
#[derive(Debug)]
pub(in crate::query) struct Told<'a> {
    pub(in crate::query) committer: Option<Arc<dyn OffsetCommitter>>,
    pub(in crate::query) checkpoint_location: Option<&'a str>,
    pub(in crate::query) query_name: Option<&'a str>,
    pub(in crate::query) metadata: &'a MetadataOptions,
    pub(in crate::query) sources: &'a [PlanSource],
}

/// Where a query keeps its progress.
#[derive(Debug)]
pub(in crate::query) struct Place {
    pub(in crate::query) committer: Arc<dyn OffsetCommitter>,
    pub(in crate::query) stop_lock: Option<StopLock>,
    /// Where the state of an aggregation is kept; none where nothing outlives the run.
    pub(in crate::query) state: Option<String>,
    /// What no other query may use meanwhile, by name.
    pub(in crate::query) held: Vec<String>,
}

impl Place {
    /// The log is where a committer was given, else in DynamoDB if the tables say so, else at the
    /// metadata path, else at the checkpoint location; the stop lock is at the checkpoint location, else
    /// at the metadata path.
    ///
    /// # Errors
    /// A location that cannot be meant, or none at all for an INSERT; a query without a name that is to
    /// be found in DynamoDB.
    pub(in crate::query) async fn new(told: Told<'_>, inserts: bool) -> Result<Self> {
        let path = told.metadata.path.as_deref();
        let beside = told.checkpoint_location.or(path);
        let stop_lock = beside.map(StopLock::at).transpose()?;
        let log = path.or(told.checkpoint_location);
        let committer = match (told.committer, &told.metadata.committer, log) {
            (Some(committer), _, _) => committer,
            (None, CommitterKind::DynamoDb(dynamodb), _) => {
                let query = named(stop_lock.as_ref(), told.query_name)?;
                in_table(dynamodb, told.sources, query).await?
            }
            (None, CommitterKind::ObjectStore, Some(location)) => open(location)?,
            (None, CommitterKind::ObjectStore, None) if inserts => return Err(nowhere()),
            (None, CommitterKind::ObjectStore, None) => {
                tracing::info!("no checkpoint location: the next start of this query begins anew");
                return Ok(Self {
                    committer: private(),
                    stop_lock: None,
                    state: None,
                    held: Vec::new(),
                });
            }
        };
        let mut held = vec![committer.location()];
        held.extend(stop_lock.as_ref().map(|lock| lock.location().to_owned()));
        Ok(Self {
            committer,
            state: beside.map(str::to_owned),
            stop_lock,
            held,
        })
    }
}

/// Refuses a start where somebody has asked a query to stop that did not see it any more. Nobody knows whether
/// the wish holds for this start: to run would ignore it, and to end as if all was done would hide it.
///
/// # Errors
/// [`Checkpoint`](ErrorKind::Checkpoint) with the object.
pub(in crate::query) async fn refuse_stop_lock(lock: &StopLock) -> Result<()> {
    match lock.is_there().await {
        Ok(false) => Ok(()),
        Ok(true) => Err(Error::new(
            ErrorKind::Checkpoint,
            format!(
                "checkpoint '{}' has a STOP_LOCK that was made before this start, so the query does not start: \
                 a query that runs ends where it finds one, and removes it. Remove the object STOP_LOCK and start \
                 the query again",
                lock.location()
            ),
        )),
        // Where it cannot be reached at all, the query says so and goes on without it.
        Err(error) => {
            tracing::debug!(%error, "no look for a STOP_LOCK before the start");
            Ok(())
        }
    }
}

/// What a query is called in a table: its location, the same for all ways to spell it, else its name.
fn named<'a>(location: Option<&'a StopLock>, query_name: Option<&'a str>) -> Result<&'a str> {
    let location = location.map(|location| location.location().trim_end_matches('/'));
    location.or(query_name).ok_or_else(nameless)
}

/// The log of the query called `query` in a DynamoDB table. What the options leave out comes from the
/// first source, so that it must be the same for all: else another order of them would be another log.
async fn in_table(
    dynamodb: &DynamoDbSettings,
    sources: &[PlanSource],
    query: &str,
) -> Result<Arc<dyn OffsetCommitter>> {
    let Some((first, others)) = sources.split_first() else {
        return Err(Error::internal("a streaming query without a source"));
    };
    let connection = |source: &PlanSource| source.table().options().connection.clone();
    let region = |source: &PlanSource| source.table().options().dynamodb_region(dynamodb);
    let caller = |source: &PlanSource| dynamodb.credentials_beside(&connection(source).credentials);
    let stream = |source: &PlanSource| source.table().stream_summary().stream.name().clone();
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
            "option '{missing}' is missing: expected it where 'kinesis.metadataCommitterType' is \
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

fn nowhere() -> Error {
    Error::invalid_option(
        "a streaming INSERT needs a place to keep its progress: expected SET \
         streaming.checkpoint_location = 'file:///some/directory' (or s3://…), or \
         with_checkpoint_location(…) in code",
    )
}

fn nameless() -> Error {
    Error::invalid_option(
        "a query that keeps its offsets in DynamoDB needs a name by which its next start finds them: \
         expected SET streaming.query_name = 'some name', with_name(…) in code, or a \
         streaming.checkpoint_location",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_one_name_however_it_is_spelled() {
        let name = |location: &str, query_name: Option<&str>| {
            let location = StopLock::at(location).unwrap();
            named(Some(&location), query_name).unwrap().to_owned()
        };
        for spelling in [
            "/var/lib/a b",
            "/var/lib//a b/",
            "file:///var/lib/a%20b",
            "file:///var/lib/a%20b/",
        ] {
            assert_eq!(name(spelling, Some("other")), "/var/lib/a b", "{spelling}");
        }
        assert_eq!(name("memory://a/b/", None), "memory://a/b");
        assert_eq!(named(None, Some("alarms")).unwrap(), "alarms");
        assert!(named(None, None).is_err());
    }
}
