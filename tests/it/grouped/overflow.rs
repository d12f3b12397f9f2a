//! Sums that overflow end a query, within one batch or across batches.

use datafusion_kinesis::ErrorKind;

use super::*;

const SUMS: &str = "SELECT partitionKey, sum(CAST(CAST(data AS VARCHAR) AS BIGINT)) AS total
    FROM words GROUP BY partitionKey";

fn sums(world: &World, lines: &Lines, sql: &str, place: &str) -> StreamingQueryBuilder {
    lines
        .of(grouped(world, sql, OutputMode::Update))
        .with_checkpoint_location(place)
        .as_in_another_process()
}

#[tokio::test(start_paused = true)]
async fn a_sum_that_overflows_across_batches_ends_the_query() {
    let world = world(2).await;
    let (lines, place) = (Lines::default(), "memory://overflow-of-batches");
    world.put("words", "a", "9223372036854775807").await;
    world.put("words", "b", "1").await;
    run(sums(&world, &lines, SUMS, place)).await;
    // A new start restores the sum from the checkpoint.
    world.put("words", "a", "1").await;
    let error = fails(sums(&world, &lines, SUMS, place)).await;
    assert_eq!(error.kind(), ErrorKind::InvalidRow);
    for part in ["overflow in sum", "Int64", "DECIMAL(38, 0)"] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    let newest = lines.newest();
    assert_eq!(newest["a"], "9223372036854775807");
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_sum_in_a_streaming_query_is_checked() {
    for (number, sum) in [
        "sum(CAST(CAST(data AS VARCHAR) AS BIGINT))",
        "sum(DISTINCT CAST(CAST(data AS VARCHAR) AS BIGINT))",
        "sum(CAST(CAST(data AS VARCHAR) AS BIGINT UNSIGNED) * CAST(2 AS BIGINT UNSIGNED))",
        "max(CAST(CAST(data AS VARCHAR) AS BIGINT) + 1)",
        "count(*) + CAST(9223372036854775807 AS BIGINT)",
    ]
    .into_iter()
    .enumerate()
    {
        let world = world(1).await;
        for word in ["9223372036854775807", "1"] {
            world.put("words", "a", word).await;
        }
        for group_by in ["", "GROUP BY partitionKey"] {
            let sql = format!("SELECT {sum} FROM words {group_by}");
            let place = format!("memory://overflow-{number}-{}", group_by.len());
            let error = fails(sums(&world, &Lines::default(), &sql, &place)).await;
            assert_eq!(error.kind(), ErrorKind::InvalidRow, "{sql}: {error}");
            assert!(error.to_string().contains("overflow"), "{sql}: {error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_decimal_sum_does_not_overflow() {
    let world = world(1).await;
    let lines = Lines::default();
    for word in ["9223372036854775807", "1"] {
        world.put("words", "a", word).await;
    }
    let sql = "SELECT partitionKey, sum(CAST(CAST(data AS VARCHAR) AS DECIMAL(38, 0)))
        FROM words GROUP BY partitionKey";
    run(sums(&world, &lines, sql, "memory://overflow-not")).await;
    assert_eq!(lines.newest()["a"], "9223372036854775808");
}
