use super::*;

/// Sessions with a gap of ten seconds.
const TEN: &str = "session(ts, INTERVAL '10 seconds')";

#[tokio::test]
async fn rows_within_the_gap_form_a_session() {
    let rows = [
        (Some(25), None, 1),
        (Some(0), None, 2),
        (Some(9), None, 4),
        (Some(18), None, 8),
        (Some(100), None, 16),
        (Some(36), None, 32),
    ];
    let statement = format!(
        "SELECT window_start, window_end, sum(v), count(*) FROM t GROUP BY {TEN} ORDER BY window_start"
    );
    assert_eq!(
        result_of(&rows, &statement).await,
        [
            format!("{}|{}|15|4", at(0), at(35)),
            format!("{}|{}|32|1", at(36), at(46)),
            format!("{}|{}|16|1", at(100), at(110)),
        ]
    );
}

#[tokio::test]
async fn a_row_exactly_one_gap_later_belongs_to_the_session() {
    let rows = [(Some(0), None, 1), (Some(10), None, 2), (Some(21), None, 4)];
    let statement =
        format!("SELECT window_start, window_end, sum(v) FROM t GROUP BY {TEN} ORDER BY 1");
    assert_eq!(
        result_of(&rows, &statement).await,
        [
            format!("{}|{}|3", at(0), at(20)),
            format!("{}|{}|4", at(21), at(31)),
        ]
    );
}

#[tokio::test]
async fn rows_with_the_same_time_form_one_session() {
    let rows = [(Some(7), None, 1); 5];
    let statement = format!("SELECT window_start, window_end, sum(v) FROM t GROUP BY {TEN}");
    assert_eq!(
        result_of(&rows, &statement).await,
        [format!("{}|{}|5", at(7), at(17))]
    );
}

const KEYED: [Row; 8] = [
    (Some(0), Some("a"), 1),
    (Some(5), Some("b"), 2),
    (Some(8), Some("a"), 3),
    (Some(14), Some("b"), 4),
    (Some(30), Some("a"), 5),
    (Some(2), None, 6),
    (None, Some("a"), 7),
    (None, Some("a"), 8),
];

#[tokio::test]
async fn every_key_including_null_has_its_own_sessions() {
    let statement = format!(
        "SELECT key, window_start, window_end, sum(v) FROM t GROUP BY key, {TEN} ORDER BY key, 2"
    );
    let expected = [
        format!("a|{}|{}|4", at(0), at(18)),
        format!("a|{}|{}|5", at(30), at(40)),
        "a|NULL|NULL|15".to_owned(),
        format!("b|{}|{}|6", at(5), at(24)),
        format!("NULL|{}|{}|6", at(2), at(12)),
    ];
    assert_eq!(result_of(&KEYED, &statement).await, expected);
    let other_order = statement.replace(&format!("key, {TEN}"), &format!("{TEN}, key, v % 1"));
    assert_eq!(result_of(&KEYED, &other_order).await, expected);
}

#[tokio::test]
async fn conditions_on_the_session_apply_after_grouping() {
    // The row at 0 alone would end at 10.
    let expected = [format!("a|{}|4", at(0)), format!("b|{}|6", at(5))];
    for statement in [
        format!(
            "SELECT key, window_start, sum(v) FROM t GROUP BY key, {TEN} \
             HAVING window_end > to_timestamp(15) AND window_start < to_timestamp(20) AND key < 'c' ORDER BY 1"
        ),
        format!(
            "SELECT key, window_start, s FROM (SELECT window_end, window_start, key, sum(v) AS s FROM t \
             GROUP BY key, {TEN}) WHERE window_end BETWEEN to_timestamp(15) AND to_timestamp(30) ORDER BY 1"
        ),
    ] {
        assert_eq!(result_of(&KEYED, &statement).await, expected, "{statement}");
    }
}

#[tokio::test]
async fn order_by_window_end_needs_no_output_column() {
    let statement = format!(
        "SELECT sum(v) FROM t WHERE ts IS NOT NULL GROUP BY key, {TEN} ORDER BY window_end DESC LIMIT 2"
    );
    assert_eq!(result_of(&KEYED, &statement).await, ["5", "6"]);
    let length = format!(
        "SELECT key, window_end - window_start AS length FROM t WHERE ts IS NOT NULL GROUP BY key, {TEN} \
         HAVING count(*) > 1 ORDER BY window_end"
    );
    assert_eq!(result_of(&KEYED, &length).await, ["a|PT18S", "b|PT19S"]);
}

#[tokio::test]
async fn distinct_aggregates_do_not_split_sessions() {
    let rows = [
        (Some(0), Some("x"), 1),
        (Some(8), Some("y"), 2),
        (Some(16), Some("x"), 3),
        (Some(24), Some("y"), 4),
        (Some(60), Some("x"), 5),
    ];
    for (aggregates, first, second) in [
        ("count(DISTINCT key)", "2", "1"),
        ("count(DISTINCT key), sum(v)", "2|10", "1|5"),
        ("count(DISTINCT key), count(*)", "2|4", "1|1"),
        ("count(DISTINCT key), sum(DISTINCT v % 2)", "2|1", "1|1"),
    ] {
        let statement =
            format!("SELECT window_start, {aggregates} FROM t GROUP BY {TEN} ORDER BY 1");
        assert_eq!(
            result_of(&rows, &statement).await,
            [format!("{}|{first}", at(0)), format!("{}|{second}", at(60))],
            "{aggregates}"
        );
    }
}

#[tokio::test]
async fn sessions_of_utc_microseconds_work() {
    let rows = [
        (Some(-5_000_000), None, 1),
        (Some(5_000_000), None, 2),
        (Some(15_000_001), None, 4),
    ];
    let kind = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let ctx = context(4);
    register_rows(&ctx, &rows, &kind);
    let statement =
        format!("SELECT window_start, window_end, sum(v) FROM t GROUP BY {TEN} ORDER BY 1");
    assert_eq!(
        run(&ctx, &statement).await.unwrap(),
        [
            "1969-12-31T23:59:55Z|1970-01-01T00:00:15Z|3",
            "1970-01-01T00:00:15.000001Z|1970-01-01T00:00:25.000001Z|4",
        ]
    );
}

#[tokio::test]
async fn an_outer_query_may_group_by_another_window() {
    let statement = format!(
        "SELECT window_start, count(*), sum(s) FROM \
         (SELECT window_start AS began, sum(v) AS s FROM t WHERE ts IS NOT NULL GROUP BY key, {TEN}) \
         GROUP BY tumble(began, INTERVAL '10 seconds') ORDER BY window_start"
    );
    assert_eq!(
        result_of(&KEYED, &statement).await,
        [format!("{}|3|16", at(0)), format!("{}|1|5", at(30))]
    );
}
