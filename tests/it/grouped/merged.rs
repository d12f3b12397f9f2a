//! Windows with rows both in the batch and in the state.

use super::*;

const TIMES: &str =
    "SELECT to_timestamp_millis(CAST(CAST(data AS VARCHAR) AS BIGINT)) AS ts FROM words";

/// The output rows for `batches` of times.
async fn given(window: &str, batches: &[&[&str]]) -> Vec<Vec<String>> {
    let (world, lines) = (world(1).await, Lines::default());
    let sql = format!(
        "SELECT arrow_cast(window_start, 'Int64'), arrow_cast(window_end, 'Int64'), count(*) \
         FROM ({TIMES}) GROUP BY {window}"
    );
    let query = lines.of(grouped(&world, &sql, OutputMode::Update));
    let stream = StreamIdentity::parse("words").unwrap();
    let query = query.start().await.unwrap();
    for times in batches {
        let entries: Vec<_> = times
            .iter()
            .map(|time| entry("k", time.to_string(), None))
            .collect();
        world.kinesis.put_records(&stream, &entries).await.unwrap();
        query.process_all_available().await.unwrap();
    }
    query.stop().await.unwrap();
    lines.given()
}

#[tokio::test(start_paused = true)]
async fn a_row_exactly_one_gap_later_extends_the_session() {
    let session = "session(ts, INTERVAL '10 milliseconds')";
    let given = given(session, &[&["20"], &["30"], &["10"], &["51"]]).await;
    assert_eq!(given, [["20 30 1"], ["20 40 2"], ["10 40 3"], ["51 61 1"]]);
}

#[tokio::test(start_paused = true)]
async fn a_row_between_two_sessions_merges_them() {
    let session = "session(ts, INTERVAL '10 milliseconds')";
    let given = given(session, &[&["0", "20"], &["10"]]).await;
    assert_eq!(given, [vec!["0 10 1", "20 30 1"], vec!["0 30 3"]]);
}

/// The panes of a batch share neighboring windows.
#[tokio::test(start_paused = true)]
async fn a_window_counts_the_rows_of_its_panes_once() {
    let hop = "hop(ts, INTERVAL '10 milliseconds', INTERVAL '20 milliseconds')";
    let given = given(hop, &[&["10", "25"], &["21"]]).await;
    let first = vec!["0 20 1", "10 30 2", "20 40 1"];
    assert_eq!(given, [first, vec!["10 30 3", "20 40 2"]]);
}
