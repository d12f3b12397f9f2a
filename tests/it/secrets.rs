//! Neither the command's output nor checkpoint files contain secrets, even at the highest log
//! level.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use datafusion_kinesis::kinesis::Kinesis;
use datafusion_kinesis::model::StreamName;

use crate::aws::{Accounts, Directory, LocalSts, Role};
use crate::support::folder;

const TABLE: &str = "CREATE EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words' \
    OPTIONS ('kinesis.createStream' 'true', 'kinesis.awsAccessKeyId' 'AKIDEXAMPLE', \
             'kinesis.awsSecretKey' 'canary-secret', 'kinesis.sessionToken' 'canary-token')";

/// All output of a run at log level trace.
fn traced(statements: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_kinesis-sql"))
        .args(["--embedded", "-c", statements])
        .env("RUST_LOG", "trace")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

#[test]
fn logs_plans_results_and_errors_hide_secrets() {
    for statement in [
        "INSERT INTO words (partitionKey, data) VALUES ('a', 'b'); SELECT * FROM words",
        "EXPLAIN ANALYZE VERBOSE SELECT * FROM words",
        "SELECT no_such_column FROM words",
        "CREATE EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words' OPTIONS ('kinesis.awsSecretKey' 'canary-secret')",
    ] {
        let shown = traced(&format!("{TABLE}; {statement}"));
        assert!(
            shown.contains("DescribeStreamSummary"),
            "the run is traced: {shown}"
        );
        let line = shown.lines().find(|line| line.contains("canary"));
        assert!(line.is_none(), "{statement}: {line:?}");
    }
}

const HOME: &str = "111122223333";
const AWAY: &str = "444455556666";
const EXTERNAL_ID: &str = "canary-external-id";
const WEB_TOKEN: &str = "canary.web.token";

/// A user whose keys are in the options, and two roles of another account: one that requires an
/// external id, and one for a web identity.
struct Fixture {
    directory: Arc<Directory>,
    sts: LocalSts,
    accounts: Accounts,
    options: String,
    role: String,
    web_role: String,
    folder: PathBuf,
}

impl Fixture {
    async fn new() -> Self {
        let directory = Arc::new(Directory::default());
        let user = directory.add_user(HOME, "ada");
        let mut role = Role::new(AWAY, "reader").trusting(&user.arn);
        role.external_id = Some(EXTERNAL_ID.to_owned());
        let role = directory.add_role(role);
        let mut web_role = Role::new(AWAY, "web");
        web_role.web_identity_token = Some(WEB_TOKEN.to_owned());
        let web_role = directory.add_role(web_role);
        let sts = LocalSts::start(&directory).await;
        let accounts = Accounts::start(&directory, "us-east-1").await;
        let kinesis = accounts.kinesis(AWAY).await;
        for stream in ["words", "counts"] {
            let stream = StreamName::new(stream).unwrap();
            kinesis.create_stream(&stream, 1).await.unwrap();
        }
        let folder = folder("secrets");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("token"), WEB_TOKEN).unwrap();
        let options = format!(
            ", 'kinesis.awsAccessKeyId' '{}', 'kinesis.awsSecretKey' '{}', 'kinesis.stsRoleArn' '{role}', \
             'kinesis.stsExternalId' '{EXTERNAL_ID}', 'kinesis.stsEndpointUrl' '{}'",
            user.access_key_id,
            user.secret,
            sts.endpoint_url()
        );
        Self {
            directory,
            sts,
            accounts,
            options,
            role,
            web_role,
            folder,
        }
    }

    /// Tables with these options, and a streaming GROUP BY over them.
    fn statements(&self, options: &str, checkpoint: &str) -> String {
        let options = format!("OPTIONS ('kinesis.startingPosition' 'TRIM_HORIZON'{options})");
        let checkpoint = self.folder.join(checkpoint);
        format!(
            "CREATE EXTERNAL TABLE rows STORED AS \"aws-kinesis\" LOCATION 'words' {options};
             CREATE UNBOUNDED EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words' {options};
             CREATE EXTERNAL TABLE counts STORED AS \"aws-kinesis\" LOCATION 'counts' {options};
             SET streaming.checkpoint_location = '{}';
             SET streaming.trigger = 'available now';
             SET streaming.output_mode = 'update';
             INSERT INTO rows (partitionKey, data) VALUES ('a', 'x'), ('b', 'y');
             EXPLAIN VERBOSE SELECT * FROM rows;
             EXPLAIN ANALYZE VERBOSE SELECT * FROM rows;
             EXPLAIN SELECT partitionKey, count(*) FROM words GROUP BY partitionKey;
             INSERT INTO counts (partitionKey, data)
               SELECT partitionKey, CAST(count(*) AS VARCHAR) FROM words GROUP BY partitionKey;",
            checkpoint.display()
        )
    }

    /// All output of a run with these arguments and this stdin.
    fn shown(&self, arguments: &[&str], environment: &[(&str, &str)], input: &str) -> String {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kinesis-sql"))
            .args(arguments)
            .args(["--endpoint-url", &self.accounts.endpoint_url()])
            .args(["--region", "us-east-1"])
            .env_clear()
            .env("HOME", &self.folder)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("RUST_LOG", "trace")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        text(&output.stdout) + &text(&output.stderr)
    }
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_output_or_file_contains_a_secret_of_a_user_or_session() {
    let fixture = Fixture::new().await;
    let right = fixture.statements(&fixture.options, "right");
    let file = fixture.folder.join("job.sql");
    fs::write(&file, &right).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let wrong_id = right.replace(EXTERNAL_ID, "canary-wrong-id");
    let typo = right.replace("stsExternalId", "stsExternalld");
    let open = right.replace(
        "'kinesis.stsExternalId' '",
        "'kinesis.stsExternalId' 'no spaces ",
    );
    let token_file = fixture.folder.join("token");
    let (sts, token_file) = (fixture.sts.endpoint_url(), token_file.to_str().unwrap());
    let web = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token_file),
        ("AWS_ROLE_ARN", fixture.web_role.as_str()),
        ("AWS_ENDPOINT_URL_STS", sts.as_str()),
    ];
    let none: &[(&str, &str)] = &[];
    let mut shown = vec![
        fixture.shown(&["doctor", "-f", &file], none, ""),
        fixture.shown(&["-f", &file], none, ""),
        fixture.shown(&["-c", &right, "--output", "json"], none, ""),
        fixture.shown(&[], none, &right),
        fixture.shown(&["-c", &wrong_id], none, ""),
        fixture.shown(&["-c", &typo], none, ""),
        fixture.shown(&["-c", &open], none, ""),
        fixture.shown(&["-c", &fixture.statements("", "web")], &web, ""),
    ];
    assert!(
        shown[1].contains("AssumeRole") && !shown[1].contains("job.sql:"),
        "{}",
        shown[1]
    );
    assert!(
        shown[7].contains("AssumeRoleWithWebIdentity"),
        "{}",
        shown[7]
    );
    fixture.accounts.deny(&fixture.role, "kinesis:GetRecords");
    shown.push(fixture.shown(&["-f", &file], none, ""));
    assert!(
        shown[8].contains("allow kinesis:GetRecords"),
        "{}",
        shown[8]
    );
    fixture.accounts.allow(&fixture.role, "kinesis:GetRecords");
    fixture
        .directory
        .change_role(&fixture.role, |role| role.trusted.clear());
    shown.push(fixture.shown(&["doctor", "-f", &file], none, ""));
    shown.push(fixture.shown(&["-f", &file], none, ""));

    let mut secrets: BTreeSet<String> = fixture.directory.secrets().into_iter().collect();
    assert!(secrets.len() >= 10, "several sessions were issued");
    secrets.extend([EXTERNAL_ID, "canary-wrong-id", WEB_TOKEN].map(str::to_owned));
    for text in &shown {
        for secret in &secrets {
            let line = text.lines().find(|line| line.contains(secret.as_str()));
            assert!(line.is_none(), "{secret}: {line:?}");
        }
    }
    fs::remove_file(token_file).unwrap();
    fs::remove_file(file).unwrap();
    let kept = files(&fixture.folder);
    for part in ["right/offsets", "right/state", "web/offsets", "web/state"] {
        let part = fixture.folder.join(part);
        assert!(
            kept.iter().any(|file| file.starts_with(&part)),
            "{part:?} in {kept:?}"
        );
    }
    for path in kept {
        let content = fs::read(&path).unwrap();
        let content = String::from_utf8_lossy(&content);
        for secret in &secrets {
            assert!(!content.contains(secret.as_str()), "{secret} in {path:?}");
        }
    }
    fs::remove_dir_all(&fixture.folder).unwrap();
}
