//! The built command: exit codes, output streams, formats, and signals.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[cfg(target_os = "linux")]
use tokio::time::Instant;

/// A query that returns its first row soon, but effectively never ends.
const ENDLESS: &str =
    "SELECT a.value FROM generate_series(1, 1000000) a CROSS JOIN generate_series(1, 1000000) b";

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kinesis-sql"));
    command.env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    command().args(args).output().unwrap()
}

fn run_with_stdin(args: &[&str], text: &str) -> Output {
    let mut child = command()
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).unwrap()
}

/// A new file for each call.
fn file(name: &str, text: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("command-{}-{number}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_table_goes_to_stdout_and_stderr_stays_empty() {
    let output = run(&["-c", "SELECT 1 AS n, 'x' AS s"]);
    assert_eq!(
        stdout(&output),
        "+---+---+\n| n | s |\n+---+---+\n| 1 | x |\n+---+---+\n"
    );
    assert_eq!(stderr(&output), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_long_table_is_printed_in_pages() {
    let tables = |rows: usize| {
        let sql = format!("SELECT value AS n FROM generate_series(1, {rows})");
        let output = run(&["-c", &sql]);
        let lines: Vec<_> = stdout(&output).lines().map(str::to_owned).collect();
        let headers = lines
            .iter()
            .filter(|line| line.trim_matches(['|', ' ']) == "n");
        (headers.count(), lines.len())
    };
    assert_eq!(tables(10_000), (1, 10_004));
    assert_eq!(tables(10_001), (2, 10_009));
    assert_eq!(tables(20_000), (2, 20_008));
    assert_eq!(tables(0), (1, 4));
}

/// Text that would color and clear a terminal, set its title, and reverse text.
const CONTROLS: &str =
    "'a' || chr(27) || '[31m' || chr(7) || chr(10) || chr(127) || chr(155) || chr(8238) || 'z'";

const ESCAPED: &str = r"a\x1b[31m\x07\n\x7f\u{9b}\u{202e}z";

fn controls(text: &str) -> Vec<char> {
    let harmful = |c: &char| c.is_control() && *c != '\n' || *c == '\u{202e}';
    text.chars().filter(harmful).collect()
}

#[test]
fn tables_escape_control_characters() {
    let sql = format!(
        "CREATE TABLE t AS SELECT {CONTROLS} AS v;
         SELECT v, arrow_cast(v, 'LargeUtf8') AS large, arrow_cast(v, 'Utf8View') AS view,
                arrow_cast(v, 'Dictionary(Int32, Utf8)') AS dictionary, [v] AS list,
                named_struct('f', v) AS struct, map([v], [v]) AS map, 1 AS \"\u{1b}[2J\"
         FROM t"
    );
    for arguments in [&["-c", sql.as_str()][..], &["--expanded", "-c", &sql]] {
        let output = run(arguments);
        let shown = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(controls(shown).is_empty(), "{shown}");
        assert!(shown.contains("\\x1b[2J"), "{shown}");
        // The expanded view keeps line breaks.
        let escaped = shown.matches(ESCAPED).count();
        assert_eq!(escaped, if arguments.len() == 2 { 8 } else { 0 }, "{shown}");
    }
}

#[test]
fn csv_and_json_keep_control_characters() {
    let sql = format!("SELECT {CONTROLS} AS v");
    let csv = run(&["--output", "csv", "-c", &sql]);
    let exact = "a\u{1b}[31m\u{7}\n\u{7f}\u{9b}\u{202e}z";
    assert_eq!(stdout(&csv), format!("v\n\"{exact}\"\n"));
    let json = run(&["--output", "json", "-c", &sql]);
    let object: serde_json::Value = serde_json::from_str(stdout(&json)).unwrap();
    assert_eq!(object["v"], exact);
}

#[test]
fn error_messages_escape_control_characters() {
    let sql = format!("SELECT CAST({CONTROLS} AS INT)");
    let output = run(&["-c", &sql]);
    assert_eq!(output.status.code(), Some(1));
    assert!(controls(stderr(&output)).is_empty(), "{}", stderr(&output));
    assert!(stderr(&output).contains("\\x1b[31m"), "{}", stderr(&output));
}

/// A chain of operators is a tree as deep as the chain is long.
#[test]
fn prices_are_read_before_statements_run() {
    let prices = file("prices.json", r#"{"prices": {"shardHour": 0.018}}"#);
    let prices = prices.to_str().unwrap();
    let show = [
        "--prices",
        prices,
        "-c",
        "SHOW streaming.prices",
        "--output",
        "csv",
    ];
    let output = run(&show);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(stdout(&output).contains(prices), "{output:?}");
    let wrong = file("prices.json", r#"{"prices": {"shardHours": 1}}"#);
    let wrong = wrong.to_str().unwrap();
    let output = run(&["--prices", wrong, "-c", "SELECT 1"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let expected =
        format!("'{wrong}': price 'shardHours' is unknown: expected a name such as 'shardHour'");
    assert!(stderr(&output).contains(&expected), "{output:?}");
    assert_eq!(stdout(&output), "", "nothing has run");
}

#[test]
fn a_long_operator_chain_runs_and_a_longer_one_is_refused_with_advice() {
    let chain = |operand: &str, operator: &str, count| vec![operand; count].join(operator);
    // The optimizer traverses all expressions in every pass.
    let once = "SET datafusion.optimizer.max_passes = 1";
    let ran = format!(
        "{once}; SELECT {} AS n FROM (VALUES ('a')) t(x)",
        chain("x", " || ", 1000)
    );
    let output = run(&["--output", "csv", "-c", &ran]);
    assert_eq!(
        stdout(&output),
        format!("n\n{}\n", "a".repeat(1000)),
        "{}",
        stderr(&output)
    );
    let conditions = format!("SELECT 1 WHERE {}", chain("x = 1", " OR ", 5_000));
    for (sql, way_out) in [
        (conditions.as_str(), "write x IN ("),
        (&format!("EXPLAIN {conditions}"), "write x IN ("),
        (
            &format!("SELECT {}", chain("'a'", " || ", 5_000)),
            "write concat(",
        ),
        (&chain("SELECT 1", " UNION ALL ", 5_000), "write VALUES ("),
    ] {
        let path = file("deep.sql", sql);
        let path = path.to_str().unwrap();
        for arguments in [&["-f", path][..], &["-c", sql], &["doctor", "-f", path]] {
            let output = run(arguments);
            let said = format!("{}{}", stdout(&output), stderr(&output));
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains("nested operators"), "{said}");
            assert!(said.contains(way_out), "{said}");
        }
        let output = run_with_stdin(&[], sql);
        assert!(stderr(&output).contains(way_out), "{}", stderr(&output));
    }
}

/// 9,000 short values and one of a megabyte.
const ONE_IS_LONG: &str =
    "SELECT value AS n, CASE value WHEN 4500 THEN repeat('x', 1000000) ELSE 'short' END AS v
     FROM generate_series(1, 9000)";

#[test]
fn a_long_value_does_not_widen_the_rows_around_it() {
    let output = run(&["-c", ONE_IS_LONG]);
    let longest = stdout(&output).lines().map(str::len).max().unwrap();
    assert_eq!(longest, "| 4500 | ".len() + 1_000_000 + " |".len());
    assert!(
        stdout(&output).len() < 4_000_000,
        "{}",
        stdout(&output).len()
    );
}

#[test]
fn tables_are_cut_to_the_requested_width() {
    let output = run(&["--width", "30", "-c", ONE_IS_LONG]);
    assert!(
        stdout(&output)
            .lines()
            .all(|line| line.chars().count() <= 30)
    );
    assert!(stdout(&output).contains("| 4500 | xxxxxxxxxxxxxxxxxx… |\n"));
    assert!(stdout(&output).contains("| 4501 | short               |\n"));
    let whole = run(&["--width", "0", "-c", "SELECT repeat('x', 300) AS v"]);
    assert!(stdout(&whole).contains(&"x".repeat(300)));
    let names = run(&[
        "--width",
        "20",
        "-c",
        "SELECT 1 AS a_column_with_a_long_name",
    ]);
    assert!(
        stdout(&names).contains("| a_column_with_a… |\n"),
        "{}",
        stdout(&names)
    );
}

#[test]
fn the_expanded_view_prints_one_line_per_column_and_line_break() {
    let sql = "SELECT 1 AS number, 'a\nb' AS word UNION ALL SELECT 2, NULL ORDER BY number";
    let output = run(&["--expanded", "-c", sql]);
    let rule = |number| format!("-[ RECORD {number} ]+{}\n", "-".repeat(53));
    let expected = format!(
        "{}number | 1\nword   | a\n       | b\n{}number | 2\nword   |\n",
        rule(1),
        rule(2)
    );
    assert_eq!(stdout(&output), expected);
}

#[test]
fn csv_distinguishes_null_from_empty_text_and_prints_lists_as_json() {
    let sql = "SELECT NULL AS a, '' AS b, 'x' AS c, [1, NULL] AS d,
                      named_struct('k', 'a,\"b\"') AS e, CAST(NULL AS INT) AS f, map(['m'], [1.5]) AS g";
    let output = run(&["--output", "csv", "-c", sql]);
    assert_eq!(
        stdout(&output),
        "a,b,c,d,e,f,g\n,\"\",x,\"[1,null]\",\"{\"\"k\"\":\"\"a,\\\"\"b\\\"\"\"\"}\",,\"{\"\"m\"\":1.5}\"\n"
    );
}

#[test]
fn csv_has_a_header_even_without_rows() {
    let output = run(&[
        "--output",
        "csv",
        "-c",
        "SELECT * FROM (VALUES (1, 'a,b'), (2, NULL)) t(n, s) ORDER BY n; SELECT 1 AS n WHERE false",
    ]);
    assert_eq!(stdout(&output), "n,s\n1,\"a,b\"\n2,\nn\n");
    assert_eq!(stderr(&output), "");
}

#[test]
fn csv_has_no_header_before_an_error() {
    let output = run(&[
        "--output",
        "csv",
        "-c",
        "CREATE TABLE t (n INT); INSERT INTO t SELECT 1 / (value - 1) FROM generate_series(1, 2)",
    ]);
    assert_eq!(stdout(&output), "");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn json_prints_one_object_per_line() {
    let output = run(&[
        "--output",
        "json",
        "-c",
        "SELECT * FROM (VALUES (1, 'a'), (2, NULL)) t(n, s) ORDER BY n",
    ]);
    assert_eq!(
        stdout(&output),
        "{\"n\":1,\"s\":\"a\"}\n{\"n\":2,\"s\":null}\n"
    );
}

#[test]
fn binary_values_are_printed_as_text_if_they_are_text() {
    let sql = "SELECT arrow_cast('Grüße', 'Binary') AS a, X'ff00' AS b";
    let csv = run(&["--output", "csv", "-c", sql]);
    assert_eq!(stdout(&csv), "a,b\nGrüße,0xff00\n", "{}", stderr(&csv));
    let json = run(&["--output", "json", "-c", sql]);
    assert_eq!(stdout(&json), "{\"a\":\"Grüße\",\"b\":\"0xff00\"}\n");
    let table = run(&["-c", sql]);
    assert!(
        stdout(&table).contains("| Grüße | 0xff00 |"),
        "{}",
        stdout(&table)
    );
}

#[test]
fn files_and_commands_run_in_order_in_one_session() {
    let first = file("first.sql", "CREATE TABLE t AS SELECT 1 AS n;");
    let second = file("second.sql", "INSERT INTO t VALUES (3);");
    let output = run(&[
        "--output",
        "csv",
        "-f",
        first.to_str().unwrap(),
        "-c",
        "INSERT INTO t VALUES (2)",
        "-f",
        second.to_str().unwrap(),
        "-c",
        "SELECT n FROM t ORDER BY n",
    ]);
    assert_eq!(stdout(&output), "count\n1\ncount\n1\nn\n1\n2\n3\n");
    assert_eq!(stderr(&output), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn with_table_output_insert_counts_go_to_stderr() {
    let output = run(&[
        "-c",
        "CREATE TABLE t (n INT); INSERT INTO t VALUES (1), (2); SET datafusion.execution.batch_size = 100",
    ]);
    assert_eq!(stdout(&output), "");
    assert_eq!(stderr(&output), "2 rows written\n");
}

#[test]
fn the_first_error_ends_the_run_with_file_line_and_statement() {
    let path = file(
        "words.sql",
        "SELECT 1 AS first;\n\n-- a comment; with a semicolon\nSELECT nope\n  FROM nowhere;\nSELECT 2 AS second;\n",
    );
    let output = run(&[
        "--output",
        "csv",
        "-f",
        path.to_str().unwrap(),
        "-c",
        "SELECT 3 AS third",
    ]);
    assert_eq!(stdout(&output), "first\n1\n");
    assert_eq!(
        stderr(&output),
        format!(
            "{}:4: table 'datafusion.public.nowhere' not found: no tables exist yet; CREATE EXTERNAL TABLE … creates one\n    SELECT nope\n      FROM nowhere\n",
            path.display()
        )
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn syntax_errors_report_positions_in_the_file() {
    let output = run_with_stdin(&[], "SELECT 1;\n\nSELECT 1\n  FORM t WHERE;\n");
    let text = stderr(&output);
    assert!(text.starts_with("<stdin>:3: syntax error: "), "{text}");
    assert!(text.contains("at Line: 4, Column: "), "{text}");
}

#[test]
fn rows_before_an_error_are_printed() {
    let output = run(&[
        "--output",
        "csv",
        "-c",
        "SELECT 1 AS n; SELECT 1 / (value - 1) FROM generate_series(1, 2); SELECT 2",
    ]);
    assert!(stdout(&output).starts_with("n\n1\n"), "{}", stdout(&output));
    assert!(
        stderr(&output).starts_with("-c:1: Divide by zero error\n"),
        "{}",
        stderr(&output)
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn an_unreadable_file_fails_before_any_statement_runs() {
    let output = run(&["-c", "SELECT 1", "-f", "/nowhere/words.sql"]);
    assert_eq!(stdout(&output), "");
    assert!(
        stderr(&output).starts_with("/nowhere/words.sql: "),
        "{}",
        stderr(&output)
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn wrong_usage_exits_with_2() {
    assert_eq!(run(&["--output", "xml"]).status.code(), Some(2));
    assert_eq!(run(&["words.sql"]).status.code(), Some(2));
    assert_eq!(run(&["--help"]).status.code(), Some(0));
}

#[test]
fn stdin_is_read_by_default_and_for_a_dash() {
    let output = run_with_stdin(&["--output", "csv"], "SELECT 1 AS n;\nSELECT 2 AS n");
    assert_eq!(stdout(&output), "n\n1\nn\n2\n");
    let output = run_with_stdin(
        &["--output", "csv", "-c", "SELECT 0 AS n", "-f", "-"],
        "SELECT 1 AS n",
    );
    assert_eq!(stdout(&output), "n\n0\nn\n1\n");
}

#[test]
fn statements_on_stdin_run_as_they_arrive() {
    let mut child = command()
        .args(["--output", "csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        while stdout.read_line(&mut line).unwrap() > 0 {
            let _ = sender.send(std::mem::take(&mut line));
        }
    });
    let next = || lines.recv_timeout(Duration::from_secs(30)).unwrap();
    stdin.write_all(b"SELECT 1 AS a;\nSELECT").unwrap();
    assert_eq!([next(), next()], ["a\n", "1\n"]);
    stdin.write_all(b" 2\n AS b").unwrap();
    stdin.write_all(b";").unwrap();
    assert_eq!([next(), next()], ["b\n", "2\n"]);
    stdin.write_all(b"\n\n SELECT nope; SELECT 3;").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        stderr(&output).starts_with("<stdin>:5: "),
        "{}",
        stderr(&output)
    );
    assert_eq!(output.status.code(), Some(1));
    drop(stdin);
    assert!(lines.recv().is_err(), "unexpected output");
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_waiting_for_stdin() {
    let mut child = command()
        .args(["--output", "csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"SELECT 1 AS a;\nSELECT").unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    stdout.read_line(&mut String::new()).unwrap();
    let kill = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn the_session_lists_tables_and_parses_timestamps_with_time_zones() {
    let data = file("words.csv", "word,n\na,1\nb,2\n");
    let output = run(&[
        "--output",
        "csv",
        "-c",
        &format!(
            "CREATE EXTERNAL TABLE words STORED AS CSV LOCATION '{}' OPTIONS ('format.has_header' 'true')",
            data.display()
        ),
        "-c",
        "SELECT sum(n) AS n FROM words",
        "-c",
        "SHOW TABLES",
        "-c",
        "SELECT to_timestamp(text) AS t FROM (VALUES ('2026-01-01T01:30:00+01:00')) AS v (text)",
    ]);
    assert_eq!(stderr(&output), "");
    assert!(stdout(&output).starts_with("n\n3\n"), "{}", stdout(&output));
    assert!(stdout(&output).contains("datafusion,public,words,BASE TABLE\n"));
    let time = "t\n2026-01-01T00:30:00\n";
    assert!(stdout(&output).ends_with(time), "{}", stdout(&output));
}

#[test]
fn a_missing_table_or_wrong_case_gets_a_suggestion() {
    let made = "CREATE TABLE clicks AS SELECT 1 AS \"pageViews\"; ";
    for (sql, expected) in [
        ("SELECT * FROM click", "not found: did you mean clicks?"),
        (
            "INSERT INTO clik VALUES (1)",
            "not found: did you mean clicks?",
        ),
        (
            "SELECT * FROM orders_of_today",
            "not found: existing tables: clicks",
        ),
        ("SELECT pageViews FROM clicks", "use double quotes"),
    ] {
        let text = format!("{made}{sql}");
        let path = file("hints.sql", &text);
        for arguments in [
            ["-c", text.as_str()].as_slice(),
            &["doctor", "-f", path.to_str().unwrap()],
        ] {
            let output = run(arguments);
            let said = format!("{}{}", stdout(&output), stderr(&output));
            assert!(said.contains(expected), "{said}");
            assert!(!said.contains("enable_ident_normalization"), "{said}");
            assert_eq!(output.status.code(), Some(1), "{said}");
        }
    }
}

#[test]
fn show_create_table_masks_secrets() {
    let sql = "CREATE UNBOUNDED EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words' \
               OPTIONS ('kinesis.createStream' 'true', 'kinesis.awsAccessKeyId' 'hunter1', \
               'kinesis.awsSecretKey' 'hunter2'); SHOW CREATE TABLE words";
    let output = run(&["--embedded", "-x", "-c", sql]);
    let shown = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        shown.contains("| CREATE UNBOUNDED EXTERNAL TABLE words\n"),
        "{shown}"
    );
    assert!(shown.contains("'kinesis.awsSecretKey' '***'"), "{shown}");
    assert!(shown.contains("'kinesis.createStream' 'true'"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn errors_of_failed_statements_hide_secrets() {
    for options in [
        "'kinesis.awsSecretKey' 'hunter2', 'kinesis.awsAccessKeyId' 'hunter2'",
        "'KINESIS.AWSSECRETKEY'\n\n   'hunter2'",
        "'kinesis.sessionToken', 'hunter2'",
        "'kinesis.sessionToken' = 'hunter2'",
        "'kinesis.awsSecretKey' 'hunter2",
        "'kinesis.endpointUrl' 'http://me:hunter2@localhost:1'",
    ] {
        let sql =
            format!("CREATE EXTERNAL TABLE t STORED AS NOWHERE LOCATION 's'\nOPTIONS ({options});");
        let output = run_with_stdin(&[], &sql);
        assert_eq!(output.status.code(), Some(1), "{options}");
        assert!(stderr(&output).contains("'***'"), "{}", stderr(&output));
        assert!(!stderr(&output).contains("hunter2"), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn a_closed_stdout_ends_the_run_silently() {
    let mut child = command()
        .args(["--output", "csv", "-c", ENDLESS, "-c", "SELECT 1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut header = String::new();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut header).unwrap();
    drop(reader);
    let output = child.wait_with_output().unwrap();
    assert_eq!(header, "value\n");
    assert_eq!(stderr(&output), "");
    assert_eq!(output.status.code(), Some(0));
}

/// Waits until a process has used CPU for a while; a statement without output gives no other sign
/// of having started.
#[cfg(target_os = "linux")]
fn wait_until_busy(pid: u32) {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(60) {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let ticks: u64 = stat.split(' ').nth(13).unwrap().parse().unwrap();
        if ticks >= 50 {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("the statement did not start");
}

#[cfg(target_os = "linux")]
fn stopped_by(signal: &str, sql: &str) -> (Output, Duration) {
    let child = command()
        .args(["--output", "csv", "-c", sql])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until_busy(child.id());
    let sent = Instant::now();
    let kill = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    (child.wait_with_output().unwrap(), sent.elapsed())
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_a_busy_statement() {
    // One query with endless rows, and an aggregate that returns nothing for as long.
    let busy = format!("SELECT count(*) FROM ({ENDLESS})");
    for (signal, sql, code, message) in [
        ("-INT", ENDLESS, 130, "interrupted"),
        ("-INT", &busy, 130, "interrupted"),
        ("-TERM", &busy, 143, "terminated"),
    ] {
        let (output, took) = stopped_by(signal, sql);
        assert_eq!(output.status.code(), Some(code));
        let said = stderr(&output);
        assert!(said.starts_with(&format!("-c:1: {message}\n")), "{said}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_a_statement_whose_output_is_not_read() {
    let mut child = command()
        .args(["--output", "csv", "-c", ENDLESS])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    let kill = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(143));
}
