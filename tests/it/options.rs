//! Options as a user meets them: in DDL and in the README.

use std::fs;
use std::path::Path;

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::options::markdown;

use crate::support::World;

const BEGIN: &str = "<!-- options: made from the table in src/options/rows -->\n";
const END: &str = "<!-- end of options -->";

#[test]
fn the_readme_shows_the_option_table_as_it_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (head, rest) = readme.split_once(BEGIN).unwrap();
    let (shown, tail) = rest.split_once(END).unwrap();
    let table = markdown();
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(&path, format!("{head}{BEGIN}{table}{END}{tail}")).unwrap();
    } else {
        assert!(
            shown == table,
            "README.md is behind: run with UPDATE_README=1"
        );
    }
}

fn ddl(options: &str) -> String {
    format!(
        "CREATE EXTERNAL TABLE t STORED AS \"aws-kinesis\" LOCATION 'words' OPTIONS ({options})"
    )
}

#[tokio::test]
async fn a_wrong_option_is_refused_when_the_table_is_made() {
    let world = World::new();
    for (options, expected) in [
        (
            "'kinesis.startingPosition' 'NOW'",
            "option 'kinesis.startingPosition' = 'NOW': expected",
        ),
        (
            "'kinesis.startingPositon' 'LATEST'",
            "such as 'kinesis.startingPosition'",
        ),
        (
            "startingPosition 'LATEST'",
            "such as 'kinesis.startingPosition'",
        ),
        ("'kinesis.region' 'a', 'kinesis.Region' 'b'", "given twice"),
        ("'kinesis.streamName' 'other'", "expected the same stream"),
        (
            "'kinesis.consumerType' 'SubscribeToShard'",
            "enhanced fan-out is not in this version: expected 'GetRecords'",
        ),
        (
            "'kinesis.describeShardInterval' '50'",
            "expected a time with its unit such as '50s'",
        ),
        (
            "'kinesis.metadataPath' 's3://me:canary@host/x'",
            "'kinesis.metadataPath' = '***': expected an absolute path",
        ),
        (
            "'kinesis.awsSecretKey' 'canary'",
            "'kinesis.awsAccessKeyId' is missing",
        ),
    ] {
        let (kind, message) = world.refusal(&ddl(options)).await;
        assert_eq!(kind, ErrorKind::InvalidOption, "{message}");
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains("canary"), "{message}");
    }
}

#[tokio::test]
async fn clauses_that_mean_nothing_for_a_stream_are_refused() {
    let world = World::new();
    let statement =
        "CREATE EXTERNAL TABLE t (data BYTEA) STORED AS \"aws-kinesis\" LOCATION 'words'";
    let (kind, message) = world.refusal(statement).await;
    assert_eq!(kind, ErrorKind::Unsupported);
    assert!(message.contains("columns"), "{message}");
    let (_, message) = world
        .refusal("CREATE EXTERNAL TABLE t STORED AS \"aws-kinesis\" LOCATION 'two words'")
        .await;
    assert!(
        message.starts_with("LOCATION: stream name 'two words'"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn no_secret_shows_in_plans() {
    let world = World::new();
    world
        .table(
            "words",
            1,
            "'kinesis.awsAccessKeyId' 'AKIACANARY', 'kinesis.awsSecretKey' 'canary', 'kinesis.sessionToken' 'canary'",
        )
        .await;
    world.put_numbers("words", 3).await;
    for statement in [
        "EXPLAIN VERBOSE SELECT * FROM words",
        "EXPLAIN ANALYZE VERBOSE SELECT * FROM words",
        "EXPLAIN ANALYZE INSERT INTO words (partitionKey, data) VALUES ('a', 'b')",
    ] {
        let shown = world.run(statement).await.to_lowercase();
        assert!(!shown.contains("canary"), "{shown}");
    }
    let table = world.ctx.table_provider("words").await.unwrap();
    let shown = format!("{table:?} {:?}", world.ctx.state());
    assert!(!shown.to_lowercase().contains("canary"), "{shown}");
}
