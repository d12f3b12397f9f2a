//! JSON functions and operators on payloads.

use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::model::OutputMode;

use crate::grouped::{Lines, grouped, run};
use crate::streaming::FROM_THE_START;
use crate::support::World;

const EVENTS: [(&str, &[u8]); 5] = [
    (
        "a",
        br#"{"url":"/x","n":42,"f":1.5,"b":true,"none":null,"geo":{"country":"DE","lat":1.5},"tags":["p","q"]}"#,
    ),
    ("b", br#"{"url":"/y","n":9,"geo":{"country":"FR"}}"#),
    ("c", b"no json"),
    ("d", b"\xff{\"url\":\"/z\"}"),
    ("e", br#"{"url":"/x","n":"7","s":"n"}"#),
];

/// A table of [`EVENTS`].
async fn world() -> World {
    let world = World::new();
    world.table("events", 1, "").await;
    put(&world, "events").await;
    world
}

async fn put(world: &World, stream: &str) {
    for (key, data) in EVENTS {
        world.put(stream, key, data).await;
    }
}

/// The values of `expression` for each event, separated by spaces; NULL is `-`.
async fn values(world: &World, expression: &str) -> String {
    let sql = format!(
        "SELECT coalesce(CAST({expression} AS VARCHAR), '-') FROM events ORDER BY partitionKey"
    );
    world.lines(&sql).await.join(" ")
}

#[tokio::test(start_paused = true)]
async fn functions_read_binary_and_text() {
    let world = world().await;
    for json in ["data", "TRY_CAST(data AS VARCHAR)"] {
        for (call, expected) in [
            ("json_get_str({}, 'url')", "/x /y - - /x"),
            ("json_get_int({}, 'n')", "42 9 - - 7"),
            ("json_get_float({}, 'f')", "1.5 - - - -"),
            ("json_get_bool({}, 'b')", "true - - - -"),
            (
                "json_get_json({}, 'geo')",
                r#"{"country":"DE","lat":1.5} {"country":"FR"} - - -"#,
            ),
            ("json_as_text({}, 'n')", "42 9 - - 7"),
            ("json_get({}, 'geo', 'country')", "DE FR - - -"),
            ("json_get({}, 'n')", "42 9 - - 7"),
            ("json_length({})", "7 3 - - 3"),
            (
                "json_contains({}, 'geo', 'lat')",
                "true false false false false",
            ),
            ("json_get_array({}, 'tags')[2]", "\"q\" - - - -"),
            ("json_object_keys({})[1]", "url url - - url"),
            ("json_get({}, 'n')::DOUBLE", "42.0 9.0 - - 7.0"),
        ] {
            let call = call.replace("{}", json);
            assert_eq!(values(&world, &call).await, expected, "{call}");
        }
    }
    assert_eq!(world.lines("SELECT json_get_str(NULL, 'a')").await, [""]);
    assert_eq!(
        world
            .lines("SELECT json_get_str(X'7b2261223a2262227d', 'a')")
            .await,
        ["b"]
    );
}

#[tokio::test(start_paused = true)]
async fn operators_read_binary_and_text() {
    let world = world().await;
    for json in ["data", "events.data", "TRY_CAST(data AS VARCHAR)"] {
        for (operation, expected) in [
            ("{} ->> 'url'", "/x /y - - /x"),
            ("{} -> 'url'", r#""/x" "/y" - - "/x""#),
            ("{}->'geo'->>'country'", "DE FR - - -"),
            ("{}->'geo'->'country'", r#""DE" "FR" - - -"#),
            ("{}->'tags'->>1", "q - - - -"),
            ("{}->'tags'->>-1", "q - - - -"),
            ("{} #>> ARRAY['geo', 'country']", "DE FR - - -"),
            ("{} #> ARRAY['tags', '0']", "\"p\" - - - -"),
            ("{}->>'none'", "- - - - -"),
            ("{}->'none'", "null - - - -"),
            ("{} ? 'tags'", "true false false false false"),
            ("{}->'geo' ? 'lat'", "true false false false false"),
            ("{}->>(json_get_str({}, 's'))", "- - - - 7"),
        ] {
            let operation = operation.replace("{}", json);
            assert_eq!(values(&world, &operation).await, expected, "{operation}");
        }
    }
    let names = world
        .run("SELECT data->'geo'->>'country' FROM events")
        .await;
    assert!(names.contains("data -> 'geo' ->> 'country'"), "{names}");
}

#[tokio::test(start_paused = true)]
async fn operators_bind_more_tightly_than_others() {
    let world = world().await;
    for (condition, expected) in [
        ("data->>'url' = '/x'", "a e"),
        ("'/x' = data->>'url'", "a e"),
        ("data->>'url' = data->>'url'", "a b e"),
        ("data->>'url' <> '/x' OR data->>'url' IS NULL", "b c d"),
        (
            "data->>'url' IS NOT NULL AND NOT data->>'url' = '/y'",
            "a e",
        ),
        ("data->>'url' LIKE '/%'", "a b e"),
        ("data->>'url' NOT LIKE '%x'", "b"),
        ("'/x' LIKE data->>'url'", "a e"),
        ("data->>'url' IN ('/y', '/z')", "b"),
        ("data->>'url' BETWEEN '/x' AND data->>'url'", "a b e"),
        ("data->>'url' ~ 'y$'", "b"),
        ("data->>'url' IS DISTINCT FROM '/x'", "b c d"),
        ("data->'geo'->>'country' = 'DE'", "a"),
        ("data ? 'geo' AND data->'geo' ? 'lat'", "a"),
        ("(data ? 'geo') = true", "a b"),
        ("data ? 'geo' = true", "a b"),
        ("data->>'url' || '!' = '/y!'", "b"),
        ("'!' || data->>'url' = '!/y'", "b"),
        ("10 < json_get_int(data, 'n')", "a"),
        ("(data->>'n')::BIGINT > 8", "a b"),
        ("data->>'n' > 8", "a b"),
        ("1 + (data->>'n')::BIGINT * 2 = 19", "b"),
    ] {
        let sql = format!("SELECT partitionKey FROM events WHERE {condition} ORDER BY 1");
        assert_eq!(world.lines(&sql).await.join(" "), expected, "{condition}");
    }
    // The text of a view means the same as the statement.
    world
        .run("CREATE VIEW v AS SELECT data->>'url' || '!' AS u, data->>'url' = '/y' AS y FROM events")
        .await;
    assert_eq!(world.lines("SELECT u FROM v WHERE y").await, ["/y!"]);
    let prepared = "PREPARE p AS SELECT partitionKey FROM events WHERE data->>'url' = $1";
    world.run(prepared).await;
    assert_eq!(world.lines("EXECUTE p('/y')").await, ["b"]);
}

/// PostgreSQL's dialect parses the operators with its own precedences.
#[tokio::test(start_paused = true)]
async fn the_dialect_of_postgres_keeps_its_precedences() {
    let world = world().await;
    world
        .run("SET datafusion.sql_parser.dialect = 'PostgreSQL'")
        .await;
    for condition in [
        "data->>'url' = '/y'",
        "data ? 'geo' AND data->>'url' <> '/x'",
        "data->>'ur' || 'l' = '/y' OR data->>'url' || '!' = '/y!'",
    ] {
        let sql = format!("SELECT partitionKey FROM events WHERE {condition}");
        assert_eq!(world.lines(&sql).await, ["b"], "{condition}");
    }
}

#[tokio::test(start_paused = true)]
async fn plain_statements_of_a_session_have_functions_and_operators() {
    let world = world().await;
    for (condition, expected) in [
        ("data->>'url' = '/y'", "b"),
        ("'/y' = data->>'url'", "b"),
        ("data->>'url' LIKE '%y'", "b"),
        ("data->>'url' IN ('/y')", "b"),
        (
            "data->'geo'->>'country' IS NOT NULL AND data->>'url' <> '/x'",
            "b",
        ),
        ("data->>'url' BETWEEN '/y' AND '/z'", "b"),
        ("json_get_str(data, 'url') = '/y'", "b"),
        ("octet_length(data) = 41", "b"),
    ] {
        let sql = format!("SELECT \"partitionKey\" AS k FROM events WHERE {condition}");
        let rows = world.ctx.sql(&sql).await.unwrap().collect().await.unwrap();
        let table = pretty_format_batches(&rows).unwrap().to_string();
        let keys: Vec<&str> = table.lines().skip(3).collect();
        assert_eq!(
            keys[..keys.len() - 1],
            [format!("| {expected} |")],
            "{condition}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn groups_and_joins_by_fields() {
    let world = world().await;
    let counts = "SELECT data->>'url' AS url, count(*), sum(json_get_int(data, 'n')) FROM events \
                  WHERE data ? 'url' GROUP BY data->>'url' ORDER BY url";
    let table = world.run(counts).await;
    for row in ["| /x  | 2        | 49", "| /y  | 1        | 9 "] {
        assert!(table.contains(row), "{table}");
    }
    world
        .run("CREATE TABLE names (code VARCHAR, name VARCHAR) AS VALUES ('DE', 'Germany')")
        .await;
    let joined = "SELECT name FROM events JOIN names ON data->'geo'->>'country' = code";
    assert_eq!(world.lines(joined).await, ["Germany"]);
    let derived = "SELECT c FROM (SELECT data->'geo'->>'country' AS c, partitionKey FROM events) \
                   WHERE c || partitionKey = 'FRb'";
    assert_eq!(world.lines(derived).await, ["FR"]);
}

#[tokio::test(start_paused = true)]
async fn json_is_written_as_it_is_read() {
    let world = world().await;
    world.table("out", 1, "").await;
    let copy = "INSERT INTO out (partitionKey, data) SELECT partitionKey, data->'geo' FROM events WHERE data ? 'geo'";
    assert_eq!(world.number(copy).await, 2);
    assert_eq!(
        world
            .lines("SELECT CAST(data AS VARCHAR) FROM out ORDER BY partitionKey")
            .await,
        [r#"{"country":"DE","lat":1.5}"#, r#"{"country":"FR"}"#]
    );
}

#[tokio::test(start_paused = true)]
async fn other_keys_are_refused_with_the_types() {
    let world = world().await;
    for (expression, part) in [
        ("data ->> 1.5", "expected string or int"),
        ("42 ->> 'a'", "expected a string"),
        ("approximateArrivalTimestamp ->> 'a'", "expected a string"),
    ] {
        let error = world
            .try_run(&format!("SELECT {expression} FROM events"))
            .await
            .unwrap_err();
        assert!(error.to_string().contains(part), "{expression}: {error}");
    }
    let (kind, message) = world
        .refusal("SELECT sum((data->>'url')::BIGINT) FROM events")
        .await;
    assert_eq!(kind, ErrorKind::InvalidRow, "{message}");
    assert!(message.contains("sequence number"), "{message}");
}

/// The groups of a query stay the same over restarts, also with other names of tables and columns.
#[tokio::test(start_paused = true)]
async fn groups_by_fields_are_kept_over_restarts() {
    const STARTS: [&str; 3] = [
        "SELECT data->>'url', count(*), max(json_get_int(data, 'n')) FROM clicks GROUP BY data->>'url'",
        "SELECT c.data->>'url', count(*), max(json_get_int(c.data, 'n')) FROM clicks c GROUP BY c.data->>'url'",
        "SELECT d->>'url' AS u, count(*), max(json_get_int(d, 'n')) FROM (SELECT data AS d FROM clicks) GROUP BY u",
    ];
    let world = World::new();
    world.unbounded_table("clicks", 2, FROM_THE_START).await;
    for (start, sql) in STARTS.into_iter().enumerate() {
        put(&world, "clicks").await;
        let lines = Lines::default();
        let query = lines.of(grouped(&world, sql, OutputMode::Complete));
        let query = query.with_checkpoint_location("memory://json-groups");
        run(query.as_in_another_process()).await;
        let times = start + 1;
        let expected = [
            format!("/x {} 42", 2 * times),
            format!("/y {times} 9"),
            format!("NULL {} NULL", 2 * times),
        ];
        assert_eq!(lines.given().last().unwrap(), &expected, "{sql}");
    }
}

/// JSON text as the key of groups, in windows, filtered and joined.
#[tokio::test(start_paused = true)]
async fn streaming_queries_use_fields_everywhere() {
    for (place, sql, expected) in [
        (
            "json-object",
            "SELECT data->'geo', count(*) FROM clicks WHERE data ? 'geo' GROUP BY data->'geo'",
            vec![r#"{"country":"DE","lat":1.5} 1"#, r#"{"country":"FR"} 1"#],
        ),
        (
            "json-window",
            "SELECT data->>'url' AS url, count(*) FROM clicks WHERE data->>'url' LIKE '/%' \
             GROUP BY tumble(approximateArrivalTimestamp, INTERVAL '1 day'), data->>'url'",
            vec!["/x 2", "/y 1"],
        ),
        (
            "json-join",
            "SELECT name, count(DISTINCT data->>'url') FROM clicks \
             JOIN names ON data->'geo'->>'country' = code GROUP BY name",
            vec!["Germany 1"],
        ),
        (
            "json-distinct",
            "SELECT DISTINCT json_get_str(CAST(data AS VARCHAR), 'url') FROM clicks WHERE data ? 'url'",
            vec!["/x", "/y"],
        ),
        (
            "json-union",
            "SELECT CAST(json_get(data, 'n') AS BIGINT), count(*) FROM clicks WHERE data ? 'f' GROUP BY 1",
            vec!["42 1"],
        ),
        (
            "json-rows",
            "SELECT partitionKey, data->>'n' FROM clicks WHERE data->>'n' IS NOT NULL",
            vec!["a 42", "b 9", "e 7"],
        ),
    ] {
        let world = World::new();
        world.unbounded_table("clicks", 2, FROM_THE_START).await;
        world
            .run("CREATE TABLE names (code VARCHAR, name VARCHAR) AS VALUES ('DE', 'Germany')")
            .await;
        put(&world, "clicks").await;
        let lines = Lines::default();
        let mode = match place {
            "json-rows" => OutputMode::Append,
            _ => OutputMode::Update,
        };
        let query = lines.of(grouped(&world, sql, mode));
        let query = query.with_checkpoint_location(format!("memory://{place}"));
        run(query.as_in_another_process()).await;
        assert_eq!(lines.given(), [expected], "{sql}");
    }
}

/// The engine moves calls with a column of text and literals towards the scan.
#[tokio::test(start_paused = true)]
async fn streaming_queries_use_fields_of_text_columns() {
    const WINDOWED: &str = "SELECT line->>'url' AS url, max(json_get_int(line, 'n')), count(*) FROM lines \
        WHERE line->'geo' ? 'country' OR line->>'n' IS NOT NULL \
        GROUP BY tumble(approximateArrivalTimestamp, INTERVAL '1 day'), line->>'url'";
    const JOINED: &str = "SELECT name, line->>'url', count(*) FROM lines \
        JOIN names ON line->'geo'->>'country' = code GROUP BY name, line->>'url'";
    const WATERMARKED: &str = "SELECT line->>'url' AS url, count(*) FROM lines WHERE line ? 'url' \
        GROUP BY hop(approximateArrivalTimestamp, INTERVAL '1 day', INTERVAL '1 day'), line->>'url'";
    for (number, (sql, expected)) in [
        (WINDOWED, vec!["/x 42 2", "/y 9 1"]),
        (JOINED, vec!["Germany /x 1"]),
        (WATERMARKED, vec!["/x 2", "/y 1"]),
    ]
    .into_iter()
    .enumerate()
    {
        let world = World::new();
        world.unbounded_table("raw", 2, FROM_THE_START).await;
        world
            .run(&format!(
                "CREATE UNBOUNDED EXTERNAL TABLE lines (line VARCHAR) STORED AS \"aws-kinesis\" LOCATION 'raw'
                 OPTIONS ('kinesis.format' 'text', 'kinesis.format.onError' 'skip',
                          'kinesis.extraColumns' 'approximateArrivalTimestamp', {FROM_THE_START})"
            ))
            .await;
        world
            .run("CREATE TABLE names (code VARCHAR, name VARCHAR) AS VALUES ('DE', 'Germany')")
            .await;
        put(&world, "raw").await;
        for start in 0..2 {
            let lines = Lines::default();
            let query = lines.of(grouped(&world, sql, OutputMode::Complete));
            let query = query.with_checkpoint_location(format!("memory://json-text-{number}"));
            run(query.as_in_another_process()).await;
            match start {
                0 => assert_eq!(lines.given().concat(), expected, "{sql}"),
                _ => assert!(lines.given().len() <= 1, "{sql}"),
            }
        }
    }
}
