//! GROUP BY over streams: state between batches, on paused time.

mod arrival;
mod kept;
mod merged;
mod modes;
mod random;
mod read_state;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion_kinesis::kinesis::Kinesis;
use datafusion_kinesis::model::{OutputMode, StreamIdentity};
use datafusion_kinesis::query::{StreamingQuery, StreamingQueryBuilder};
use futures::TryStreamExt;

use crate::streaming::FROM_THE_START;
use crate::support::{World, entry};

/// The rows of each batch as lines, sorted, whose columns are parted by blanks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<BTreeMap<u64, Vec<String>>>>);

impl Lines {
    pub(crate) fn of(&self, builder: StreamingQueryBuilder) -> StreamingQueryBuilder {
        let lines = self.clone();
        builder.foreach_batch(move |batch, rows| {
            let lines = lines.clone();
            async move {
                let rows: Vec<RecordBatch> = rows.try_collect().await?;
                let mut found: Vec<String> = rows.iter().flat_map(text).collect();
                found.sort();
                let before = lines.0.lock().unwrap().insert(batch.0, found.clone());
                assert!(
                    before.is_none_or(|before| before == found),
                    "batch {batch} ran again"
                );
                Ok(())
            }
        })
    }

    pub(crate) fn batch(&self, batch: u64) -> Vec<String> {
        let all = self.0.lock().unwrap();
        all.get(&batch).cloned().unwrap_or_default()
    }

    /// Batches that gave rows.
    pub(crate) fn given(&self) -> Vec<Vec<String>> {
        let all = self.0.lock().unwrap();
        all.values()
            .filter(|rows| !rows.is_empty())
            .cloned()
            .collect()
    }

    /// The newest row of each key, which is the first word.
    pub(crate) fn newest(&self) -> BTreeMap<String, String> {
        let all = self.0.lock().unwrap();
        let rows = all.values().flatten();
        let pair = |row: &String| {
            let (key, rest) = row.split_once(' ').unwrap_or((row, ""));
            (key.to_owned(), rest.to_owned())
        };
        rows.map(pair).collect()
    }
}

/// A row as a line.
pub(crate) fn text(rows: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<ArrayFormatter<'_>> = rows
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
        .collect();
    let line = |row: usize| {
        let cells: Vec<String> = columns
            .iter()
            .map(|column| column.value(row).to_string())
            .collect();
        cells.join(" ")
    };
    (0..rows.num_rows()).map(line).collect()
}

pub(crate) async fn world(shards: u32) -> World {
    let world = World::new();
    world.unbounded_table("words", shards, FROM_THE_START).await;
    world.table("out", 2, "").await;
    world
}

pub(crate) fn grouped(world: &World, sql: &str, mode: OutputMode) -> StreamingQueryBuilder {
    StreamingQuery::builder(&world.ctx, sql).with_output_mode(mode)
}

pub(crate) const COUNTS: &str =
    "SELECT CAST(data AS VARCHAR) AS word, count(*) FROM words GROUP BY word";
