//! What all reads of one scan or of one batch share.

use std::sync::Arc;

use super::batch_reads::BatchReads;
use super::recent_pages::RecentPages;
use super::shard_read::ShardRead;
use crate::kinesis::Backoff;
use crate::model::StreamName;
use crate::source::context::StreamContext;
use crate::source::rows::{RowBuilder, RowColumn};

/// The stream, and the batch if the reads belong to one.
#[derive(Debug, Clone)]
pub(crate) struct ReadContext {
    pub(crate) source: Arc<StreamContext>,
    /// The batch, with its rows that are already in memory; `None` in a bounded scan.
    pub(crate) batch: Option<Arc<BatchReads>>,
    /// The pages that a bounded scan read last.
    pub(crate) recent: Arc<RecentPages>,
}

impl ReadContext {
    /// The context of a bounded scan.
    pub(crate) fn new(source: StreamContext) -> Self {
        Self {
            source: Arc::new(source),
            batch: None,
            recent: Arc::default(),
        }
    }

    /// The context of the reads of `batch`.
    pub(crate) fn for_batch(source: StreamContext, batch: Arc<BatchReads>) -> Self {
        Self {
            batch: Some(batch),
            ..Self::new(source)
        }
    }

    pub(crate) fn stream_name(&self) -> &StreamName {
        self.source.stream_name()
    }

    /// The waits between retries. Reads of a batch are retried as long as the query runs.
    pub(super) fn backoff(&self, random: fastrand::Rng) -> Backoff {
        match self.batch {
            Some(_) => Backoff::endless(self.source.retry, random),
            None => Backoff::new(self.source.retry, random),
        }
    }

    /// A builder of rows with `columns` from the pages of `read`.
    pub(super) fn row_builder(&self, read: &ShardRead, columns: &[RowColumn]) -> RowBuilder {
        RowBuilder::new(
            self.stream_name(),
            &read.shard,
            read.hash_range,
            self.source.options.hash_filter,
            columns.to_vec(),
        )
        .numbered(read.number)
    }
}
