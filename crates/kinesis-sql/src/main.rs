//! The `kinesis-sql` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    datafusion_kinesis::cli::main()
}
