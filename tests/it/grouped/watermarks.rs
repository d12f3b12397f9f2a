//! Watermarks, batch by batch: with one shard they behave as in Spark; `shards` covers several
//! shards.
//!
//! | Case | Rule |
//! |---|---|
//! | `earlier batches` | the latest time of earlier batches, minus the delay, applies to the next batch |
//! | `never back` | older rows do not move the watermark back |
//! | `late for no window` | a row behind the watermark is kept if its window is open |
//! | `late` | a row of a closed window is dropped and counted |
//! | `boundary` | a watermark equal to the end of a window closes it |
//! | `no time` | a row without a time is dropped and counted |
//! | `nothing comes` | a batch without rows closes windows that the watermark has passed |
//! | `append` | returns a window once |
//! | `update` | closes windows without returning them again |
//! | `complete` | closes and drops nothing |
//! | `restart` | the watermark is restored from the log |
//! | `distinct` | values closed by a watermark on their column are removed |
//! | `hop` | a row is late when its last window is closed |
//! | `session` | sessions that meet are merged, and end after their last row |

mod quiet;
mod shards;

use datafusion_kinesis::kinesis::Kinesis;
use datafusion_kinesis::model::StreamIdentity;
use datafusion_kinesis::query::{Step, StreamingQueryProgress};

use super::*;
use crate::streaming::Freeze;
use crate::support::entry;

/// Rows put at once, the resulting output, the watermark of the last batch, and the number of rows
/// dropped so far.
type Round = (
    &'static [&'static str],
    &'static [&'static str],
    Option<i64>,
    u64,
);

struct Case {
    name: &'static str,
    sql: &'static str,
    mode: OutputMode,
    column: Option<&'static str>,
    rounds: &'static [Round],
}

/// Rows with their time in milliseconds.
const TIMES: &str =
    "(SELECT to_timestamp_millis(TRY_CAST(CAST(data AS VARCHAR) AS BIGINT)) AS ts FROM words)";
const TUMBLE: &str = "SELECT CAST(window_start AS BIGINT), count(*) FROM {} \
    GROUP BY tumble(ts, INTERVAL '10 milliseconds')";
const HOP: &str = "SELECT CAST(window_start AS BIGINT), count(*) FROM {} \
    GROUP BY hop(ts, INTERVAL '10 milliseconds', INTERVAL '20 milliseconds')";
const SESSION: &str = "SELECT CAST(window_start AS BIGINT), count(*) FROM {} \
    GROUP BY session(ts, INTERVAL '10 milliseconds')";
const DISTINCT: &str = "SELECT CAST(ts AS BIGINT) FROM (SELECT DISTINCT ts FROM {})";

/// The allowed lateness.
const DELAY: Duration = Duration::from_millis(5);

/// Restarts the query.
const RESTART: &[&str] = &["restart"];

const fn tumbling(name: &'static str, mode: OutputMode, rounds: &'static [Round]) -> Case {
    Case {
        name,
        sql: TUMBLE,
        mode,
        column: None,
        rounds,
    }
}

const CASES: &[Case] = &[
    tumbling(
        "earlier batches",
        OutputMode::Append,
        &[
            (&["100", "5"], &["0 1"], Some(95), 0),
            (&["94"], &[], Some(95), 0),
        ],
    ),
    tumbling(
        "never back",
        OutputMode::Append,
        &[
            (&["30"], &[], None, 0),
            (&["26"], &[], Some(25), 0),
            (&["21"], &[], Some(25), 0),
            (&["29"], &[], Some(25), 0),
        ],
    ),
    tumbling(
        "late for no window",
        OutputMode::Append,
        &[
            (&["30"], &[], None, 0),
            (&["21"], &[], Some(25), 0),
            (&["20", "40"], &["20 2"], Some(35), 0),
        ],
    ),
    tumbling(
        "late",
        OutputMode::Append,
        &[
            (&["30"], &[], None, 0),
            (&["12"], &[], Some(25), 1),
            (&["19", "3", "24"], &[], Some(25), 3),
            (&["36"], &["20 1"], Some(31), 3),
        ],
    ),
    tumbling(
        "boundary",
        OutputMode::Append,
        &[
            (&["15", "24"], &[], None, 0),
            (&["25"], &["10 1"], Some(20), 0),
            (&["19"], &[], Some(20), 1),
            (&["20"], &[], Some(20), 1),
        ],
    ),
    tumbling(
        "no time",
        OutputMode::Update,
        &[
            (&["x", "5"], &["0 1"], None, 1),
            (&["y", "z"], &[], Some(0), 3),
        ],
    ),
    tumbling(
        "nothing comes",
        OutputMode::Append,
        &[
            (&["5", "14"], &[], None, 0),
            (&["16"], &["0 1"], Some(11), 0),
        ],
    ),
    tumbling(
        "append",
        OutputMode::Append,
        &[
            (&["5", "16"], &["0 1"], Some(11), 0),
            (&["17"], &[], Some(11), 0),
            (&["40"], &["10 2"], Some(35), 0),
            (&["12"], &[], Some(35), 1),
        ],
    ),
    tumbling(
        "update",
        OutputMode::Update,
        &[
            (&["5"], &["0 1"], None, 0),
            (&["6"], &["0 2"], Some(0), 0),
            (&["16"], &["10 1"], Some(11), 0),
            (&["7", "17"], &["10 2"], Some(11), 1),
        ],
    ),
    tumbling(
        "complete",
        OutputMode::Complete,
        &[
            (&["5"], &["0 1"], None, 0),
            (&["40"], &["0 1", "40 1"], Some(0), 0),
            (&["6", "x"], &["0 2", "40 1", "NULL 1"], Some(35), 0),
        ],
    ),
    tumbling(
        "restart",
        OutputMode::Append,
        &[
            (&["30"], &[], None, 0),
            (&["31"], &[], Some(25), 0),
            (RESTART, &[], None, 0),
            (&["12", "25"], &[], Some(26), 1),
            (RESTART, &[], None, 0),
            (&["36"], &["20 1"], Some(31), 0),
        ],
    ),
    Case {
        name: "distinct",
        sql: DISTINCT,
        mode: OutputMode::Update,
        column: Some("ts"),
        rounds: &[
            (&["5", "5"], &["5"], None, 0),
            (&["5", "6"], &["6"], Some(0), 0),
            (&["30"], &["30"], Some(25), 0),
            (&["5", "25", "26", "30"], &["26"], Some(25), 2),
        ],
    },
    Case {
        name: "hop",
        sql: HOP,
        mode: OutputMode::Append,
        column: None,
        rounds: &[
            (&["15", "24"], &[], None, 0),
            (&["26"], &["0 1"], Some(21), 0),
            // Its first window is closed, its last one is open.
            (&["12", "9"], &[], Some(21), 1),
            (&["36"], &["10 4"], Some(31), 1),
        ],
    },
    Case {
        name: "session",
        sql: SESSION,
        mode: OutputMode::Append,
        column: None,
        rounds: &[
            (&["1", "20"], &["1 1"], Some(15), 0),
            (&["31", "12"], &[], Some(15), 0),
            // A late row is dropped even if its session is open.
            (&["14", "22"], &[], Some(26), 1),
            (&["60"], &["12 4"], Some(55), 1),
        ],
    },
];

async fn put(world: &World, rows: &[&str]) {
    let stream = StreamIdentity::parse("words").unwrap();
    let entries: Vec<_> = rows
        .iter()
        .map(|row| entry("k", (*row).to_owned(), None))
        .collect();
    let outcomes = world.kinesis.put_records(&stream, &entries).await.unwrap();
    assert!(outcomes.iter().all(Result::is_ok));
}

fn dropped(progress: &[Arc<StreamingQueryProgress>]) -> u64 {
    let states = progress
        .iter()
        .filter_map(|progress| progress.state_operator.as_ref());
    states.map(|state| state.rows_dropped_by_watermark).sum()
}

fn watermark(query: &StreamingQuery) -> Option<i64> {
    let event_time = query.last_progress()?.event_time.clone()?;
    event_time.watermark.map(|watermark| watermark.0)
}

/// Waits until a query is caught up and has closed its windows.
async fn settle(query: &StreamingQuery) {
    query.process_all_available().await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
}

#[tokio::test(start_paused = true)]
async fn watermark_rules_with_one_shard() {
    for Case {
        name,
        sql,
        mode,
        column,
        rounds,
    } in CASES
    {
        let (world, lines) = (world(1).await, Lines::default());
        let sql = sql.replace("{}", TIMES);
        let place = format!("memory://watermarks-{name}").replace(' ', "-");
        let start = || async {
            let query = grouped(&world, &sql, *mode).with_watermark(DELAY, *column);
            let query = lines.of(query).with_checkpoint_location(&place);
            query.start().await.unwrap()
        };
        let mut query = start().await;
        let mut seen = 0;
        for (round, (rows, gives, expected, drops)) in rounds.iter().enumerate() {
            let at = format!("{name}, round {round}");
            if *rows == RESTART {
                query.stop().await.unwrap();
                query = start().await;
                continue;
            }
            put(&world, rows).await;
            settle(&query).await;
            let given = lines.given();
            assert_eq!(given[seen..].concat(), *gives, "{at}");
            seen = given.len();
            assert_eq!(watermark(&query), *expected, "{at}");
            assert_eq!(dropped(&query.recent_progress()), *drops, "{at}");
        }
        query.stop().await.unwrap();
    }
}

/// Killed at any step after planning, the batch is rerun with the same watermark, and closes and
/// drops the same.
#[tokio::test(start_paused = true)]
async fn a_rerun_batch_keeps_its_watermark() {
    let logged = |step: &Step| *step >= Step::OffsetsLogged;
    for step in Step::ALL.into_iter().filter(logged) {
        let (world, lines) = (world(1).await, Lines::default());
        let sql = TUMBLE.replace("{}", TIMES);
        let place = format!("memory://watermark-again-{step:?}");
        let builder = || {
            let query = grouped(&world, &sql, OutputMode::Append).with_watermark(DELAY, None);
            lines.of(query).with_checkpoint_location(&place)
        };
        let freeze = Freeze::at(step, 2);
        put(&world, &["5", "14"]).await;
        let query = builder().with_step_hook(freeze.hook.clone());
        let query = query.start().await.unwrap();
        query.process_all_available().await.unwrap();
        put(&world, &["36", "6"]).await;
        freeze.reached().await;
        drop(query);
        let query = builder().start().await.unwrap();
        put(&world, &["7", "50"]).await;
        settle(&query).await;
        query.stop().await.unwrap();
        let given = lines.given().concat();
        // The batch was planned with watermark 9, when all windows were open.
        assert_eq!(given, ["0 2", "10 1", "30 1"], "{step:?}");
    }
}

/// Closed groups use no memory and are in no later file.
#[tokio::test(start_paused = true)]
async fn closed_groups_are_removed() {
    let (world, lines) = (world(1).await, Lines::default());
    let sql = TUMBLE.replace("{}", TIMES);
    let query = grouped(&world, &sql, OutputMode::Update).with_watermark(DELAY, None);
    let query = lines.of(query).start().await.unwrap();
    let (mut removed, mut total) = (0, 0);
    for time in 0..200_u64 {
        put(&world, &[&(time * 10).to_string()]).await;
        query.process_all_available().await.unwrap();
    }
    settle(&query).await;
    for progress in query.recent_progress() {
        let state = progress.state_operator.as_ref().unwrap();
        removed += state.rows_removed;
        total = total.max(state.rows_total);
    }
    query.stop().await.unwrap();
    assert!(total <= 3, "{total}");
    // Every second of the remembered batches has closed a group.
    assert!(removed >= 45, "{removed}");
}
