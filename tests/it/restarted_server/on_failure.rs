//! `--restart on-failure`: a query whose target goes away, and one that is denied.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener as Listener;
use std::thread::{self, JoinHandle};

use datafusion_kinesis::kinesis::{ApiError, Operation};
use serde_json::Value;

use super::*;
use crate::process::{Ended, folder};

/// A query that copies `words` of one server to `copies` of another.
struct Copying {
    source: Restarted,
    target: Restarted,
    query: String,
}

impl Copying {
    fn new(name: &str) -> Self {
        let (source, target) = (Restarted::start(), Restarted::start());
        let checkpoint = folder(name);
        let query = format!(
            "CREATE UNBOUNDED EXTERNAL TABLE live STORED AS \"aws-kinesis\" LOCATION 'words'
               OPTIONS ('kinesis.startingPosition' 'TRIM_HORIZON', 'kinesis.endpointUrl' '{}');
             CREATE EXTERNAL TABLE copies STORED AS \"aws-kinesis\" LOCATION 'words'
               OPTIONS ('kinesis.endpointUrl' '{}', 'kinesis.sink.recordTtl' '100',
                        'kinesis.clientNumRetries' '1', 'kinesis.clientRetryIntervalsMs' '100');
             SET streaming.checkpoint_location = 'file://{}';
             INSERT INTO copies (partitionKey, data) SELECT partitionKey, data FROM live;",
            source.url,
            target.url,
            checkpoint.display()
        );
        Self {
            source,
            target,
            query,
        }
    }

    fn run(&self, arguments: &[&str]) -> Running {
        let mut command = client(&self.source.url);
        command.env("RUST_LOG", "warn,datafusion_kinesis::query=info");
        Running::spawn(command.args(arguments).args(["-c", &self.query]))
    }

    /// The numbers that were copied, without repetition.
    fn copies(&self) -> Vec<u32> {
        let copies = crate::process::csv(
            &self.target.url,
            "CREATE EXTERNAL TABLE copies STORED AS \"aws-kinesis\" LOCATION 'words';
             SELECT DISTINCT CAST(CAST(data AS VARCHAR) AS INT) AS number FROM copies ORDER BY number;",
        );
        let lines = copies.lines().skip(1);
        lines.map(|line| line.parse().unwrap()).collect()
    }
}

fn restarts(ended: &Ended) -> usize {
    let lines = ended.stderr.iter();
    lines.filter(|line| line.starts_with("restart ")).count()
}

#[test]
fn a_query_goes_on_once_its_target_is_back() {
    let mut copying = Copying::new("on-failure-back");
    let running = copying.run(&["--restart", "on-failure"]);
    copying.source.put(0..100);
    running.until_stderr_contains("batch 0: ");
    copying.target.stop();
    copying.source.put(100..200);
    running.until_stderr_contains("restart 1 in ");
    running.until_stderr_contains("restart 2 in ");
    copying.target.come_back_after(1);
    running.until_stderr_contains("batch 1: ");
    copying.source.put(200..300);
    let all: Vec<u32> = (0..300).collect();
    // Each look takes a while.
    let mut looks = (0..100).map(|_| copying.copies());
    assert!(looks.any(|copies| copies == all));
    running.signal("-TERM");
    let ended = running.wait();
    assert_eq!(ended.status.code(), Some(143), "{:#?}", ended.stderr);
}

#[test]
fn the_limit_and_signals_end_the_restarts() {
    let copying = Copying::new("on-failure-limit");
    copying.source.put(0..10);
    let running = copying.run(&["--restart", "on-failure", "--restart-limit", "1"]);
    running.until_stderr_contains("batch 0: ");
    copying.target.stop();
    copying.source.put(10..20);
    let ended = running.wait();
    assert_eq!(ended.status.code(), Some(1), "{:#?}", ended.stderr);
    assert_eq!(restarts(&ended), 1, "{:#?}", ended.stderr);
    let gives_up = "giving up; restarts in a row: 1".to_owned();
    assert!(ended.stderr.contains(&gives_up), "{:#?}", ended.stderr);

    // The tables cannot be declared while the target is away.
    let running = copying.run(&["--restart", "on-failure"]);
    running.until_stderr_contains("restart 3 in ");
    running.signal("-TERM");
    assert_eq!(running.wait().status.code(), Some(143));
    let ended = copying.run(&[]).wait();
    assert_eq!((ended.status.code(), restarts(&ended)), (Some(1), 0));
}

#[test]
fn a_denied_query_is_not_restarted() {
    let copying = Copying::new("on-failure-denied");
    let running = copying.run(&["--restart", "on-failure"]);
    copying.source.put(0..10);
    running.until_stderr_contains("batch 0: ");
    let denied = ApiError::from_code(Operation::GetRecords, "AccessDeniedException", "not you");
    let kinesis = &copying.source.kinesis;
    kinesis.fail_next(Operation::GetRecords, denied);
    let ended = running.wait();
    assert_eq!(ended.status.code(), Some(1), "{:#?}", ended.stderr);
    assert_eq!(restarts(&ended), 0, "{:#?}", ended.stderr);
    let said = ended.stderr.join("\n");
    assert!(said.contains("not you"), "{said}");
}

/// A server that answers with these statuses, one per connection. Returns its URL, and the bodies that it got.
fn webhook(statuses: &'static [u16]) -> (String, JoinHandle<Vec<String>>) {
    let listener = Listener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "http://{}/canary path?key=canary",
        listener.local_addr().unwrap()
    );
    let served = thread::spawn(move || {
        let answered = statuses.iter().map(|status| {
            let (mut connection, _) = listener.accept().unwrap();
            let mut request = BufReader::new(connection.try_clone().unwrap());
            let (mut head, mut line) = (String::new(), String::new());
            while line != "\r\n" {
                line.clear();
                request.read_line(&mut line).unwrap();
                head.push_str(&line.to_lowercase());
            }
            assert!(
                head.starts_with("post /canary%20path?key=canary "),
                "{head}"
            );
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.unwrap().parse().unwrap()];
            request.read_exact(&mut body).unwrap();
            let end = "content-length: 0\r\nconnection: close\r\n\r\n";
            write!(connection, "HTTP/1.1 {status} x\r\n{end}").unwrap();
            String::from_utf8(body).unwrap()
        });
        answered.collect()
    });
    (url, served)
}

/// Denies a query that has begun to run, and returns what its webhook got and what the command said.
fn deny_and_tell(name: &str, statuses: &'static [u16]) -> (Vec<String>, String) {
    let mut copying = Copying::new(name);
    let (url, served) = webhook(statuses);
    let settings =
        format!("SET streaming.query_name = 'copying'; SET streaming.alarm_webhook = '{url}';");
    copying.query = format!("{settings} {}", copying.query);
    let running = copying.run(&[]);
    copying.source.put(0..10);
    running.until_stderr_contains("batch 0: ");
    let denied = ApiError::from_code(Operation::GetRecords, "AccessDeniedException", "not you");
    copying
        .source
        .kinesis
        .fail_next(Operation::GetRecords, denied);
    let ended = running.wait();
    assert_eq!(ended.status.code(), Some(1));
    let said = ended.stderr.join("\n");
    assert!(!said.contains("canary"), "{said}");
    (served.join().unwrap(), said)
}

#[test]
fn a_webhook_is_told_before_the_command_ends() {
    let (bodies, said) = deny_and_tell("on-failure-webhook", &[503, 200]);
    assert_eq!(bodies[0], bodies[1], "{said}");
    let told: Value = serde_json::from_str(&bodies[0]).unwrap();
    assert_eq!(told["name"], "copying");
    assert_eq!(
        (&told["previous"], &told["state"]),
        (&"healthy".into(), &"unhealthy".into())
    );
    assert_eq!(told["reasons"][0]["alarm"], "failed");
    let message = told["reasons"][0]["message"].as_str().unwrap();
    assert!(message.contains("not you"), "{message}");
    assert!(!said.contains("cannot post"), "{said}");
}

#[test]
fn a_webhook_that_refuses_is_logged_without_its_path() {
    let (_, said) = deny_and_tell("on-failure-refused-webhook", &[404]);
    assert_gave_up(&said, &["it answers with status 404", "tries=1"]);
}

#[test]
fn the_end_of_a_query_waits_for_all_tries_of_its_webhook() {
    let (bodies, said) = deny_and_tell("on-failure-failing-webhook", &[503, 503, 503]);
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    assert_gave_up(&said, &["it answers with status 503", "tries=3"]);
}

fn assert_gave_up(said: &str, parts: &[&str]) {
    let mut lines = said.lines();
    let warning = lines.find(|line| line.contains("cannot post a change of health"));
    let warning = warning.unwrap_or_else(|| panic!("{said}"));
    for part in parts.iter().chain(&["127.0.0.1"]) {
        assert!(warning.contains(part), "{warning}");
    }
}
