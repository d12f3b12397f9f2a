//! A simulated service with tables, and helpers to run statements against it.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use datafusion_kinesis::kinesis::{
    InMemoryKinesis, InMemoryOptions, Kinesis, PutEntry, TokioClock,
};
use datafusion_kinesis::model::{Clock, HashKey, StreamIdentity, StreamName, UnixMillis};
use datafusion_kinesis::{Error, Services, register_with, sql};
use serde_json::Value;

/// The root of the repository.
pub(crate) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The simulator's start time, in 2023.
pub(crate) const EPOCH: UnixMillis = UnixMillis(1_700_000_000_000);

/// A simulator on Tokio's clock, and a session whose tables use it.
pub(crate) struct World {
    pub(crate) kinesis: Arc<InMemoryKinesis>,
    pub(crate) ctx: SessionContext,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_options(InMemoryOptions::default())
    }

    pub(crate) fn with_options(options: InMemoryOptions) -> Self {
        Self::behind(options, |kinesis| kinesis).0
    }

    /// A world whose tables reach the simulator through a wrapper made by `front`. Also returns the
    /// wrapper.
    pub(crate) fn behind<FaultProxy: Kinesis + 'static>(
        options: InMemoryOptions,
        front: impl FnOnce(Arc<InMemoryKinesis>) -> Arc<FaultProxy>,
    ) -> (Self, Arc<FaultProxy>) {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(EPOCH));
        let kinesis = Arc::new(InMemoryKinesis::new(Arc::clone(&clock), options));
        let ctx = SessionContext::new();
        let front = front(Arc::clone(&kinesis));
        let service = Arc::<FaultProxy>::clone(&front);
        register_with(&ctx, Services::fixed(service).with_clock(clock));
        (Self { kinesis, ctx }, front)
    }

    /// Creates a stream and a table of the same name, with further options.
    pub(crate) async fn table(&self, name: &str, shards: u32, options: &str) {
        let stream = StreamName::new(name).unwrap();
        self.kinesis.create_stream(&stream, shards).await.unwrap();
        self.table_again(name, name, options).await;
    }

    /// Creates another table of a stream.
    pub(crate) async fn table_again(&self, table: &str, stream: &str, options: &str) {
        self.create("EXTERNAL TABLE", table, stream, options).await;
    }

    /// Creates a stream and an unbounded table of the same name, with further options.
    pub(crate) async fn unbounded_table(&self, name: &str, shards: u32, options: &str) {
        let stream = StreamName::new(name).unwrap();
        self.kinesis.create_stream(&stream, shards).await.unwrap();
        self.unbounded_table_again(name, name, options).await;
    }

    /// Creates an unbounded table of a stream.
    pub(crate) async fn unbounded_table_again(&self, table: &str, stream: &str, options: &str) {
        let kind = "UNBOUNDED EXTERNAL TABLE";
        self.create(kind, table, stream, options).await;
    }

    async fn create(&self, kind: &str, table: &str, stream: &str, options: &str) {
        let options = match options {
            "" => String::new(),
            options => format!("OPTIONS ({options})"),
        };
        self.run(&format!(
            "CREATE {kind} {table} STORED AS \"aws-kinesis\" LOCATION '{stream}' {options}"
        ))
        .await;
    }

    pub(crate) async fn try_run(&self, text: &str) -> Result<String, DataFusionError> {
        let frame = sql(&self.ctx, text).await?;
        let batches = frame.collect().await?;
        Ok(pretty_format_batches(&batches)?.to_string())
    }

    /// The result as a framed table.
    pub(crate) async fn run(&self, text: &str) -> String {
        match self.try_run(text).await {
            Ok(text) => text,
            Err(error) => panic!("{text}: {error}"),
        }
    }

    /// The first column as lines, without frame and header.
    pub(crate) async fn lines(&self, text: &str) -> Vec<String> {
        let table = self.run(text).await;
        let rows = table.lines().skip(3).filter(|line| line.starts_with('|'));
        let cell = |line: &str| {
            line.trim_matches('|')
                .split('|')
                .next()
                .unwrap_or("")
                .trim()
                .to_owned()
        };
        rows.map(cell).collect()
    }

    /// The single number that a statement returns.
    pub(crate) async fn number(&self, text: &str) -> u64 {
        let lines = self.lines(text).await;
        assert_eq!(lines.len(), 1, "{text}: {lines:?}");
        lines[0].parse().unwrap()
    }

    /// This crate's error for a statement.
    pub(crate) async fn refusal(&self, text: &str) -> (datafusion_kinesis::ErrorKind, String) {
        let error = match self.try_run(text).await {
            Ok(result) => panic!("{text}: expected an error, got\n{result}"),
            Err(error) => error,
        };
        let Some(ours) = Error::find_in(&error) else {
            panic!("{text}: not an error of this crate: {error}");
        };
        (ours.kind(), ours.to_string())
    }

    /// Puts one plain record; the key selects its shard.
    pub(crate) async fn put(&self, stream: &str, key: &str, data: impl Into<Bytes>) {
        let stream = StreamIdentity::parse(stream).unwrap();
        let entry = entry(key, data, None);
        let outcomes = self.kinesis.put_records(&stream, &[entry]).await.unwrap();
        outcomes
            .into_iter()
            .for_each(|outcome| drop(outcome.unwrap()));
    }

    /// Puts `count` plain records with keys and data `0`, `1`, ….
    pub(crate) async fn put_numbers(&self, stream: &str, count: usize) {
        let stream = StreamIdentity::parse(stream).unwrap();
        let numbers: Vec<usize> = (0..count).collect();
        for chunk in numbers.chunks(500) {
            let entries = chunk
                .iter()
                .map(|n| entry(&n.to_string(), n.to_string(), None));
            let entries: Vec<_> = entries.collect();
            let outcomes = self.kinesis.put_records(&stream, &entries).await.unwrap();
            outcomes
                .into_iter()
                .for_each(|outcome| drop(outcome.unwrap()));
        }
    }
}

/// Prints a message that bypasses the output capture of the test runner.
pub(crate) fn say(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(stderr, "{text}");
}

/// The path of a folder that does not exist yet, unique to this process.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = format!("datafusion-kinesis-{name}-{}", std::process::id());
    let folder = std::env::temp_dir().join(folder);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    folder
}

/// Serves `tables` as DynamoDB until the process ends, and returns the URL.
#[cfg(feature = "dynamodb")]
pub(crate) fn served(tables: dynoxide::Database) -> String {
    let (sender, url) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
                .await
                .unwrap();
            let address = listener.local_addr().unwrap();
            sender.send(format!("http://{address}")).unwrap();
            dynoxide::server::serve_on(listener, tables).await;
        });
    });
    url.recv().unwrap()
}

/// Reports that a test was skipped.
pub(crate) fn skipped(test: &str, why: &str) {
    say(&format!("skipped {test}: {why}"));
}

pub(crate) fn entry(key: &str, data: impl Into<Bytes>, hash_key: Option<HashKey>) -> PutEntry {
    PutEntry {
        data: data.into(),
        partition_key: key.into(),
        explicit_hash_key: hash_key,
    }
}

/// A checkpoint entry as version 2 wrote it, after applying `change`: without a checksum, the retention and the
/// list of operators.
pub(crate) fn without_checksum(entry: &str, change: impl FnOnce(String) -> String) -> String {
    let mut entry: Value = serde_json::from_str(entry).unwrap();
    let members = entry.as_object_mut().unwrap();
    assert!(members.remove("checksum").is_some());
    members.insert("version".to_owned(), 2.into());
    for source in members
        .get_mut("sources")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        source.as_object_mut().unwrap().remove("retention_hours");
    }
    if let Some(mut watermarks) = members.remove("watermarks") {
        members.insert("watermark".to_owned(), watermarks["aggregation"][0].take());
    }
    if let Some(mut operators) = members.remove("operators") {
        members.insert("state".to_owned(), operators[0]["files"].take());
    }
    change(serde_json::to_string_pretty(&entry).unwrap() + "\n")
}
