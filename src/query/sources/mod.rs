//! Where a query goes on in each of its streams: behind its newest batch, unless the stream was
//! deleted and made anew since then.

use std::fmt::Write;
use std::sync::Arc;

use tokio::time::Instant;

use crate::checkpoint::Recovered;
use crate::error::{Error, ErrorKind, Result};
use crate::kinesis::StreamSummary;
use crate::model::{InitialPositions, Offsets, ShardPosition, Trigger, UnixMillis};
use crate::query::batch::state::Stateful;
use crate::query::plan::{PlanSource, StreamingPlan};
use crate::query::schedule::log_coverage::Mark;
use crate::query::task::Runner;
use crate::source::streaming::{StreamReader, StreamReaderSettings, StreamStart};
use crate::source::{InFlightLimits, ReadContext, StreamRetention};

/// How many positions a message names.
const NAMED_POSITIONS: usize = 4;

/// The sources of `plan` as they are now.
///
/// # Errors
/// One of them is gone, or what the service answers.
pub(in crate::query) async fn describe(
    plan: &StreamingPlan,
    random: &mut fastrand::Rng,
) -> Result<Vec<StreamSummary>> {
    let mut streams = Vec::with_capacity(plan.sources.len());
    for source in &plan.sources {
        streams.push(source.table().describe(random.fork()).await?);
    }
    Ok(streams)
}

impl Runner {
    /// Where each source is read from, and what of `recovered` is left: a stream that was made anew
    /// takes its ranges out of it and is read from its beginning.
    ///
    /// # Errors
    /// [`DataLoss`](ErrorKind::DataLoss) for such a stream, with both times and the positions, where
    /// the options have it so.
    pub(in crate::query) fn starts(
        &mut self,
        recovered: &mut Option<Recovered>,
    ) -> Result<Vec<StreamStart>> {
        self.mark = match recovered {
            Some(recovered) => Mark::of(&recovered.batch),
            None => Mark::beginning(&self.metadata),
        };
        let mut starts = Vec::with_capacity(self.streams.len());
        for place in 0..self.streams.len() {
            let ranges = recovered
                .as_mut()
                .map(|left| &mut left.batch.sources[place]);
            let known = &self.metadata.sources[place];
            let told = ranges.as_ref().and_then(|ranges| ranges.created_at);
            let made = told.unwrap_or(known.created_at);
            let start = if made != self.streams[place].created_at {
                let ends = ranges.as_ref().map(|ranges| ranges.ends());
                self.remade(place, made, &ends.unwrap_or_default())?;
                if let Some(ranges) = ranges {
                    ranges.shards.clear();
                }
                // Its shards have the same names, and begin anew.
                let before = recovered.as_mut().map(|left| &mut left.before.event_times);
                if let Some(times) = before.and_then(|times| times.get_mut(place)) {
                    times.clear();
                }
                self.oldest_records()
            } else if let Some(ranges) = ranges {
                StreamStart::Resume {
                    offsets: ranges.ends(),
                    read_to: ranges.read_to,
                    retention: ranges.retention,
                }
            } else {
                StreamStart::Initial {
                    start: known.start.clone(),
                    created_at: self.metadata.created_at,
                    retention: known.retention,
                }
            };
            starts.push(start);
        }
        Ok(starts)
    }

    fn oldest_records(&self) -> StreamStart {
        StreamStart::Initial {
            start: InitialPositions {
                shards: Offsets::new(),
                others: ShardPosition::TrimHorizon,
            },
            created_at: self.clock.now(),
            retention: None,
        }
    }

    /// Counts the loss of a stream that was made at `made` and is another one now, or ends with it.
    fn remade(&mut self, place: usize, made: UnixMillis, ends: &Offsets) -> Result<()> {
        let StreamSummary {
            stream, created_at, ..
        } = &self.streams[place];
        let found = format!(
            "stream '{}' was deleted and made anew: it was made at {created_at}, and the query stands \
             in the one that was made at {made}, {}",
            stream.name(),
            places(ends)
        );
        if self.plan.sources[place].fails_on_data_loss() {
            return Err(Error::new(
                ErrorKind::DataLoss,
                format!(
                    "{}: {found}. What that one held behind it is gone. Give the query a new \
                     checkpoint location, or let it read the new stream from its oldest record with \
                     'kinesis.failOnDataLoss' = 'false'",
                    self.shared
                ),
            ));
        }
        tracing::warn!(
            query = %self.shared,
            "{found}; what that one held behind it is gone, the new one is read from its oldest record"
        );
        self.losses[place] += 1;
        self.tell_losses(&[]);
        Ok(())
    }

    /// Has the status say how often data was lost.
    pub(in crate::query) fn tell_losses(&self, readers: &[StreamReader]) {
        let found = readers.iter().map(StreamReader::losses);
        let known = self.losses.iter().copied();
        self.shared.set_losses(known.chain(found).sum());
    }

    /// Starts to read each source where `starts` says.
    pub(in crate::query) async fn readers(
        &mut self,
        starts: Vec<StreamStart>,
    ) -> Result<Vec<StreamReader>> {
        let mut readers = Vec::with_capacity(starts.len());
        for (place, from) in starts.into_iter().enumerate() {
            let (source, summary) = (&self.plan.sources[place], &self.streams[place]);
            let settings = StreamReaderSettings {
                columns: source.columns,
                created_at: summary.created_at,
                distribution: summary.distribution,
                until: self.until,
                caps: self.trigger != Trigger::Once,
                track_activity: self.stateful.as_ref().is_some_and(Stateful::has_watermark),
            };
            let shards = summary.open_shards as usize;
            let buffers = source.table().options().source.buffer_max_bytes;
            let context = ReadContext {
                stream: summary.stream.clone(),
                max_record_bytes: summary.max_record_bytes,
                in_flight: Arc::new(InFlightLimits::new(shards, buffers)),
                retention: Arc::new(StreamRetention::new(summary.retention)),
                ..source.table().read_context(shards)
            };
            let random = self.random.fork();
            readers.push(StreamReader::start(context, from, settings, random).await?);
        }
        Ok(readers)
    }

    /// Keeps what `readers` have counted, which are to be replaced.
    pub(in crate::query) fn replace(&mut self, readers: &[StreamReader]) {
        for (losses, reader) in self.losses.iter_mut().zip(readers) {
            *losses += reader.losses();
        }
        self.tell_losses(&[]);
    }

    /// Whether the query goes on with a stream that was made anew while it was read.
    pub(in crate::query) fn goes_on_anew(&self, readers: &[StreamReader]) -> bool {
        let mut remade = self.remade_sources(readers).peekable();
        remade.peek().is_some() && remade.all(|(source, _)| !source.fails_on_data_loss())
    }

    /// Refuses to commit anything to positions of a stream that was made anew.
    ///
    /// # Errors
    /// What ended its reader, where the options have it so.
    pub(in crate::query) fn expect_streams(&self, readers: &[StreamReader]) -> Result<()> {
        for (source, reader) in self.remade_sources(readers) {
            if source.fails_on_data_loss() {
                reader.readiness(Instant::now())?;
            }
        }
        Ok(())
    }

    fn remade_sources<'a>(
        &'a self,
        readers: &'a [StreamReader],
    ) -> impl Iterator<Item = (&'a PlanSource, &'a StreamReader)> {
        let sources = self.plan.sources.iter().zip(readers);
        sources.filter(|(_, reader)| reader.is_stream_recreated())
    }
}

/// Positions, as far as a message has room for them.
fn places(ends: &Offsets) -> String {
    if ends.is_empty() {
        return "before its first batch".to_owned();
    }
    let mut text = String::from("at");
    for (place, (shard, position)) in ends.iter().take(NAMED_POSITIONS).enumerate() {
        let separator = if place == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(text, "{separator} {shard} {position}");
    }
    match ends.len().saturating_sub(NAMED_POSITIONS) {
        0 => {}
        others => {
            let _ = write!(text, " and {others} more shards");
        }
    }
    text
}
