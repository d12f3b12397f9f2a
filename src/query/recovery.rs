//! Whose checkpoint it is: the identity of a query, made once and compared at every start.

use tokio::time::Instant;

use crate::checkpoint::{Checkpoint, QueryMetadata, SourceMetadata};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{InitialPositions, StartingPosition, StreamIdentity, UnixMillis};
use crate::options::MetadataOptions;
use crate::source::present;

use super::plan::{PlanSource, StreamingPlan};

/// The identity of the query with this checkpoint; one of its own where the checkpoint is new.
///
/// # Errors
/// [`Checkpoint`](ErrorKind::Checkpoint) where it is that of a query over other streams, with the
/// difference.
pub(super) async fn identify(
    checkpoint: &Checkpoint,
    plan: &StreamingPlan,
    sink: String,
    now: UnixMillis,
    random: &mut fastrand::Rng,
) -> Result<QueryMetadata> {
    let began = Instant::now();
    let stands = match checkpoint.metadata().await? {
        Some(found) => found,
        None => {
            let mut sources = Vec::with_capacity(plan.sources.len());
            for source in &plan.sources {
                sources.push(new_source(source, now, began, random.fork()).await?);
            }
            let made = QueryMetadata {
                id: uuid(random),
                created_at: now,
                sources,
                sink: sink.clone(),
            };
            // Somebody else may have been faster; then theirs stands.
            checkpoint.create_metadata(&made).await?
        }
    };
    compare(&checkpoint.location(), &stands, plan, &sink)?;
    Ok(stands)
}

/// A source of a query that was made at `now` by our clock, which is `began`.
async fn new_source(
    source: &PlanSource,
    now: UnixMillis,
    began: Instant,
    random: fastrand::Rng,
) -> Result<SourceMetadata> {
    let table = source.table();
    let summary = table.stream_summary();
    let start = &table.options().source.starting_position;
    let present = match start {
        StartingPosition::Latest | StartingPosition::PerShard(_) => {
            present(&table.read_context(1), now, began, random).await?
        }
        StartingPosition::TrimHorizon | StartingPosition::AtTimestamp(_) => now,
    };
    Ok(SourceMetadata {
        stream: summary.stream.clone(),
        created_at: summary.created_at,
        start: InitialPositions::resolve(start, present),
    })
}

/// A random UUID, version 4.
pub(super) fn uuid(random: &mut fastrand::Rng) -> String {
    let bytes = random.u128(..).to_be_bytes();
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
}

fn compare(location: &str, stored: &QueryMetadata, plan: &StreamingPlan, sink: &str) -> Result<()> {
    if stored.sink != sink {
        tracing::warn!(
            checkpoint = location,
            "the query wrote to {} before, and writes to {sink} from now on",
            stored.sink
        );
    }
    let asked: Vec<Source<'_>> = plan.sources.iter().map(Source::asked).collect();
    let before: Vec<Source<'_>> = stored.sources.iter().map(Source::stored).collect();
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

/// A source as far as it must stay the same.
#[derive(Debug, Clone, Copy)]
struct Source<'a> {
    stream: &'a StreamIdentity,
    created_at: UnixMillis,
}

impl<'a> Source<'a> {
    fn asked(source: &'a PlanSource) -> Self {
        let summary = source.table().stream_summary();
        Self {
            stream: &summary.stream,
            created_at: summary.created_at,
        }
    }

    fn stored(source: &'a SourceMetadata) -> Self {
        Self {
            stream: &source.stream,
            created_at: source.created_at,
        }
    }

    fn describe(&self) -> String {
        let Self { stream, created_at } = self;
        match stream.arn() {
            Some(arn) => format!("'{arn}' made at {created_at}"),
            None => format!("'{stream}' made at {created_at}"),
        }
    }

    /// Two names in one account are one stream, also where only one of them is an ARN.
    fn is(&self, other: &Self) -> bool {
        let same_name = match (self.stream.arn(), other.stream.arn()) {
            (Some(own), Some(others)) => own == others,
            _ => self.stream.name() == other.stream.name(),
        };
        same_name && self.created_at == other.created_at
    }
}

/// What differs, source by source; `None` when nothing does.
fn difference(before: &[Source<'_>], asked: &[Source<'_>]) -> Option<String> {
    let mut lines = Vec::new();
    for place in 0..before.len().max(asked.len()) {
        let number = place + 1;
        match (before.get(place), asked.get(place)) {
            (Some(before), Some(asked)) if before.is(asked) => {}
            (Some(before), Some(asked)) => lines.push(format!(
                "source {number} was stream {}, now is {}",
                before.describe(),
                asked.describe()
            )),
            (Some(before), None) => lines.push(format!(
                "source {number} was stream {}, now there is none",
                before.describe()
            )),
            (None, Some(asked)) => lines.push(format!(
                "source {number} is new: stream {}",
                asked.describe()
            )),
            (None, None) => {}
        }
    }
    (!lines.is_empty()).then(|| lines.join("; "))
}

/// The metadata options of the sources, which must be alike: a query has one log.
///
/// # Errors
/// [`InvalidOption`](ErrorKind::InvalidOption) with the names of two tables that differ.
pub(super) fn metadata_options(sources: &[PlanSource]) -> Result<MetadataOptions> {
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

    fn made(stream: &StreamIdentity, millis: i64) -> Source<'_> {
        Source {
            stream,
            created_at: UnixMillis(millis),
        }
    }

    #[test]
    fn the_same_stream_by_name_and_by_arn_is_no_difference() {
        let arn = "arn:aws:kinesis:eu-west-1:111122223333:stream/words";
        let by_arn = StreamIdentity::parse(arn).unwrap();
        let by_name = stream("words");
        assert_eq!(difference(&[made(&by_arn, 0)], &[made(&by_name, 0)]), None);
    }

    #[test]
    fn a_stream_made_anew_is_another_one() {
        let words = stream("words");
        let told = difference(&[made(&words, 0)], &[made(&words, 1_000)]).unwrap();
        assert_eq!(
            told,
            "source 1 was stream 'words' made at 1970-01-01T00:00:00Z, now is 'words' made at \
             1970-01-01T00:00:01Z"
        );
    }

    #[test]
    fn sources_that_came_and_went_are_told_by_number() {
        let (words, clicks) = (stream("words"), stream("clicks"));
        let one = [made(&words, 0)];
        let two = [made(&words, 0), made(&clicks, 0)];
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
