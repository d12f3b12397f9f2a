//! Consumers that do not read all rows of a batch do not affect the state.

use futures::StreamExt;

use super::*;

const ALL: &str = "SELECT CAST(data AS VARCHAR) AS word, count(*), min(partitionKey) FROM words
    GROUP BY word";

/// Runs a query with this output twice, then asserts that the counts cover all rows.
async fn taken(name: &str, query: impl Fn(StreamingQueryBuilder) -> StreamingQueryBuilder) {
    let mut counting = Counting::new(name).await;
    counting.put(30).await;
    for _ in 0..2 {
        let builder = grouped(&counting.world, COUNTS, OutputMode::Update);
        run(query(builder).with_checkpoint_location(&counting.place)).await;
        counting.put(30).await;
    }
    counting.run().await;
    counting.check(name);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_reads_no_rows_loses_nothing() {
    taken("grouped-unread", |query| {
        query.foreach_batch(|_batch, rows| async move {
            drop(rows);
            Ok(())
        })
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_function_that_reads_some_rows_loses_nothing() {
    taken("grouped-read-half", |query| {
        query.foreach_batch(|_batch, mut rows| async move {
            rows.next().await.transpose()?;
            Ok(())
        })
    })
    .await;
}

/// A join whose other side is empty reads no rows.
#[tokio::test(start_paused = true)]
async fn a_join_with_an_empty_table_loses_nothing() {
    for join in ["JOIN", "LEFT SEMI JOIN"] {
        let name = format!("grouped-{join}").replace(' ', "-");
        let mut counting = Counting::new(&name).await;
        counting.world.run("CREATE TABLE none (name VARCHAR)").await;
        let sql =
            format!("SELECT count FROM ({COUNTS}) c (word, count) {join} none ON word = name");
        for _ in 0..3 {
            counting.put(30).await;
            let query = Lines::default().of(grouped(&counting.world, &sql, OutputMode::Update));
            run(query.with_checkpoint_location(&counting.place)).await;
        }
        counting.put(7).await;
        counting.run().await;
        counting.check(join);
    }
}

/// A condition on group keys is pushed to the rows; one on aggregates does not affect the groups.
#[tokio::test(start_paused = true)]
async fn a_having_that_matches_nothing_loses_nothing() {
    let mut counting = Counting::new("grouped-having").await;
    for having in ["count(*) < 0", "min(partitionKey) IS NULL", "count(*) = 1"] {
        counting.put(30).await;
        let sql = format!("SELECT word FROM ({ALL} HAVING {having})");
        let query = Lines::default().of(grouped(&counting.world, &sql, OutputMode::Update));
        run(query.with_checkpoint_location(&counting.place)).await;
    }
    counting.put(7).await;
    let query = grouped(&counting.world, ALL, OutputMode::Update);
    run(counting
        .lines
        .of(query)
        .with_checkpoint_location(&counting.place))
    .await;
    let least = counting.lines.newest().into_values();
    assert_eq!(
        least.collect::<Vec<_>>(),
        ["14 0", "14 1", "14 16", "14 10", "14 11", "14 12", "13 13"]
    );
}
