//! The pages of one shard by polling GetRecords.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::Array;
use datafusion::physical_plan::metrics::Count;
use tokio::time::Instant;

use super::{Failure, PageError, PageRequest, PageSource, ShardPage};
use crate::kinesis::{
    ApiError, ApiErrorKind, ApiResult, IteratorPosition, RecordColumns, RecordsPage, ShardIterator,
    SubscriptionEvent,
};
use crate::model::{LatencyCounter, ShardId, ShardPosition, UnixMillis};
use crate::source::context::StreamContext;
use crate::source::request::{
    Answer, Pace, RecordSize, RequestClock, RequestSlot, UnconfirmedCoverage, wait_after,
};
use crate::source::retention::{Gap, GapDetector, PageEvidence, Seek, sequence_of};

/// How far this machine's clock may be ahead of the service's before a start in the future is an error.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(300);

/// How a shard is polled.
#[derive(Debug)]
pub(crate) struct PollingSettings {
    pub(crate) clock: RequestClock,
    pub(crate) pace: Pace,
    /// Memory that the caller needs for a record besides its payload and key.
    pub(crate) record_overhead_bytes: usize,
    /// Counts GetRecords that were sent.
    pub(crate) calls: Count,
    /// How long they took.
    pub(crate) latency: Arc<LatencyCounter>,
    /// Counts iterators that had expired.
    pub(crate) renewals: Count,
}

/// Polls one shard, page by page.
#[derive(Debug)]
pub(crate) struct PollingPages {
    context: Arc<StreamContext>,
    shard: ShardId,
    settings: PollingSettings,
    /// Reserved by `ready`, until the request is sent.
    slot: Option<RequestSlot>,
    next_request: Instant,
    /// `None` before the first page, and after it has expired. A failed call does not use up its iterator.
    iterator: Option<ShardIterator>,
    position: ShardPosition,
    gaps: GapDetector,
    record_size: RecordSize,
    /// Whether the iterator has expired since the last page: once is normal, again is a failure.
    was_renewed: bool,
    /// What the last page covers, if the next one has to confirm it.
    unconfirmed: Option<UnconfirmedCoverage>,
}

/// A GetRecords that was sent.
#[derive(Debug, Clone, Copy)]
struct SentRequest {
    at: Instant,
    /// The same time on the request clock.
    time: UnixMillis,
    limit: usize,
}

impl PageSource for PollingPages {
    async fn ready(&mut self) {
        tokio::time::sleep_until(self.next_request).await;
        if self.slot.is_none() {
            self.slot = Some(self.context.in_flight.slot().await);
        }
    }

    async fn next_page(&mut self, request: PageRequest) -> Result<Option<ShardPage>, PageError> {
        let slot = match self.slot.take() {
            Some(slot) => slot,
            None => self.context.in_flight.slot().await,
        };
        let (sent, page) = slot.send(self.send(request)).await;
        match page {
            Ok(page) => self.arrived(page, sent).await,
            Err(error) => self.failed(error, sent),
        }
    }

    fn pause(&mut self) {
        self.slot = None;
    }

    fn position(&self) -> &ShardPosition {
        &self.position
    }
}

impl PollingPages {
    /// A source that starts at `position`.
    pub(crate) fn new(
        context: Arc<StreamContext>,
        shard: ShardId,
        position: ShardPosition,
        gaps: GapDetector,
        settings: PollingSettings,
    ) -> Self {
        Self {
            context,
            shard,
            settings,
            slot: None,
            next_request: Instant::now(),
            iterator: None,
            position,
            gaps,
            record_size: RecordSize::assumed(),
            was_renewed: false,
            unconfirmed: None,
        }
    }

    /// One GetRecords, and one GetShardIterator before it if there is no iterator.
    async fn send(&mut self, request: PageRequest) -> (SentRequest, ApiResult<RecordsPage>) {
        let context = Arc::clone(&self.context);
        let memory = context.in_flight.reserve(request.max_bytes);
        let limit = self.record_size.records_within(memory.bytes());
        let limit = limit
            .min(request.max_records)
            .min(context.options.records_per_fetch);
        let mut sent = self.sent(limit);
        self.gaps.update_window(context.retention.window());
        if self.gaps.begin_request(&self.position, sent.time) {
            self.iterator = None;
        }
        let iterator = match &self.iterator {
            Some(iterator) => iterator.clone(),
            None => match self.new_iterator().await {
                Ok(iterator) => self.iterator.insert(iterator).clone(),
                Err(error) => return (sent, Err(error)),
            },
        };
        sent = self.sent(limit);
        self.settings.calls.add(1);
        let columns = self.needed_columns(request.columns);
        let (kinesis, stream) = (&context.kinesis, &context.stream);
        let page = kinesis.get_records(stream, &iterator, limit, columns).await;
        self.settings.latency.record(sent.at.elapsed());
        (sent, page)
    }

    fn sent(&self, limit: usize) -> SentRequest {
        SentRequest {
            at: Instant::now(),
            time: self.settings.clock.now(),
            limit,
        }
    }

    /// An iterator at the position that the gap detector requires: after the last record that was read, at
    /// that record, or at the oldest one.
    async fn new_iterator(&self) -> ApiResult<ShardIterator> {
        let (kinesis, stream) = (&self.context.kinesis, &self.context.stream);
        let at = match (self.gaps.seek(), sequence_of(&self.position)) {
            (Seek::Oldest, _) => IteratorPosition::TrimHorizon,
            (Seek::LastRead, Some(sequence)) => IteratorPosition::At(sequence.clone()),
            _ => iterator_position(&self.position),
        };
        kinesis.get_shard_iterator(stream, &self.shard, &at).await
    }

    /// `columns`, and those that the gap detector needs.
    fn needed_columns(&self, columns: RecordColumns) -> RecordColumns {
        let needed = self.gaps.needs_sequence_numbers(&self.position);
        RecordColumns {
            sequence_number: columns.sequence_number || needed,
            arrival: columns.arrival || needed,
            ..columns
        }
    }

    async fn arrived(
        &mut self,
        page: RecordsPage,
        sent: SentRequest,
    ) -> Result<Option<ShardPage>, PageError> {
        let bytes = page.size_bytes() + page.len() * self.settings.record_overhead_bytes;
        self.record_size.learn(page.len(), bytes);
        let answer = self.answer(&page, sent);
        match self.must_seek_again(&page, &answer, sent).await {
            Ok(false) => Ok(Some(self.accept(page, &answer, sent))),
            Ok(true) => Ok(None),
            Err(error) => self.failed(error, sent),
        }
    }

    /// What `page`, together with the previous one, shows about the tip of the shard.
    fn answer(&mut self, page: &RecordsPage, sent: SentRequest) -> Answer {
        let max_record_bytes = self.context.max_record_bytes;
        let answer = Answer::of(page, sent.time, sent.limit, max_record_bytes);
        let previous = self.unconfirmed.take();
        if self.gaps.seek() != Seek::Next {
            // The page does not continue the previous one.
            return answer;
        }
        self.unconfirmed = answer.unconfirmed();
        Answer {
            confirmed: previous.and_then(|previous| previous.confirmed_by(page)),
            ..answer
        }
    }

    /// Whether the page cannot be used, because the last record that was read has to be requested again.
    /// Requests the retention of the stream if the decision depends on it.
    async fn must_seek_again(
        &mut self,
        page: &RecordsPage,
        answer: &Answer,
        sent: SentRequest,
    ) -> ApiResult<bool> {
        let evidence = evidence(page, answer, page.next.is_none());
        if !self.gaps.depends_on_retention(&self.position, evidence) {
            return Ok(false);
        }
        let window = self.context.refresh_retention(sent.at).await?;
        self.gaps.update_window(window);
        let again = self.gaps.rejects(&self.position, evidence);
        if again {
            self.iterator = None;
            let interval = self.context.options.fetch_interval;
            self.next_request = sent.at + wait_after(page.size_bytes(), interval);
        }
        Ok(again)
    }

    /// Moves the position to the end of `page`.
    fn accept(&mut self, mut page: RecordsPage, answer: &Answer, sent: SentRequest) -> ShardPage {
        self.was_renewed = false;
        let wait = wait_after(page.size_bytes(), self.context.options.fetch_interval);
        let least_wait = match page.is_empty() {
            true => self.settings.pace.after_empty_page,
            false => Duration::ZERO,
        };
        self.next_request = sent.at + wait.max(least_wait);
        let seek = self.gaps.seek();
        let iterator = page.next.take();
        let page = self.take_in(page, answer, iterator.is_none());
        let must_seek_oldest = self.gaps.seek() == Seek::Oldest && seek != Seek::Oldest;
        self.iterator = iterator.filter(|_| !must_seek_oldest);
        page
    }

    /// Moves the position to the end of the event of a subscription, which continues at the position. The service
    /// pushed it after `pushed_after`.
    pub(super) fn accept_event(
        &mut self,
        event: SubscriptionEvent,
        pushed_after: UnixMillis,
    ) -> ShardPage {
        let page = event.page;
        self.iterator = None;
        // Events have no limit of ours, so one with records may be the first of several.
        let limit = page.len().max(1);
        let max_record_bytes = self.context.max_record_bytes;
        let answer = Answer::of(&page, pushed_after, limit, max_record_bytes);
        let claims_tip = page.behind_latest == Some(Duration::ZERO);
        let is_last = event.continuation.is_none() && !page.children.is_empty();
        let page = self.take_in(page, &answer, is_last);
        let is_conclusive = !self.gaps.is_undecided();
        ShardPage {
            at_tip: claims_tip && is_conclusive,
            ..page
        }
    }

    /// Whether the next page must be polled, to prove that no record has expired that was not read. A subscription at
    /// the position would not show that. A proof that is good for one request is left to a request.
    pub(super) fn needs_proof(&mut self) -> bool {
        if self.gaps.is_next_proven() {
            return true;
        }
        self.gaps.update_window(self.context.retention.window());
        let now = self.settings.clock.now();
        let begins = self.gaps.begin_request(&self.position, now);
        if begins {
            self.iterator = None;
        }
        begins || self.gaps.seek() != Seek::Next || self.gaps.is_undecided() || self.gaps.may_skip()
    }

    fn take_in(&mut self, mut page: RecordsPage, answer: &Answer, is_last: bool) -> ShardPage {
        let behind = page.behind_latest;
        tracing::trace!(shard = %self.shard, records = page.len(), ?behind, "page");
        let seek = self.gaps.seek();
        let evidence = evidence(&page, answer, is_last);
        let gap: Option<Gap> = self.gaps.observe(&self.position, evidence);
        let ended = is_last.then(|| std::mem::take(&mut page.children));
        let records = match seek {
            Seek::Next => page,
            Seek::LastRead | Seek::Oldest => without_read(page, &self.position),
        };
        if let Some(sequence) = records.last_sequence() {
            self.position = ShardPosition::After {
                sequence: sequence.clone(),
                sub_sequence: None,
            };
        }
        let is_conclusive = !self.gaps.is_undecided();
        ShardPage {
            covered: answer.covered().filter(|_| is_conclusive),
            read_to: self.gaps.read_to(),
            at_tip: is_conclusive && !answer.is_full() && behind.unwrap_or_default().is_zero(),
            // An unreported lag may have any value.
            found_nothing: is_conclusive && records.is_empty() && behind == Some(Duration::ZERO),
            gap,
            ended,
            records,
        }
    }

    fn failed(
        &mut self,
        error: ApiError,
        sent: SentRequest,
    ) -> Result<Option<ShardPage>, PageError> {
        self.next_request = sent.at + self.settings.pace.after_failure;
        if error.kind() == ApiErrorKind::ExpiredIterator {
            self.settings.renewals.add(1);
            self.iterator = None;
            if !std::mem::replace(&mut self.was_renewed, true) {
                return Ok(None);
            }
        }
        let failure = self.classify(&error);
        if matches!(failure, Failure::UnknownShard | Failure::RejectedPosition) {
            self.iterator = None;
        }
        Err(PageError { error, failure })
    }

    /// What the error of a request at the position means.
    pub(super) fn classify(&self, error: &ApiError) -> Failure {
        match error.kind() {
            ApiErrorKind::ExpiredIterator => Failure::Transient,
            ApiErrorKind::NotFound => Failure::UnknownShard,
            ApiErrorKind::InvalidArgument if self.was_sent_sequence() => Failure::RejectedPosition,
            ApiErrorKind::InvalidArgument if self.starts_in_near_future() => Failure::StartInFuture,
            _ if error.is_retryable() => Failure::Transient,
            _ => Failure::Permanent,
        }
    }

    /// Whether the request named a sequence number, or an iterator, of this stream.
    fn was_sent_sequence(&self) -> bool {
        self.iterator.is_some() || sequence_of(&self.position).is_some()
    }

    fn starts_in_near_future(&self) -> bool {
        let ShardPosition::AtTimestamp(time) = self.position else {
            return false;
        };
        let now = self.context.clock.now();
        time.since(now).max(now.since(time)) < MAX_CLOCK_SKEW
    }
}

/// The facts about `page` that the gap detector needs.
fn evidence<'a>(page: &'a RecordsPage, answer: &'a Answer, ended: bool) -> PageEvidence<'a> {
    let arrival = |record: usize| {
        let times = page.arrival().filter(|times| times.is_valid(record));
        times.map(|times| UnixMillis(times.value(record) / 1_000))
    };
    let first = (!page.is_empty()).then(|| {
        let sequence = page
            .sequence_number()
            .map_or("", |numbers| numbers.value(0));
        (sequence, arrival(0))
    });
    PageEvidence {
        answer,
        first,
        last_arrival: page.len().checked_sub(1).and_then(arrival),
        ended,
    }
}

/// `page` without the records that precede `position`.
fn without_read(page: RecordsPage, position: &ShardPosition) -> RecordsPage {
    let (Some(sequence), Some(numbers)) = (sequence_of(position), page.sequence_number()) else {
        return page;
    };
    let is_read_whole = matches!(
        position,
        ShardPosition::After {
            sub_sequence: None,
            ..
        }
    );
    let is_read = |digits: &&str| match sequence.cmp_digits(digits) {
        Ordering::Greater => true,
        Ordering::Equal => is_read_whole,
        Ordering::Less => false,
    };
    let read = numbers.iter().flatten().take_while(is_read).count();
    page.without_first(read)
}

/// A position inside an aggregated record is reached by reading that record again.
pub(super) fn iterator_position(position: &ShardPosition) -> IteratorPosition {
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
