//! Runs the in-memory Kinesis, together with statements (`--embedded`) or alone (`kinesis-sql
//! embedded`).

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use super::args::{Connection, Server};
use super::signals::Signals;
use crate::kinesis::{EmbeddedServer, InMemoryKinesis, InMemoryOptions};
use crate::model::{CredentialSettings, Secret, StaticCredentials, SystemClock};
use crate::{Error, ErrorKind, Result};

/// Default region.
const REGION: &str = "us-east-1";

/// Starts a server on a free loopback port and points `connection` at it.
pub(super) async fn start_for_run(connection: &mut Connection) -> Result<EmbeddedServer> {
    let server = start(0, InMemoryOptions::default()).await?;
    connection.endpoint_url = Some(server.endpoint_url());
    connection.region.get_or_insert_with(|| REGION.to_owned());
    connection.credentials = CredentialSettings::keys(StaticCredentials {
        access_key_id: Secret::new("embedded"),
        secret_key: Secret::new("embedded"),
        session_token: None,
    });
    Ok(server)
}

/// Runs only the server, until Ctrl-C or SIGTERM. The first line on stdout ends with its URL.
pub(super) async fn serve(options: &Server) -> Result<()> {
    let mut signals = Signals::all().map_err(|error| failed("listen for signals", error))?;
    let behaviour = InMemoryOptions {
        enforce_limits: options.enforce_limits,
        account: options.account.clone(),
        region: options.region.clone(),
        ..InMemoryOptions::default()
    };
    let server = match &options.tls {
        None => start(options.port, behaviour).await?,
        Some(file) => start_with_tls(options.port, behaviour, file).await?,
    };
    // If stdout is closed, the line is not needed.
    let _ = writeln!(
        io::stdout(),
        "in-memory Kinesis on {}",
        server.endpoint_url()
    );
    signals.next().await;
    server.shutdown().await;
    Ok(())
}

async fn start(port: u16, options: InMemoryOptions) -> Result<EmbeddedServer> {
    let kinesis = InMemoryKinesis::new(Arc::new(SystemClock), options);
    EmbeddedServer::bind(("127.0.0.1", port), Arc::new(kinesis))
        .await
        .map_err(|error| failed(&format!("listen on port {port} of 127.0.0.1"), error))
}

/// Starts a server with TLS, and writes its certificate to `file`.
async fn start_with_tls(
    port: u16,
    options: InMemoryOptions,
    file: &Path,
) -> Result<EmbeddedServer> {
    let kinesis = InMemoryKinesis::new(Arc::new(SystemClock), options);
    let server = EmbeddedServer::bind_with_tls(("127.0.0.1", port), Arc::new(kinesis))
        .await
        .map_err(|error| failed(&format!("listen on port {port} of 127.0.0.1"), error))?;
    let certificate = server.certificate().unwrap_or_default();
    fs::write(file, certificate)
        .map_err(|error| failed(&format!("write '{}'", file.display()), error))?;
    Ok(server)
}

fn failed(what: &str, error: io::Error) -> Error {
    let message = format!("cannot {what}: {error}");
    Error::new(ErrorKind::Unavailable, message).with_source(error)
}
