//! `kinesis-sql --expand-env`: environment variables in literals, whose values nothing shows or stores.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::process::{Server, command, folder};

/// A job that copies the records of a stream, with a value in its statement.
const JOB: &str = "\
CREATE UNBOUNDED EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION '${STREAM}'
  OPTIONS ('kinesis.startingPosition' 'TRIM_HORIZON');
CREATE EXTERNAL TABLE copies STORED AS \"aws-kinesis\" LOCATION '${COPY:-copies}';
SET streaming.trigger = 'available now';
SET streaming.output_mode = 'complete';
SET streaming.checkpoint_location = '${CHECKPOINT}';
INSERT INTO copies (partitionKey, data)
  SELECT partitionKey || '${SALT}', CAST(count(*) AS VARCHAR) FROM words GROUP BY partitionKey || '${SALT}';
";

/// A job without groups.
const COPY: &str = "\
INSERT INTO copies (partitionKey, data) SELECT partitionKey || '${SALT}', data FROM words;
";

const SALT: &str = "canary-salt";

/// A job on a server with its streams.
struct Fixture {
    server: Server,
    folder: PathBuf,
}

impl Fixture {
    fn new() -> Self {
        let server = Server::start();
        let create = |name: &str| {
            format!(
                "CREATE EXTERNAL TABLE {name} STORED AS \"aws-kinesis\" LOCATION '{name}'
                   OPTIONS ('kinesis.createStream' 'true');"
            )
        };
        server.csv(&format!(
            "{}{}INSERT INTO words (partitionKey, data) VALUES ('k', 'x')",
            create("words"),
            create("copies")
        ));
        let folder = folder("expand-env");
        fs::write(folder.join("job.sql"), JOB).unwrap();
        Self { server, folder }
    }

    /// The command on the job, with this salt.
    fn job(&self, arguments: &[&str], salt: &str) -> Command {
        let mut client = self.server.client();
        client
            .args(arguments)
            .args(["--expand-env", "-f"])
            .arg(self.folder.join("job.sql"))
            .env("STREAM", "words")
            .env("CHECKPOINT", self.folder.join("checkpoint"))
            .env("SALT", salt);
        client
    }
}

fn shown(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// The content of all files below `folder`.
fn content(folder: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.push_str(&content(&path)),
            false => all.push_str(&String::from_utf8_lossy(&fs::read(path).unwrap())),
        }
    }
    all
}

/// The doctor writes to the checkpoint location, so it is another command than the run.
fn doctor(fixture: &Fixture, salt: &str) -> Output {
    let mut doctor = command();
    doctor
        .args(["doctor", "--endpoint-url", &fixture.server.url])
        .args(["--region", "us-east-1", "--expand-env", "-f"])
        .arg(fixture.folder.join("job.sql"))
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("STREAM", "words")
        .env("CHECKPOINT", fixture.folder.join("checkpoint"))
        .env("SALT", salt);
    doctor.output().unwrap()
}

#[test]
fn a_job_runs_with_its_variables_and_stores_no_value() {
    let fixture = Fixture::new();
    let run = fixture.job(&[], SALT).output().unwrap();
    assert!(run.status.success(), "{}", shown(&run));
    let copied = fixture.server.csv(
        "CREATE EXTERNAL TABLE copies STORED AS \"aws-kinesis\" LOCATION 'copies'; \
         SELECT partitionKey FROM copies",
    );
    assert_eq!(copied, format!("partitionKey\nk{SALT}\n"));
    let checkpoint = content(&fixture.folder.join("checkpoint/offsets"))
        + &content(&fixture.folder.join("checkpoint/commits"))
        + &fs::read_to_string(fixture.folder.join("checkpoint/metadata")).unwrap();
    assert!(checkpoint.contains("${SALT}"), "{checkpoint}");
    assert!(!checkpoint.contains(SALT), "{checkpoint}");
}

#[test]
fn a_changed_value_is_another_query() {
    for groups in [true, false] {
        let fixture = Fixture::new();
        if !groups {
            let (before, _) = JOB.split_once("INSERT INTO").unwrap();
            let before = before.replace("'complete'", "'append'");
            fs::write(fixture.folder.join("job.sql"), format!("{before}{COPY}")).unwrap();
        }
        let run = |salt: &str| fixture.job(&[], salt).output().unwrap();
        for _ in 0..2 {
            let again = run(SALT);
            assert!(again.status.success(), "{}", shown(&again));
        }
        let refused = run("canary-pepper");
        let said = shown(&refused);
        assert_eq!(refused.status.code(), Some(1), "{said}");
        let expected = match groups {
            true => "state of another aggregation",
            false => "values of its environment variables are not those",
        };
        assert!(
            said.contains(expected) && said.contains("${SALT}"),
            "{said}"
        );
        assert!(
            said.contains("FROM words") && !said.contains("canary"),
            "{said}"
        );
        let said = shown(&doctor(&fixture, "canary-pepper"));
        assert!(
            said.contains("belongs to another query") && !said.contains("canary"),
            "{said}"
        );
        let said = shown(&doctor(&fixture, SALT));
        assert!(
            !said.contains("another query") && !said.contains("canary"),
            "{said}"
        );
    }
}

#[test]
fn logs_plans_and_errors_hide_values() {
    let fixture = Fixture::new();
    let table = "CREATE EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words' \
                 OPTIONS ('kinesis.endpointUrl' '${URL}')";
    for statement in [
        "EXPLAIN SELECT * FROM words WHERE partitionKey = '${NAME}'",
        "SHOW CREATE TABLE words",
        "SELECT arrow_cast(1, '${NAME}')",
        "SELECT no_such_column, '${NAME}x' FROM words",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/nowhere/${NAME}.csv'; SELECT * FROM t",
    ] {
        let output = fixture
            .server
            .client()
            .args(["--expand-env", "-c", &format!("{table}; {statement}")])
            .env("RUST_LOG", "trace")
            .env("NAME", "canary-name")
            .env("URL", &fixture.server.url)
            .output()
            .unwrap();
        let said = shown(&output);
        assert!(
            said.contains("DescribeStreamSummary"),
            "the run is traced: {said}"
        );
        assert!(said.contains("${"), "{statement}: {said}");
        let is_value = |line: &&str| line.contains("canary") || line.contains(&fixture.server.url);
        let line = said.lines().find(is_value);
        assert!(line.is_none(), "{statement}: {line:?}");
    }
}

#[test]
fn an_unset_variable_fails_before_any_statement_runs() {
    let folder = folder("expand-env-unset");
    let file = folder.join("job.sql");
    for (second, line, expected) in [
        (
            "SELECT\n  '${NOWHERE_SET}'",
            3,
            "environment variable 'NOWHERE_SET' is not set",
        ),
        ("SELECT '${not closed'", 2, "expected '${NAME}'"),
    ] {
        fs::write(&file, format!("SELECT 'first';\n{second};\n")).unwrap();
        let run = command().args(["--expand-env", "-f"]).arg(&file).output();
        let run = run.unwrap();
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        let place = format!("{}:{line}: ", file.display());
        assert!(
            said.starts_with(&place) && said.contains(expected),
            "{said}"
        );
        assert_eq!(
            (run.status.code(), run.stdout.len()),
            (Some(1), 0),
            "{said}"
        );
        let mut doctor = command();
        doctor.args(["doctor", "--expand-env", "-f"]).arg(&file);
        let doctor = doctor.output().unwrap();
        let said = shown(&doctor);
        assert!(
            said.contains(&format!("job.sql:{line}")) && said.contains(expected),
            "{said}"
        );
        assert_eq!(doctor.status.code(), Some(1), "{said}");
    }
}

#[test]
fn values_are_only_replaced_on_request() {
    let select = "SELECT '${WORD}' AS a, '$${WORD}' AS b";
    for (arguments, expected) in [
        (
            ["--output", "csv", "--expand-env"].as_slice(),
            "a,b\nit's,${WORD}\n",
        ),
        (&["--output", "csv"], "a,b\n${WORD},$${WORD}\n"),
    ] {
        let mut run = command();
        run.args(arguments).args(["-c", select]).env("WORD", "it's");
        let output = run.output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            expected,
            "{}",
            shown(&output)
        );
    }
}

#[test]
fn statements_of_stdin_have_variables_too() {
    let statements = folder("expand-env-stdin").join("in.sql");
    fs::write(
        &statements,
        "SELECT '${WORD}' AS a;\nSELECT '${NOWHERE_SET}';",
    )
    .unwrap();
    let output = command()
        .args(["--output", "csv", "--expand-env"])
        .env("WORD", "one")
        .stdin(fs::File::open(statements).unwrap())
        .output()
        .unwrap();
    let said = shown(&output);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "a\none\n",
        "{said}"
    );
    assert!(
        said.contains("<stdin>:2: environment variable 'NOWHERE_SET'"),
        "{said}"
    );
    assert_eq!(output.status.code(), Some(1));
}
