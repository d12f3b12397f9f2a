//! `kinesis-sql doctor` finds what would break a run, suggests fixes, and leaves nothing behind.

#[cfg(feature = "dynamodb")]
mod dynamodb;
mod fan_out;
mod formats;
#[cfg(all(feature = "aws", feature = "dynamodb"))]
mod network;
#[cfg(feature = "aws")]
pub(crate) mod s3;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use datafusion_kinesis::kinesis::{InMemoryKinesis, IteratorPosition, Kinesis, RecordColumns};
use datafusion_kinesis::model::{ShardId, StreamIdentity, StreamName};

use crate::aws::{Accounts, Directory, LocalSts, Role};
use crate::support::folder;

const HOME: &str = "111122223333";
const AWAY: &str = "444455556666";
const REGION: &str = "eu-west-1";

/// A home-account user whose statements read the stream `words` of another account through a role,
/// and write `counts` at home.
struct Fixture {
    directory: Arc<Directory>,
    sts: LocalSts,
    accounts: Accounts,
    role: String,
    user: String,
    environment: Vec<(&'static str, String)>,
    /// The Kinesis endpoint.
    endpoint: String,
    folder: PathBuf,
}

impl Fixture {
    async fn new(name: &str) -> Self {
        let directory = Arc::new(Directory::default());
        let user = directory.add_user(HOME, "ada");
        let role = directory.add_role(Role::new(AWAY, "reader").trusting(&user.arn));
        let sts = LocalSts::start(&directory).await;
        let accounts = Accounts::start(&directory, REGION).await;
        for (account, stream) in [(AWAY, "words"), (HOME, "counts")] {
            let kinesis = accounts.kinesis(account).await;
            let stream = StreamName::new(stream).unwrap();
            kinesis.create_stream(&stream, 2).await.unwrap();
        }
        let folder = folder(&format!("doctor-{name}"));
        fs::create_dir_all(&folder).unwrap();
        let environment = vec![
            ("AWS_ACCESS_KEY_ID", user.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", user.secret.clone()),
            ("AWS_ENDPOINT_URL_STS", sts.endpoint_url()),
        ];
        Self {
            directory,
            sts,
            endpoint: accounts.endpoint_url(),
            accounts,
            role,
            user: user.arn,
            environment,
            folder,
        }
    }

    /// Valid statements with this checkpoint location.
    fn statements(&self, checkpoint: &Path) -> String {
        format!(
            "CREATE UNBOUNDED EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words'
               OPTIONS ('kinesis.stsRoleArn' '{}');
             CREATE EXTERNAL TABLE counts STORED AS \"aws-kinesis\" LOCATION 'counts';
             SET streaming.checkpoint_location = '{}';
             INSERT INTO counts (partitionKey, data) SELECT partitionKey, data FROM words;",
            self.role,
            checkpoint.display()
        )
    }

    /// The doctor's output for `statements`, and its exit code.
    fn doctor(&self, statements: &str) -> (String, Option<i32>) {
        self.doctor_in(REGION, statements)
    }

    fn doctor_in(&self, region: &str, statements: &str) -> (String, Option<i32>) {
        self.doctor_with(&[], region, statements)
    }

    fn doctor_with(
        &self,
        arguments: &[&str],
        region: &str,
        statements: &str,
    ) -> (String, Option<i32>) {
        let file = self.folder.join("job.sql");
        fs::write(&file, statements).unwrap();
        let endpoint = &self.endpoint;
        let output = Command::new(env!("CARGO_BIN_EXE_kinesis-sql"))
            .args(["doctor", "--endpoint-url", endpoint, "--region", region])
            .args(arguments)
            .arg("-f")
            .arg(&file)
            .env_clear()
            .env("HOME", &self.folder)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.environment.iter().cloned())
            .output()
            .unwrap();
        said(&output)
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn said(output: &Output) -> (String, Option<i32>) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(stderr, "", "stderr is empty");
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    (stdout, output.status.code())
}

/// The lines of the checks with this status mark.
fn marked(said: &str, mark: char) -> Vec<&str> {
    let lines = said.lines().map(str::trim_start);
    lines.filter(|line| line.starts_with(mark)).collect()
}

/// The only problem that the doctor finds.
fn problem(fixture: &Fixture, statements: &str) -> String {
    let (said, code) = fixture.doctor(statements);
    one_problem(&said, code)
}

fn one_problem(said: &str, code: Option<i32>) -> String {
    let bad = marked(said, '✗');
    assert_eq!((bad.len(), code), (1, Some(1)), "{said}");
    assert!(said.ends_with("1 problem found\n"), "{said}");
    bad[0].to_owned()
}

/// Number of records in a stream of two shards.
async fn records(kinesis: &InMemoryKinesis, stream: &str) -> usize {
    let stream = StreamIdentity::parse(stream).unwrap();
    let mut records = 0;
    for shard in ["shardId-000000000000", "shardId-000000000001"] {
        let position = IteratorPosition::TrimHorizon;
        let shard = ShardId::new(shard);
        let iterator = kinesis.get_shard_iterator(&stream, &shard, &position);
        let iterator = iterator.await.unwrap();
        let page = kinesis.get_records(&stream, &iterator, 1_000, RecordColumns::ALL);
        records += page.await.unwrap().len();
    }
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn valid_statements_pass_and_nothing_is_left_behind() {
    let fixture = Fixture::new("well").await;
    let checkpoint = fixture.folder.join("checkpoint");
    let (said, code) = fixture.doctor(&fixture.statements(&checkpoint));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.ends_with("no problems found\n"), "{said}");
    assert!(marked(&said, '–').is_empty(), "{said}");
    let session = format!("arn:aws:sts::{AWAY}:assumed-role/reader/datafusion-kinesis");
    for expected in [
        &session,
        &fixture.user,
        "role 'arn:aws:iam::444455556666:role/reader'",
        "the default chain (environment)",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    for (check, times) in [
        ("GetRecords", 1),
        ("PutRecords", 1),
        ("clock", 2),
        ("location", 1),
        ("statement", 1),
    ] {
        let good = marked(&said, '✓');
        let found = good
            .iter()
            .filter(|line| line[3..].trim().starts_with(check));
        assert_eq!(found.count(), times, "{check}: {said}");
    }
    let home = fixture.accounts.kinesis(HOME).await;
    assert_eq!(records(&home, "counts").await, 0);
    assert_eq!(fixture.accounts.calls(AWAY, "PutRecords"), 0);
    let left = fs::read_dir(checkpoint.join("offsets")).unwrap().count();
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_waits_for_another_or_shares_its_checkpoint_is_found() {
    let fixture = Fixture::new("two").await;
    let checkpoint = fixture.folder.join("checkpoint");
    let first = fixture.statements(&checkpoint);
    let job = fixture.folder.join("job.sql").display().to_string();
    let second = "\nINSERT INTO counts (partitionKey, data)
                  SELECT partitionKey, data FROM words WHERE partitionKey <> 'x';";
    let elsewhere = format!(
        "SET streaming.checkpoint_location = '{}-two';",
        checkpoint.display()
    );
    let now = "SET streaming.trigger = 'available now';";
    let said = problem(&fixture, &format!("{first}{elsewhere}{second}"));
    for part in ["starts only when", &format!("{job}:5"), "available now"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let said = problem(&fixture, &format!("{now}{first}{second}"));
    for part in [
        "uses the checkpoint of",
        &format!("{job}:5"),
        "separate location",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (said, code) = fixture.doctor(&format!("{now}{first}{elsewhere}{second}"));
    assert_eq!(code, Some(0), "{said}");
    let both = format!("{first}{elsewhere}{second}");
    let (said, code) = fixture.doctor_with(&["--run"], REGION, &both);
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_checkpoint_and_a_stop_lock_are_found() {
    let fixture = Fixture::new("foreign").await;
    let checkpoint = fixture.folder.join("checkpoint");
    fs::create_dir_all(&checkpoint).unwrap();
    let statements = fixture.statements(&checkpoint);
    let metadata = |sink: &str| {
        let text = format!(
            r#"{{"version": 1, "id": "a", "created_at": "2026-01-01T00:00:00Z", "sources": [], "sink": "{sink}"}}"#
        );
        fs::write(checkpoint.join("metadata"), text).unwrap();
    };
    metadata("KinesisSink[other]");
    let (said, code) = fixture.doctor(&statements);
    assert_eq!((marked(&said, '✗').len(), code), (1, Some(1)), "{said}");
    for part in [
        "belongs to another query",
        "KinesisSink[other]",
        "of its own",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let accepted = format!("SET streaming.accept_changed_query = 'true'; {statements}");
    let (said, code) = fixture.doctor(&accepted);
    assert_eq!(code, Some(0), "{said}");
    metadata("KinesisSink[counts]");
    let (said, code) = fixture.doctor(&statements);
    assert_eq!(code, Some(0), "{said}");
    fs::write(checkpoint.join("STOP_LOCK"), "").unwrap();
    let said = problem(&fixture, &statements);
    assert!(said.contains("STOP_LOCK  exists"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_join_file_is_found() {
    let fixture = Fixture::new("file").await;
    let names = fixture.folder.join("names.csv").display().to_string();
    let table = format!(
        "CREATE EXTERNAL TABLE names (id VARCHAR, name VARCHAR) STORED AS CSV LOCATION '{names}';"
    );
    let statements = fixture.statements(&fixture.folder.join("checkpoint"));
    let joined = statements.replace(
        "data FROM words",
        "name FROM words JOIN names ON partitionKey = id",
    );
    for statement in [joined.as_str(), "SELECT * FROM names;"] {
        let said = problem(&fixture, &format!("{table}{statement}"));
        for part in ["'names'", &names, "does not exist"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_region_is_found() {
    let fixture = Fixture::new("region").await;
    let checkpoint = fixture.folder.join("checkpoint");
    let statements = fixture.statements(&checkpoint);
    let (said, code) = fixture.doctor_in("us-west-2", &statements);
    assert_eq!(code, Some(1));
    let bad = marked(&said, '✗');
    assert_eq!(bad.len(), 2, "{said}");
    for line in bad {
        assert!(
            line.contains("region other than the endpoint's")
                && line.contains("'kinesis.kinesisRegion'"),
            "{line}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_stream_is_found_and_not_created() {
    let fixture = Fixture::new("missing").await;
    let checkpoint = fixture.folder.join("checkpoint");
    let statements = fixture.statements(&checkpoint);
    let missing = statements.replace("LOCATION 'counts'", "LOCATION 'count'");
    let problem = problem(&fixture, &missing);
    assert!(
        problem.contains("'count' does not exist in region 'eu-west-1'"),
        "{problem}"
    );

    let made = missing.replace(
        "LOCATION 'count'",
        "LOCATION 'count' OPTIONS ('kinesis.createStream' 'true')",
    );
    let (said, code) = fixture.doctor(&made);
    assert_eq!(code, Some(0), "{said}");
    let open = marked(&said, '–');
    assert!(open[0].contains("CREATE TABLE creates it"), "{said}");
    assert_eq!(fixture.accounts.calls(HOME, "CreateStream"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_denied_action_is_found() {
    let fixture = Fixture::new("denied").await;
    let checkpoint = fixture.folder.join("checkpoint");
    let statements = fixture.statements(&checkpoint);
    for (who, action, stream) in [
        (&fixture.role, "DescribeStreamSummary", "words"),
        (&fixture.role, "ListShards", "words"),
        (&fixture.role, "GetShardIterator", "words"),
        (&fixture.role, "GetRecords", "words"),
        (&fixture.user, "ListShards", "counts"),
        (&fixture.user, "PutRecords", "counts"),
    ] {
        let action = format!("kinesis:{action}");
        fixture.accounts.deny(who, &action);
        let problem = problem(&fixture, &statements);
        assert!(
            problem.contains(&action)
                && (problem.contains(&format!("stream/{stream}"))
                    || problem.contains(&format!("allow {action} on stream '{stream}'"))),
            "{problem}"
        );
        fixture.accounts.allow(who, &action);
    }
    // No statement writes `words` or reads `counts`.
    fixture.accounts.deny(&fixture.role, "kinesis:PutRecords");
    fixture.accounts.deny(&fixture.user, "kinesis:GetRecords");
    let (said, code) = fixture.doctor(&statements);
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_cannot_be_assumed_is_found() {
    let fixture = Fixture::new("role").await;
    let checkpoint = fixture.folder.join("checkpoint");
    fixture
        .directory
        .change_role(&fixture.role, |role| role.trusted.clear());
    let problem = problem(&fixture, &fixture.statements(&checkpoint));
    assert!(
        problem.contains("sts:AssumeRole") && problem.contains(&fixture.role),
        "{problem}"
    );
    assert!(!fixture.sts.calls("AssumeRole").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_sts_the_caller_is_unknown_and_other_checks_run() {
    let mut fixture = Fixture::new("no-sts").await;
    // A port without a listener.
    fixture
        .environment
        .push(("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1".to_owned()));
    let statements = "CREATE EXTERNAL TABLE counts STORED AS \"aws-kinesis\" LOCATION 'counts';";
    let (said, code) = fixture.doctor(statements);
    assert_eq!(code, Some(0), "{said}");
    let open = marked(&said, '–');
    assert!(
        open.len() == 1
            && open[0].contains("the default chain")
            && open[0].contains("cannot be reached"),
        "{said}"
    );
    assert!(said.contains("✓ PutRecords"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_is_found() {
    for (seconds, side) in [(600, "10 min 0 s behind"), (-600, "10 min 0 s ahead of")] {
        let fixture = Fixture::new(&format!("clock{seconds}")).await;
        let checkpoint = fixture.folder.join("checkpoint");
        fixture.directory.set_seconds_ahead(seconds);
        let (said, code) = fixture.doctor(&fixture.statements(&checkpoint));
        assert_eq!(code, Some(1));
        let bad = marked(&said, '✗');
        assert!(
            bad.iter()
                .any(|line| line.contains("clock") && near(line, side)),
            "{side}: {said}"
        );
    }
}

/// Whether the line contains the text, allowing for a second of run time.
fn near(line: &str, side: &str) -> bool {
    let earlier = side.replace("10 min 0 s", "9 min 59 s");
    let later = side.replace("10 min 0 s", "10 min 1 s");
    [side, &earlier, &later]
        .iter()
        .any(|side| line.contains(*side))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unwritable_checkpoint_is_found() {
    let fixture = Fixture::new("checkpoint").await;
    let file = fixture.folder.join("a-file");
    fs::write(&file, "").unwrap();
    let problem = problem(&fixture, &fixture.statements(&file.join("checkpoint")));
    assert!(
        problem.starts_with("✗ location") && problem.contains("a-file/checkpoint"),
        "{problem}"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_would_be_refused_are_found() {
    let fixture = Fixture::new("statements").await;
    let checkpoint = fixture.folder.join("checkpoint");
    let right = fixture.statements(&checkpoint);
    let without_place = right.replace(
        "SET streaming.checkpoint_location",
        "SET streaming.query_name",
    );
    for (statements, expected) in [
        (
            format!("{right} INSERT INTO counts (key, data) SELECT partitionKey, data FROM words;"),
            "key",
        ),
        (format!("{right} SELECT nope FROM counts;"), "nope"),
        (
            format!("{right} SELECT count(*) OVER () FROM words;"),
            "OVER",
        ),
        (format!("{right} SELECT * FROM nowhere;"), "nowhere"),
        (without_place, "streaming.checkpoint_location"),
        (
            right.replace("OPTIONS (", "OPTIONS ('kinesis.stsSesionName' 'x', "),
            "'kinesis.stsSessionName'",
        ),
    ] {
        let problem = problem(&fixture, &statements);
        assert!(problem.contains(expected), "{expected}: {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn preparing_statements_run_and_no_records_are_read() {
    let fixture = Fixture::new("preparing").await;
    let checkpoint = fixture.folder.join("checkpoint");
    let lines = fixture.folder.join("lines.csv");
    fs::write(&lines, "word\nif\n").unwrap();
    let statements = format!(
        "{}
         CREATE EXTERNAL TABLE lines STORED AS CSV LOCATION '{}' OPTIONS ('format.has_header' 'true');
         CREATE VIEW keys AS SELECT partitionKey AS key FROM counts;
         CREATE TABLE known AS SELECT key FROM keys JOIN lines ON key = word;
         SELECT count(*) FROM known;
         INSERT INTO counts (partitionKey, data) SELECT word AS partitionKey, word AS data FROM lines;",
        fixture.statements(&checkpoint),
        lines.display()
    );
    let (said, code) = fixture.doctor(&statements);
    assert_eq!(code, Some(0), "{said}");
    assert!(marked(&said, '–').is_empty(), "{said}");
    let home = fixture.accounts.kinesis(HOME).await;
    assert_eq!(records(&home, "counts").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_a_run_accepts_pass() {
    let fixture = Fixture::new("taken").await;
    let right = fixture.statements(&fixture.folder.join("checkpoint"));
    for more in [
        "EXPLAIN SELECT partitionKey FROM words",
        "EXPLAIN INSERT INTO counts (partitionKey, data) SELECT partitionKey, data FROM words",
        "EXPLAIN ANALYZE SELECT * FROM counts",
        "CREATE EXTERNAL TABLE IF NOT EXISTS counts STORED AS \"aws-kinesis\" LOCATION 'counts'",
        "CREATE OR REPLACE EXTERNAL TABLE counts STORED AS \"aws-kinesis\" LOCATION 'counts'",
        "SHOW TABLES",
        "RESET streaming.trigger",
    ] {
        let (said, code) = fixture.doctor(&format!("{right} {more};"));
        assert_eq!(code, Some(0), "{more}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_to_be_created_does_not_hide_another_missing_table() {
    let fixture = Fixture::new("excuses").await;
    let statements = "CREATE EXTERNAL TABLE t STORED AS \"aws-kinesis\" LOCATION 'new'
           OPTIONS ('kinesis.createStream' 'true');
         SELECT * FROM t;
         SELECT * FROM other;";
    let (said, code) = fixture.doctor(statements);
    let problem = one_problem(&said, code);
    assert!(problem.contains("other"), "{problem}");
    let open = marked(&said, '–');
    assert!(
        open.iter().any(|line| line.contains("table t is missing")),
        "{said}"
    );
}

#[test]
fn an_unreadable_file_is_reported() {
    let output = Command::new(env!("CARGO_BIN_EXE_kinesis-sql"))
        .args(["doctor", "-f", "no-such-file.sql"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.starts_with("no-such-file.sql: "), "{stderr}");
}
