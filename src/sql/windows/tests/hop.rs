use super::*;

const ROWS: [Row; 6] = [
    (Some(5), Some("a"), 1),
    (Some(10), Some("a"), 2),
    (Some(19), Some("b"), 4),
    (Some(29), Some("a"), 8),
    (None, Some("a"), 16),
    (None, Some("b"), 32),
];

/// Windows of 20 seconds that start every 10 seconds: each row belongs to two.
const TWENTY: &str = "hop(ts, INTERVAL '10 seconds', INTERVAL '20 seconds')";

#[tokio::test]
async fn a_row_belongs_to_every_window_that_contains_it() {
    let statement = format!(
        "SELECT window_start, window_end, sum(v), count(*) FROM t GROUP BY {TWENTY} ORDER BY window_start"
    );
    assert_eq!(
        result_of(&ROWS, &statement).await,
        [
            format!("1969-12-31T23:59:50|{}|1|1", at(10)),
            format!("{}|{}|7|3", at(0), at(20)),
            format!("{}|{}|14|3", at(10), at(30)),
            format!("{}|{}|8|1", at(20), at(40)),
            "NULL|NULL|48|2".to_owned(),
        ]
    );
}

#[tokio::test]
async fn a_size_need_not_be_a_multiple_of_the_slide() {
    // Starts at 0, 10, 20, …; [0, 15), [10, 25), [20, 35): panes of five seconds.
    let statement = "SELECT window_start, sum(v) FROM t WHERE ts IS NOT NULL \
                     GROUP BY hop(ts, INTERVAL '10 seconds', INTERVAL '15 seconds') ORDER BY 1";
    assert_eq!(
        result_of(&ROWS, statement).await,
        [
            format!("{}|3", at(0)),
            format!("{}|6", at(10)),
            format!("{}|8", at(20)),
        ]
    );
}

#[tokio::test]
async fn a_slide_equal_to_the_size_is_a_tumbling_window() {
    let statement = "SELECT window_start, sum(v) FROM t \
                     GROUP BY hop(ts, INTERVAL '10 seconds', INTERVAL '10 seconds') ORDER BY 1";
    assert_eq!(
        result_of(&ROWS, statement).await,
        [
            format!("{}|1", at(0)),
            format!("{}|6", at(10)),
            format!("{}|8", at(20)),
            "NULL|48".to_owned(),
        ]
    );
}

#[tokio::test]
async fn times_before_1970_have_windows() {
    let rows = [
        (Some(-1), None, 1),
        (Some(-10), None, 2),
        (Some(-11), None, 4),
    ];
    let statement = format!(
        "SELECT arrow_cast(window_start, 'Int64') AS start, sum(v) FROM t GROUP BY {TWENTY} ORDER BY 1"
    );
    assert_eq!(
        result_of(&rows, &statement).await,
        ["-30|4", "-20|7", "-10|3"]
    );
}

#[tokio::test]
async fn keys_may_precede_and_follow_the_window() {
    let statement = format!(
        "SELECT key, window_start, upper(key), sum(v) FROM t WHERE ts > to_timestamp(9) \
         GROUP BY key, {TWENTY}, upper(key) ORDER BY key, window_start"
    );
    assert_eq!(
        result_of(&ROWS, &statement).await,
        [
            format!("a|{}|A|2", at(0)),
            format!("a|{}|A|10", at(10)),
            format!("a|{}|A|8", at(20)),
            format!("b|{}|B|4", at(0)),
            format!("b|{}|B|4", at(10)),
        ]
    );
}

#[tokio::test]
async fn conditions_on_the_window_apply_after_grouping() {
    // The row at 19 belongs to [10, 30), although it is before 20.
    let window = "window_end > to_timestamp(20) AND window_start < to_timestamp(20)";
    let expected = [format!("a|{}|10", at(10)), format!("b|{}|4", at(10))];
    for statement in [
        format!(
            "SELECT key, window_start, sum(v) FROM t GROUP BY key, {TWENTY} HAVING {window} ORDER BY 1"
        ),
        format!(
            "SELECT * FROM (SELECT key, window_start, sum(v) FROM t GROUP BY key, {TWENTY}) \
             WHERE window_start = to_timestamp(10) ORDER BY 1"
        ),
        format!(
            "WITH w AS (SELECT key, window_start, window_end, sum(v) AS s FROM t GROUP BY key, {TWENTY} \
             HAVING window_start >= to_timestamp(0)) \
             SELECT key, window_start, s FROM w WHERE {window} AND key IS NOT NULL ORDER BY 1"
        ),
        format!(
            "SELECT a.key, a.window_start, s FROM (SELECT key, window_start, sum(v) AS s FROM t \
             GROUP BY {TWENTY}, key) AS a JOIN (SELECT to_timestamp(10) AS b) ON window_start = b ORDER BY 1"
        ),
    ] {
        assert_eq!(result_of(&ROWS, &statement).await, expected, "{statement}");
    }
}

#[tokio::test]
async fn distinct_values_are_counted_in_each_window() {
    let rows = [
        (Some(1), Some("x"), 1),
        (Some(12), Some("x"), 2),
        (Some(13), Some("y"), 3),
        (Some(25), Some("y"), 4),
    ];
    let statement = format!(
        "SELECT window_start, count(DISTINCT key), count(*) FROM t GROUP BY {TWENTY} \
         HAVING window_start >= to_timestamp(0) ORDER BY 1"
    );
    let expected = [
        format!("{}|2|3", at(0)),
        format!("{}|2|3", at(10)),
        format!("{}|1|1", at(20)),
    ];
    assert_eq!(result_of(&rows, &statement).await, expected);
    let only = statement.replace(", count(*)", ", sum(v)");
    assert_eq!(
        result_of(&rows, &only).await,
        [
            format!("{}|2|6", at(0)),
            format!("{}|2|9", at(10)),
            format!("{}|1|4", at(20)),
        ]
    );
    let alone = "SELECT DISTINCT window_start FROM t GROUP BY key, \
                 hop(ts, INTERVAL '10 seconds', INTERVAL '20 seconds') ORDER BY 1 DESC LIMIT 2";
    assert_eq!(result_of(&rows, alone).await, [at(20), at(10)]);
}

#[tokio::test]
async fn limits_apply_to_windows_and_not_to_panes() {
    let statement =
        format!("SELECT window_start FROM t WHERE ts IS NOT NULL GROUP BY {TWENTY} LIMIT 4");
    for partitions in [1, 4] {
        let ctx = context(partitions);
        register_rows(&ctx, &ROWS, &SECONDS);
        assert_eq!(run(&ctx, &statement).await.unwrap().len(), 4);
    }
    let top = format!(
        "SELECT window_start, max(v) AS m FROM t WHERE ts IS NOT NULL GROUP BY {TWENTY} \
         ORDER BY m DESC, window_start LIMIT 3"
    );
    assert_eq!(
        result_of(&ROWS, &top).await,
        [
            format!("{}|8", at(10)),
            format!("{}|8", at(20)),
            format!("{}|4", at(0)),
        ]
    );
    let top = format!("SELECT max(v) AS m FROM t GROUP BY {TWENTY} ORDER BY m DESC LIMIT 1");
    assert_eq!(result_of(&ROWS, &top).await, ["32"]);
}

#[tokio::test]
async fn aggregates_keep_filter_and_order_by() {
    let statement = format!(
        "SELECT window_start, count(*) FILTER (WHERE v > 1), array_agg(v ORDER BY v DESC), avg(v), \
         first_value(v ORDER BY ts DESC) FROM t WHERE ts IS NOT NULL GROUP BY {TWENTY} ORDER BY 1"
    );
    assert_eq!(
        result_of(&ROWS, &statement).await,
        [
            "1969-12-31T23:59:50|0|[1]|1.0|1".to_owned(),
            format!("{}|2|[4, 2, 1]|2.3333333333333335|4", at(0)),
            format!("{}|3|[8, 4, 2]|4.666666666666667|8", at(10)),
            format!("{}|1|[8]|8.0|8", at(20)),
        ]
    );
}

#[tokio::test]
async fn windows_are_the_same_in_every_unit_and_time_zone() {
    for (unit, factor) in [
        (TimeUnit::Second, 1),
        (TimeUnit::Millisecond, 1_000),
        (TimeUnit::Microsecond, 1_000_000),
        (TimeUnit::Nanosecond, 1_000_000_000),
    ] {
        for zone in [None, Some("UTC"), Some("+05:30")] {
            let rows = ROWS.map(|(ts, key, v)| (ts.map(|ts| ts * factor), key, v));
            let kind = DataType::Timestamp(unit, zone.map(Into::into));
            let ctx = context(4);
            register_rows(&ctx, &rows, &kind);
            let statement = format!(
                "SELECT arrow_cast(window_start, 'Int64') AS s, sum(v), max(arrow_typeof(window_start)) \
                 FROM (SELECT window_start, sum(v) AS v FROM t WHERE ts IS NOT NULL GROUP BY {TWENTY}) \
                 GROUP BY window_start ORDER BY s"
            );
            let expected = [(-10, 1), (0, 7), (10, 14), (20, 8)]
                .map(|(start, sum)| format!("{}|{sum}|{kind}", start * factor));
            assert_eq!(run(&ctx, &statement).await.unwrap(), expected, "{kind}");
        }
    }
}
