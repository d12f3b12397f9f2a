//! The rows that each output mode returns.

use super::*;

#[tokio::test(start_paused = true)]
async fn update_returns_the_groups_that_a_batch_changed() {
    let world = world(3).await;
    let lines = Lines::default();
    let query = lines.of(grouped(&world, COUNTS, OutputMode::Update));
    let query = query.start().await.unwrap();
    for word in ["a", "b", "a", "c", "a"] {
        world.put("words", word, word).await;
    }
    query.process_all_available().await.unwrap();
    let before = lines.given().len();
    for word in ["b", "d"] {
        world.put("words", word, word).await;
    }
    query.process_all_available().await.unwrap();
    query.stop().await.unwrap();
    let newest = lines.newest();
    let expected = [("a", "3"), ("b", "2"), ("c", "1"), ("d", "1")];
    let expected = expected.map(|(word, count)| (word.to_owned(), count.to_owned()));
    assert_eq!(newest, BTreeMap::from(expected));
    let mut since = lines.given().split_off(before).concat();
    since.sort();
    assert_eq!(since, ["b 2", "d 1"]);
}

#[tokio::test(start_paused = true)]
async fn complete_returns_all_groups_sorted_and_limited() {
    let world = world(2).await;
    let lines = Lines::default();
    let sql = format!("{COUNTS} ORDER BY 2 DESC, 1 LIMIT 2");
    let query = lines.of(grouped(&world, &sql, OutputMode::Complete));
    let query = query.start().await.unwrap();
    for (word, expected) in [
        ("a", vec!["a 1"]),
        ("b", vec!["a 1", "b 1"]),
        ("b", vec!["a 1", "b 2"]),
        ("c", vec!["a 1", "b 2"]),
    ] {
        world.put("words", word, word).await;
        query.process_all_available().await.unwrap();
        assert_eq!(lines.given().last().unwrap(), &expected);
    }
    query.stop().await.unwrap();
}

/// The engine would plan an empty result, and the groups would be lost.
#[tokio::test(start_paused = true)]
async fn a_limit_of_zero_is_refused() {
    let world = world(2).await;
    let sql = format!("{COUNTS} ORDER BY 1 LIMIT 0");
    let query = grouped(&world, &sql, OutputMode::Complete);
    let query = Lines::default().of(query).start().await;
    let refusal = query.unwrap_err().to_string();
    assert!(
        refusal.contains("LIMIT 0 over the unbounded table 'words' returns no rows"),
        "{refusal}"
    );
}

#[tokio::test(start_paused = true)]
async fn append_returns_a_window_once_when_it_is_closed() {
    let world = world(1).await;
    let lines = Lines::default();
    let sql = "SELECT window_start, count(*) FROM
        (SELECT to_timestamp_millis(CAST(CAST(data AS VARCHAR) AS BIGINT)) AS ts FROM words)
        GROUP BY tumble(ts, INTERVAL '10 milliseconds')";
    let query =
        grouped(&world, sql, OutputMode::Append).with_watermark(Duration::from_millis(5), None);
    let query = lines.of(query).start().await.unwrap();
    for (time, closed) in [
        ("1", vec![]),
        ("9", vec![]),
        ("12", vec![]),
        ("16", vec!["1970-01-01T00:00:00 2"]),
    ] {
        world.put("words", "k", time).await;
        query.process_all_available().await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(lines.given().concat(), closed, "after {time}");
    }
    // One is too late, one is late but within the delay.
    world.put("words", "k", "3").await;
    world.put("words", "k", "11").await;
    world.put("words", "k", "40").await;
    query.process_all_available().await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let given = lines.given().concat();
    assert_eq!(
        given,
        ["1970-01-01T00:00:00 2", "1970-01-01T00:00:00.010 3"]
    );
    let late: u64 = query
        .recent_progress()
        .iter()
        .filter_map(|progress| progress.state_operator.as_ref())
        .map(|state| state.rows_dropped_by_watermark)
        .sum();
    assert_eq!(late, 1);
    query.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_having_without_columns_drops_no_row_from_its_group() {
    let world = world(1).await;
    let start = async |having: &str| {
        let lines = Lines::default();
        let sql = format!("{COUNTS} HAVING {having}");
        let query = grouped(&world, &sql, OutputMode::Update);
        let query = query.with_checkpoint_location("memory://without-columns");
        let query = lines.of(query).start().await.unwrap();
        world.put("words", "a", "a").await;
        query.process_all_available().await.unwrap();
        query.stop().await.unwrap();
        lines.given().concat()
    };
    assert!(start("now() < TIMESTAMP '2000-01-01'").await.is_empty());
    assert!(start("random() > 2").await.is_empty());
    assert_eq!(start("count(*) > 0").await, ["a 3"]);
}

#[tokio::test(start_paused = true)]
async fn a_global_aggregate_without_rows_has_no_state() {
    let world = world(1).await;
    let lines = Lines::default();
    let sql =
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY CAST(CAST(data AS VARCHAR) AS DOUBLE))
        FROM words";
    let query = lines.of(grouped(&world, sql, OutputMode::Update));
    let query = query.start().await.unwrap();
    for (number, expected) in [("4", "4.0"), ("8", "6.0"), ("5", "5.0")] {
        world.put("words", "k", number).await;
        query.process_all_available().await.unwrap();
        assert_eq!(lines.given().last().unwrap(), &[expected]);
    }
    query.stop().await.unwrap();
}
