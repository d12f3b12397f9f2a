//! Records every log entry that was written, including those purged since.

use std::collections::BTreeMap;

use datafusion_kinesis::checkpoint::{Log, Put};
use datafusion_kinesis::model::{BatchId, Epoch, UnixMillis};
use serde_json::Value;

use crate::streaming::checkpoint_log::CheckpointLog;

/// The entries written.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// When the query was created, by the service's clock.
    pub(super) created: Option<UnixMillis>,
    pub(super) ledger: CheckpointLog,
    /// The newest epoch, and the start that took it.
    newest: Option<(Epoch, usize)>,
    epochs: BTreeMap<usize, Epoch>,
}

impl Book {
    /// The batch that is planned but not committed.
    pub(super) fn begun(&self) -> Option<u64> {
        let newest = self.ledger.offsets.last_key_value()?.0;
        (!self.ledger.commits.contains_key(newest)).then_some(*newest)
    }

    /// Whether a start other than `life` has the newest epoch.
    pub(super) fn is_fenced(&self, life: usize) -> bool {
        self.newest.is_some_and(|(_, newest)| newest != life)
    }

    pub(super) fn took_epoch(&mut self, life: usize, epoch: Epoch) -> Result<(), String> {
        let before = self.newest.replace((epoch, life));
        self.epochs.insert(life, epoch);
        match before {
            Some((before, _)) if before >= epoch => Err(format!(
                "life {life} took epoch {epoch} behind epoch {before}"
            )),
            _ => Ok(()),
        }
    }

    /// Records the result of a put. `is_in_sink` says whether the sink has the rows of the batch.
    pub(super) fn put(
        &mut self,
        life: usize,
        (log, batch): (Log, BatchId),
        entry: &[u8],
        put: &Put,
        is_in_sink: bool,
    ) -> Result<(), String> {
        let own = self.epochs.get(&life).copied();
        let newest = self.newest.map(|(epoch, _)| epoch);
        let name = format!("{} of batch {batch} by life {life}", log.name());
        match put {
            Put::Fenced(_) if own == newest => {
                return Err(format!("{name} is fenced without a newer epoch"));
            }
            Put::Fenced(_) | Put::Exists(_) => return Ok(()),
            Put::Done if own != newest => {
                return Err(format!("{name}: epoch {own:?} writes behind {newest:?}"));
            }
            Put::Done => {}
        }
        let value: Value = serde_json::from_slice(entry).map_err(|error| error.to_string())?;
        let CheckpointLog { offsets, commits } = &mut self.ledger;
        let (entries, before) = match log {
            Log::Offsets => (&mut *offsets, commits.len() as u64),
            Log::Commits => (&mut *commits, (offsets.len() as u64).saturating_sub(1)),
        };
        if batch.0 != entries.len() as u64 || batch.0 != before {
            return Err(format!("{name} is number {} after {before}", entries.len()));
        }
        if log == Log::Commits && !is_in_sink {
            return Err(format!("{name} is written, but the sink has no such batch"));
        }
        entries.insert(batch.0, value);
        Ok(())
    }

    /// Records that an entry was deleted.
    pub(super) fn removed(&self, log: Log, batch: BatchId) -> Result<(), String> {
        // The newest commit and later entries determine where the next start resumes.
        let needed = (self.ledger.commits.len() as u64).saturating_sub(1);
        match batch.0 < needed {
            true => Ok(()),
            false => Err(format!("{} of batch {batch} is purged", log.name())),
        }
    }
}
