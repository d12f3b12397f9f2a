use super::*;

const ROWS: [Row; 1] = [(Some(0), Some("a"), 1)];

async fn assert_refused(statement: &str, parts: &[&str]) {
    let message = refused(&ROWS, &SECONDS, statement).await;
    for part in parts {
        assert!(
            message.contains(part),
            "{statement}: {message:?} does not mention {part:?}"
        );
    }
}

#[tokio::test]
async fn windows_are_refused_outside_of_a_single_group() {
    for (statement, parts) in [
        (
            "SELECT count(*) FROM t GROUP BY tumble(ts, INTERVAL '1 hour'), session(ts, INTERVAL '1 hour')",
            [
                "GROUP BY has two windows, tumble(ts, INTERVAL '1 hour') and session(ts, INTERVAL '1 hour')",
                "outer query",
            ],
        ),
        (
            "SELECT count(*) FROM t GROUP BY ROLLUP (key, hop(ts, INTERVAL '1 hour', INTERVAL '1 hour'))",
            [
                "hop(ts, INTERVAL '1 hour', INTERVAL '1 hour') in GROUPING SETS, ROLLUP or CUBE is not supported",
                "UNION ALL",
            ],
        ),
        (
            "SELECT count(*) FROM t GROUP BY GROUPING SETS ((key), (tumble(ts, INTERVAL '1 hour')))",
            [
                "tumble(ts, INTERVAL '1 hour') in GROUPING SETS",
                "a plain GROUP BY list",
            ],
        ),
        (
            "SELECT count(*) FROM t WHERE tumble(ts, INTERVAL '1 hour') IS NULL GROUP BY tumble(ts, INTERVAL '1 hour')",
            [
                "tumble(ts, INTERVAL '1 hour') is allowed in GROUP BY only",
                "window_start",
            ],
        ),
        (
            "SELECT tumble(ts, INTERVAL '2 hours') FROM t GROUP BY tumble(ts, INTERVAL '1 hour')",
            [
                "tumble(ts, INTERVAL '2 hours') is allowed in GROUP BY only",
                "repeat the window exactly as in GROUP BY",
            ],
        ),
        (
            "SELECT tumble(ts, INTERVAL '2 hours') FROM t",
            [
                "is allowed in GROUP BY only",
                "GROUP BY tumble(ts, INTERVAL '2 hours')",
            ],
        ),
        (
            "SELECT count(*) FROM t GROUP BY date_trunc('day', tumble(ts, INTERVAL '2 hours'))",
            [
                "is allowed in GROUP BY only, as a group of its own",
                "GROUP BY tumble(ts, INTERVAL '2 hours')",
            ],
        ),
    ] {
        assert_refused(statement, &parts).await;
    }
}

#[tokio::test]
async fn wrong_arguments_are_refused() {
    for (window, expected) in [
        (
            "tumble(ts)",
            "tumble(ts): expected tumble(ts, INTERVAL size[, origin])",
        ),
        (
            "hop(ts, INTERVAL '1 hour')",
            "expected hop(ts, INTERVAL slide, INTERVAL size)",
        ),
        (
            "session(ts, INTERVAL '1 hour', 3)",
            "expected session(ts, INTERVAL gap)",
        ),
        (
            "session(*)",
            "session(*): expected session(ts, INTERVAL gap)",
        ),
        (
            "hop(key, INTERVAL '1 hour', INTERVAL '1 hour')",
            "hop(Utf8, Interval(MonthDayNano), Interval(MonthDayNano)): expected hop(timestamp, INTERVAL slide",
        ),
        (
            "session(ts, '1 hour')",
            "session_start(Timestamp(s), Utf8): expected session_start(timestamp, INTERVAL gap)",
        ),
    ] {
        assert_refused(
            &format!("SELECT count(*) FROM t GROUP BY {window}"),
            &[expected],
        )
        .await;
    }
}

#[tokio::test]
async fn lengths_must_be_positive_constants_in_whole_units() {
    for (window, expected) in [
        (
            "hop(ts, INTERVAL '0 seconds', INTERVAL '1 hour')",
            "hop(ts, slide, size): the slide is 0 secs",
        ),
        (
            "hop(ts, INTERVAL '1 second', INTERVAL '-1 hour')",
            "hop(ts, slide, size): the size is -1 hours",
        ),
        (
            "session(ts, INTERVAL '1 month')",
            "session(ts, gap): the gap is 1 mons, and months vary in length",
        ),
        (
            "session(ts, INTERVAL '1500 milliseconds')",
            "which is not a multiple of the unit of Timestamp(s)",
        ),
        (
            "session(ts, CAST(concat(key, ' seconds') AS INTERVAL))",
            "session(ts, gap): the gap is not a constant",
        ),
        (
            "session(ts, CAST(NULL AS INTERVAL))",
            "session(ts, gap): the gap is NULL",
        ),
        (
            "hop(ts, INTERVAL '2 hours', INTERVAL '1 hour')",
            "the slide is longer than the size",
        ),
        (
            "hop(ts, INTERVAL '1 second', INTERVAL '30 days')",
            "each row belongs to 2592000 windows",
        ),
    ] {
        assert_refused(
            &format!("SELECT count(*) FROM t GROUP BY {window}"),
            &[expected],
        )
        .await;
    }
}

#[tokio::test]
async fn window_functions_are_refused_outside_of_group_by() {
    for statement in [
        "SELECT hop_of FROM (SELECT session_start(ts, INTERVAL '1 hour') AS hop_of FROM t)",
        "SELECT max(window_end) FROM t GROUP BY session(ts, INTERVAL '1 hour')",
        "SELECT count(*) FROM t GROUP BY date_trunc('hour', session_start(ts, INTERVAL '1 hour'))",
    ] {
        assert_refused(
            statement,
            &[
                "is allowed in GROUP BY only, as a group of its own",
                "not known before grouping",
            ],
        )
        .await;
    }
}

#[tokio::test]
async fn session_start_and_session_end_must_match() {
    let one = "SELECT count(*) FROM t GROUP BY session_start(ts, INTERVAL '1 hour')";
    assert_refused(
        one,
        &["session_start and session_end must both be in GROUP BY"],
    )
    .await;
    let other = "SELECT count(*) FROM t GROUP BY session_start(ts, INTERVAL '1 hour'), session_end(ts, INTERVAL '2 hours')";
    assert_refused(other, &["have different arguments"]).await;
    let three = "SELECT count(*) FROM t GROUP BY session_start(ts, INTERVAL '1 hour'), \
                 session_end(ts, INTERVAL '1 hour'), session_end(ts, INTERVAL '2 hours')";
    assert_refused(
        three,
        &["more than one window (session_start, session_end, session_end)"],
    )
    .await;
    let sets = "SELECT count(*) FROM t GROUP BY GROUPING SETS ((session_start(ts, INTERVAL '1 hour')), (key))";
    assert_refused(sets, &["a window in GROUPING SETS"]).await;
}

#[tokio::test]
async fn windows_out_of_range_are_refused() {
    for (time, window) in [
        (i64::MAX - 5, "session(ts, INTERVAL '10 seconds')"),
        (
            i64::MIN + 5,
            "hop(ts, INTERVAL '10 seconds', INTERVAL '20 seconds')",
        ),
    ] {
        let rows = [(Some(time), None, 1)];
        let statement = format!("SELECT count(*) FROM t GROUP BY {window}");
        let message = refused(&rows, &SECONDS, &statement).await;
        let part = format!("the window of time {time} (Timestamp(s)) is out of range");
        assert!(message.contains(&part), "{message}");
    }
}
