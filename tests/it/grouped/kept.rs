//! State is restored by the next start, for all kinds of keys and aggregates.

use super::*;

/// The newest rows of `sql` over two starts with 3 and 5 partitions, which read these records.
async fn over_two_starts(sql: &str, place: &str, [first, second]: [&[&str]; 2]) -> Lines {
    let (world, lines) = (world(2).await, Lines::default());
    for (partitions, records) in [(3, first), (5, second)] {
        let setting = format!("SET datafusion.execution.target_partitions = {partitions}");
        world.run(&setting).await;
        let query = grouped(&world, sql, OutputMode::Update).with_checkpoint_location(place);
        let query = lines.of(query).start().await.unwrap();
        for record in records {
            world.put("words", record, record.to_string()).await;
            query.process_all_available().await.unwrap();
        }
        query.stop().await.unwrap();
    }
    lines
}

#[tokio::test(start_paused = true)]
async fn a_start_restores_the_groups_of_the_previous_one() {
    let records: [&[&str]; 2] = [&["a", "b", "a"], &["c", "a"]];
    let lines = over_two_starts(COUNTS, "memory://kept-counts", records).await;
    let expected = [("a", "3"), ("b", "1"), ("c", "1")];
    let expected = expected.map(|(word, count)| (word.to_owned(), count.to_owned()));
    assert_eq!(lines.newest(), BTreeMap::from(expected));
}

/// Arrow files have one dictionary per column, and keys as bytes have none.
#[tokio::test(start_paused = true)]
async fn dictionary_columns_are_restored() {
    let sql = "SELECT word, min(word), count(DISTINCT word), count(*) FROM
        (SELECT arrow_cast(CAST(data AS VARCHAR), 'Dictionary(Int32, Utf8)') AS word FROM words)
        GROUP BY word";
    let records: [&[&str]; 2] = [&["a", "b", "a"], &["c", "a"]];
    let lines = over_two_starts(sql, "memory://kept-dictionaries", records).await;
    let expected = [("a", "a 1 3"), ("b", "b 1 1"), ("c", "c 1 1")];
    let expected = expected.map(|(word, rest)| (word.to_owned(), rest.to_owned()));
    assert_eq!(lines.newest(), BTreeMap::from(expected));
}

/// Each aggregate over the numbers 3, 1, 4, 1 and then 5, 9, 2, 6, with its result.
const AGGREGATES: [(&str, &str); 36] = [
    ("count(*)", "8"),
    ("count(n)", "8"),
    ("count(DISTINCT n)", "7"),
    ("count(*) FILTER (WHERE n > 3)", "4"),
    ("sum(n)", "31"),
    ("sum(DISTINCT n)", "30"),
    ("avg(n)", "3.875"),
    ("avg(DISTINCT n)", "4.285714285714286"),
    ("min(n)", "1"),
    ("max(n)", "9"),
    ("max(CAST(n AS VARCHAR))", "9"),
    (
        "min(arrow_cast(n, 'Timestamp(Second, None)'))",
        "1970-01-01T00:00:01",
    ),
    ("bool_and(n > 0)", "true"),
    ("bool_or(n > 9)", "false"),
    ("bit_and(n)", "0"),
    ("bit_or(n)", "15"),
    ("bit_xor(n)", "15"),
    ("round(var_pop(n), 6)", "6.609375"),
    ("round(var_samp(n), 6)", "7.553571"),
    ("round(stddev(n), 6)", "2.748376"),
    ("round(corr(n, 2 * n), 6)", "1.0"),
    ("round(covar_pop(n, 2 * n), 6)", "13.21875"),
    ("round(regr_slope(3 * n, n), 6)", "3.0"),
    ("approx_distinct(n)", "7"),
    ("approx_median(n) BETWEEN 2 AND 5", "true"),
    (
        "approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY n) BETWEEN 5 AND 9",
        "true",
    ),
    ("median(CAST(n AS DOUBLE))", "3.5"),
    ("percentile_cont(1.0) WITHIN GROUP (ORDER BY n)", "9.0"),
    ("first_value(n ORDER BY id)", "3"),
    ("last_value(n ORDER BY id)", "6"),
    ("nth_value(n, 5 ORDER BY id)", "5"),
    ("array_agg(n ORDER BY id)", "[3, 1, 4, 1, 5, 9, 2, 6]"),
    ("array_agg(DISTINCT n ORDER BY n)", "[1, 2, 3, 4, 5, 6, 9]"),
    (
        "string_agg(CAST(n AS VARCHAR), '+' ORDER BY id)",
        "3+1+4+1+5+9+2+6",
    ),
    (
        "string_agg(DISTINCT CAST(n AS VARCHAR), '+' ORDER BY CAST(n AS VARCHAR))",
        "1+2+3+4+5+6+9",
    ),
    ("sum(n) * 2 + count(*)", "70"),
];

#[tokio::test(start_paused = true)]
async fn every_aggregate_continues_from_its_state() {
    let records: [&[&str]; 2] = [&["0,3", "1,1", "2,4", "3,1"], &["4,5", "5,9", "6,2", "7,6"]];
    for (number, (aggregate, expected)) in AGGREGATES.into_iter().enumerate() {
        let sql = format!(
            "SELECT 'all', {aggregate} FROM (SELECT CAST(split_part(CAST(data AS VARCHAR), ',', 1) AS BIGINT) \
             AS id, CAST(split_part(CAST(data AS VARCHAR), ',', 2) AS BIGINT) AS n FROM words)"
        );
        let place = format!("memory://kept-aggregate-{number}");
        let lines = over_two_starts(&sql, &place, records).await;
        let newest = lines.newest();
        assert_eq!(
            newest.get("all").map(String::as_str),
            Some(expected),
            "{aggregate}"
        );
    }
}
