//! What the doctor finds about payload formats: the dead-letter stream, and formats that cannot be read.

use datafusion_kinesis::kinesis::Kinesis;
use datafusion_kinesis::model::StreamName;

use serde_json::json;

use super::{Fixture, HOME, marked, one_problem, problem, records};
use crate::registry_server::RegistryServer;

/// A table whose bad documents go to `dead`.
const EVENTS: &str =
    "CREATE EXTERNAL TABLE events (id BIGINT) STORED AS \"aws-kinesis\" LOCATION 'counts'
    OPTIONS ('kinesis.format' 'json', 'kinesis.format.onError' 'dead_letter',
             'kinesis.format.deadLetterStream' 'dead');";

async fn with_dead_letters(name: &str) -> Fixture {
    let fixture = Fixture::new(name).await;
    let dead = StreamName::new("dead").unwrap();
    let home = fixture.accounts.kinesis(HOME).await;
    home.create_stream(&dead, 2).await.unwrap();
    fixture
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_dead_letter_stream_is_one_problem() {
    let fixture = Fixture::new("no-dead-letters").await;
    let found = problem(&fixture, &format!("{EVENTS} SELECT id FROM events;"));
    for part in [
        "✗ dead letters",
        "'dead' does not exist in region 'eu-west-1'",
        "kinesis.format.deadLetterStream",
    ] {
        assert!(found.contains(part), "{part}: {found}");
    }

    let created = EVENTS.replace("OPTIONS (", "OPTIONS ('kinesis.createStream' 'true', ");
    let (said, code) = fixture.doctor(&created);
    assert_eq!(code, Some(0), "{said}");
    let open = marked(&said, '–');
    assert!(open[0].contains("CREATE TABLE creates it"), "{said}");
    assert_eq!(fixture.accounts.calls(HOME, "CreateStream"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn writing_to_the_dead_letter_stream_is_checked() {
    let fixture = with_dead_letters("dead-letters").await;
    let statements = format!("{EVENTS} SELECT id FROM events;");
    let (said, code) = fixture.doctor(&statements);
    assert_eq!(code, Some(0), "{said}");
    let passed = marked(&said, '✓');
    let is_dead = |line: &&&str| line.contains("dead letters");
    let dead: Vec<_> = passed.iter().filter(is_dead).collect();
    assert!(
        dead.len() == 2
            && dead[0].contains("stream 'dead' is active")
            && dead[1].contains("PutRecords"),
        "{said}"
    );
    assert_eq!(
        records(&*fixture.accounts.kinesis(HOME).await, "dead").await,
        0
    );

    // The table itself is only read.
    fixture.accounts.deny(&fixture.user, "kinesis:PutRecords");
    let (said, code) = fixture.doctor(&statements);
    let found = one_problem(&said, code);
    for part in ["✗ dead letters", "kinesis:PutRecords", "'dead'"] {
        assert!(found.contains(part), "{part}: {found}");
    }

    // A table that is only written has no dead letters.
    let (said, _) = fixture.doctor(&format!("{EVENTS} INSERT INTO events VALUES (1);"));
    assert!(
        !marked(&said, '✗')
            .iter()
            .any(|line| line.contains("dead letters")),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_avro_table_without_a_schema_can_only_be_written() {
    let fixture = Fixture::new("avro").await;
    let table =
        "CREATE EXTERNAL TABLE events (id BIGINT) STORED AS \"aws-kinesis\" LOCATION 'counts'
        OPTIONS ('kinesis.format' 'avro');";
    let found = problem(&fixture, &format!("{table} SELECT id FROM events;"));
    assert!(found.contains("kinesis.avro.schema"), "{found}");
    let streaming = table.replace("EXTERNAL", "UNBOUNDED EXTERNAL");
    let found = problem(&fixture, &format!("{streaming} SELECT id FROM events;"));
    assert!(found.contains("kinesis.avro.schema"), "{found}");

    let (said, code) = fixture.doctor(table);
    assert_eq!(code, Some(0), "{said}");
    let open = marked(&said, '–');
    assert!(
        open.len() == 1
            && open[0].contains("writing works, reading fails")
            && open[0].contains("kinesis.avro.schema"),
        "{said}"
    );

    let (said, code) = fixture.doctor(&format!("{table} INSERT INTO events VALUES (1);"));
    assert_eq!(code, Some(0), "{said}");
    assert!(marked(&said, '–').is_empty(), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_registry_is_asked() {
    let fixture = Fixture::new("registry").await;
    let not_found = json!({ "error_code": 40403, "message": "Schema not found" }).to_string();
    let server = RegistryServer::start(move |_, _| (404, not_found.clone())).await;
    let statements = format!(
        "CREATE EXTERNAL TABLE events (id BIGINT) STORED AS \"aws-kinesis\" LOCATION 'counts'
           OPTIONS ('kinesis.format' 'avro', 'kinesis.schemaRegistry.url' '{}',
             'kinesis.schemaRegistry.username' 'me', 'kinesis.schemaRegistry.password' 'canary');
         SELECT id FROM events;",
        server.url()
    );
    let (said, code) = fixture.doctor(&statements);
    assert_eq!(code, Some(0), "{said}");
    let expected = format!("schema registry '{}' answers", server.url());
    let passed = marked(&said, '✓');
    assert!(passed.iter().any(|line| line.contains(&expected)), "{said}");
    // Nothing is written to a table that can only be read.
    let unused = statements.replace("SELECT id FROM events;", "");
    let (said, code) = fixture.doctor(&unused);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("GetRecords") && !said.contains("PutRecords"),
        "{said}"
    );
    server.change(|_, _| (401, json!({ "message": "Unauthorized" }).to_string()));
    let found = problem(&fixture, &statements);
    for part in [
        "✗ schema registry",
        "Unauthorized",
        "kinesis.schemaRegistry.password",
    ] {
        assert!(found.contains(part), "{part}: {found}");
    }
    assert!(!found.contains("canary"), "{found}");
}
