//! What happens to documents that cannot be parsed, and to values that do not fit.

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::model::{OutputMode, Trigger};
use datafusion_kinesis::query::StreamingQuery;
use futures::TryStreamExt;

use super::{COLUMNS, clicks, decoded};

const MIXED: [&str; 4] = [
    r#"{"userId":1,"url":"/a","geo":{"country":"DE","lat":1.5},"tags":["x","y"]}"#,
    r#"{"userId":2,"url":"/b",}"#,
    r#"{"userId":"three","url":"/c"}"#,
    r#"{"userId":4,"url":"/d"}"#,
];

#[tokio::test(start_paused = true)]
async fn fail_names_the_record_the_byte_and_the_option() {
    let world = clicks(&MIXED).await;
    decoded(&world, "clicks", COLUMNS, "").await;
    for query in [
        "SELECT * FROM clicks",
        "SELECT count(*) FROM clicks",
        "SELECT url FROM clicks",
    ] {
        let (kind, message) = world.refusal(query).await;
        assert_eq!(kind, ErrorKind::InvalidRow);
        for part in [
            "stream 'raw', shard 'shardId-000000000000', sequence number 4",
            "cannot be decoded as json",
            "(byte 23)",
            "'kinesis.format.onError'",
        ] {
            assert!(message.contains(part), "{query}: {part}: {message}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn null_keeps_the_row_and_the_error_column_says_why() {
    let world = clicks(&MIXED).await;
    let options = ", 'kinesis.format.onError' 'null', 'kinesis.format.errorColumn' 'why',
        'kinesis.extraColumns' 'partitionKey'";
    decoded(&world, "clicks", COLUMNS, options).await;
    let rows = world
        .run("SELECT partitionKey, userId, url, why FROM clicks ORDER BY 1")
        .await;
    let expected = "\
+--------------+--------+-----+----------------------------------------------+
| partitionKey | userid | url | why                                          |
+--------------+--------+-----+----------------------------------------------+
| 0            | 1      | /a  |                                              |
| 1            |        |     | is not valid JSON: key must be a string (byte 23) |
| 2            |        | /c  | field 'userid': \"three\" is no BIGINT         |
| 3            | 4      | /d  |                                              |
+--------------+--------+-----+----------------------------------------------+";
    assert_eq!(normalized(&rows), normalized(expected), "{rows}");
    assert_eq!(world.number("SELECT count(*) FROM clicks").await, 4);
}

/// The cells of a table without the widths of its columns.
fn normalized(table: &str) -> Vec<Vec<String>> {
    let rows = table.lines().filter(|line| line.starts_with('|'));
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect();
    rows.map(cells).collect()
}

#[tokio::test(start_paused = true)]
async fn skip_leaves_out_bad_documents_only_whatever_is_selected() {
    let world = clicks(&MIXED).await;
    decoded(
        &world,
        "clicks",
        COLUMNS,
        ", 'kinesis.format.onError' 'skip'",
    )
    .await;
    assert_eq!(
        world.lines("SELECT url FROM clicks ORDER BY url").await,
        ["/a", "/c", "/d"]
    );
    assert_eq!(world.number("SELECT count(*) FROM clicks").await, 3);
    assert_eq!(world.number("SELECT count(userId) FROM clicks").await, 2);
    assert_eq!(
        world
            .lines("SELECT geo['country'] FROM clicks LIMIT 1")
            .await,
        ["DE"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_limit_counts_rows_and_not_records() {
    let world = clicks(&["{", "{", "{", r#"{"userId":4}"#, r#"{"userId":5}"#]).await;
    decoded(
        &world,
        "clicks",
        COLUMNS,
        ", 'kinesis.format.onError' 'skip'",
    )
    .await;
    assert_eq!(
        world.lines("SELECT userId FROM clicks LIMIT 1").await,
        ["4"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_value_that_does_not_fit_can_fail_the_statement() {
    let world = clicks(&MIXED[2..]).await;
    decoded(
        &world,
        "clicks",
        COLUMNS,
        ", 'kinesis.format.onTypeMismatch' 'fail'",
    )
    .await;
    let (kind, message) = world.refusal("SELECT userId FROM clicks").await;
    assert_eq!(kind, ErrorKind::InvalidRow);
    for part in [
        "shard 'shardId-000000000000'",
        "field 'userid'",
        "\"three\" is no BIGINT",
        "(byte 10)",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    // The field is not read, so nothing fails.
    assert_eq!(
        world.lines("SELECT url FROM clicks ORDER BY 1").await,
        ["/c", "/d"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_missing_field_can_fail_the_statement() {
    let world = clicks(&[r#"{"url":"/a"}"#]).await;
    decoded(
        &world,
        "clicks",
        COLUMNS,
        ", 'kinesis.json.failOnMissingField' 'true'",
    )
    .await;
    let (_, message) = world.refusal("SELECT userId FROM clicks").await;
    let expected = "field 'userid': is missing; see option 'kinesis.json.failOnMissingField'";
    assert!(message.contains(expected), "{message}");
    assert_eq!(world.lines("SELECT url FROM clicks").await, ["/a"]);
}

#[tokio::test(start_paused = true)]
async fn rescued_fields_are_kept_as_json() {
    let world = clicks(&[
        r#"{"userId":1,"extra":{"deep":[1,2]}}"#,
        r#"{"userId":"x","geo":{"country":"DE","zone":3}}"#,
        r#"{"userId":3}"#,
    ])
    .await;
    decoded(
        &world,
        "clicks",
        COLUMNS,
        ", 'kinesis.json.rescuedColumn' 'rest'",
    )
    .await;
    let rescued = world.lines("SELECT rest FROM clicks").await;
    assert_eq!(
        rescued,
        [
            r#"{"extra":{"deep":[1,2]}}"#,
            r#"{"userId":"x","geo":{"country":"DE","zone":3}}"#,
            ""
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_streaming_query_that_fails_names_the_record() {
    let world = clicks(&MIXED).await;
    world
        .run(&format!(
            "CREATE UNBOUNDED EXTERNAL TABLE live {COLUMNS} STORED AS \"aws-kinesis\" LOCATION 'raw'
             OPTIONS ('kinesis.format' 'json', 'kinesis.startingPosition' 'TRIM_HORIZON')"
        ))
        .await;
    let query = StreamingQuery::builder(&world.ctx, "SELECT url, count(*) FROM live GROUP BY url")
        .with_checkpoint_location("memory://payload-fails")
        .with_output_mode(OutputMode::Update)
        .with_trigger(Trigger::AvailableNow)
        .foreach_batch(|_, rows| async move {
            let _: Vec<_> = rows.try_collect().await?;
            Ok(())
        });
    let error = query
        .start()
        .await
        .unwrap()
        .await_termination()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRow);
    let message = error.to_string();
    for part in [
        "stream 'raw', shard 'shardId-000000000000', sequence number 4",
        "cannot be decoded as json",
        "(byte 23)",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[tokio::test(start_paused = true)]
async fn fields_of_structs_and_items_of_arrays_are_reached_in_sql() {
    let world = clicks(&MIXED[..1]).await;
    decoded(&world, "clicks", COLUMNS, "").await;
    for query in [
        "SELECT url FROM clicks WHERE geo.country = 'DE'",
        "SELECT url FROM clicks WHERE clicks.geo.country = 'DE' AND geo['lat'] > 1",
        "SELECT c.url FROM clicks AS c WHERE c.geo.country = 'DE' AND tags[2] = 'y'",
        "SELECT CLICKS.URL FROM clicks WHERE GEO.COUNTRY = 'DE'",
    ] {
        assert_eq!(world.lines(query).await, ["/a"], "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_a_later_field_replaces_does_not_count() {
    let world = clicks(&[
        r#"{"I":"x","i":6}"#,
        r#"{"i":"x","i":6}"#,
        r#"{"i":6,"I":5}"#,
        r#"{"I":5,"i":6}"#,
        r#"{"i":"x","I":5}"#,
    ])
    .await;
    let options = ", 'kinesis.format.errorColumn' 'why', 'kinesis.json.rescuedColumn' 'rest'";
    decoded(&world, "t", "(i BIGINT)", options).await;
    let rows = world
        .lines("SELECT concat_ws(' ', coalesce(CAST(i AS VARCHAR), '-'), rest, why) FROM t")
        .await;
    assert_eq!(
        rows,
        [
            r#"6 {"I":"x"}"#,
            r#"6 {"i":"x"}"#,
            r#"6 {"I":5}"#,
            r#"6 {"I":5}"#,
            r#"- {"i":"x","I":5} field 'i': "x" is no BIGINT"#,
        ]
    );
    decoded(
        &world,
        "errors",
        "(i BIGINT)",
        ", 'kinesis.format.errorColumn' 'why'",
    )
    .await;
    let why = world.lines("SELECT why FROM errors").await;
    assert_eq!(why, ["", "", "", "", "field 'i': \"x\" is no BIGINT"]);
    decoded(
        &world,
        "strict",
        "(i BIGINT)",
        ", 'kinesis.format.onTypeMismatch' 'fail'",
    )
    .await;
    let (_, message) = world.refusal("SELECT i FROM strict").await;
    assert!(message.contains("(byte 5)"), "{message}");
}
