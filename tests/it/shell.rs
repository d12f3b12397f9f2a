//! The interactive shell on a pseudo-terminal, which `script` of util-linux provides.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const PROMPT: &str = "kinesis> ";
const CONTINUED: &str = "      -> ";

/// A running shell with its keyboard and screen.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    shown: Receiver<Vec<u8>>,
    unread: String,
}

impl Terminal {
    /// `None`, with a message, if `script` of util-linux is not installed.
    fn open(state: &Path) -> Option<Self> {
        Self::open_with(state, "")
    }

    /// A shell of the command with arguments.
    fn open_with(state: &Path, arguments: &str) -> Option<Self> {
        let version = Command::new("script").arg("--version").output();
        if !version.is_ok_and(|v| String::from_utf8_lossy(&v.stdout).contains("util-linux")) {
            crate::support::skipped("a test of the shell", "no `script` of util-linux");
            return None;
        }
        // `exec` replaces the intermediate shell, which would otherwise die from a Ctrl-C meant for
        // the command.
        let command = format!("exec '{}' {arguments}", env!("CARGO_BIN_EXE_kinesis-sql"));
        let mut child = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .env("SHELL", "/bin/sh")
            .env("XDG_STATE_HOME", state)
            .env("TERM", "xterm")
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let keys = child.stdin.take().unwrap();
        let mut screen = child.stdout.take().unwrap();
        let (sender, shown) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = screen.read(&mut buffer) {
                let _ = sender.send(buffer[..n].to_vec());
            }
        });
        Some(Self {
            child,
            keys,
            shown,
            unread: String::new(),
        })
    }

    /// Waits until `text` is shown, and returns the output up to it.
    fn until(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.unread.find(text) {
                let rest = self.unread.split_off(at + text.len());
                return std::mem::replace(&mut self.unread, rest);
            }
            match self.shown.recv_timeout(Duration::from_secs(30)) {
                Ok(bytes) => self.unread.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("expected {text:?}, got {:?}", self.unread),
            }
        }
    }

    fn keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    fn line(&mut self, line: &str) {
        self.keys(line);
        self.keys("\r");
    }

    fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

/// Kills the shell if a test failed.
impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

fn state(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("shell-{name}"));
    let _ = fs::remove_dir_all(&path);
    path
}

#[test]
fn a_multi_line_statement_runs_and_an_error_does_not_end_the_shell() {
    let state = state("lines");
    let Some(mut terminal) = Terminal::open(&state) else {
        return;
    };
    terminal.until(PROMPT);
    terminal.line("SELECT nope;");
    terminal.until("No field named nope");
    terminal.until(PROMPT);
    terminal.line("SELECT 40 +");
    terminal.until(CONTINUED);
    terminal.line("2 AS n;");
    terminal.until("| 42 |");
    terminal.until("1 row in");
    terminal.until(PROMPT);
    terminal.line("CREATE TABLE words AS SELECT 1 AS n;");
    terminal.until(PROMPT);
    for list in ["\\d", "SHOW TABLES;"] {
        terminal.line(list);
        let shown = terminal.until("1 row in");
        assert!(shown.contains("| words "), "{shown}");
        assert!(!shown.contains("information_schema"), "{shown}");
        terminal.until(PROMPT);
    }
    terminal.line("\\q");
    assert_eq!(terminal.exit_code(), Some(0));
}

#[test]
fn pasted_statements_all_run() {
    let state = state("burst");
    let Some(mut terminal) = Terminal::open(&state) else {
        return;
    };
    terminal.until(PROMPT);
    terminal.keys("SELECT 40 + 1 AS n;\rSELECT 40 +\r2 AS n;\rSELECT 40 + 3 AS n;\r");
    terminal.until("| 41 |");
    terminal.until("| 42 |");
    terminal.until("| 43 |");
    terminal.until(PROMPT);
    terminal.line("\\q");
    assert_eq!(terminal.exit_code(), Some(0));
}

#[test]
fn ctrl_c_stops_the_statement_or_clears_the_input_without_leaving() {
    let state = state("interrupt");
    let Some(mut terminal) = Terminal::open(&state) else {
        return;
    };
    terminal.until(PROMPT);
    terminal.line("SELECT 'half");
    terminal.until("     '-> ");
    terminal.keys("\x03");
    terminal.until(PROMPT);
    terminal.line(
        "SELECT 'begun'; SELECT count(*) FROM generate_series(1, 1000000) a CROSS JOIN generate_series(1, 1000000) b;",
    );
    terminal.until("| begun ");
    terminal.until("1 row in");
    terminal.keys("\x03");
    terminal.until("interrupted");
    terminal.until(PROMPT);
    terminal.line("SELECT 40 + 2 AS n;");
    terminal.until("| 42 |");
    terminal.until(PROMPT);
    terminal.keys("\x04");
    assert_eq!(terminal.exit_code(), Some(0));
}

#[test]
fn backslash_commands_run_at_once() {
    let state = state("backslash");
    let Some(mut terminal) = Terminal::open(&state) else {
        return;
    };
    terminal.until(PROMPT);
    terminal.line("CREATE TABLE words AS SELECT 1 AS number_of_words;");
    terminal.until(PROMPT);
    terminal.line("\\d words");
    terminal.until("number_of_words | Int64");
    terminal.until(PROMPT);
    terminal.line("\\d nowhere");
    terminal.until("not found");
    terminal.until(PROMPT);
    terminal.line("\\foo");
    let answer = terminal.until("\\? for help");
    assert!(!answer.contains(CONTINUED), "{answer}");
    terminal.until(PROMPT);
    terminal.line("\\q");
    assert_eq!(terminal.exit_code(), Some(0));
}

#[test]
fn commands_work_within_an_open_statement() {
    let state = state("open");
    let Some(mut terminal) = Terminal::open(&state) else {
        return;
    };
    terminal.until(PROMPT);
    terminal.line("CREATE TABLE words AS SELECT 1 AS n;");
    terminal.until(PROMPT);
    terminal.line("SELECT 40 +");
    terminal.until(CONTINUED);
    terminal.line("quit");
    terminal.until(
        "the statement is incomplete: ; ends it; Ctrl-C clears the input, \\q leaves the shell",
    );
    terminal.until(CONTINUED);
    terminal.line("\\d words");
    terminal.until("| Int64 ");
    terminal.until(CONTINUED);
    terminal.line("?");
    terminal.until("list the tables");
    terminal.until(CONTINUED);
    terminal.line("2 AS n;");
    terminal.until("| 42 |");
    terminal.until(PROMPT);
    terminal.line("SELECT 'a");
    terminal.until("     '-> ");
    terminal.line("exit");
    terminal
        .until("an open quote: everything up to the next ' is text; Ctrl-C clears the input, Ctrl-D leaves the shell");
    terminal.until("     '-> ");
    terminal.line("b' AS n, (");
    terminal.until("     (-> ");
    terminal.line("\\q");
    assert_eq!(terminal.exit_code(), Some(0));
}

#[test]
fn tables_are_cut_to_the_terminal_and_expanded_view_shows_full_values() {
    let state = state("wide");
    let Some(mut terminal) = Terminal::open(&state) else {
        return;
    };
    terminal.until(PROMPT);
    // A terminal without a size has 80 columns.
    let wide = "SELECT 1 AS n, repeat('x', 300) AS v;";
    terminal.line(wide);
    terminal.until(&format!("| 1 | {}… |\r\n", "x".repeat(71)));
    terminal.until("values ending in … are cut; \\x or --expanded shows them in full");
    terminal.until(PROMPT);
    terminal.line("\\width 20");
    terminal.until("20 columns");
    terminal.until(PROMPT);
    terminal.line(wide);
    terminal.until("| 1 | xxxxxxxxxxx… |\r\n");
    terminal.until(PROMPT);
    terminal.line("\\x");
    terminal.until("expanded display is on");
    terminal.until(PROMPT);
    terminal.line(wide);
    terminal.until(&format!("v | {}\r\n", "x".repeat(300)));
    terminal.until(PROMPT);
    terminal.line("\\q");
    assert_eq!(terminal.exit_code(), Some(0));
}

#[test]
fn history_omits_statements_with_credentials() {
    let state = state("history");
    let Some(mut terminal) = Terminal::open(&state) else {
        return;
    };
    terminal.until(PROMPT);
    terminal.line("SELECT 1;");
    terminal.until("1 row in");
    terminal.until(PROMPT);
    terminal.line(
        "CREATE EXTERNAL TABLE t STORED AS X LOCATION 's' OPTIONS ('kinesis.awsSecretKey' 'hunter2');",
    );
    terminal.until("'***'");
    terminal.until(PROMPT);
    terminal.line("exit");
    assert_eq!(terminal.exit_code(), Some(0));
    let history = fs::read_to_string(state.join("kinesis-sql/history")).unwrap();
    assert!(history.contains("SELECT 1;"), "{history}");
    assert!(!history.contains("hunter2"), "{history}");
}

/// A stream with one record, and an unbounded table of it.
const STREAM: [&str; 3] = [
    "CREATE EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words' OPTIONS ('kinesis.createStream' 'true');",
    "INSERT INTO words (partitionKey, data) VALUES ('k', 'begun');",
    "CREATE UNBOUNDED EXTERNAL TABLE live STORED AS \"aws-kinesis\" LOCATION 'words' OPTIONS ('kinesis.startingPosition' 'TRIM_HORIZON');",
];

/// A shell at its prompt, after running `STREAM`.
fn with_stream(state: &Path) -> Option<Terminal> {
    let mut terminal = Terminal::open_with(state, "--embedded")?;
    for line in STREAM {
        terminal.until(PROMPT);
        terminal.line(line);
    }
    terminal.until(PROMPT);
    Some(terminal)
}

#[test]
fn ctrl_c_stops_a_streaming_statement_after_the_batch_in_flight() {
    let state = state("streaming");
    let Some(mut terminal) = with_stream(&state) else {
        return;
    };
    terminal.line("SELECT CAST(data AS VARCHAR) AS word FROM live;");
    terminal.until("| begun |");
    terminal.until("batch 0  ");
    terminal.until(" rows/s  ");
    terminal.until("waiting for data");
    terminal.keys("\x03");
    terminal.until("stopping after the batch in flight; interrupt again to stop at once");
    terminal.until("1 batch, 1 row read in ");
    terminal.until(PROMPT);
    terminal.line("SELECT 40 + 2 AS n;");
    terminal.until("| 42 |");
    terminal.until(PROMPT);
    terminal.line("\\q");
    assert_eq!(terminal.exit_code(), Some(0));
}

#[test]
fn a_second_ctrl_c_stops_at_once() {
    let state = state("streaming-twice");
    let Some(mut terminal) = with_stream(&state) else {
        return;
    };
    terminal.line(
"SELECT n FROM (SELECT unnest([a.value, b.value]) AS n FROM live CROSS JOIN generate_series(1, 1000000) a CROSS JOIN generate_series(1, 1000000) b) WHERE n < 0;",
    );
    terminal.until("processing batch 0");
    terminal.keys("\x03");
    terminal.until("stopping after the batch in flight; interrupt again to stop at once");
    terminal.keys("\x03");
    terminal.until("interrupted");
    terminal.until(PROMPT);
    terminal.line("SELECT 40 + 2 AS n;");
    terminal.until("| 42 |");
    terminal.until(PROMPT);
    terminal.line("\\q");
    assert_eq!(terminal.exit_code(), Some(0));
}

#[test]
fn variables_are_not_replaced_in_the_shell() {
    let state = state("expand-env");
    let Some(mut terminal) = Terminal::open_with(&state, "--expand-env") else {
        return;
    };
    terminal.until("not in the shell");
    assert_eq!(terminal.exit_code(), Some(1));
}
