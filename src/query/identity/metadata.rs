//! Whose checkpoint it is: the identity of a query, made once and compared at every start.

use tokio::time::Instant;

use crate::checkpoint::{Checkpoint, QueryMetadata, QueryText, SourceMetadata};
use crate::error::{Error, ErrorKind, Result};
use crate::kinesis::StreamSummary;
use crate::model::{InitialPositions, StartingPosition, StreamIdentity, UnixMillis};
use crate::options::MetadataOptions;
use crate::source::resolve_latest;
use crate::state::expect_same_aggregation;

use crate::query::identity::statement::{is_same_query, refuse_changed, refuse_second};
use crate::query::plan::{PlanSource, StreamingPlan};

/// The identity of the query with this checkpoint; one of its own where the checkpoint is new.
/// `streams` are its sources as they are now.
///
/// # Errors
/// [`Checkpoint`](ErrorKind::Checkpoint) where it is that of a query over other streams, with the
/// difference.
pub(in crate::query) async fn identify(
    checkpoint: &Checkpoint,
    plan: &StreamingPlan,
    streams: &[StreamSummary],
    runs: &QueryText,
    now: UnixMillis,
    random: &mut fastrand::Rng,
) -> Result<QueryMetadata> {
    let began = Instant::now();
    let stands = match checkpoint.metadata().await? {
        Some(found) => found,
        None => {
            let mut sources = Vec::with_capacity(plan.sources.len());
            for (source, summary) in plan.sources.iter().zip(streams) {
                sources.push(new_source(source, summary, now, began, random.fork()).await?);
            }
            let made = QueryMetadata {
                id: uuid(random),
                created_at: now,
                sources,
                runs: runs.clone(),
                state: plan
                    .stateful
                    .as_ref()
                    .map(|stateful| stateful.description.clone()),
            };
            // Somebody else may have been faster; then theirs stands.
            checkpoint.create_metadata(&made).await?
        }
    };
    compare(&checkpoint.location(), &stands, streams)?;
    let state = plan.stateful.as_ref();
    let state = state.map(|stateful| (&stateful.description, &stateful.name_patterns));
    expect_same_aggregation(&checkpoint.location(), stands.state.as_ref(), state)?;
    Ok(stands)
}

/// How a start may go on where another statement, or one with another target, stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::query) enum ChangedQuery {
    /// Not at all.
    Refused,
    /// The session allows it: unless another statement of this session has used the checkpoint.
    AcceptedBySession,
    /// The start itself was told so.
    Accepted,
}

/// Refuses a query that is not the one of its checkpoint, unless that is accepted; then each entry of the
/// log says from now on what runs. `earlier` is what this session has run there before. Whether the query
/// goes on for another one.
///
/// # Errors
/// [`Checkpoint`](ErrorKind::Checkpoint) with both queries.
pub(in crate::query) async fn expect_query(
    checkpoint: &mut Checkpoint,
    metadata: &QueryMetadata,
    earlier: Option<&QueryText>,
    runs: &QueryText,
    changed: ChangedQuery,
) -> Result<bool> {
    let location = checkpoint.location();
    let since = checkpoint.runs_since().await?;
    let was = since.as_ref().unwrap_or(&metadata.runs);
    let changes = !is_same_query(was, runs);
    // A checkpoint that was made anew meanwhile knows better than the session.
    let is_own = !changes && was.statement.is_some();
    if let Some(earlier) = earlier.filter(|earlier| !is_own && !is_same_query(earlier, runs))
        && changed != ChangedQuery::Accepted
    {
        return Err(refuse_second(&location, earlier, runs));
    }
    if changes && changed == ChangedQuery::Refused {
        return Err(refuse_changed(&location, was, runs));
    }
    if changes {
        let statement = was.statement.as_deref().unwrap_or("not known");
        tracing::warn!(
            checkpoint = location,
            was = statement,
            wrote_to = was.sink,
            writes_to = runs.sink,
            "the query goes on for another one, as was accepted"
        );
    }
    if metadata.runs.statement.is_none() || !is_same_query(&metadata.runs, runs) {
        checkpoint.set_runs(runs.clone());
    }
    Ok(changes)
}

/// A source of a query that was made at `now` by our clock, which is `began`.
async fn new_source(
    source: &PlanSource,
    summary: &StreamSummary,
    now: UnixMillis,
    began: Instant,
    random: fastrand::Rng,
) -> Result<SourceMetadata> {
    let table = source.table();
    let start = &table.options().source.starting_position;
    let present = match start {
        StartingPosition::Latest | StartingPosition::PerShard(_) => {
            resolve_latest(&table.read_context(1), now, began, random).await?
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
pub(in crate::query) fn uuid(random: &mut fastrand::Rng) -> String {
    let bytes = random.u128(..).to_be_bytes();
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
}

fn compare(location: &str, stored: &QueryMetadata, streams: &[StreamSummary]) -> Result<()> {
    let asked: Vec<_> = streams.iter().map(|summary| &summary.stream).collect();
    let before: Vec<_> = stored.sources.iter().map(|source| &source.stream).collect();
    match difference(&before, &asked) {
        None => Ok(()),
        Some(difference) => Err(Error::new(
            ErrorKind::Checkpoint,
            format!(
                "checkpoint '{location}' belongs to a query that reads other streams: {difference}. \
                 Give this query a checkpoint location of its own, or read the same streams again"
            ),
        )),
    }
}

/// Two names in one account are one stream, also where only one of them is an ARN. Whether it was
/// made anew is another question.
fn is_same(one: &StreamIdentity, other: &StreamIdentity) -> bool {
    match (one.arn(), other.arn()) {
        (Some(one), Some(other)) => one == other,
        _ => one.name() == other.name(),
    }
}

/// What differs, source by source; `None` when nothing does.
fn difference(before: &[&StreamIdentity], asked: &[&StreamIdentity]) -> Option<String> {
    let named = |stream: &StreamIdentity| match stream.arn() {
        Some(arn) => format!("'{arn}'"),
        None => format!("'{stream}'"),
    };
    let mut lines = Vec::new();
    for place in 0..before.len().max(asked.len()) {
        let number = place + 1;
        match (before.get(place), asked.get(place)) {
            (Some(before), Some(asked)) if is_same(before, asked) => {}
            (Some(before), Some(asked)) => lines.push(format!(
                "source {number} was stream {}, now is {}",
                named(before),
                named(asked)
            )),
            (Some(before), None) => lines.push(format!(
                "source {number} was stream {}, now there is none",
                named(before)
            )),
            (None, Some(asked)) => {
                lines.push(format!("source {number} is new: stream {}", named(asked)));
            }
            (None, None) => {}
        }
    }
    (!lines.is_empty()).then(|| lines.join("; "))
}

/// The metadata options of the sources, which must be alike: a query has one log.
///
/// # Errors
/// [`InvalidOption`](ErrorKind::InvalidOption) with the names of two tables that differ.
pub(in crate::query) fn metadata_options(sources: &[PlanSource]) -> Result<MetadataOptions> {
    let options = |source: &PlanSource| source.table().options().source.metadata.clone();
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
    fn the_same_stream_by_name_and_by_arn_is_no_difference() {
        let arn = "arn:aws:kinesis:eu-west-1:111122223333:stream/words";
        let by_arn = StreamIdentity::parse(arn).unwrap();
        let by_name = stream("words");
        assert_eq!(difference(&[&by_arn], &[&by_name]), None);
        let elsewhere = arn.replace("eu-west-1", "eu-west-2");
        let elsewhere = StreamIdentity::parse(&elsewhere).unwrap();
        assert_eq!(
            difference(&[&by_arn], &[&elsewhere]).unwrap(),
            format!(
                "source 1 was stream '{arn}', now is '{}'",
                elsewhere.arn().unwrap()
            )
        );
    }

    #[test]
    fn sources_that_came_and_went_are_told_by_number() {
        let (words, clicks) = (stream("words"), stream("clicks"));
        let one = [&words];
        let two = [&words, &clicks];
        let told = difference(&one, &two).unwrap();
        assert!(
            told.starts_with("source 2 is new: stream 'clicks'"),
            "{told}"
        );
        let told = difference(&two, &one).unwrap();
        assert!(told.ends_with("now there is none"), "{told}");
    }

    #[test]
    fn ids_are_random_uuids_that_a_seed_repeats() {
        let draw = |seed| uuid(&mut fastrand::Rng::with_seed(seed));
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert_eq!(draw(7).as_bytes()[14], b'4');
    }
}
