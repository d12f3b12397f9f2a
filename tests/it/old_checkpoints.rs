//! Queries resume from checkpoints of earlier versions of this crate.
//!
//! `tests/data/checkpoints/<version>/<query>` holds small checkpoints, by the version of their entries. Each
//! was written over the simulator while this module put records at fixed times. A test puts the same
//! records at the same times into a new simulator, which gives them the same sequence numbers, and
//! resumes the query on a copy of the checkpoint.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use datafusion_kinesis::model::OutputMode;
use datafusion_kinesis::query::{Step, StreamingQuery, StreamingQueryBuilder};
use tokio::time::{Instant, sleep, sleep_until};

use crate::grouped::{COUNTS, Lines};
use crate::streaming::{FROM_THE_START, Freeze};
use crate::support::{ROOT, World, folder};

/// A query whose checkpoint is stored.
struct Case {
    name: &'static str,
    sql: &'static str,
    mode: OutputMode,
    shards: u32,
    has_watermark: bool,
    /// The records of each batch. The last batch is planned and not committed.
    rounds: &'static [&'static [&'static str]],
    /// Where the query was killed in its last batch.
    killed_at: Step,
    /// The records that come after the restart.
    added: &'static [&'static str],
    /// The rows of the batches that run after the restart.
    expected: &'static [&'static [&'static str]],
}

const ROUND: Duration = Duration::from_secs(10);
const DELAY: Duration = Duration::from_millis(5);

const TUMBLE: &str = "SELECT CAST(window_start AS BIGINT), count(*) FROM
    (SELECT to_timestamp_millis(CAST(CAST(data AS VARCHAR) AS BIGINT)) AS ts FROM words)
    GROUP BY tumble(ts, INTERVAL '10 milliseconds')";
const HOP: &str = "SELECT CAST(window_start AS BIGINT), count(*) FROM
    (SELECT to_timestamp_millis(CAST(CAST(data AS VARCHAR) AS BIGINT)) AS ts FROM words)
    GROUP BY hop(ts, INTERVAL '10 milliseconds', INTERVAL '20 milliseconds')";
const SESSION: &str =
    "SELECT CAST(window_start AS BIGINT), CAST(window_end AS BIGINT), count(*) FROM
    (SELECT to_timestamp_millis(CAST(CAST(data AS VARCHAR) AS BIGINT)) AS ts FROM words)
    GROUP BY session(ts, INTERVAL '10 milliseconds')";
const DISTINCT: &str = "SELECT DISTINCT CAST(data AS VARCHAR) AS word FROM words";
const INSERT: &str = "INSERT INTO out (partitionKey, data)
    SELECT partitionKey, upper(CAST(data AS VARCHAR)) FROM words";

const CASES: &[Case] = &[
    Case {
        name: "insert",
        sql: INSERT,
        mode: OutputMode::Append,
        shards: 3,
        has_watermark: false,
        rounds: &[&["a", "b", "c"], &["d", "e"], &["x", "y", "z"]],
        killed_at: Step::OffsetsLogged,
        added: &["q"],
        expected: &[&["Q", "X", "Y", "Z"]],
    },
    Case {
        name: "counts",
        sql: COUNTS,
        mode: OutputMode::Update,
        shards: 3,
        has_watermark: false,
        rounds: &[
            &["a", "b", "c", "d", "e"],
            &["a"],
            &["b", "a"],
            &["a"],
            &["b", "a"],
            &["a"],
            &["b", "a"],
            &["a"],
            &["b", "a"],
            &["a"],
            &["b", "a"],
            &["a"],
            &["b", "a", "f"],
            &["c"],
        ],
        killed_at: Step::StateSaved,
        added: &["a", "f", "g", "e"],
        expected: &[&["c 2"], &["a 14", "e 2", "f 2", "g 1"]],
    },
    Case {
        name: "tumble",
        sql: TUMBLE,
        mode: OutputMode::Append,
        shards: 1,
        has_watermark: true,
        rounds: &[&["1", "3"], &["12", "9"], &["21", "16"], &["18", "24"]],
        killed_at: Step::OffsetsLogged,
        added: &["28", "5", "39"],
        expected: &[&["10 3", "20 3"]],
    },
    Case {
        name: "hop",
        sql: HOP,
        mode: OutputMode::Update,
        shards: 1,
        has_watermark: true,
        rounds: &[&["1", "13"], &["25", "9"], &["26"]],
        killed_at: Step::Ran,
        added: &["31", "2", "14"],
        expected: &[&["10 3", "20 2"], &["10 4", "20 3", "30 1"]],
    },
    Case {
        name: "session",
        sql: SESSION,
        mode: OutputMode::Append,
        shards: 1,
        has_watermark: true,
        rounds: &[&["1", "8"], &["30"], &["14", "38"]],
        killed_at: Step::OffsetsLogged,
        added: &["60", "99"],
        expected: &[&["30 48 2", "60 70 1"]],
    },
    Case {
        name: "distinct",
        sql: DISTINCT,
        mode: OutputMode::Append,
        shards: 2,
        has_watermark: false,
        rounds: &[&["a", "b"], &["b", "c"], &["c", "d"]],
        killed_at: Step::CommitLogging,
        added: &["a", "d", "e"],
        expected: &[&["d"], &["e"]],
    },
];

/// How many checkpoints are stored.
const STORED: usize = 9;

/// The folder of the checkpoints whose entries have this version.
fn stored(version: &str) -> PathBuf {
    Path::new(ROOT).join("tests/data/checkpoints").join(version)
}

impl Case {
    async fn world(&self) -> World {
        let world = World::new();
        let options = format!("{FROM_THE_START}, 'kinesis.minBatchesToRetain' '2'");
        world.unbounded_table("words", self.shards, &options).await;
        world.table("out", 1, "").await;
        world
    }

    fn builder(&self, world: &World, place: &Path) -> StreamingQueryBuilder {
        let query = StreamingQuery::builder(&world.ctx, self.sql)
            .with_output_mode(self.mode)
            .with_checkpoint_location(place.to_str().unwrap())
            .as_in_another_process();
        match self.has_watermark {
            true => query.with_watermark(DELAY, None),
            false => query,
        }
    }

    fn collect(&self, builder: StreamingQueryBuilder, lines: &Lines) -> StreamingQueryBuilder {
        match self.sql == INSERT {
            true => builder,
            false => lines.of(builder),
        }
    }

    /// Writes the checkpoint to `place`.
    async fn write(&self, place: &Path) {
        let (world, began, lines) = (self.world().await, Instant::now(), Lines::default());
        let (last, rounds) = self.rounds.split_last().unwrap();
        let query = self.collect(self.builder(&world, place), &lines);
        let query = query.start().await.unwrap();
        for (number, records) in rounds.iter().enumerate() {
            put(&world, began, number, records).await;
            query.process_all_available().await.unwrap();
        }
        sleep(ROUND / 2).await;
        query.stop().await.unwrap();
        let freeze = Freeze::at(self.killed_at, 1);
        let query = self.collect(self.builder(&world, place), &lines);
        put(&world, began, rounds.len(), last).await;
        let query = query
            .with_step_hook(freeze.hook.clone())
            .start()
            .await
            .unwrap();
        freeze.reached().await;
        drop(query);
    }

    /// Resumes the query on a copy of the checkpoint at `stored`; returns the rows if they are not those expected.
    async fn resume(&self, stored: &Path) -> Option<String> {
        let context = stored.display();
        let (world, began, lines) = (self.world().await, Instant::now(), Lines::default());
        for (number, records) in self.rounds.iter().enumerate() {
            put(&world, began, number, records).await;
        }
        // The tests of this module run in parallel, so each copy needs a name of its own.
        let version = stored.parent().unwrap().file_name().unwrap();
        let version = version.to_str().unwrap();
        let place = folder(&format!("resumed-{version}-{}", self.name));
        copy(stored, &place);
        sleep(ROUND).await;
        let query = self.collect(self.builder(&world, &place), &lines);
        let query = query
            .start()
            .await
            .unwrap_or_else(|error| panic!("{context}: {error}"));
        let ended = query.process_all_available().await;
        ended.unwrap_or_else(|error| panic!("{context}: {error}"));
        sleep(ROUND).await;
        for record in self.added {
            world.put("words", record, *record).await;
        }
        query.process_all_available().await.unwrap();
        sleep(ROUND).await;
        query.stop().await.unwrap();
        let given = match self.sql == INSERT {
            true => {
                let mut written = world.lines("SELECT CAST(data AS VARCHAR) FROM out").await;
                written.sort();
                vec![written]
            }
            false => lines.given(),
        };
        fs::remove_dir_all(place).unwrap();
        (given != self.expected).then(|| format!("{context}: {given:?}"))
    }
}

/// Puts the records of a round at its time.
async fn put(world: &World, began: Instant, round: usize, records: &[&'static str]) {
    sleep_until(began + ROUND * u32::try_from(round).unwrap()).await;
    for record in records {
        world.put("words", record, *record).await;
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().unwrap().is_dir() {
            true => copy(&from, &to),
            false => drop(fs::copy(from, to).unwrap()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn checkpoints_of_earlier_versions_resume() {
    let (mut wrong, mut resumed) = (Vec::new(), 0);
    for case in CASES {
        for version in ["1", "2", "3"] {
            let stored = stored(version).join(case.name);
            // Not every query is stored in every version.
            if stored.exists() {
                wrong.extend(case.resume(&stored).await);
                resumed += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(resumed, STORED);
}

/// Also writes what `tests/data/checkpoints` holds: with `STORE_CHECKPOINTS=4`, the checkpoints are kept
/// there as those of entry version 4.
#[tokio::test(start_paused = true)]
async fn checkpoints_of_this_version_resume() {
    let mut wrong = Vec::new();
    for case in CASES {
        let place = folder(&format!("new-checkpoint-{}", case.name));
        case.write(&place).await;
        wrong.extend(case.resume(&place).await);
        if let Ok(version) = std::env::var("STORE_CHECKPOINTS") {
            let kept = stored(&version).join(case.name);
            if kept.exists() {
                fs::remove_dir_all(&kept).unwrap();
            }
            copy(&place, &kept);
        }
        fs::remove_dir_all(place).unwrap();
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
