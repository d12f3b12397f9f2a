use std::time::Duration;

use super::world::World;
use crate::error::ErrorKind;
use crate::model::OutputMode;
use crate::sql::StreamingSettings;

/// Unsupported statements, with the operator and the alternative that the message names.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "SELECT partitionKey FROM words UNION SELECT key FROM names",
        "UNION ALL of the unbounded table 'words' and rows that are not from a stream",
        "a separate statement",
    ),
    (
        "SELECT partitionKey, count(*) FROM words GROUP BY partitionKey",
        "GROUP BY in output mode 'append'",
        "streaming.watermark_delay",
    ),
    (
        "SELECT count(*) FROM words",
        "without a watermark no group is ever complete",
        "'complete'",
    ),
    (
        "SELECT DISTINCT ON (partitionKey) data FROM words",
        "DISTINCT ON over",
        "foreach_batch",
    ),
    (
        "SELECT data FROM words UNION ALL SELECT 'x'",
        "UNION ALL of",
        "a separate statement",
    ),
    (
        "SELECT partitionKey FROM words INTERSECT SELECT key FROM names",
        "INTERSECT over",
        "IN (SELECT",
    ),
    (
        "SELECT partitionKey FROM words INTERSECT ALL SELECT key FROM names",
        "INTERSECT over",
        "IN (SELECT",
    ),
    (
        "SELECT key FROM names EXCEPT SELECT partitionKey FROM words",
        "EXCEPT over",
        "NOT IN (SELECT",
    ),
    (
        "SELECT row_number() OVER (ORDER BY data) FROM words",
        "window function (OVER)",
        "foreach_batch",
    ),
    (
        "SELECT data FROM words ORDER BY data",
        "ORDER BY over",
        "leave it out",
    ),
    (
        "SELECT data FROM words LIMIT 5",
        "LIMIT over",
        "'available now'",
    ),
    (
        "SELECT data FROM words OFFSET 5",
        "OFFSET over",
        "'available now'",
    ),
    (
        "SELECT data FROM words LIMIT 5 OFFSET 2",
        "LIMIT … OFFSET over",
        "leave it out",
    ),
    (
        "SELECT words.data FROM words JOIN clicks USING (partitionKey)",
        "a join of the unbounded tables 'words' and 'clicks'",
        "without UNBOUNDED",
    ),
    (
        "SELECT a.data FROM words AS a, words AS b",
        "a join of the unbounded tables",
        "without UNBOUNDED",
    ),
    (
        "SELECT key FROM names LEFT JOIN words ON key = partitionKey",
        "LEFT JOIN with the unbounded table 'words' on the right",
        "inner join",
    ),
    (
        "SELECT key FROM words RIGHT JOIN names ON key = partitionKey",
        "RIGHT JOIN with the unbounded table 'words' on the left",
        "inner join",
    ),
    (
        "SELECT key FROM words FULL JOIN names ON key = partitionKey",
        "FULL JOIN",
        "inner join",
    ),
    (
        "SELECT key FROM names LEFT SEMI JOIN words ON key = partitionKey",
        "LEFT SEMI JOIN",
        "inner join",
    ),
    (
        "SELECT key FROM names LEFT ANTI JOIN words ON key = partitionKey",
        "LEFT ANTI JOIN",
        "inner join",
    ),
    (
        "SELECT key FROM words RIGHT SEMI JOIN names ON key = partitionKey",
        "RIGHT SEMI JOIN",
        "inner join",
    ),
    (
        "SELECT key FROM words RIGHT ANTI JOIN names ON key = partitionKey",
        "RIGHT ANTI JOIN",
        "inner join",
    ),
    (
        "SELECT data FROM clicks WHERE partitionKey IN (SELECT partitionKey FROM words)",
        "IN (…)",
        "without UNBOUNDED",
    ),
    (
        "SELECT key FROM names WHERE EXISTS (SELECT 1 FROM words WHERE partitionKey = key)",
        "EXISTS (…)",
        "into FROM",
    ),
    (
        "SELECT (SELECT max(data) FROM words) FROM clicks",
        "a scalar subquery",
        "without UNBOUNDED",
    ),
    (
        "SELECT key FROM names WHERE key IN (SELECT name FROM names WHERE name = (SELECT min(partitionKey) FROM words))",
        "IN (…)",
        "without UNBOUNDED",
    ),
    (
        "WITH RECURSIVE r AS (SELECT partitionKey AS k FROM words UNION ALL SELECT k || 'x' FROM r WHERE length(k) < 3) SELECT k FROM r",
        "WITH RECURSIVE",
        "without UNBOUNDED",
    ),
    (
        "INSERT OVERWRITE sink (partitionKey, data) SELECT partitionKey, data FROM words",
        "INSERT OVERWRITE",
        "INSERT INTO",
    ),
    (
        "REPLACE INTO sink (partitionKey, data) SELECT partitionKey, data FROM words",
        "REPLACE INTO",
        "INSERT INTO",
    ),
    ("DELETE FROM words", "DELETE", "foreach_batch"),
    (
        "CREATE TABLE t AS SELECT data FROM words",
        "CREATE TABLE AS",
        "then INSERT INTO it",
    ),
    (
        "COPY (SELECT data FROM words) TO 'x.csv' STORED AS CSV",
        "COPY TO",
        "foreach_batch",
    ),
    (
        "EXPLAIN SELECT data FROM words",
        "not a streaming query",
        "without StreamingQuery",
    ),
    (
        "SELECT key FROM names",
        "reads no unbounded table",
        "CREATE UNBOUNDED EXTERNAL TABLE",
    ),
];

#[tokio::test(start_paused = true)]
async fn unsupported_operators_are_named_with_an_alternative() {
    let world = World::new().await;
    for (sql, name, alternative) in REFUSED {
        let error = match world.streaming(sql).await {
            Err(error) => error,
            Ok(plan) => panic!("{sql}: {plan:?}"),
        };
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{sql}: {error}");
        let message = error.to_string();
        assert!(
            message.contains(name) && message.contains(alternative),
            "{sql}: {message}"
        );
    }
}

/// Unsupported statements over groups, with their output mode.
const REFUSED_OF_GROUPS: &[(OutputMode, &str, &str, &str)] = &[
    (
        OutputMode::Update,
        "SELECT n, count(*) FROM (SELECT word, count(*) AS n FROM w GROUP BY word) GROUP BY n",
        "GROUP BY over GROUP BY over the unbounded table 'w",
        "foreach_batch",
    ),
    (
        OutputMode::Update,
        "SELECT count(*) FROM (SELECT DISTINCT word FROM w)",
        "GROUP BY over DISTINCT",
        "a separate statement",
    ),
    (
        OutputMode::Update,
        "SELECT DISTINCT n FROM (SELECT count(*) AS n FROM w GROUP BY word)",
        "DISTINCT over GROUP BY",
        "a separate statement",
    ),
    (
        OutputMode::Update,
        "SELECT word, count(*) AS n FROM w GROUP BY word ORDER BY n",
        "ORDER BY over groups",
        "'complete'",
    ),
    (
        OutputMode::Update,
        "SELECT word, count(*) FROM w GROUP BY word LIMIT 5",
        "LIMIT over",
        "leave it out",
    ),
    (
        OutputMode::Complete,
        "SELECT word, count(*) FROM w GROUP BY word LIMIT 5",
        "LIMIT without ORDER BY",
        "add ORDER BY",
    ),
    (
        OutputMode::Complete,
        "SELECT word, sum(count(*)) OVER () FROM w GROUP BY word",
        "window function (OVER)",
        "foreach_batch",
    ),
    (
        OutputMode::Update,
        "SELECT word, count(*) FROM w GROUP BY word UNION ALL SELECT word, 1 FROM w",
        "UNION ALL with groups",
        "a separate statement for each",
    ),
    (
        OutputMode::Update,
        "SELECT word, first_value(data) FROM w GROUP BY word",
        "first_value(…) over",
        "first_value(… ORDER BY …)",
    ),
    (
        OutputMode::Update,
        "SELECT word, array_agg(DISTINCT data) AS all_data FROM w GROUP BY word",
        "array_agg(…) over",
        "array_agg(… ORDER BY …)",
    ),
    (
        OutputMode::Update,
        "SELECT string_agg(word, ',') FROM w",
        "string_agg(…) over",
        "string_agg(… ORDER BY …)",
    ),
];

#[tokio::test(start_paused = true)]
async fn unsupported_operators_over_groups_are_named_with_an_alternative() {
    let world = World::new().await;
    for (mode, sql, name, alternative) in REFUSED_OF_GROUPS {
        let error = match world.streaming_in(sql, *mode).await {
            Err(error) => error,
            Ok(plan) => panic!("{sql}: {plan:?}"),
        };
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{sql}: {error}");
        let message = error.to_string();
        assert!(
            message.contains(name) && message.contains(alternative),
            "{sql}: {message}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_innermost_unsupported_operator_is_named() {
    let world = World::new().await;
    let sql = "INSERT INTO sink (partitionKey, data)
        SELECT word, CAST(n AS VARCHAR) FROM
        (SELECT word, count(*) AS n FROM (SELECT DISTINCT word FROM w) GROUP BY word)
        ORDER BY n LIMIT 5";
    let error = world.streaming(sql).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "GROUP BY over DISTINCT over the unbounded table 'words' would count a group again whenever it \
         changes: write the inner result to a stream and group that with a separate statement, or do the \
         outer aggregation in foreach_batch"
    );
}

#[tokio::test(start_paused = true)]
async fn a_watermark_needs_an_event_time() {
    let world = World::new().await;
    let refused = async |delay: Option<u64>, column: Option<&str>, sql: &str| {
        let settings = StreamingSettings {
            output_mode: OutputMode::Update,
            watermark_delay: delay.map(Duration::from_secs),
            watermark_column: column.map(str::to_owned),
            ..StreamingSettings::default()
        };
        let error = world.streaming_with(sql, &settings).await.unwrap_err();
        (error.kind(), error.to_string())
    };
    let counts = "SELECT word, count(*) FROM (SELECT CAST(data AS VARCHAR) AS word FROM words) GROUP BY word";
    for (delay, column, expected) in [
        (
            Some(1),
            None,
            "streaming.watermark_column with the name of a timestamp column",
        ),
        (
            Some(1),
            Some("ts"),
            "'streaming.watermark_column' = 'ts': expected a column of the input of the GROUP BY: word",
        ),
        (None, Some("word"), "without 'streaming.watermark_delay'"),
    ] {
        let (kind, message) = refused(delay, column, counts).await;
        assert_eq!(kind, ErrorKind::InvalidOption);
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn output_mode_complete_needs_an_aggregation() {
    let world = World::new().await;
    let sql = "SELECT data FROM words";
    let error = world
        .streaming_in(sql, OutputMode::Complete)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let message = error.to_string();
    assert!(
        message.contains("'complete'") && message.contains("'append'"),
        "{message}"
    );
    world.streaming_in(sql, OutputMode::Update).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_optimizer_are_reported_at_the_start() {
    let world = World::new().await;
    let sql = "SELECT (SELECT key FROM names WHERE name = partitionKey) FROM words";
    let error = world.streaming(sql).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption, "{error}");
    let message = "Correlated scalar subquery must be aggregated";
    assert!(error.to_string().contains(message), "{error}");
}
