//! Overflow is an error; every other result is DataFusion's.

use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::error::DataFusionError;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::fail_on_overflow;
use crate::error::{Error, ErrorKind};

const MAX: &str = "9223372036854775807";

async fn checked() -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(2);
    let ctx = SessionContext::new_with_config(config);
    fail_on_overflow(&ctx);
    // A second call changes nothing.
    fail_on_overflow(&ctx);
    for (table, columns) in [
        ("big", format!("VALUES ('a', {MAX}), ('a', 1), ('b', 2)")),
        (
            "low",
            format!("VALUES ('a', -{MAX} - 1), ('a', -1), ('b', 2)"),
        ),
        ("small", "VALUES ('a', 1), ('a', NULL), ('b', 3)".to_owned()),
    ] {
        let sql = format!("CREATE TABLE {table} AS SELECT * FROM ({columns}) AS v (k, n)");
        ctx.sql(&sql).await.unwrap().collect().await.unwrap();
    }
    ctx
}

async fn run(ctx: &SessionContext, sql: &str) -> Result<String, DataFusionError> {
    let rows = ctx.sql(sql).await?.collect().await?;
    Ok(pretty_format_batches(&rows)?.to_string())
}

async fn refused(ctx: &SessionContext, sql: &str) -> String {
    let error = match run(ctx, sql).await {
        Ok(rows) => panic!("{sql}: expected an overflow, got\n{rows}"),
        Err(error) => error,
    };
    let Some(own) = Error::find_in(&error) else {
        panic!("{sql}: not an error of this crate: {error}");
    };
    assert_eq!(own.kind(), ErrorKind::InvalidRow, "{sql}");
    own.to_string()
}

#[tokio::test]
async fn integer_operators_fail_on_overflow() {
    let ctx = checked().await;
    for expr in [
        "n + 1",
        "1 + n",
        "n - -1",
        "n * 2",
        "n + n",
        "CAST(n AS BIGINT UNSIGNED) * CAST(3 AS BIGINT UNSIGNED)",
        "CAST(1 AS BIGINT UNSIGNED) - CAST(n AS BIGINT UNSIGNED)",
        "CAST(1 AS INT) * CAST(2147483647 AS INT) + CAST(k = 'a' AS INT)",
        "CASE WHEN k = 'a' THEN n + 1 ELSE 0 END",
        "abs(-n - 1)",
    ] {
        for sql in [
            format!("SELECT {expr} FROM big"),
            format!("SELECT 1 FROM big WHERE {expr} > 0"),
            format!("SELECT max({expr}) FROM big GROUP BY k"),
            format!("SELECT count(*) FROM big GROUP BY {expr}"),
        ] {
            // DataFusion itself checks abs, with another message.
            if expr.starts_with("abs") {
                assert!(run(&ctx, &sql).await.is_err(), "{sql}");
                continue;
            }
            let message = refused(&ctx, &sql).await;
            assert!(message.contains("overflow"), "{message}");
            assert!(message.contains("CAST"), "{message}");
        }
    }
    let message = refused(&ctx, "SELECT -n FROM low").await;
    assert!(message.contains("-9223372036854775808"), "{message}");
    let message = refused(&ctx, &format!("SELECT {MAX} + 1")).await;
    assert!(message.contains(&format!("{MAX} + 1")), "{message}");
}

#[tokio::test]
async fn sums_fail_on_overflow() {
    let ctx = checked().await;
    for sql in [
        "SELECT sum(n) FROM big",
        "SELECT k, sum(n) FROM big GROUP BY k",
        "SELECT k, sum(n) FILTER (WHERE n > 0) FROM big GROUP BY k",
        "SELECT sum(DISTINCT n) FROM big",
        "SELECT k, sum(DISTINCT n), sum(DISTINCT n + 0), count(DISTINCT k) FROM big GROUP BY k",
        "SELECT sum(CAST(n AS BIGINT UNSIGNED) * CAST(2 AS BIGINT UNSIGNED)) FROM big",
        "SELECT k, sum(CAST(n AS BIGINT UNSIGNED) * CAST(2 AS BIGINT UNSIGNED)) FROM big GROUP BY k",
        "SELECT sum(n) FROM low",
        "SELECT sum(n) OVER (PARTITION BY k ORDER BY n) FROM big",
        "SELECT sum(n) OVER (PARTITION BY k) FROM big",
        "SELECT sum(n) OVER (ORDER BY n DESC ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM big",
        "SELECT sum(DISTINCT n) OVER (ORDER BY n ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM big",
    ] {
        let message = refused(&ctx, sql).await;
        assert!(message.contains("overflow in sum"), "{message}");
        assert!(message.contains("DECIMAL(38, 0)"), "{message}");
    }
    let rows = run(&ctx, "SELECT sum(CAST(n AS DECIMAL(38, 0))) AS s FROM big").await;
    assert!(rows.unwrap().contains("9223372036854775810"));
}

/// Many durations of a day in nanoseconds: their sum does not fit 64 bits, their average does.
#[tokio::test]
async fn averages_of_durations_fail_if_their_sum_overflows() {
    let ctx = checked().await;
    let days = "SELECT arrow_cast(CASE WHEN value < 5 THEN NULL ELSE 86400000000000 END, 'Duration(Nanosecond)') AS d,
                       value % 2 AS k FROM generate_series(1, 120000)";
    for sql in [
        format!("SELECT avg(d) FROM ({days})"),
        format!("SELECT 0 AS k, avg(d) FROM ({days}) GROUP BY k * 0"),
    ] {
        let message = refused(&ctx, &sql).await;
        assert!(message.contains("overflow in sum"), "{message}");
    }
    let plain = SessionContext::new();
    for sql in [
        format!("SELECT avg(d) FROM ({days}) WHERE k = 1"),
        format!("SELECT k, avg(d) FROM ({days}) GROUP BY k ORDER BY k"),
        format!("SELECT k, avg(d) FILTER (WHERE k = 1) FROM ({days}) GROUP BY k ORDER BY k"),
        format!("SELECT avg(d) FROM ({days}) WHERE k = 7"),
    ] {
        let (ours, theirs) = (run(&ctx, &sql).await, run(&plain, &sql).await);
        assert_eq!(ours.unwrap(), theirs.unwrap(), "{sql}");
    }
}

#[tokio::test]
async fn a_sliding_frame_may_pass_a_large_number() {
    let ctx = checked().await;
    let sql = "SELECT sum(n) OVER (ORDER BY n DESC ROWS BETWEEN CURRENT ROW AND CURRENT ROW) AS s
               FROM big ORDER BY s";
    assert!(run(&ctx, sql).await.unwrap().contains(MAX));
}

#[tokio::test]
async fn results_that_fit_equal_those_of_datafusion() {
    let ctx = checked().await;
    let plain = SessionContext::new();
    for table in ["small"] {
        let provider = ctx.table_provider(table).await.unwrap();
        plain.register_table(table, provider).unwrap();
    }
    for sql in [
        "SELECT n + 1, n - 1, n * 2, -n, (n + 1) * 2 FROM small ORDER BY n",
        "SELECT n + 1.5, n * 2.0, n / 2, n % 2 FROM small ORDER BY n",
        "SELECT sum(n), sum(n + 1), sum(n + 2), sum(DISTINCT n), avg(n) FROM small",
        "SELECT k, sum(n), sum(n) FILTER (WHERE n > 5), sum(n * 1.5) FROM small GROUP BY k ORDER BY k",
        "SELECT n + 1, count(*) FROM small GROUP BY n + 1 ORDER BY n + 1",
        "SELECT sum(n) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM small",
        "SELECT sum(n) FROM small WHERE n > 100",
        "SELECT a.n + b.n FROM small a JOIN small b ON a.n + 2 = b.n LIMIT 1 + 1",
        "SELECT (SELECT sum(n) + 1 FROM small) + 1",
        "SELECT n FROM small WHERE n + 1 IN (SELECT n + 1 FROM small) ORDER BY n + 1",
        "SELECT TIMESTAMP '2026-01-01T00:00:00' + INTERVAL '1 day', DATE '2026-01-02' - DATE '2026-01-01'",
        "SELECT array_transform([1, 2], x -> x + 1)",
    ] {
        let (ours, theirs) = (run(&ctx, sql).await, run(&plain, sql).await);
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{sql}"),
            (Err(_), Err(_)) => assert!(sql.contains("array_transform"), "{sql}"),
            (ours, theirs) => panic!("{sql}: {ours:?} and {theirs:?}"),
        }
    }
}
