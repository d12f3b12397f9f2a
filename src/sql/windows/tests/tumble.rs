use super::*;

const ROWS: [Row; 5] = [
    (Some(0), Some("a"), 1),
    (Some(59), Some("b"), 2),
    (Some(60), Some("a"), 3),
    (Some(150), Some("a"), 4),
    (None, Some("a"), 5),
];

#[tokio::test]
async fn rows_are_grouped_by_window() {
    let statement = "SELECT window_start, window_end, sum(v) FROM t \
                     GROUP BY tumble(ts, INTERVAL '1 minute') ORDER BY window_start";
    assert_eq!(
        result_of(&ROWS, statement).await,
        [
            format!("{}|{}|3", at(0), at(60)),
            format!("{}|{}|3", at(60), at(120)),
            format!("{}|{}|4", at(120), at(180)),
            "NULL|NULL|5".to_owned(),
        ]
    );
}

#[tokio::test]
async fn windows_are_aligned_to_the_origin() {
    let statement = "SELECT window_start, sum(v) FROM t WHERE ts IS NOT NULL \
         GROUP BY tumble(ts, INTERVAL '1 minute', TIMESTAMP '1970-01-01T00:00:30') ORDER BY 1";
    assert_eq!(
        result_of(&ROWS, statement).await,
        [
            "1969-12-31T23:59:30|1".to_owned(),
            format!("{}|5", at(30)),
            format!("{}|4", at(150)),
        ]
    );
}

#[tokio::test]
async fn windows_combine_with_keys_having_and_order_by() {
    let statement = "SELECT key, window_end AS until, count(*) AS n FROM t \
         GROUP BY Tumble(ts, INTERVAL '1' MINUTE), key HAVING WINDOW_START >= TIMESTAMP '1970-01-01' \
         ORDER BY window_end DESC, key";
    assert_eq!(
        result_of(&ROWS, statement).await,
        [
            format!("a|{}|1", at(180)),
            format!("a|{}|1", at(120)),
            format!("a|{}|1", at(60)),
            format!("b|{}|1", at(60)),
        ]
    );
}

#[tokio::test]
async fn the_repeated_window_call_is_window_start() {
    let statement = "SELECT tumble(ts, INTERVAL '1 minute'), count(*) FROM t \
                     GROUP BY tumble(ts, INTERVAL '1 minute') ORDER BY tumble(ts, INTERVAL '1 minute')";
    let ctx = context(1);
    register_rows(&ctx, &ROWS, &SECONDS);
    let frame = sql(&ctx, statement).await.unwrap();
    assert_eq!(frame.schema().field(0).name(), "window_start");
    let rows = lines(&frame.collect().await.unwrap());
    assert_eq!(rows[0], format!("{}|2", at(0)));
}

#[tokio::test]
async fn order_by_accepts_ordinals() {
    let statement = "SELECT window_start, window_end, count(*) AS n FROM t \
                     GROUP BY tumble(ts, INTERVAL '1 minute') ORDER BY 3 DESC, 2 DESC NULLS LAST";
    assert_eq!(
        result_of(&ROWS, statement).await,
        [
            format!("{}|{}|2", at(0), at(60)),
            format!("{}|{}|1", at(120), at(180)),
            format!("{}|{}|1", at(60), at(120)),
            "NULL|NULL|1".to_owned(),
        ]
    );
}

#[tokio::test]
async fn windows_reach_over_all_years() {
    let millis = DataType::Timestamp(TimeUnit::Millisecond, None);
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    for (kind, per_second) in [(SECONDS, 1), (millis, 1_000), (micros, 1_000_000)] {
        let ctx = context(4);
        // 0001-01-01T00:00:07 and 9999-12-31T23:59:59.
        let rows =
            [-62_135_596_793, 253_402_300_799].map(|time| (Some(time * per_second), None, 1));
        register_rows(&ctx, &rows, &kind);
        for (window, expected) in [
            (
                "tumble(ts, INTERVAL '1 minute')",
                [
                    -62_135_596_800,
                    -62_135_596_740,
                    253_402_300_740,
                    253_402_300_800,
                ],
            ),
            (
                "date_bin(INTERVAL '1 minute', ts, TIMESTAMP '1970-01-01T00:00:05')",
                [
                    -62_135_596_795,
                    -62_135_596_735,
                    253_402_300_745,
                    253_402_300_805,
                ],
            ),
            (
                "tumble(ts, INTERVAL '1 month')",
                [
                    -62_135_596_800,
                    -62_132_918_400,
                    253_399_622_400,
                    253_402_300_800,
                ],
            ),
            (
                "hop(ts, INTERVAL '1 minute', INTERVAL '1 minute')",
                [
                    -62_135_596_800,
                    -62_135_596_740,
                    253_402_300_740,
                    253_402_300_800,
                ],
            ),
        ] {
            let group = match window.starts_with("date_bin") {
                true => format!(
                    "SELECT s, e FROM (SELECT {window} AS s, bin_end({window}, INTERVAL '1 minute', TIMESTAMP '1970-01-01T00:00:05') AS e FROM t)"
                ),
                false => {
                    format!("SELECT window_start AS s, window_end AS e FROM t GROUP BY {window}")
                }
            };
            let statement = format!(
                "SELECT CAST(CAST(s AS BIGINT) AS VARCHAR), CAST(CAST(e AS BIGINT) AS VARCHAR) FROM ({group}) ORDER BY s"
            );
            let [a, b, c, d] = expected.map(|time: i64| time * per_second);
            let found = run(&ctx, &statement).await.unwrap();
            assert_eq!(
                found,
                [format!("{a}|{b}"), format!("{c}|{d}")],
                "{window} of {kind}"
            );
        }
        let constant = "SELECT CAST(date_bin(INTERVAL '1 day', arrow_cast('9999-12-31T05:00:00', \
                        'Timestamp(Millisecond, None)')) AS VARCHAR)";
        assert_eq!(run(&ctx, constant).await.unwrap(), ["9999-12-31T00:00:00"]);
    }
}
