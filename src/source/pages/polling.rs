//! A place in a shard, and what it takes to ask the service for what follows it.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::Array;
use tokio::time::Instant;

use crate::kinesis::{
    ApiError, ApiErrorKind, ApiResult, Backoff, IteratorPosition, RecordColumns, RecordsPage,
    ShardIterator,
};
use crate::model::{ShardId, ShardPosition, UnixMillis};
use crate::source::context::ReadContext;
use crate::source::request::wait_after;
use crate::source::request::{Answer, Claim};
use crate::source::retention::{Aim, Gap, Sight, Watch, number_of};

/// Asks for one shard, page after page. How much, how often in vain, and among how many requests in
/// flight is up to the caller.
#[derive(Debug)]
pub(crate) struct Fetcher {
    pub(crate) context: Arc<ReadContext>,
    pub(crate) shard: ShardId,
    /// For failures since the last page.
    pub(crate) backoff: Backoff,
    /// When the next request may be sent.
    pub(crate) next_fetch: Instant,
    /// None before the first page, and when the last one has expired. A failed call does not use up
    /// its iterator.
    pub(crate) iterator: Option<ShardIterator>,
    position: ShardPosition,
    /// What retention may have taken behind the position.
    watch: Watch,
    /// Set when the iterator has expired since the last page: the first time is no failure.
    renewed: bool,
    /// What the last page said, if the next one has to confirm it.
    claim: Option<Claim>,
}

impl Fetcher {
    /// Begins behind `position`; `random` spreads the waits after failures.
    pub(crate) fn new(
        context: Arc<ReadContext>,
        shard: ShardId,
        position: ShardPosition,
        watch: Watch,
        random: fastrand::Rng,
    ) -> Self {
        Self {
            backoff: context.backoff(random),
            next_fetch: Instant::now(),
            iterator: None,
            position,
            watch,
            renewed: false,
            claim: None,
            context,
            shard,
        }
    }

    /// Behind the last page.
    pub(crate) fn position(&self) -> &ShardPosition {
        &self.position
    }

    /// All that had arrived by then was read, or is not wanted.
    pub(crate) fn read_to(&self) -> Option<UnixMillis> {
        self.watch.read_to()
    }

    /// Whether the last page, which was empty, says nothing of what was read.
    pub(crate) fn is_unsure(&self) -> bool {
        self.watch.is_unsure()
    }

    /// Before a request at `now`: an iterator that retention may have overtaken is let go.
    pub(crate) fn prepare(&mut self, now: UnixMillis) {
        self.watch.knows(self.context.retention.kept());
        if self.watch.look(&self.position, now) {
            self.iterator = None;
        }
    }

    /// `columns`, with what the next page is to be understood by.
    pub(crate) fn columns(&self, columns: RecordColumns) -> RecordColumns {
        let needed = self.watch.needs_numbers(&self.position);
        RecordColumns {
            sequence_number: columns.sequence_number || needed,
            arrival: columns.arrival || needed,
            ..columns
        }
    }

    /// One request for an iterator after the last record that was read, at that record where it is
    /// to prove that nothing is gone, or at the start.
    pub(crate) async fn new_iterator(&self) -> ApiResult<ShardIterator> {
        let (kinesis, stream) = (&self.context.kinesis, &self.context.stream);
        let at = match (self.watch.aim(), number_of(&self.position)) {
            (Aim::Oldest, _) => IteratorPosition::TrimHorizon,
            (Aim::Record, Some(number)) => IteratorPosition::At(number.clone()),
            _ => iterator_position(&self.position),
        };
        kinesis.get_shard_iterator(stream, &self.shard, &at).await
    }

    /// One request for a page.
    pub(crate) async fn get_records(
        &self,
        iterator: &ShardIterator,
        limit: usize,
        columns: RecordColumns,
    ) -> ApiResult<RecordsPage> {
        let (kinesis, stream) = (&self.context.kinesis, &self.context.stream);
        kinesis.get_records(stream, iterator, limit, columns).await
    }

    /// What `page` says, asked for `limit` records at `asked_at`.
    pub(crate) fn answer(
        &mut self,
        page: &RecordsPage,
        asked_at: UnixMillis,
        limit: usize,
    ) -> Answer {
        let answer = Answer::of(page, asked_at, limit, self.context.max_record_bytes);
        let before = self.claim.take();
        if self.watch.aim() != Aim::Onward {
            // It does not begin where the page before ended.
            return answer;
        }
        self.claim = answer.claim();
        Answer {
            confirmed: before.and_then(|claim| claim.confirmed_by(page)),
            ..answer
        }
    }

    /// Before a page that was asked for at `sent` is taken: learns the retention of the stream where that
    /// decides what the page says. Gives whether the page is to be asked for again, from the last record
    /// that was read.
    pub(crate) async fn must_ask_again(
        &mut self,
        page: &RecordsPage,
        answer: &Answer,
        sent: Instant,
    ) -> ApiResult<bool> {
        let sight = sight(page, answer);
        if !self.watch.depends_on_retention(&self.position, sight) {
            return Ok(false);
        }
        self.watch.knows(self.context.learn_retention(sent).await?);
        let again = self.watch.rejects(&self.position, sight);
        if again {
            self.iterator = None;
            self.next_fetch =
                sent + wait_after(page.size_bytes(), self.context.options.fetch_interval);
        }
        Ok(again)
    }

    /// Moves on behind a page that was asked for at `sent`, with what its answer says; the next is due
    /// once the pace allows it, and no sooner than `least_wait` after that. Gives what of the page was
    /// not read before, and what is gone before it.
    pub(crate) fn move_on(
        &mut self,
        page: RecordsPage,
        answer: &Answer,
        sent: Instant,
        least_wait: Duration,
    ) -> (RecordsPage, Option<Gap>) {
        self.backoff.reset();
        self.renewed = false;
        let wait = wait_after(page.size_bytes(), self.context.options.fetch_interval);
        self.next_fetch = sent + wait.max(least_wait);
        let (records, behind) = (page.len(), page.behind_latest);
        tracing::trace!(shard = %self.shard, records, ?behind, "page");
        let aim = self.watch.aim();
        let gap = self.watch.saw(&self.position, sight(&page, answer));
        let page = match aim {
            Aim::Onward => page,
            Aim::Record | Aim::Oldest => without_read(page, &self.position),
        };
        if let Some(sequence) = page.last_sequence() {
            self.position = ShardPosition::After {
                sequence: sequence.clone(),
                sub_sequence: None,
            };
        }
        self.iterator.clone_from(&page.next);
        if self.watch.aim() == Aim::Oldest && aim != Aim::Oldest {
            self.iterator = None;
        }
        (page, gap)
    }

    /// Takes note of a failure; gives whether it is none: the iterator has expired, for the first time
    /// since the last page.
    pub(crate) fn forgives(&mut self, error: &ApiError) -> bool {
        if error.kind() != ApiErrorKind::ExpiredIterator {
            return false;
        }
        self.iterator = None;
        !std::mem::replace(&mut self.renewed, true)
    }

    /// Where in the stream it is.
    pub(crate) fn place(&self) -> String {
        self.context.place(&self.shard, &self.position)
    }
}

/// What `page` tells of the horizon.
fn sight<'a>(page: &'a RecordsPage, answer: &'a Answer) -> Sight<'a> {
    let arrived = |record: usize| {
        let times = page.arrival().filter(|times| times.is_valid(record));
        times.map(|times| UnixMillis(times.value(record) / 1_000))
    };
    let first = (!page.is_empty()).then(|| {
        let number = page
            .sequence_number()
            .map_or("", |numbers| numbers.value(0));
        (number, arrived(0))
    });
    Sight {
        answer,
        first,
        last_arrival: page.len().checked_sub(1).and_then(arrived),
        ended: page.next.is_none(),
    }
}

/// `page` from the first record that `position` stands before or in.
fn without_read(page: RecordsPage, position: &ShardPosition) -> RecordsPage {
    let (Some(number), Some(numbers)) = (number_of(position), page.sequence_number()) else {
        return page;
    };
    let whole = matches!(
        position,
        ShardPosition::After {
            sub_sequence: None,
            ..
        }
    );
    let is_read = |digits: &&str| match number.cmp_digits(digits) {
        Ordering::Greater => true,
        Ordering::Equal => whole,
        Ordering::Less => false,
    };
    let read = numbers.iter().flatten().take_while(is_read).count();
    page.without_first(read)
}

/// A place inside an aggregated record is reached by reading that record again.
pub(crate) fn iterator_position(position: &ShardPosition) -> IteratorPosition {
    match position {
        ShardPosition::TrimHorizon => IteratorPosition::TrimHorizon,
        ShardPosition::AtTimestamp(time) => IteratorPosition::AtTimestamp(*time),
        ShardPosition::At(sequence)
        | ShardPosition::After {
            sequence,
            sub_sequence: Some(_),
        } => IteratorPosition::At(sequence.clone()),
        ShardPosition::After {
            sequence,
            sub_sequence: None,
        } => IteratorPosition::After(sequence.clone()),
        ShardPosition::ShardEnd => IteratorPosition::Latest,
    }
}
