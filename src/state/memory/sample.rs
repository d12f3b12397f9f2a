//! [`SomeGroups`]: some groups of a state, for people to look at.

use std::sync::Arc;

use datafusion::common::Result;

use super::grouping::Grouping;
use super::groups::{ChunkSample, GroupTexts};
use super::schema::unique_names;
use super::store::StateStore;

/// Some groups of a state, which later changes do not affect.
#[derive(Debug)]
pub(crate) struct SomeGroups {
    grouping: Arc<Grouping>,
    chunks: Vec<ChunkSample>,
}

impl StateStore {
    /// Some groups, at most `limit`.
    pub(crate) fn some_groups(&self, limit: usize) -> SomeGroups {
        let mut left = limit;
        let mut chunks = Vec::new();
        for number in 0..self.partitions() {
            let samples = self.partition(number).sample(left);
            left -= samples.iter().map(ChunkSample::len).sum::<usize>();
            chunks.extend(samples);
        }
        SomeGroups {
            grouping: Arc::clone(&self.grouping),
            chunks,
        }
    }
}

impl SomeGroups {
    /// The names of the columns: those of the key, then those of the states.
    pub(crate) fn columns(&self) -> Vec<String> {
        let fields = self.grouping.layout.schema().fields();
        unique_names(fields.iter().map(|field| field.name().as_str()))
    }

    /// How many of the columns are the key.
    pub(crate) fn key_columns(&self) -> usize {
        self.grouping.layout.groups()
    }

    /// The groups as text, in these columns.
    pub(crate) fn texts(&self) -> Result<Vec<GroupTexts>> {
        let layout = &self.grouping.layout;
        let chunks = self.chunks.iter().map(|chunk| chunk.texts(layout));
        Ok(chunks.collect::<Result<Vec<_>>>()?.concat())
    }
}
