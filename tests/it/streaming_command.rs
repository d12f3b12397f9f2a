//! Streaming statements in the built command: output and termination.

use std::fs;

use crate::process::{Ended, Running, command, folder};

/// A stream of one shard with two records, and an unbounded table that reads one record per batch.
const TWO_RECORDS: &str = "\
CREATE EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words'
  OPTIONS ('kinesis.createStream' 'true');
INSERT INTO words (partitionKey, data) VALUES ('k', 'a'), ('k', 'b');
CREATE UNBOUNDED EXTERNAL TABLE live STORED AS \"aws-kinesis\" LOCATION 'words'
  OPTIONS ('kinesis.startingPosition' 'TRIM_HORIZON', 'kinesis.maxFetchRecordsPerShard' '1');
SET streaming.checkpoint_location = 'memory://checkpoint';
";

/// Selects the records as text.
const SELECT: &str = "SELECT CAST(data AS VARCHAR) AS word FROM live;\n";

const AVAILABLE_NOW: &str = "SET streaming.trigger = 'available now';\n";

/// Runs statements to their end.
fn run(format: &str, statements: &str) -> Ended {
    let args = ["--embedded", "--output", format, "-c", statements];
    Running::spawn(command().args(args)).wait()
}

/// The stdout of a successful run without messages.
fn printed(ended: &Ended) -> String {
    assert!(ended.status.success(), "{:#?}", ended.stderr);
    assert_eq!(ended.stderr, [""; 0]);
    ended.stdout.join("\n")
}

#[test]
fn table_output_has_one_frame_per_batch_with_rows() {
    let frame = |word| format!("+------+\n| word |\n+------+\n| {word}    |\n+------+\n");
    let statements = format!("{TWO_RECORDS}{AVAILABLE_NOW}{SELECT}{SELECT}");
    let mut ended = run("table", &statements);
    // The second SELECT continues after the first and finds nothing; neither prints anything else.
    assert_eq!(ended.stderr.remove(0), "2 rows written");
    assert_eq!(printed(&ended) + "\n", frame("a") + &frame("b"));
}

#[test]
fn a_batch_without_matching_rows_prints_nothing() {
    let none = "SELECT data FROM live WHERE partitionKey = 'other';";
    let ended = run("table", &format!("{TWO_RECORDS}{AVAILABLE_NOW}{none}"));
    assert_eq!(ended.stdout, [""; 0]);
    assert_eq!(ended.stderr, ["2 rows written"]);
    assert_eq!(ended.status.code(), Some(0));
}

#[test]
fn the_summary_counts_rows_without_an_event_time() {
    let statements = format!(
        "CREATE EXTERNAL TABLE raw STORED AS \"aws-kinesis\" LOCATION 'times' OPTIONS ('kinesis.createStream' 'true');
         INSERT INTO raw (partitionKey, data) VALUES ('a', '{{\"ts\":\"2300-01-01T00:00:00Z\"}}'), ('b', '{{}}');
         CREATE UNBOUNDED EXTERNAL TABLE live (ts TIMESTAMP(3)) STORED AS \"aws-kinesis\" LOCATION 'times'
           OPTIONS ('kinesis.format' 'json', 'kinesis.startingPosition' 'TRIM_HORIZON');
         {AVAILABLE_NOW}
         SET streaming.checkpoint_location = 'memory://times';
         SET streaming.watermark_delay = '1 second';
         CREATE TABLE kept (minute TIMESTAMP(3), n BIGINT);
         INSERT INTO kept SELECT window_start, count(*) FROM live GROUP BY tumble(ts, INTERVAL '1 minute');"
    );
    let ended = run("csv", &statements);
    let summary = ended.stderr.last().unwrap();
    let expected =
        ", 2 rows read, 1 row dropped that came after the watermark or had no event time";
    assert!(summary.ends_with(expected), "{summary}");
}

#[test]
fn csv_prints_its_header_once_even_without_rows() {
    let statements = format!("{TWO_RECORDS}{AVAILABLE_NOW}{SELECT}{SELECT}");
    let ended = run("csv", &statements);
    assert_eq!(printed(&ended), "count\n2\nword\na\nb\nword");
}

#[test]
fn json_prints_one_object_per_line() {
    let ended = run("json", &format!("{TWO_RECORDS}{AVAILABLE_NOW}{SELECT}"));
    assert_eq!(
        printed(&ended),
        "{\"count\":2}\n{\"word\":\"a\"}\n{\"word\":\"b\"}"
    );
}

#[test]
fn an_insert_prints_a_summary_instead_of_rows() {
    let statements = format!(
        "{TWO_RECORDS}{AVAILABLE_NOW}
         CREATE TABLE kept (word VARCHAR);
         INSERT INTO kept SELECT CAST(data AS VARCHAR) FROM live;
         SELECT word FROM kept ORDER BY word"
    );
    let mut ended = run("csv", &statements);
    assert_eq!(ended.stderr.pop().unwrap(), "2 batches, 2 rows read");
    assert_eq!(printed(&ended), "count\n2\nword\na\nb");
}

#[test]
fn explain_shows_the_plan_of_a_batch() {
    for explain in ["EXPLAIN", "EXPLAIN VERBOSE"] {
        let ended = run("csv", &format!("{TWO_RECORDS}{explain} {SELECT}"));
        let plan = printed(&ended);
        assert!(plan.contains("TableScan: live"), "{explain}: {plan}");
        let read = "KinesisReadExec: stream=words, batch by batch";
        assert!(plan.contains(read), "{explain}: {plan}");
        assert!(!plan.contains("physical_plan_error"), "{explain}: {plan}");
    }
    let ended = run("csv", &format!("{TWO_RECORDS}EXPLAIN ANALYZE {SELECT}"));
    assert_eq!(ended.status.code(), Some(1));
    let said = ended.stderr.join("\n");
    assert!(said.contains("streaming query"), "{said}");
}

/// Covers a shard reader, the kept state, and the stream of a bounded read.
#[test]
fn log_lines_name_the_query_and_the_stream() {
    let start = r#"'kinesis.startingPosition' '{"shardId-000000000000": "TRIM_HORIZON", "shardId-000000000007": "TRIM_HORIZON"}'"#;
    let statements = format!(
        "{TWO_RECORDS}{AVAILABLE_NOW}SET streaming.query_name = 'alarms';
         SET streaming.output_mode = 'complete';
         CREATE UNBOUNDED EXTERNAL TABLE some STORED AS \"aws-kinesis\" LOCATION 'words' OPTIONS ({start});
         CREATE EXTERNAL TABLE bounded STORED AS \"aws-kinesis\" LOCATION 'words' OPTIONS ({start});
         SELECT partitionKey, array_agg(data ORDER BY sequenceNumber) FROM some GROUP BY partitionKey;
         SELECT count(*) FROM bounded"
    );
    let ended = run("csv", &statements);
    assert_eq!(ended.status.code(), Some(0), "{:#?}", ended.stderr);
    let missing = "no longer listed";
    for (said, spans) in [
        ("keep every value", "query{name=\"alarms\"}: "),
        (missing, "query{name=\"alarms\"}:stream{name=\"words\"}: "),
        (missing, " WARN stream{name=\"words\"}: "),
    ] {
        let matches = |line: &&String| line.contains(said) && line.contains(spans);
        assert!(
            ended.stderr.iter().any(|line| matches(&line)),
            "{spans}: {:#?}",
            ended.stderr
        );
    }
}

#[test]
fn an_error_is_reported_with_file_line_and_statement() {
    let path = folder("streaming").join("words.sql");
    for (statement, reason) in [
        (
            "SELECT partitionKey, count(*) FROM live GROUP BY partitionKey",
            "GROUP BY",
        ),
        // Fails during the first batch.
        (
            "SELECT CAST(CAST(data AS VARCHAR) AS INT) AS n FROM live",
            "Cannot cast string 'a' to value of Int32 type",
        ),
    ] {
        fs::write(&path, format!("{TWO_RECORDS}\n{statement};\nSELECT 1")).unwrap();
        let args = ["--embedded", "--output", "csv", "-f"];
        let ended = Running::spawn(command().args(args).arg(&path)).wait();
        let said = ended.stderr.join("\n");
        let place = format!("{}:8: ", path.display());
        assert!(said.starts_with(&place), "{said}");
        assert!(said.contains(reason), "{said}");
        assert!(said.ends_with(&format!("\n    {statement}")), "{said}");
        assert_eq!(ended.status.code(), Some(1));
        assert_eq!(ended.stdout, ["count", "2"]);
    }
}

#[cfg(unix)]
mod ended_from_outside {
    use super::*;
    use std::io::BufRead;

    /// A batch with more text than a pipe holds.
    const MUCH: &str = "\
CREATE EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words'
  OPTIONS ('kinesis.createStream' 'true');
INSERT INTO words (partitionKey, data)
  SELECT 'k' AS partitionKey, repeat('x', 100) AS data FROM generate_series(1, 20000);
CREATE UNBOUNDED EXTERNAL TABLE live STORED AS \"aws-kinesis\" LOCATION 'words'
  OPTIONS ('kinesis.startingPosition' 'TRIM_HORIZON');
SET streaming.checkpoint_location = 'memory://checkpoint';
";
    const STOPPING: &str = "stopping after the batch in flight; interrupt again to stop at once";

    fn running(statements: &str) -> Running {
        let args = ["--embedded", "--output", "csv", "-c", statements];
        Running::spawn(command().args(args))
    }

    /// A run that is blocked after the first row of a large result, because its stdout is not read.
    fn stuck() -> (Running, impl BufRead) {
        let statements = format!("{MUCH}{SELECT}SELECT 'behind' AS place");
        let args = ["--embedded", "--output", "csv", "-c", &statements];
        let mut running = Running::spawn_unread(command().args(args));
        let pipe = running.read_until("word");
        (running, pipe)
    }

    #[test]
    fn ctrl_c_ends_the_statement_and_the_file_continues() {
        let running = running(&format!("{TWO_RECORDS}{SELECT}SELECT 'behind' AS place"));
        running.until("b");
        running.signal("-INT");
        let ended = running.wait();
        assert_eq!(ended.stdout, ["place", "behind"]);
        assert_eq!(ended.stderr, [STOPPING]);
        assert_eq!(ended.status.code(), Some(0));
    }

    #[test]
    fn sigterm_ends_the_statement_and_the_run() {
        let running = running(&format!("{TWO_RECORDS}{SELECT}SELECT 'behind' AS place"));
        running.until("b");
        running.signal("-TERM");
        let ended = running.wait();
        assert_eq!(ended.stdout, [""; 0]);
        assert_eq!(ended.stderr[..2], [STOPPING, "-c:7: terminated"]);
        assert_eq!(ended.status.code(), Some(143));
    }

    #[test]
    fn rows_of_the_batch_in_flight_are_printed_before_the_end() {
        let (running, pipe) = stuck();
        running.signal("-INT");
        running.until_stderr(STOPPING);
        let rest: Vec<_> = pipe.lines().map(Result::unwrap).collect();
        let rows = rest.iter().filter(|line| line.starts_with("xxx")).count();
        assert_eq!(rows, 20_000);
        assert_eq!(rest[rest.len() - 2..], ["place", "behind"]);
        assert_eq!(running.wait().status.code(), Some(0));
    }

    #[test]
    fn a_second_signal_stops_at_once() {
        for (first, second, code) in [
            ("-INT", "-INT", 130),
            ("-TERM", "-TERM", 143),
            ("-INT", "-TERM", 143),
        ] {
            let (running, _pipe) = stuck();
            running.signal(first);
            running.until_stderr(STOPPING);
            running.signal(second);
            assert_eq!(running.wait().status.code(), Some(code), "{first} {second}");
        }
    }

    #[test]
    fn a_streaming_statement_after_an_endless_one_is_warned_about() {
        let later = "\
CREATE EXTERNAL TABLE out STORED AS \"aws-kinesis\" LOCATION 'out' OPTIONS ('kinesis.createStream' 'true');
INSERT INTO out (partitionKey, data) SELECT partitionKey, data FROM live;\n";
        for (behind, place) in [(SELECT, "-c:8"), (later, "-c:9")] {
            let running = running(&format!("{TWO_RECORDS}{SELECT}{behind}"));
            running.until("b");
            running.signal("-TERM");
            let ended = running.wait();
            let said = &ended.stderr[0];
            assert!(said.starts_with(&format!("{place}: ")), "{said}");
            for part in ["starts only after", "streaming.trigger = 'available now'"] {
                assert!(said.contains(part), "{part}: {said}");
            }
            assert_eq!(ended.stderr[1], STOPPING);
        }
    }

    #[test]
    fn a_closed_stdout_ends_the_run_silently() {
        let (running, pipe) = stuck();
        drop(pipe);
        let ended = running.wait();
        assert_eq!(ended.stderr, [""; 0]);
        assert_eq!(ended.status.code(), Some(0));
    }

    #[test]
    fn a_stop_lock_from_before_the_start_is_an_error() {
        let checkpoint = folder("stop-lock-now");
        let lock = checkpoint.join("STOP_LOCK");
        fs::write(&lock, "").unwrap();
        let running = running(&format!(
            "{TWO_RECORDS}SET streaming.checkpoint_location = 'file://{}';
             {AVAILABLE_NOW}{SELECT}{SELECT}",
            checkpoint.display()
        ));
        let ended = running.wait();
        let said = ended.stderr.join("\n");
        assert!(said.contains("STOP_LOCK"), "{said}");
        assert!(said.contains("Remove the object"), "{said}");
        assert_eq!(ended.stdout, ["count", "2"]);
        assert_eq!(ended.status.code(), Some(1));
        assert!(lock.exists());
    }

    #[test]
    fn a_stop_lock_ends_the_statement_and_is_removed() {
        let checkpoint = folder("stop-lock");
        let running = running(&format!(
            "{TWO_RECORDS}SET streaming.checkpoint_location = 'file://{}';
             {SELECT}SELECT 'behind' AS place",
            checkpoint.display()
        ));
        running.until("b");
        let lock = checkpoint.join("STOP_LOCK");
        fs::write(&lock, "").unwrap();
        let ended = running.wait();
        assert_eq!(ended.stdout, ["place", "behind"]);
        assert_eq!(
            ended.stderr,
            ["stopped by STOP_LOCK in the checkpoint location"]
        );
        assert_eq!(ended.status.code(), Some(0));
        assert!(!lock.exists());
    }
}
