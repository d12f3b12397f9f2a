//! The contents of a shard, and the options to read it with.

use crate::options::{HashFilter, OptionsBuilder, SourceOptions};

/// Which records a shard has, and how it is read.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) options: SourceOptions,
    pub(crate) aggregated: bool,
}

impl Default for Shape {
    fn default() -> Self {
        let mut builder = OptionsBuilder::default();
        builder.set_location("words").unwrap();
        let mut options = builder.finish().unwrap().source;
        options.fail_on_data_loss = true;
        Self {
            options,
            aggregated: true,
        }
    }
}

impl Shape {
    pub(crate) fn plain() -> Self {
        Self {
            aggregated: false,
            ..Self::default()
        }
    }

    pub(crate) fn pages_of(mut self, records: usize) -> Self {
        self.options.records_per_fetch = records;
        self
    }

    pub(crate) fn capped_at(mut self, rows: u64) -> Self {
        self.options.max_records_per_shard = Some(rows);
        self
    }

    pub(crate) fn filtered(mut self, filter: HashFilter) -> Self {
        self.options.hash_filter = filter;
        self
    }

    pub(crate) fn ignoring_loss(mut self) -> Self {
        self.options.fail_on_data_loss = false;
        self
    }
}
