//! The identity of a query: created with its checkpoint, and compared at every start.

use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use tokio::time::Instant;

use super::statement::{continues, is_same_query, refuse_changed, refuse_second};
use crate::checkpoint::{
    Checkpoint, OperatorDescription, OperatorMetadata, QueryMetadata, QueryText, SourceMetadata,
};
use crate::error::{Error, ErrorKind, Result};
use crate::kinesis::StreamSummary;
use crate::model::{InitialPositions, StartingPosition, StreamIdentity, UnixMillis};
use crate::options::MetadataOptions;
use crate::query::plan::{QueryPlan, QuerySource};
use crate::source::resolve_latest;
use crate::state::expect_same_aggregation;

/// What a start compares with its checkpoint.
pub(in crate::query) struct IdentityCheck<'a> {
    pub(in crate::query) ctx: &'a SessionContext,
    pub(in crate::query) plan: &'a QueryPlan,
    /// The plan of the statement before it was turned into a streaming plan; `None` for a statement set.
    pub(in crate::query) written: Option<&'a LogicalPlan>,
    /// The sources of the plan as they are now.
    pub(in crate::query) streams: &'a [StreamSummary],
    /// The statement and the sink of this start.
    pub(in crate::query) current: &'a QueryText,
    /// The query that this session last ran at the checkpoint.
    pub(in crate::query) earlier: Option<QueryText>,
    pub(in crate::query) changed: ChangedQuery,
    pub(in crate::query) now: UnixMillis,
}

/// The identity of a query, and whether this start changes its statement or sink.
#[derive(Debug)]
pub(in crate::query) struct Identity {
    pub(in crate::query) metadata: QueryMetadata,
    pub(in crate::query) has_changed: bool,
}

impl IdentityCheck<'_> {
    /// Creates the identity in a new checkpoint, or compares it with that of an existing one.
    ///
    /// # Errors
    /// [`Checkpoint`](ErrorKind::Checkpoint) if the checkpoint belongs to another query, with the difference.
    pub(in crate::query) async fn run(
        self,
        checkpoint: &mut Checkpoint,
        random: &mut fastrand::Rng,
    ) -> Result<Identity> {
        let metadata = identify(checkpoint, &self, random).await?;
        let has_changed = self.check_statement(checkpoint, &metadata).await?;
        Ok(Identity {
            metadata,
            has_changed,
        })
    }

    /// Refuses a query that differs from the one of its checkpoint, unless the change is accepted. Every entry
    /// of the log then records the new query. Returns whether the query has changed.
    ///
    /// # Errors
    /// [`Checkpoint`](ErrorKind::Checkpoint) with both queries.
    async fn check_statement(
        &self,
        checkpoint: &mut Checkpoint,
        metadata: &QueryMetadata,
    ) -> Result<bool> {
        let (location, current) = (checkpoint.location(), self.current);
        let since = checkpoint.runs_since().await?;
        let was = since.as_ref().unwrap_or(&metadata.runs);
        let changes = !continues(self.ctx, was, current, self.written).await;
        // If the checkpoint was deleted and recreated in the meantime, the session's record of it is outdated.
        let is_own = !changes && was.statement.is_some();
        if let Some(earlier) = self.earlier.as_ref().filter(|_| !is_own)
            && self.changed != ChangedQuery::Accepted
            && !continues(self.ctx, earlier, current, self.written).await
        {
            return Err(refuse_second(&location, earlier, current));
        }
        if changes && self.changed == ChangedQuery::Refused {
            return Err(refuse_changed(&location, was, current));
        }
        if changes {
            let statement = was.statement.as_deref().unwrap_or("unknown");
            tracing::warn!(
                checkpoint = location,
                was = statement,
                wrote_to = was.sink,
                writes_to = current.sink,
                "this query continues from the checkpoint of another one, because the change was accepted"
            );
        }
        if metadata.runs.statement.is_none() || !is_same_query(&metadata.runs, current) {
            checkpoint.set_runs(current.clone());
        }
        Ok(changes)
    }
}

/// The identity of the query that the checkpoint belongs to, which is created if the checkpoint is new.
///
/// # Errors
/// [`Checkpoint`](ErrorKind::Checkpoint) if it belongs to a query over other streams, with the difference.
async fn identify(
    checkpoint: &Checkpoint,
    check: &IdentityCheck<'_>,
    random: &mut fastrand::Rng,
) -> Result<QueryMetadata> {
    let (plan, streams, now) = (check.plan, check.streams, check.now);
    let began = Instant::now();
    let metadata = match checkpoint.metadata().await? {
        Some(found) => found,
        None => {
            let mut sources = Vec::with_capacity(plan.sources.len());
            for (source, summary) in plan.sources.iter().zip(streams) {
                sources.push(new_source(source, summary, now, began, random.fork()).await?);
            }
            let created = QueryMetadata {
                id: new_uuid(random),
                created_at: now,
                sources,
                runs: check.current.clone(),
                operators: operators(plan),
            };
            // If another process created it first, use theirs.
            checkpoint.create_metadata(&created).await?
        }
    };
    compare_streams(&checkpoint.location(), &metadata, streams)?;
    expect_same_operators(&checkpoint.location(), plan, &metadata)?;
    Ok(metadata)
}

/// The stateful operators of a plan.
fn operators(plan: &QueryPlan) -> Vec<OperatorMetadata> {
    let operators = plan.members.iter().filter_map(|member| {
        let aggregation = member.plan.aggregation.as_ref()?;
        Some(OperatorMetadata {
            id: member.operator_id(),
            description: OperatorDescription::Aggregation(aggregation.description.clone()),
        })
    });
    operators.collect()
}

/// Refuses a plan whose operators compute something else than those of the same names in the checkpoint. Statements
/// of a set may come and go.
///
/// # Errors
/// [`Checkpoint`](ErrorKind::Checkpoint) with the difference.
fn expect_same_operators(location: &str, plan: &QueryPlan, metadata: &QueryMetadata) -> Result<()> {
    for member in &plan.members {
        let aggregation = member.plan.aggregation.as_ref();
        let now = aggregation.map(|now| (&now.description, &now.name_patterns));
        let before = metadata.aggregation(&member.operator_id());
        let is_in_set = member.name.is_some();
        if is_in_set && (before.is_none() || now.is_none()) {
            continue;
        }
        let compared = expect_same_aggregation(location, before, now);
        compared.map_err(|error| match &member.name {
            Some(name) => error.in_context(format!("output '{name}'")),
            None => error,
        })?;
    }
    let is_known = |operator: &OperatorMetadata| {
        let mut members = plan.members.iter();
        is_of_set(&operator.id) || members.any(|member| member.operator_id() == operator.id)
    };
    match metadata
        .operators
        .iter()
        .find(|operator| !is_known(operator))
    {
        Some(operator) => Err(Error::new(
            ErrorKind::Checkpoint,
            format!(
                "checkpoint '{location}' holds the state of operator '{}' of a query of one statement, which a \
                 statement set cannot take over: give the set a checkpoint location of its own",
                operator.id
            ),
        )),
        None => Ok(()),
    }
}

/// Whether an operator belongs to a statement of a set.
fn is_of_set(operator: &str) -> bool {
    operator.contains('/')
}

/// Whether a start may continue a query with another statement or another sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::query) enum ChangedQuery {
    /// No.
    Refused,
    /// Yes, by a setting of the session, unless another query of this session has used the checkpoint.
    AcceptedBySession,
    /// Yes, by an option of this start.
    Accepted,
}

/// The metadata of a source of a query that is created at `now`. `began` is the same time on the monotonic
/// clock.
async fn new_source(
    source: &QuerySource,
    summary: &StreamSummary,
    now: UnixMillis,
    began: Instant,
    random: fastrand::Rng,
) -> Result<SourceMetadata> {
    let table = source.table();
    let start = &table.options().source.starting_position;
    let present = match start {
        StartingPosition::Latest | StartingPosition::PerShard(_) => {
            resolve_latest(&table.stream_context(1), now, began, random).await?
        }
        StartingPosition::TrimHorizon | StartingPosition::AtTimestamp(_) => now,
    };
    Ok(SourceMetadata {
        stream: summary.stream.clone(),
        created_at: summary.created_at,
        retention: Some(summary.retention),
        start: InitialPositions::resolve(start, present),
    })
}

/// A random UUID, version 4.
pub(in crate::query) fn new_uuid(random: &mut fastrand::Rng) -> String {
    let bytes = random.u128(..).to_be_bytes();
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
}

fn compare_streams(
    location: &str,
    stored: &QueryMetadata,
    streams: &[StreamSummary],
) -> Result<()> {
    let current: Vec<_> = streams.iter().map(|summary| &summary.stream).collect();
    let before: Vec<_> = stored.sources.iter().map(|source| &source.stream).collect();
    match difference(&before, &current) {
        None => Ok(()),
        Some(difference) => Err(Error::new(
            ErrorKind::Checkpoint,
            format!(
                "checkpoint '{location}' belongs to a query that reads other streams: {difference}. \
                 Give this query a checkpoint location of its own, or read the same streams"
            ),
        )),
    }
}

/// Whether both identify the same stream. A name and an ARN are compared by name. Another check detects a
/// recreated stream.
fn is_same(one: &StreamIdentity, other: &StreamIdentity) -> bool {
    match (one.arn(), other.arn()) {
        (Some(one), Some(other)) => one == other,
        _ => one.name() == other.name(),
    }
}

/// The differences, source by source; `None` if there are none.
fn difference(before: &[&StreamIdentity], current: &[&StreamIdentity]) -> Option<String> {
    let named = |stream: &StreamIdentity| match stream.arn() {
        Some(arn) => format!("'{arn}'"),
        None => format!("'{stream}'"),
    };
    let mut lines = Vec::new();
    for index in 0..before.len().max(current.len()) {
        let number = index + 1;
        match (before.get(index), current.get(index)) {
            (Some(before), Some(current)) if is_same(before, current) => {}
            (Some(before), Some(current)) => lines.push(format!(
                "source {number} was stream {}, and is now {}",
                named(before),
                named(current)
            )),
            (Some(before), None) => lines.push(format!(
                "source {number} was stream {}, and no longer exists",
                named(before)
            )),
            (None, Some(current)) => {
                lines.push(format!("source {number} is new: stream {}", named(current)));
            }
            (None, None) => {}
        }
    }
    (!lines.is_empty()).then(|| lines.join("; "))
}

/// The options of the log, which must be the same for all sources: a query has one log.
///
/// # Errors
/// [`InvalidOption`](ErrorKind::InvalidOption) with the names of two tables that differ.
pub(in crate::query) fn log_options(sources: &[QuerySource]) -> Result<MetadataOptions> {
    let options = |source: &QuerySource| source.table().options().source.metadata.clone();
    let Some((first, others)) = sources.split_first() else {
        return Err(Error::internal("a streaming query without a source"));
    };
    let found = options(first);
    match others.iter().find(|other| options(other) != found) {
        None => Ok(found),
        Some(other) => Err(Error::invalid_option(format!(
            "tables '{}' and '{}' differ in their metadata options: expected the same \
             'kinesis.metadataCommitterType', 'kinesis.metadataPath', 'kinesis.dynamodb.…', \
             'kinesis.minBatchesToRetain' and metadata retries, since a query has one log",
            first.name, other.name
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StreamName;

    fn stream(name: &str) -> StreamIdentity {
        StreamIdentity::named(StreamName::new(name).unwrap())
    }

    #[test]
    fn a_stream_is_the_same_by_name_and_by_arn() {
        let arn = "arn:aws:kinesis:eu-west-1:111122223333:stream/words";
        let by_arn = StreamIdentity::parse(arn).unwrap();
        let by_name = stream("words");
        assert_eq!(difference(&[&by_arn], &[&by_name]), None);
        let elsewhere = arn.replace("eu-west-1", "eu-west-2");
        let elsewhere = StreamIdentity::parse(&elsewhere).unwrap();
        assert_eq!(
            difference(&[&by_arn], &[&elsewhere]).unwrap(),
            format!(
                "source 1 was stream '{arn}', and is now '{}'",
                elsewhere.arn().unwrap()
            )
        );
    }

    #[test]
    fn added_and_removed_sources_are_named_by_number() {
        let (words, clicks) = (stream("words"), stream("clicks"));
        let one = [&words];
        let two = [&words, &clicks];
        let text = difference(&one, &two).unwrap();
        assert!(
            text.starts_with("source 2 is new: stream 'clicks'"),
            "{text}"
        );
        let text = difference(&two, &one).unwrap();
        assert!(text.ends_with("and no longer exists"), "{text}");
    }

    #[test]
    fn ids_are_random_uuids_that_a_seed_reproduces() {
        let draw = |seed| new_uuid(&mut fastrand::Rng::with_seed(seed));
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert_eq!(draw(7).as_bytes()[14], b'4');
    }
}
