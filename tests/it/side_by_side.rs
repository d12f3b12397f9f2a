//! `kinesis-sql run`: streaming queries side by side.

use std::process::Command;

use crate::process::{Ended, Running, Server, command};

const STREAMS: &str = "\
CREATE EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words'
  OPTIONS ('kinesis.createStream' 'true');
CREATE EXTERNAL TABLE a STORED AS \"aws-kinesis\" LOCATION 'a'
  OPTIONS ('kinesis.createStream' 'true');
CREATE EXTERNAL TABLE b STORED AS \"aws-kinesis\" LOCATION 'b'
  OPTIONS ('kinesis.createStream' 'true');
";

const LIVE: &str = "\
CREATE UNBOUNDED EXTERNAL TABLE live STORED AS \"aws-kinesis\" LOCATION 'words'
  OPTIONS ('kinesis.startingPosition' 'TRIM_HORIZON');
";

const COPY: &str = "INSERT INTO a (partitionKey, data) SELECT partitionKey, data FROM live;\n";
const LONG: &str = "INSERT INTO b (partitionKey, data) SELECT partitionKey, data FROM live WHERE length(data) > 1;\n";

fn run(arguments: &[&str]) -> Ended {
    Running::spawn(command().arg("run").args(arguments)).wait()
}

/// `run` with statements over the streams of a server.
fn over(server: &Server, text: &str) -> Command {
    let mut run = command();
    run.args([
        "run",
        "--endpoint-url",
        &server.url,
        "--region",
        "us-east-1",
    ])
    .env("AWS_ACCESS_KEY_ID", "test")
    .env("AWS_SECRET_ACCESS_KEY", "test")
    .args(["-c", text]);
    run
}

/// Waits until a stream has this many rows.
fn until_rows(server: &Server, stream: &str, rows: u64) {
    let count = format!("{STREAMS} SELECT count(*) AS n FROM {stream}");
    while server.csv(&count).lines().last() != Some(&rows.to_string()) {
        std::thread::yield_now();
    }
}

fn put(server: &Server, rows: &str) {
    server.csv(&format!(
        "{STREAMS} INSERT INTO words (partitionKey, data) VALUES {rows}"
    ));
}

fn checkpoint(name: &str) -> String {
    let folder = crate::support::folder(name);
    format!(
        "SET streaming.checkpoint_location = 'file://{}';\n",
        folder.display()
    )
}

#[test]
fn endless_queries_of_one_file_run_at_the_same_time_until_a_signal() {
    let server = Server::start();
    server.csv(STREAMS);
    let text = format!("{STREAMS}{LIVE}{}{COPY}{LONG}", checkpoint("run-endless"));
    for (round, signal, code) in [(1, "-INT", 0), (2, "-TERM", 143)] {
        let run = Running::spawn(&mut over(&server, &text));
        put(&server, "('k', 'x'), ('k', 'yy')");
        until_rows(&server, "a", 2 * round);
        until_rows(&server, "b", round);
        run.signal(signal);
        let ended = run.wait();
        assert_eq!(ended.status.code(), Some(code), "{:#?}", ended.stderr);
        for line in ["-c:10: ", "-c:11: "] {
            let summary = ended.stderr.iter().find(|said| said.starts_with(line));
            let summary = summary.unwrap_or_else(|| panic!("{:#?}", ended.stderr));
            assert!(summary.contains("2 rows read"), "{summary}");
        }
    }
}

#[test]
fn each_query_has_the_settings_before_it() {
    let text = format!(
        "{STREAMS} INSERT INTO words (partitionKey, data) VALUES ('k', 'x'), ('k', 'x');
         {LIVE}
         SET streaming.trigger = 'available now';
         SET streaming.checkpoint_location = 'memory://run-settings';
         SET streaming.output_mode = 'update';
         INSERT INTO a (partitionKey, data)
           SELECT data, CAST(count(*) AS VARCHAR) FROM (SELECT CAST(data AS VARCHAR) AS data FROM live) GROUP BY data;
         SET streaming.output_mode = 'append';
         {LONG}"
    );
    let ended = run(&["--embedded", "-c", &text]);
    assert_eq!(ended.status.code(), Some(0), "{:#?}", ended.stderr);
    // In mode `append` without a watermark, the first statement would be refused.
    let reads = ended
        .stderr
        .iter()
        .filter(|line| line.contains("2 rows read"));
    assert_eq!(reads.count(), 2, "{:#?}", ended.stderr);
}

#[test]
fn a_failed_query_leaves_the_others_alone_unless_the_command_fails_fast() {
    let failing = "INSERT INTO b (partitionKey, data) SELECT partitionKey, CAST(CAST(CAST(data AS VARCHAR) AS INT) AS VARCHAR) FROM live;";
    for fails_fast in [false, true] {
        let server = Server::start();
        put(&server, "('k', 'x')");
        let text = format!(
            "{STREAMS}{LIVE}{}{COPY}{failing}",
            checkpoint("run-failing")
        );
        let mut command = over(&server, &text);
        if fails_fast {
            command.arg("--fail-fast");
        }
        let run = Running::spawn(&mut command);
        let said = run.until_stderr_contains("-c:11: ");
        assert!(said.join("\n").contains("batch 0"), "{said:#?}");
        if !fails_fast {
            put(&server, "('k', 'y')");
            until_rows(&server, "a", 2);
            run.signal("-INT");
        }
        assert_eq!(run.wait().status.code(), Some(1));
    }
}

#[test]
fn what_cannot_run_side_by_side_is_refused_with_its_line() {
    let ended = run(&["--embedded"]);
    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.stderr.join("\n").contains("-f FILE or -c SQL"));
    let select = format!("{STREAMS}{LIVE}SELECT data FROM live;");
    let ended = run(&["--embedded", "-c", &select]);
    assert_eq!(ended.status.code(), Some(1));
    let said = ended.stderr.join("\n");
    assert!(
        said.contains("-c:9: ") && said.contains("has no target"),
        "{said}"
    );
}
