//! GROUP BY over streams: state between batches, with paused time.

mod arrival;
mod changed;
mod files;
mod fragments;
mod kept;
mod merged;
mod modes;
mod overflow;
mod planners;
mod random;
mod read_state;
mod renamed;
mod restarts;
mod shapes;
mod sizes;
mod state_storage;
mod watermarks;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion_kinesis::Error;
use datafusion_kinesis::kinesis::Kinesis;
use datafusion_kinesis::model::{OutputMode, StreamIdentity};
use datafusion_kinesis::query::{StreamingQuery, StreamingQueryBuilder};
use futures::TryStreamExt;

use crate::streaming::FROM_THE_START;
use crate::support::{World, entry};

/// The rows of each batch as sorted lines with space-separated columns.
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

    /// Batches that produced rows.
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

/// Rows as lines.
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

/// A query that accepts a changed statement, because these tests are about its groups.
pub(crate) fn grouped(world: &World, sql: &str, mode: OutputMode) -> StreamingQueryBuilder {
    let query = StreamingQuery::builder(&world.ctx, sql).with_output_mode(mode);
    query.accept_changed_query()
}

pub(crate) const COUNTS: &str =
    "SELECT CAST(data AS VARCHAR) AS word, count(*) FROM words GROUP BY word";

/// Counts words over several starts of a query.
pub(crate) struct Counting {
    pub(crate) world: World,
    pub(crate) place: String,
    pub(crate) lines: Lines,
    written: u64,
}

impl Counting {
    /// Number of distinct words.
    const WORDS: u64 = 7;

    pub(crate) async fn new(name: &str) -> Self {
        Self::with_options(&format!("memory://{name}"), FROM_THE_START).await
    }

    pub(crate) async fn with_options(place: &str, options: &str) -> Self {
        let world = World::new();
        world.unbounded_table("words", 3, options).await;
        let (place, lines) = (place.to_owned(), Lines::default());
        Self {
            world,
            place,
            lines,
            written: 0,
        }
    }

    /// Puts `count` words.
    pub(crate) async fn put(&mut self, count: u64) {
        for number in self.written..self.written + count {
            let word = format!("w{}", number % Self::WORDS);
            self.world.put("words", &number.to_string(), word).await;
        }
        self.written += count;
    }

    /// The query, whose rows are collected.
    pub(crate) fn builder(&self) -> StreamingQueryBuilder {
        let query = grouped(&self.world, COUNTS, OutputMode::Update);
        self.lines
            .of(query)
            .with_checkpoint_location(&self.place)
            .as_in_another_process()
    }

    /// Counts all available words.
    pub(crate) async fn run(&self) {
        run(self.builder()).await;
    }

    /// Asserts that the newest counts cover all words.
    pub(crate) fn check(&self, context: &str) {
        let count = |word: u64| (self.written + Self::WORDS - 1 - word) / Self::WORDS;
        let expected = (0..Self::WORDS)
            .filter(|word| *word < self.written)
            .map(|word| (format!("w{word}"), count(word).to_string()));
        let expected: BTreeMap<String, String> = expected.collect();
        assert_eq!(self.lines.newest(), expected, "{context}");
    }
}

/// Runs a query until it is caught up.
pub(crate) async fn run(builder: StreamingQueryBuilder) {
    let query = builder.start().await.unwrap();
    query.process_all_available().await.unwrap();
    query.stop().await.unwrap();
}

/// The error of a query, at its start or later.
pub(crate) async fn fails(builder: StreamingQueryBuilder) -> Error {
    match builder.start().await {
        Ok(query) => {
            let ended = query.await_termination();
            let ended = tokio::time::timeout(Duration::from_secs(60), ended).await;
            let error = ended.expect("the query ends").unwrap_err();
            Error::new(error.kind(), error.to_string())
        }
        Err(error) => error,
    }
}
