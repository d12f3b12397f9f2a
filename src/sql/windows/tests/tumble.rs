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
