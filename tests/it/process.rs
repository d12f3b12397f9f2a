//! The built command as a process: a server on loopback, and runs that tests watch and signal.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

pub(crate) const COMMAND: &str = env!("CARGO_BIN_EXE_kinesis-sql");

/// Longer than any successful operation takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// The command without outside settings.
pub(crate) fn command() -> Command {
    let mut command = Command::new(COMMAND);
    command.env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// A command whose tables use the server at `url`.
pub(crate) fn client(url: &str) -> Command {
    let mut client = command();
    client
        .args(["--endpoint-url", url, "--region", "us-east-1"])
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    client
}

/// The CSV output of statements that must succeed, run against the server at `url`.
pub(crate) fn csv(url: &str, statements: &str) -> String {
    let output = client(url)
        .args(["--output", "csv", "-c", statements])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{statements}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// A `kinesis-sql embedded` process, killed on drop.
pub(crate) struct Server {
    process: Child,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// A server with further arguments.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let mut process = Command::new(COMMAND)
            .args(["embedded", "--port", "0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line.split_whitespace().last().unwrap().to_owned();
        Self { process, url }
    }

    /// A command whose tables use this server.
    pub(crate) fn client(&self) -> Command {
        client(&self.url)
    }

    /// The CSV output of statements that must succeed.
    pub(crate) fn csv(&self, statements: &str) -> String {
        csv(&self.url, statements)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A running command whose output is watched, killed on drop.
pub(crate) struct Running {
    child: Child,
    stdout: Option<Lines>,
    stderr: Lines,
}

/// The exit status of a run, and its output lines that were not read before.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

impl Running {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut running = Self::spawn_unread(command);
        running.stdout = running.child.stdout.take().map(Lines::of);
        running
    }

    /// Spawns without reading stdout, so that the pipe fills.
    pub(crate) fn spawn_unread(command: &mut Command) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = Lines::of(child.stderr.take().unwrap());
        Self {
            child,
            stdout: None,
            stderr,
        }
    }

    /// Waits for a line of stdout.
    pub(crate) fn until(&self, line: &str) {
        self.stdout.as_ref().unwrap().until(line);
    }

    /// Waits for this many lines of stdout.
    pub(crate) fn lines(&self, count: usize) -> Vec<String> {
        self.stdout.as_ref().unwrap().next(count)
    }

    /// Waits for a line of stderr.
    pub(crate) fn until_stderr(&self, line: &str) {
        self.stderr.until(line);
    }

    /// Waits for a line of stderr that contains `part`. Returns all lines up to it.
    pub(crate) fn until_stderr_contains(&self, part: &str) -> Vec<String> {
        self.stderr.until_some(|line| line.contains(part), part)
    }

    /// Reads stdout up to a line, and returns the unread rest.
    pub(crate) fn read_until(&mut self, line: &str) -> BufReader<ChildStdout> {
        let mut stdout = BufReader::new(self.child.stdout.take().unwrap());
        let mut read = String::new();
        while read.trim_end() != line {
            read.clear();
            assert!(stdout.read_line(&mut read).unwrap() > 0, "no {line:?}");
        }
        stdout
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let kill = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(kill.success());
    }

    /// Kills the process.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn wait(mut self) -> Ended {
        let stdout = self.stdout.take().map(|lines| lines.rest());
        let stderr = self.stderr.rest();
        Ended {
            status: self.child.wait().unwrap(),
            stdout: stdout.unwrap_or_default(),
            stderr,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a pipe, read by a thread.
struct Lines(Receiver<String>);

impl Lines {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines() {
                let _ = sender.send(line.unwrap());
            }
        });
        Self(lines)
    }

    fn until(&self, expected: &str) {
        self.until_some(|line| line == expected, expected);
    }

    fn until_some(&self, matches: impl Fn(&str) -> bool, expected: &str) -> Vec<String> {
        let mut seen = Vec::<String>::new();
        while seen.last().is_none_or(|line| !matches(line)) {
            match self.0.recv_timeout(PATIENCE) {
                Ok(line) => seen.push(line),
                Err(_) => panic!("expected {expected:?}, got {seen:#?}"),
            }
        }
        seen
    }

    fn next(&self, count: usize) -> Vec<String> {
        let mut seen = Vec::<String>::new();
        while seen.len() < count {
            match self.0.recv_timeout(PATIENCE) {
                Ok(line) => seen.push(line),
                Err(_) => panic!("expected {count} lines, got {seen:#?}"),
            }
        }
        seen
    }

    /// All remaining lines.
    fn rest(&self) -> Vec<String> {
        let next = || match self.0.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the command did not end"),
        };
        std::iter::from_fn(next).collect()
    }
}

/// A new folder for each call.
pub(crate) fn folder(name: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("{name}-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}
