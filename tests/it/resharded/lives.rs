//! A query whose process is ended repeatedly.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::{PLACED, PLACES, setting, tables};
use crate::process::{Ended, Running, client, folder};
use crate::streaming::checkpoint_log::{CheckpointLog, Place};

/// How long a run continues after its first batch, to hit all steps of the batch in flight.
const LIFE_MILLIS: std::ops::Range<u64> = 0..300;
/// How much earlier every fourth run ends: while the process starts, or in its first batch.
const STARTING_MILLIS: std::ops::Range<u64> = 0..400;

/// Maximum rows of a shard per batch, and the trigger.
type Pace = (&'static str, &'static str);

/// Batches are small and rare, so that the stream grows faster.
pub(super) const SLOW: Pace = ("20", "100 milliseconds");
pub(super) const FAST: Pace = ("50", "20 milliseconds");
const TO_THE_END: Pace = ("5000", "available now");

/// The runs of a query that copies the stream, one after another.
pub(super) struct Lives {
    url: String,
    folder: PathBuf,
    random: fastrand::Rng,
    runtime: Runtime,
    /// The log when the last run ended.
    pub(super) ledger: CheckpointLog,
    pub(super) stopped: usize,
    pub(super) killed: usize,
}

impl Lives {
    pub(super) fn of(url: &str, name: &str) -> Self {
        Self {
            url: url.to_owned(),
            folder: folder(name),
            random: fastrand::Rng::with_seed(setting("RESHARDED_SEED", 1)),
            runtime: Runtime::new().unwrap(),
            ledger: CheckpointLog::default(),
            stopped: 0,
            killed: 0,
        }
    }

    fn checkpoint(&self) -> String {
        format!("file://{}", self.folder.join("checkpoint").display())
    }

    fn spawn(&self, (rows, trigger): Pace) -> Running {
        let file = self.folder.join("copying.sql");
        let tables = tables();
        let statements = format!(
            "{tables}
             CREATE UNBOUNDED EXTERNAL TABLE live STORED AS \"aws-kinesis\" LOCATION 'numbers'
               OPTIONS ('kinesis.startingPosition' 'TRIM_HORIZON', 'kinesis.extraColumns' '{PLACES}',
                        'kinesis.getRecords.fetchIntervalMs' '10', 'kinesis.describeShardInterval' '100ms',
                        'kinesis.minBatchesToRetain' '1000000',
                        'kinesis.maxFetchRecordsPerShard' '{rows}');
             SET streaming.checkpoint_location = '{}';
             SET streaming.trigger = '{trigger}';
             INSERT INTO copies (partitionKey, data) SELECT partitionKey, {PLACED} AS data FROM live;",
            self.checkpoint()
        );
        fs::write(&file, statements).unwrap();
        let mut client = client(&self.url);
        let log = "warn,datafusion_kinesis::query::batch=info";
        Running::spawn(client.env("RUST_LOG", log).arg("-f").arg(file))
    }

    /// One run, until some time after an event, with rows left to read.
    pub(super) fn live(&mut self, pace: Pace, meanwhile: impl FnOnce(&Runtime)) {
        let running = self.spawn(pace);
        meanwhile(&self.runtime);
        let (said, millis) = match self.random.u8(..4) {
            0 => (Vec::new(), STARTING_MILLIS),
            _ => (running.until_stderr_contains("query::batch: "), LIFE_MILLIS),
        };
        // This does not wait for a condition: the time of the end is what is tested.
        thread::park_timeout(Duration::from_millis(self.random.u64(millis)));
        let is_killed = self.random.bool();
        running.signal(if is_killed { "-KILL" } else { "-TERM" });
        let mut ended = running.wait();
        ended.stderr.splice(0..0, said);
        if is_killed {
            self.killed += 1;
        } else {
            self.stopped += 1;
            // The process may not listen for signals yet.
            let code = ended.status.code().or(ended.status.signal());
            assert!(matches!(code, Some(143 | 15)), "{:#?}", ended.stderr);
        }
        self.look_back(&ended);
    }

    /// Asserts that there were no warnings except about pace, and that the existing log entries are
    /// unchanged.
    fn look_back(&mut self, ended: &Ended) {
        let is_log = |line: &&String| {
            let is_pace = line.contains("falling behind");
            (line.contains(" WARN ") || line.contains(" ERROR ")) && !is_pace
        };
        let logged: Vec<_> = ended.stderr.iter().filter(is_log).collect();
        assert!(logged.is_empty(), "{logged:#?}");
        let now = self.runtime.block_on(CheckpointLog::of(&self.checkpoint()));
        for (batch, entry) in &self.ledger.offsets {
            assert_eq!(now.offsets.get(batch), Some(entry), "offsets/{batch}");
        }
        for (batch, entry) in &self.ledger.commits {
            assert_eq!(now.commits.get(batch), Some(entry), "commits/{batch}");
        }
        self.ledger = now;
    }

    /// Runs until caught up.
    pub(super) fn finish(&mut self) {
        let ended = self.spawn(TO_THE_END).wait();
        assert!(ended.status.success(), "{:#?}", ended.stderr);
        self.look_back(&ended);
        self.ledger.check();
    }

    /// Number of shards that were read to their end, according to the newest batch.
    pub(super) fn ended_shards(&self) -> usize {
        let Some(last) = self.ledger.offsets.keys().last() else {
            return 0;
        };
        let ranges = self.ledger.ranges(*last);
        let ended = ranges.values().filter(|(_, upto)| *upto == Place::End);
        ended.count()
    }
}
