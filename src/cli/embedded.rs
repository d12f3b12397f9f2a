//! The in-memory Kinesis: beside a run (`--embedded`) or alone (`kinesis-sql embedded`).

use super::args::{Connection, Server};
use crate::{Error, Result};

/// The server of one run; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Beside;

/// Starts a server on a free port of loopback and points `connection` at it.
#[expect(clippy::unused_async, reason = "a server binds its port")]
pub(super) async fn beside(_connection: &mut Connection) -> Result<Beside> {
    Err(missing())
}

/// Runs a server alone until Ctrl-C.
#[expect(clippy::unused_async, reason = "a server waits for requests")]
pub(super) async fn serve(_server: &Server) -> Result<()> {
    Err(missing())
}

fn missing() -> Error {
    Error::unsupported("this build holds no in-memory Kinesis")
}
