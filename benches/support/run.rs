//! Runs the command as a process against a server.

use std::process::{Child, Command, Stdio};

use crate::support::{COMMAND, Server};

/// The command with `statements`, whose results arrive as CSV on a pipe.
pub(crate) fn run(server: &Server, statements: &str) -> Child {
    Command::new(COMMAND)
        .args(["--endpoint-url", &server.url, "--region", "us-east-1"])
        .args(["--output", "csv", "-c", statements])
        .env("AWS_ACCESS_KEY_ID", "bench")
        .env("AWS_SECRET_ACCESS_KEY", "bench")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts")
}
