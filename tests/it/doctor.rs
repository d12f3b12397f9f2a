//! `kinesis-sql doctor` finds what would stop a run, says what to mend, and leaves nothing behind.

#[cfg(feature = "dynamodb")]
mod dynamodb;
#[cfg(all(feature = "aws", feature = "dynamodb"))]
mod network;
#[cfg(feature = "aws")]
mod s3;

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

/// A user at home whose statements read the stream `words` away by a role, and write `counts` at home.
struct Ground {
    directory: Arc<Directory>,
    sts: LocalSts,
    accounts: Accounts,
    role: String,
    user: String,
    environment: Vec<(&'static str, String)>,
    /// Of Kinesis.
    endpoint: String,
    folder: PathBuf,
}

impl Ground {
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

    /// Statements that are right, after `SET` of a checkpoint at this place.
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

    /// What the doctor says about `statements`, with the exit code.
    fn examined(&self, statements: &str) -> (String, Option<i32>) {
        self.examined_in(REGION, statements)
    }

    fn examined_in(&self, region: &str, statements: &str) -> (String, Option<i32>) {
        let file = self.folder.join("job.sql");
        fs::write(&file, statements).unwrap();
        let endpoint = &self.endpoint;
        let output = Command::new(env!("CARGO_BIN_EXE_kinesis-sql"))
            .args(["doctor", "--endpoint-url", endpoint, "--region", region])
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

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn said(output: &Output) -> (String, Option<i32>) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(stderr, "", "all is on stdout");
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    (stdout, output.status.code())
}

/// The lines of the checks that ended like this.
fn marked(said: &str, mark: char) -> Vec<&str> {
    let lines = said.lines().map(str::trim_start);
    lines.filter(|line| line.starts_with(mark)).collect()
}

/// The one thing that has to be mended.
fn complaint(ground: &Ground, statements: &str) -> String {
    let (said, code) = ground.examined(statements);
    one_complaint(&said, code)
}

fn one_complaint(said: &str, code: Option<i32>) -> String {
    let bad = marked(said, '✗');
    assert_eq!((bad.len(), code), (1, Some(1)), "{said}");
    assert!(said.ends_with("1 problem found\n"), "{said}");
    bad[0].to_owned()
}

/// How many records a stream of two shards holds.
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
async fn where_all_is_well_it_says_so_and_leaves_nothing_behind() {
    let ground = Ground::new("well").await;
    let checkpoint = ground.folder.join("checkpoint");
    let (said, code) = ground.examined(&ground.statements(&checkpoint));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.ends_with("no problems found\n"), "{said}");
    assert!(marked(&said, '–').is_empty(), "{said}");
    let session = format!("arn:aws:sts::{AWAY}:assumed-role/reader/datafusion-kinesis");
    for expected in [
        &session,
        &ground.user,
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
    let home = ground.accounts.kinesis(HOME).await;
    assert_eq!(records(&home, "counts").await, 0);
    assert_eq!(ground.accounts.calls(AWAY, "PutRecords"), 0);
    let left = fs::read_dir(checkpoint.join("offsets")).unwrap().count();
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streaming_statement_that_waits_for_another_or_has_its_checkpoint_is_found() {
    let ground = Ground::new("two").await;
    let checkpoint = ground.folder.join("checkpoint");
    let first = ground.statements(&checkpoint);
    let job = ground.folder.join("job.sql").display().to_string();
    let second = "\nINSERT INTO counts (partitionKey, data)
                  SELECT partitionKey, data FROM words WHERE partitionKey <> 'x';";
    let elsewhere = format!(
        "SET streaming.checkpoint_location = '{}-two';",
        checkpoint.display()
    );
    let now = "SET streaming.trigger = 'available now';";
    let said = complaint(&ground, &format!("{first}{elsewhere}{second}"));
    for part in ["starts only when", &format!("{job}:5"), "available now"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let said = complaint(&ground, &format!("{now}{first}{second}"));
    for part in [
        "uses the checkpoint of",
        &format!("{job}:5"),
        "separate location",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (said, code) = ground.examined(&format!("{now}{first}{elsewhere}{second}"));
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_of_another_query_and_a_stop_lock_are_found() {
    let ground = Ground::new("foreign").await;
    let checkpoint = ground.folder.join("checkpoint");
    fs::create_dir_all(&checkpoint).unwrap();
    let statements = ground.statements(&checkpoint);
    let metadata = |sink: &str| {
        let text = format!(
            r#"{{"version": 1, "id": "a", "created_at": "2026-01-01T00:00:00Z", "sources": [], "sink": "{sink}"}}"#
        );
        fs::write(checkpoint.join("metadata"), text).unwrap();
    };
    metadata("KinesisSink[other]");
    let (said, code) = ground.examined(&statements);
    assert_eq!((marked(&said, '✗').len(), code), (1, Some(1)), "{said}");
    for part in [
        "belongs to another query",
        "KinesisSink[other]",
        "of its own",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let accepted = format!("SET streaming.accept_changed_query = 'true'; {statements}");
    let (said, code) = ground.examined(&accepted);
    assert_eq!(code, Some(0), "{said}");
    metadata("KinesisSink[counts]");
    let (said, code) = ground.examined(&statements);
    assert_eq!(code, Some(0), "{said}");
    fs::write(checkpoint.join("STOP_LOCK"), "").unwrap();
    let said = complaint(&ground, &statements);
    assert!(said.contains("STOP_LOCK  is there"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_to_join_with_that_is_not_there_is_found() {
    let ground = Ground::new("file").await;
    let names = ground.folder.join("names.csv").display().to_string();
    let table = format!(
        "CREATE EXTERNAL TABLE names (id VARCHAR, name VARCHAR) STORED AS CSV LOCATION '{names}';"
    );
    let statements = ground.statements(&ground.folder.join("checkpoint"));
    let joined = statements.replace(
        "data FROM words",
        "name FROM words JOIN names ON partitionKey = id",
    );
    for statement in [joined.as_str(), "SELECT * FROM names;"] {
        let said = complaint(&ground, &format!("{table}{statement}"));
        for part in ["'names'", &names, "does not exist"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_region_is_found() {
    let ground = Ground::new("region").await;
    let checkpoint = ground.folder.join("checkpoint");
    let statements = ground.statements(&checkpoint);
    let (said, code) = ground.examined_in("us-west-2", &statements);
    assert_eq!(code, Some(1));
    let bad = marked(&said, '✗');
    assert_eq!(bad.len(), 2, "{said}");
    for line in bad {
        assert!(
            line.contains("another region") && line.contains("'kinesis.kinesisRegion'"),
            "{line}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_stream_is_found_and_not_made() {
    let ground = Ground::new("missing").await;
    let checkpoint = ground.folder.join("checkpoint");
    let statements = ground.statements(&checkpoint);
    let missing = statements.replace("LOCATION 'counts'", "LOCATION 'count'");
    let complaint = complaint(&ground, &missing);
    assert!(
        complaint.contains("'count' does not exist in region 'eu-west-1'"),
        "{complaint}"
    );

    let made = missing.replace(
        "LOCATION 'count'",
        "LOCATION 'count' OPTIONS ('kinesis.createStream' 'true')",
    );
    let (said, code) = ground.examined(&made);
    assert_eq!(code, Some(0), "{said}");
    let open = marked(&said, '–');
    assert!(open[0].contains("the table creates it"), "{said}");
    assert_eq!(ground.accounts.calls(HOME, "CreateStream"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_action_is_found_for_each_call_that_the_statements_need() {
    let ground = Ground::new("denied").await;
    let checkpoint = ground.folder.join("checkpoint");
    let statements = ground.statements(&checkpoint);
    for (who, action, stream) in [
        (&ground.role, "DescribeStreamSummary", "words"),
        (&ground.role, "ListShards", "words"),
        (&ground.role, "GetShardIterator", "words"),
        (&ground.role, "GetRecords", "words"),
        (&ground.user, "ListShards", "counts"),
        (&ground.user, "PutRecords", "counts"),
    ] {
        let action = format!("kinesis:{action}");
        ground.accounts.deny(who, &action);
        let complaint = complaint(&ground, &statements);
        assert!(
            complaint.contains(&action)
                && (complaint.contains(&format!("stream/{stream}"))
                    || complaint.contains(&format!("allow {action} on stream '{stream}'"))),
            "{complaint}"
        );
        ground.accounts.allow(who, &action);
    }
    // Nobody writes `words` and nobody reads `counts`.
    ground.accounts.deny(&ground.role, "kinesis:PutRecords");
    ground.accounts.deny(&ground.user, "kinesis:GetRecords");
    let (said, code) = ground.examined(&statements);
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_be_assumed_is_found() {
    let ground = Ground::new("role").await;
    let checkpoint = ground.folder.join("checkpoint");
    ground
        .directory
        .change_role(&ground.role, |role| role.trusted.clear());
    let complaint = complaint(&ground, &ground.statements(&checkpoint));
    assert!(
        complaint.contains("sts:AssumeRole") && complaint.contains(&ground.role),
        "{complaint}"
    );
    assert!(!ground.sts.calls("AssumeRole").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_without_sts_leaves_open_who_asks_and_the_rest_is_checked() {
    let mut ground = Ground::new("no-sts").await;
    // Nobody listens there.
    ground
        .environment
        .push(("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1".to_owned()));
    let statements = "CREATE EXTERNAL TABLE counts STORED AS \"aws-kinesis\" LOCATION 'counts';";
    let (said, code) = ground.examined(statements);
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
async fn a_clock_that_is_off_is_found() {
    for (seconds, side) in [(600, "10 min 0 s behind"), (-600, "10 min 0 s ahead of")] {
        let ground = Ground::new(&format!("clock{seconds}")).await;
        let checkpoint = ground.folder.join("checkpoint");
        ground.directory.set_seconds_ahead(seconds);
        let (said, code) = ground.examined(&ground.statements(&checkpoint));
        assert_eq!(code, Some(1));
        let bad = marked(&said, '✗');
        assert!(
            bad.iter()
                .any(|line| line.contains("clock") && near(line, side)),
            "{side}: {said}"
        );
    }
}

/// Whether the words are there, give or take a second that has passed.
fn near(line: &str, side: &str) -> bool {
    let earlier = side.replace("10 min 0 s", "9 min 59 s");
    let later = side.replace("10 min 0 s", "10 min 1 s");
    [side, &earlier, &later]
        .iter()
        .any(|side| line.contains(*side))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_cannot_be_written_is_found() {
    let ground = Ground::new("checkpoint").await;
    let file = ground.folder.join("a-file");
    fs::write(&file, "").unwrap();
    let complaint = complaint(&ground, &ground.statements(&file.join("checkpoint")));
    assert!(
        complaint.starts_with("✗ location") && complaint.contains("a-file/checkpoint"),
        "{complaint}"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_would_be_refused_are_found() {
    let ground = Ground::new("statements").await;
    let checkpoint = ground.folder.join("checkpoint");
    let right = ground.statements(&checkpoint);
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
        let complaint = complaint(&ground, &statements);
        assert!(complaint.contains(expected), "{expected}: {complaint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_prepare_others_are_carried_out_and_nothing_is_read() {
    let ground = Ground::new("preparing").await;
    let checkpoint = ground.folder.join("checkpoint");
    let lines = ground.folder.join("lines.csv");
    fs::write(&lines, "word\nif\n").unwrap();
    let statements = format!(
        "{}
         CREATE EXTERNAL TABLE lines STORED AS CSV LOCATION '{}' OPTIONS ('format.has_header' 'true');
         CREATE VIEW keys AS SELECT partitionKey AS key FROM counts;
         CREATE TABLE known AS SELECT key FROM keys JOIN lines ON key = word;
         SELECT count(*) FROM known;
         INSERT INTO counts (partitionKey, data) SELECT word AS partitionKey, word AS data FROM lines;",
        ground.statements(&checkpoint),
        lines.display()
    );
    let (said, code) = ground.examined(&statements);
    assert_eq!(code, Some(0), "{said}");
    assert!(marked(&said, '–').is_empty(), "{said}");
    let home = ground.accounts.kinesis(HOME).await;
    assert_eq!(records(&home, "counts").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_would_take_is_taken() {
    let ground = Ground::new("taken").await;
    let right = ground.statements(&ground.folder.join("checkpoint"));
    for more in [
        "EXPLAIN SELECT partitionKey FROM words",
        "EXPLAIN INSERT INTO counts (partitionKey, data) SELECT partitionKey, data FROM words",
        "EXPLAIN ANALYZE SELECT * FROM counts",
        "CREATE EXTERNAL TABLE IF NOT EXISTS counts STORED AS \"aws-kinesis\" LOCATION 'counts'",
        "CREATE OR REPLACE EXTERNAL TABLE counts STORED AS \"aws-kinesis\" LOCATION 'counts'",
        "SHOW TABLES",
        "RESET streaming.trigger",
    ] {
        let (said, code) = ground.examined(&format!("{right} {more};"));
        assert_eq!(code, Some(0), "{more}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_to_be_made_excuses_no_other_that_is_missing() {
    let ground = Ground::new("excuses").await;
    let statements = "CREATE EXTERNAL TABLE t STORED AS \"aws-kinesis\" LOCATION 'new'
           OPTIONS ('kinesis.createStream' 'true');
         SELECT * FROM t;
         SELECT * FROM other;";
    let (said, code) = ground.examined(statements);
    let complaint = one_complaint(&said, code);
    assert!(complaint.contains("other"), "{complaint}");
    let open = marked(&said, '–');
    assert!(
        open.iter().any(|line| line.contains("table t is missing")),
        "{said}"
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_kinesis-sql"))
        .args(["doctor", "-f", "no-such-file.sql"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.starts_with("no-such-file.sql: "), "{stderr}");
}
