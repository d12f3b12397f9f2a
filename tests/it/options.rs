//! Table options in DDL and in the documentation.

use std::fs;
use std::path::Path;

use datafusion_kinesis::options::{OptionSpec, Role, TableOptions, all, markdown};
use datafusion_kinesis::{ErrorKind, KinesisTable, Result};

use crate::docs::compare;
use crate::support::{ROOT, World};

const BEGIN: &str = "<!-- options: made from the table in src/options/catalog by UPDATE_DOCS=1 \
    cargo test --all-features --test it options -->\n";
const END: &str = "<!-- end of options -->";

#[test]
fn the_documented_option_table_is_current() {
    let path = Path::new(ROOT).join("docs/options.md");
    let page = fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once(BEGIN).unwrap();
    let (_, tail) = rest.split_once(END).unwrap();
    let table = markdown();
    compare(&path, &format!("{head}{BEGIN}{table}{END}{tail}"));
}

/// A row of the awslabs connector's option tables.
#[derive(Debug)]
struct Listed {
    side: &'static str,
    name: &'static str,
    default: Option<&'static str>,
    /// Other options that it requires.
    needs: Vec<(&'static str, &'static str)>,
    taken: Vec<&'static str>,
    refused: Vec<&'static str>,
    departure: &'static str,
}

impl Listed {
    fn all() -> Vec<Self> {
        let text = include_str!("../data/connector_options.tsv");
        text.lines().skip(1).map(Self::read).collect()
    }

    fn read(line: &'static str) -> Self {
        let [side, name, default, needs, taken, refused, departure] =
            line.split('\t').collect::<Vec<_>>()[..]
        else {
            panic!("not seven columns: {line}");
        };
        let values = |text: &'static str| match text {
            "" => Vec::new(),
            text => text.split(" | ").collect(),
        };
        Self {
            side,
            name,
            default: (default != "-").then_some(default),
            needs: needs
                .split("; ")
                .filter_map(|need| need.split_once('='))
                .collect(),
            taken: values(taken),
            refused: values(refused),
            departure,
        }
    }

    /// The table options with this option set to `value`, and what it requires.
    fn with(&self, value: &str) -> Result<()> {
        let is_stream = self.name == "kinesis.streamName";
        let location = if is_stream { value } else { "words" };
        let given = self.needs.iter().copied().chain([(self.name, value)]);
        let options = given.fold(TableOptions::default(), |options, (name, value)| {
            options.with(name, value)
        });
        let table = KinesisTable::builder(location).with_options(options);
        table.unbounded().check()
    }
}

#[test]
fn every_connector_option_keeps_its_name_default_and_rules() {
    let listed = Listed::all();
    let count = |side: &str| listed.iter().filter(|option| option.side == side).count();
    assert_eq!((count("source"), count("sink")), (33, 12));
    for option in &listed {
        for value in &option.refused {
            let error = option
                .with(value)
                .expect_err(&format!("{option:?} {value}"));
            assert_eq!(error.kind(), ErrorKind::InvalidOption);
            assert!(error.to_string().contains(option.name), "{error}");
        }
        let own = all().find(|own| own.name == option.name);
        let own = own.unwrap_or_else(|| panic!("{} is missing", option.name));
        same_default(option, own);
        let roles = match option.side {
            "source" => [Role::Table, Role::Source],
            _ => [Role::Table, Role::Sink],
        };
        assert!(roles.contains(&own.role), "{}", option.name);
        for value in &option.taken {
            if let Err(error) = option.with(value) {
                panic!("{} = {value}: {error}", option.name);
            }
        }
    }
}

/// The default equals the connector's; a default that applies only to streaming queries is in the
/// description.
fn same_default(option: &Listed, own: &OptionSpec) {
    match (option.default, own.default) {
        (Some(default), None) => assert!(
            own.doc.contains(default) && !option.departure.is_empty(),
            "{option:?}"
        ),
        (default, own) => assert_eq!(default, own, "{option:?}"),
    }
}

#[test]
fn an_option_without_effect_says_why() {
    let threads = all().find(|option| option.name == "kinesis.checkNewRecordThreads");
    assert!(threads.unwrap().doc.contains("and ignored: "));
}

fn ddl(options: &str) -> String {
    format!(
        "CREATE EXTERNAL TABLE t STORED AS \"aws-kinesis\" LOCATION 'words' OPTIONS ({options})"
    )
}

#[tokio::test]
async fn an_invalid_option_is_refused_when_the_table_is_created() {
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
        (
            "'kinesis.region' 'a', 'kinesis.Region' 'b'",
            "duplicate option",
        ),
        ("'kinesis.streamName' 'other'", "expected the same stream"),
        (
            "'kinesis.consumerType' 'SubscribeToShard'",
            "expected 'kinesis.consumerName'",
        ),
        (
            "'kinesis.describeShardInterval' '50'",
            "expected a duration with a unit, such as '50s'",
        ),
        (
            "'kinesis.metadataPath' 's3://me:canary@host/x'",
            "'kinesis.metadataPath' = '***': expected an absolute path",
        ),
        (
            "'kinesis.metadataCommitterType' 'DYNAMODB', 'kinesis.dynamodb.credentialProviderClass' 'nobody'",
            "'nobody': expected a provider registered with",
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
async fn clauses_without_meaning_for_streams_are_refused() {
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
async fn plans_hide_secrets() {
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
