//! Command line arguments.
//!
//! `-f` and `-c` form one ordered list. Clap's derive does not keep that order, so it is rebuilt
//! from the argument indices.

mod consumers;
mod export;
mod infer;
mod option;
mod restart;
#[cfg(feature = "ui")]
mod ui;

use std::fmt;
use std::path::PathBuf;

pub(super) use self::consumers::Consumers;
pub(super) use self::export::Export;
pub(super) use self::infer::{Infer, SampleFormat};
pub(super) use self::option::OptionText;
pub(super) use self::restart::{Restart, RestartPolicy};
#[cfg(feature = "ui")]
pub(super) use self::ui::{Ui, UiAddress};
use super::output::{Format, Output};
use crate::model::{ConnectionSettings, CredentialSettings, is_region, is_unencrypted};
use crate::options::endpoint_url;
use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

const AFTER_HELP: &str = "\
Without -f or -c, statements come from an interactive shell if stdin is a terminal, and otherwise from
stdin, each one running as soon as it is complete.
A file stops at its first error, which is reported with file and line.
A table of more than 10,000 rows or 8 MiB is printed in parts, each with its own header.

A statement that reads an UNBOUNDED table runs until its trigger (SET streaming.trigger), a STOP_LOCK
in its checkpoint location, or a signal ends it. Ctrl-C ends the statement after the batch in flight,
and the file continues with the next one; SIGTERM ends the run after the batch in flight. A second
signal stops at once. With --restart on-failure, a statement that fails because a service is
unreachable, throttles or fails itself goes on from its checkpoint after a wait of up to a minute.

Exit codes: 0 all statements succeeded, 1 one has failed, 2 the arguments are wrong, 130 Ctrl-C,
143 SIGTERM.

Tables show control characters as \\n, \\x1b or \\u{202e}. In CSV, an empty field is NULL, \"\" is an empty
string, and lists, structs and maps are JSON.

Values of binary columns such as `data` are printed as text if they are UTF-8 without control
characters (tabs and line breaks are allowed), and otherwise as 0x and hexadecimal digits.
Where exact bytes matter, select encode(data, 'base64').

RUST_LOG sets the log filter for stderr. The default logs warnings, but only errors of aws_config, and
not the end of a streaming query (warn,aws_config=error,datafusion_kinesis::query::task=off).";

const RUN_AFTER_HELP: &str = "\
Statements run in order, but an INSERT or a statement set over an UNBOUNDED table starts in the
background, with the SET statements before it, and the next statement follows. Queries with different
targets can have one streaming.checkpoint_location. The command ends when all queries have ended. A
query that fails does not stop the others, unless --fail-fast is given. Ctrl-C and SIGTERM end all
queries after the batches in flight.

The exit code is 1 if any statement or query failed.";

const DOCTOR_AFTER_HELP: &str = "\
For each table, doctor checks the options, the credentials (with GetCallerIdentity of STS), the clock,
whether the stream exists, and whether each API call that the statements need is allowed, using dry
runs where the service supports them. For each checkpoint location and DynamoDB table, it checks write
access by writing and deleting; in a local location this leaves an empty folder. It plans every other
statement.

The exit code is 1 if any check failed.";

/// The parsed command line.
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
    /// Run the statements in a file, or `-` for stdin; repeatable, and can be mixed with -c
    #[arg(short, long = "file", value_name = "FILE")]
    file: Vec<PathBuf>,
    /// Run the given statements; repeatable, and can be mixed with -f
    // A statement may begin with a comment.
    #[arg(
        short,
        long = "command",
        value_name = "SQL",
        allow_hyphen_values = true
    )]
    command_text: Vec<String>,
    /// Replace ${NAME} and ${NAME:-default} in '…' literals of -f, -c and stdin by environment variables; $${ is a literal ${
    #[arg(long)]
    pub(super) expand_env: bool,
    #[command(flatten)]
    pub(super) restart: Restart,
    #[command(flatten)]
    pub(super) export: Export,
    /// Estimate what streaming queries cost from the prices in a JSON file, such as {"prices": {"shardHour": 0.018}};
    /// the same as SET streaming.prices
    #[arg(long, value_name = "FILE")]
    pub(super) prices: Option<String>,
    #[command(flatten)]
    pub(super) shown: Shown,
    #[cfg(feature = "ui")]
    #[command(flatten)]
    pub(super) ui: Ui,
    #[command(flatten)]
    pub(super) connection: Connection,
    /// `-f` and `-c` in command line order.
    #[arg(skip)]
    pub(super) scripts: Vec<Script>,
}

/// Omits the statements, which may contain credentials.
impl fmt::Debug for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Args")
            .field("embedded", &self.embedded)
            .field("expand_env", &self.expand_env)
            .field("restart", &self.restart)
            .field("shown", &self.shown)
            .field("connection", &self.connection)
            .field("scripts", &self.scripts)
            .finish_non_exhaustive()
    }
}

/// How results are printed.
#[derive(Debug, clap::Args)]
pub(super) struct Shown {
    /// Output format of results on stdout
    #[arg(long, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    output: Format,
    /// Maximum width of tables (default: terminal width); longer values are cut, 0 means unlimited
    #[arg(long, value_name = "COLUMNS")]
    width: Option<usize>,
    /// Print each row as a record, one line per column, with full values
    #[arg(short = 'x', long)]
    expanded: bool,
}

impl Shown {
    /// Output settings for results.
    pub(super) fn output(&self) -> Output {
        Output {
            format: self.output,
            table_limit: None,
            width: self.width.into(),
            expanded: self.expanded,
        }
    }
}

/// Connection settings for tables whose options do not set them.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub(super) struct Connection {
    /// Endpoint for tables that do not set one
    #[arg(long, value_name = "URL")]
    pub(super) endpoint_url: Option<String>,
    /// AWS region for tables that do not set one
    #[arg(long, value_name = "REGION")]
    pub(super) region: Option<String>,
    /// Allow http:// in --endpoint-url for other hosts; traffic can then be read in transit
    #[arg(long)]
    pub(super) allow_http: bool,
    /// Credentials for the embedded server.
    #[arg(skip)]
    pub(super) credentials: CredentialSettings,
}

impl Connection {
    /// The settings of services other than Kinesis.
    pub(super) fn of_others(&self) -> ConnectionSettings {
        let settings = ConnectionSettings {
            allow_http: self.allow_http,
            ..ConnectionSettings::default()
        };
        match &self.region {
            Some(region) => settings.with_region(region),
            None => settings,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the streaming queries of files side by side, until all have ended
    Run(Box<SideBySide>),
    /// Check what the statements in files need, without reading or writing records
    Doctor(Box<Doctor>),
    /// Print the statement that declares a stream as a table, from a sample of its records
    Infer(Box<Infer>),
    /// List the consumers of a stream (enhanced fan-out), or deregister one
    Consumers(Box<Consumers>),
    /// Run only the in-memory Kinesis, on loopback, until Ctrl-C
    Embedded(Server),
    /// Print a script that completes arguments of the command in a shell
    Completions(Completions),
    /// Print the manual page, in the format of roff
    Man,
}

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = RUN_AFTER_HELP)]
pub(super) struct SideBySide {
    /// Stop all queries when one has failed for good
    #[arg(long)]
    pub(super) fail_fast: bool,
    #[command(flatten)]
    pub(super) args: Args,
}

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = DOCTOR_AFTER_HELP)]
pub(super) struct Doctor {
    /// Check the statements in a file; repeatable, and later files see the tables of earlier ones
    #[arg(short, long = "file", value_name = "FILE", required = true)]
    pub(super) file: Vec<PathBuf>,
    /// Check the files for `kinesis-sql run`, where a streaming query does not keep others waiting
    #[arg(long)]
    pub(super) run: bool,
    /// Replace ${NAME} and ${NAME:-default} in '…' literals by environment variables, as a run with --expand-env does
    #[arg(long)]
    pub(super) expand_env: bool,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    #[arg(value_enum, value_name = "SHELL")]
    pub(super) shell: Shell,
}

/// Arguments of `embedded`, which runs the in-memory Kinesis in its own process.
#[derive(Debug, clap::Args)]
pub(super) struct Server {
    /// Port on 127.0.0.1; 0 picks a free one
    #[arg(long, default_value_t = 4567)]
    pub(super) port: u16,
    /// Serve HTTPS, with a certificate for localhost that is made for this run and written to FILE in PEM
    #[arg(long, value_name = "FILE")]
    pub(super) tls: Option<PathBuf>,
    /// Apply the service's throughput limits
    #[arg(long)]
    pub(super) enforce_limits: bool,
    /// Serve only this account; by default any account, taken from the ARN or a 12-digit access key
    /// id
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    pub(super) account: Option<String>,
    /// Serve only this region; by default any region, taken from the ARN or the signature
    #[arg(long, value_name = "REGION", value_parser = region)]
    pub(super) region: Option<String>,
}

fn account(text: &str) -> Result<String, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match digits && text.len() == 12 {
        true => Ok(text.to_owned()),
        false => Err("expected a 12-digit AWS account id".to_owned()),
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

/// Omits the statements, which may contain credentials.
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
    /// Parses the command line. Exits after `--help`, `--version` and usage errors.
    pub(super) fn from_command_line() -> Self {
        Self::from_matches(&Self::command().get_matches()).unwrap_or_else(|error| error.exit())
    }

    fn from_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut task = Self::from_arg_matches(matches)?;
        let connection = match &task.command {
            Some(Command::Doctor(doctor)) => &doctor.connection,
            Some(Command::Infer(infer)) => &infer.connection,
            Some(Command::Consumers(consumers)) => &consumers.connection,
            Some(Command::Run(run)) => &run.args.connection,
            _ => &task.args.connection,
        };
        check_endpoint(connection).map_err(|expected| {
            // Clap would print the value, which may contain a secret.
            let message = format!("option '--endpoint-url': {expected}");
            Self::command().error(ErrorKind::ValueValidation, message)
        })?;
        match (&mut task.command, matches.subcommand()) {
            (Some(Command::Run(run)), Some((_, matches))) => {
                run.args.scripts = scripts(matches, &run.args);
                if run.args.scripts.is_empty() {
                    let message = "run: expected statements to run, with -f FILE or -c SQL";
                    let kind = ErrorKind::MissingRequiredArgument;
                    return Err(Self::command().error(kind, message));
                }
            }
            _ => task.args.scripts = scripts(matches, &task.args),
        }
        Ok(task)
    }
}

/// Returns what is wrong with the endpoint, if one is given.
fn check_endpoint(connection: &Connection) -> Result<(), String> {
    let Some(url) = &connection.endpoint_url else {
        return Ok(());
    };
    let url = endpoint_url(url, "kinesis")?;
    match is_unencrypted(&url) && !connection.allow_http {
        false => Ok(()),
        true => Err("expected https:// for a remote host; --allow-http allows http://".to_owned()),
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
mod tests;
