//! What may stand on the command line.
//!
//! `-f` and `-c` are one list in the order given, which clap's derive does not keep: it is rebuilt from their indices.

use std::fmt;
use std::path::PathBuf;

use super::output::{Format, Output};
use crate::model::{CredentialSettings, is_region, unencrypted};
use crate::options::endpoint_url;
use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

const AFTER_HELP: &str = "\
Without -f and -c: a shell on a terminal, else the statements on stdin, each as soon as it is complete.
A file runs to its first error, which is named with file and line; the exit code is then 1.
A table of more than 10,000 rows or 8 MiB is printed as several, each with its header.

A statement that reads an UNBOUNDED table runs until its trigger (SET streaming.trigger) or a
STOP_LOCK in its checkpoint ends it, or a signal: Ctrl-C ends the statement behind the batch in
flight and the file goes on, SIGTERM ends the run in the same way. A second signal does not wait.

In a table, control characters are printed as \\n, \\x1b or \\u{202e}. In CSV nothing is NULL, \"\" is an
empty text, and lists, structs and maps are JSON.

Binary columns such as `data` are printed as text where a value is UTF-8 without control
characters (tab and line breaks may be in it), else as hexadecimal digits after 0x.
Where exact bytes matter, select encode(data, 'base64').

RUST_LOG sets what is logged to stderr; the default is warnings, of aws_config errors only, and not
the end of a streaming query (warn,aws_config=error,datafusion_kinesis::query::runner=off).";

const DOCTOR_AFTER_HELP: &str = "\
For each table: whether its options are right, who asks (GetCallerIdentity of STS), whether the clock
agrees, whether the stream is there, and whether each call that the statements need is allowed, by a
dry run where the service has one. For each checkpoint location and DynamoDB table: whether it can be
written, by writing and deleting; of a local one an empty folder stays. For each other statement: whether it can be planned.

The exit code is 1 if something has to be mended.";

/// What the process was asked to do.
#[derive(Debug, Parser)]
#[command(
    name = "kinesis-sql",
    version,
    about = "Reads and writes Amazon Kinesis streams with SQL",
    after_help = AFTER_HELP,
    args_conflicts_with_subcommands = true
)]
pub(super) struct Task {
    #[command(flatten)]
    pub(super) args: Args,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(clap::Args)]
pub(super) struct Args {
    /// Start an in-memory Kinesis in this process and use it for all tables
    #[arg(long, conflicts_with = "endpoint_url")]
    pub(super) embedded: bool,
    /// Run the statements of a file, `-` for stdin; may be repeated and mixed with -c
    #[arg(short, long = "file", value_name = "FILE")]
    file: Vec<PathBuf>,
    /// Run the statements given here; may be repeated and mixed with -f
    #[arg(short, long = "command", value_name = "SQL")]
    command_text: Vec<String>,
    /// How results are printed on stdout
    #[arg(long, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    output: Format,
    /// The widest that tables get, by default the terminal; longer values are cut, and 0 cuts nothing
    #[arg(long, value_name = "COLUMNS")]
    width: Option<usize>,
    /// Print each row of a table as a record: a line for each column, with its whole value
    #[arg(short = 'x', long)]
    expanded: bool,
    #[command(flatten)]
    pub(super) connection: Connection,
    /// `-f` and `-c` in the order given.
    #[arg(skip)]
    pub(super) scripts: Vec<Script>,
}

impl Args {
    /// How results are shown.
    pub(super) fn shown(&self) -> Output {
        Output {
            format: self.output,
            table_limit: None,
            width: self.width.into(),
            expanded: self.expanded,
        }
    }
}

/// Without the statements: credentials may stand there.
impl fmt::Debug for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Args")
            .field("embedded", &self.embedded)
            .field("output", &self.output)
            .field("connection", &self.connection)
            .field("scripts", &self.scripts)
            .finish_non_exhaustive()
    }
}

/// Where tables find the service unless their options say otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub(super) struct Connection {
    /// Endpoint for all tables that name none
    #[arg(long, value_name = "URL")]
    pub(super) endpoint_url: Option<String>,
    /// AWS region for all tables that name none
    #[arg(long, value_name = "REGION")]
    pub(super) region: Option<String>,
    /// Let --endpoint-url be http:// on another machine; what is sent there can be read on the way
    #[arg(long)]
    pub(super) allow_http: bool,
    /// Those an embedded server takes.
    #[arg(skip)]
    pub(super) credentials: CredentialSettings,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check what the statements of files need, without reading or writing a record
    Doctor(Box<Doctor>),
    /// Run the in-memory Kinesis alone on loopback until Ctrl-C
    Embedded(Server),
}

/// Checks before a run.
#[derive(Debug, clap::Args)]
#[command(after_help = DOCTOR_AFTER_HELP)]
pub(super) struct Doctor {
    /// The statements of a file; may be repeated, later files see the tables of earlier ones
    #[arg(short, long = "file", value_name = "FILE", required = true)]
    pub(super) file: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// The in-memory Kinesis as its own process.
#[derive(Debug, clap::Args)]
pub(super) struct Server {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 4567)]
    pub(super) port: u16,
    /// Throttle like the service does
    #[arg(long)]
    pub(super) enforce_limits: bool,
    /// Serve this account alone; without it any, by ARN or by an access key id of twelve digits
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    pub(super) account: Option<String>,
    /// Serve this region alone; without it any, by ARN or by the signature
    #[arg(long, value_name = "REGION", value_parser = region)]
    pub(super) region: Option<String>,
}

fn account(text: &str) -> Result<String, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match digits && text.len() == 12 {
        true => Ok(text.to_owned()),
        false => Err("expected the twelve digits of an AWS account".to_owned()),
    }
}

fn region(text: &str) -> Result<String, String> {
    match is_region(text) {
        true => Ok(text.to_owned()),
        false => Err("expected a region such as 'eu-west-1'".to_owned()),
    }
}

/// Where statements come from.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Script {
    File(PathBuf),
    Text(String),
    Stdin,
}

/// Without the statements: credentials may stand there.
impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Text(_) => f.write_str("-c"),
            Self::Stdin => f.write_str("<stdin>"),
        }
    }
}

impl Task {
    /// What the process was started with; ends it after `--help`, `--version` and wrong usage.
    pub(super) fn from_command_line() -> Self {
        Self::from_matches(&Self::command().get_matches()).unwrap_or_else(|error| error.exit())
    }

    fn from_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut task = Self::from_arg_matches(matches)?;
        let connection = match &task.command {
            Some(Command::Doctor(doctor)) => &doctor.connection,
            _ => &task.args.connection,
        };
        check_endpoint(connection).map_err(|expected| {
            // Clap would show the value, which may hold a secret.
            let message = format!("option '--endpoint-url': {expected}");
            Self::command().error(ErrorKind::ValueValidation, message)
        })?;
        task.args.scripts = scripts(matches, &task.args);
        Ok(task)
    }
}

/// What is wrong with the endpoint, if one is given.
fn check_endpoint(connection: &Connection) -> Result<(), String> {
    let Some(url) = &connection.endpoint_url else {
        return Ok(());
    };
    let url = endpoint_url(url, "kinesis")?;
    match unencrypted(&url) && !connection.allow_http {
        false => Ok(()),
        true => {
            Err("expected https:// for another machine; --allow-http allows http://".to_owned())
        }
    }
}

fn scripts(matches: &ArgMatches, args: &Args) -> Vec<Script> {
    let indices = |id| matches.indices_of(id).into_iter().flatten();
    let files = args.file.iter().map(|path| match path.to_str() {
        Some("-") => Script::Stdin,
        _ => Script::File(path.clone()),
    });
    let texts = args.command_text.iter().cloned().map(Script::Text);
    let mut scripts: Vec<_> = indices("file")
        .zip(files)
        .chain(indices("command_text").zip(texts))
        .collect();
    scripts.sort_by_key(|(index, _)| *index);
    scripts.into_iter().map(|(_, script)| script).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(words: &[&str]) -> Result<Task, clap::Error> {
        let words = std::iter::once("kinesis-sql").chain(words.iter().copied());
        Task::from_matches(&Task::command().try_get_matches_from(words)?)
    }

    fn text(text: &str) -> Script {
        Script::Text(text.into())
    }

    fn file(path: &str) -> Script {
        Script::File(path.into())
    }

    #[test]
    fn the_definition_is_consistent() {
        Task::command().debug_assert();
    }

    #[test]
    fn files_and_commands_keep_their_order() {
        let task = task(&["-c", "1", "-f", "a", "-f", "-", "-c", "2", "-f", "b"]).unwrap();
        assert_eq!(
            task.args.scripts,
            [text("1"), file("a"), Script::Stdin, text("2"), file("b")]
        );
    }

    #[test]
    fn the_defaults_are_a_shell_with_tables() {
        let args = task(&[]).unwrap().args;
        assert_eq!(args.scripts, []);
        assert_eq!(args.output, Format::Table);
        assert_eq!(args.connection, Connection::default());
        assert!(!args.embedded);
    }

    #[test]
    fn the_server_has_the_port_that_kinesis_emulators_use() {
        let Some(Command::Embedded(server)) = task(&["embedded"]).unwrap().command else {
            panic!("not the server");
        };
        assert_eq!(server.port, 4567);
        assert!(!server.enforce_limits);
    }

    #[test]
    fn the_server_takes_an_account_and_a_region_that_can_stand_in_an_arn() {
        let place = [
            "embedded",
            "--account",
            "111122223333",
            "--region",
            "eu-west-1",
        ];
        let Some(Command::Embedded(server)) = task(&place).unwrap().command else {
            panic!("not the server");
        };
        assert_eq!(server.account.as_deref(), Some("111122223333"));
        assert_eq!(server.region.as_deref(), Some("eu-west-1"));
        for (option, wrong, expected) in [
            ("--account", "1111", "twelve digits"),
            ("--account", "11112222333x", "twelve digits"),
            ("--region", "eu west", "'eu-west-1'"),
        ] {
            let error = task(&["embedded", option, wrong]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn an_endpoint_is_a_url_and_what_is_wrong_with_one_is_said_without_it() {
        assert!(task(&["--endpoint-url", "http://localhost:1"]).is_ok());
        let plain = ["--endpoint-url", "http://localstack:4566"];
        let error = task(&plain).unwrap_err().to_string();
        assert!(error.contains("--allow-http"), "{error}");
        assert!(task(&[&plain[..], &["--allow-http"]].concat()).is_ok());
        for url in [
            "http://me:hunter2@localhost:1",
            "http://localhost:1/?X-Amz-Signature=hunter2",
            "localhost:1",
        ] {
            let error = task(&["--endpoint-url", url]).unwrap_err().to_string();
            let expected = "option '--endpoint-url': expected a URL such as 'https://kinesis";
            assert!(error.contains(expected), "{error}");
            assert!(
                !error.contains(url) && !error.contains("hunter2"),
                "{error}"
            );
        }
    }

    #[test]
    fn no_statement_shows_in_debug() {
        let task = task(&["-c", "SELECT 'canary'"]).unwrap();
        let shown = format!("{task:?} {task:#?}");
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn an_embedded_server_excludes_another_endpoint() {
        assert!(task(&["--embedded", "--endpoint-url", "http://localhost:1"]).is_err());
        assert!(task(&["-c", "SELECT 1", "embedded"]).is_err());
    }
}
