//! A page source for tests that follows a script.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use super::{Failure, PageError, PageRequest, PageSource, ShardPage};
use crate::kinesis::{ApiError, ChildShard, Operation, RecordColumns, RecordsPageBuilder};
use crate::model::{SequenceNumber, ShardPosition, UnixMillis};

/// Returns scripted outcomes one after another, and is never ready again after the last one.
#[derive(Debug)]
pub(crate) struct ScriptedPages {
    position: ShardPosition,
    outcomes: VecDeque<Result<Option<ShardPage>, PageError>>,
    log: Arc<Mutex<ScriptLog>>,
}

/// What the caller of a scripted source did.
#[derive(Debug, Default)]
pub(crate) struct ScriptLog {
    /// When each page was requested, and the memory for it.
    pub(crate) requests: Vec<(Instant, usize)>,
    pub(crate) pauses: usize,
}

impl ScriptedPages {
    pub(crate) fn starting_at(position: ShardPosition) -> Self {
        Self {
            position,
            outcomes: VecDeque::new(),
            log: Arc::default(),
        }
    }

    pub(crate) fn log(&self) -> Arc<Mutex<ScriptLog>> {
        Arc::clone(&self.log)
    }

    /// Adds a page.
    pub(crate) fn page(mut self, page: ShardPage) -> Self {
        self.outcomes.push_back(Ok(Some(page)));
        self
    }

    /// Adds an attempt without a page.
    pub(crate) fn no_page(mut self) -> Self {
        self.outcomes.push_back(Ok(None));
        self
    }

    /// Adds `times` failures of this kind, with this error code.
    pub(crate) fn failures(mut self, times: usize, failure: Failure, code: &str) -> Self {
        for _ in 0..times {
            let error = ApiError::from_code(Operation::GetRecords, code, "scripted");
            self.outcomes.push_back(Err(PageError { error, failure }));
        }
        self
    }
}

impl PageSource for ScriptedPages {
    async fn ready(&mut self) {
        if self.outcomes.is_empty() {
            pending::<()>().await;
        }
    }

    async fn next_page(&mut self, request: PageRequest) -> Result<Option<ShardPage>, PageError> {
        let requested = (Instant::now(), request.max_bytes);
        self.log.lock().unwrap().requests.push(requested);
        let outcome = self.outcomes.pop_front().expect("the caller was ready");
        if let Ok(Some(page)) = &outcome
            && let Some(last) = page.records.last_sequence()
        {
            self.position = ShardPosition::After {
                sequence: last.clone(),
                sub_sequence: None,
            };
        }
        outcome
    }

    fn pause(&mut self) {
        self.log.lock().unwrap().pauses += 1;
    }

    fn position(&self) -> &ShardPosition {
        &self.position
    }
}

impl ShardPage {
    /// A page with one record per sequence number, each of which arrived at the time of its number.
    pub(crate) fn scripted(sequences: &[u64]) -> Self {
        let mut page = RecordsPageBuilder::with_capacity(RecordColumns::ALL, sequences.len(), 0);
        for sequence in sequences {
            let arrival = UnixMillis(i64::try_from(*sequence).unwrap());
            page.push(b"data", Some("key"), &sequence.to_string(), Some(arrival));
        }
        let last = sequences.last().map(ToString::to_string);
        let last = last.map(|last| SequenceNumber::new(&last).unwrap());
        Self {
            records: page.finish(last, None, None, Vec::new()),
            covered: None,
            read_to: None,
            at_tip: false,
            found_nothing: false,
            gap: None,
            ended: None,
        }
    }

    /// The page, which covers the shard up to `time`.
    pub(crate) fn covering(self, time: UnixMillis) -> Self {
        Self {
            covered: Some(time),
            read_to: Some(time),
            at_tip: true,
            ..self
        }
    }

    /// The page, as the last one of its shard.
    pub(crate) fn ending(self, children: Vec<ChildShard>) -> Self {
        Self {
            ended: Some(children),
            ..self
        }
    }
}
