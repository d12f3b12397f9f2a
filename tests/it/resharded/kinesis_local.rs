//! `kinesis-local`, another Kinesis emulator, as a process.

use std::env;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::process::folder;
use crate::sdk;

/// Longer than its start takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// A server process, killed on drop.
pub(super) struct KinesisLocal {
    process: Child,
    pub(super) url: String,
}

impl KinesisLocal {
    /// Starts the package in `target/ci-node`, or in the folder that `KINESIS_LOCAL` names.
    ///
    /// # Errors
    /// Why it cannot be started here.
    pub(super) fn start() -> Result<Self, String> {
        let package = env::var_os("KINESIS_LOCAL").map_or_else(installed, PathBuf::from);
        let main = package.join("main.js");
        if !main.exists() {
            return Err(format!("there is no {}", main.display()));
        }
        let log = folder("kinesis-local").join("log");
        let [plain, tls] = free_ports();
        let mut command = Command::new("node");
        for what in ["CREATE_STREAM", "SPLIT_SHARD", "MERGE_SHARDS"] {
            command.env(format!("{what}_DURATION"), "20ms");
        }
        let process = command
            .arg(main)
            .env("KINESIS_MOCK_CERT_PATH", package.join("server.json"))
            .env("KINESIS_MOCK_PLAIN_PORT", plain.to_string())
            .env("KINESIS_MOCK_TLS_PORT", tls.to_string())
            .env("SHARD_LIMIT", "500")
            .stdin(Stdio::null())
            .stdout(File::create(&log).unwrap())
            .stderr(File::options().append(true).open(&log).unwrap())
            .spawn();
        let mut server = Self {
            process: process.map_err(|error| format!("node cannot be started: {error}"))?,
            url: format!("http://127.0.0.1:{plain}"),
        };
        server.wait(&log);
        Ok(server)
    }

    /// Waits until it responds.
    fn wait(&mut self, log: &Path) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let client = sdk::client(&self.url);
        let answering = async {
            while client.list_streams().send().await.is_err() {
                if let Some(status) = self.process.try_wait().unwrap() {
                    return Err(status);
                }
                sleep(Duration::from_millis(50)).await;
            }
            Ok(())
        };
        let answers = runtime.block_on(async { timeout(PATIENCE, answering).await });
        assert_eq!(answers, Ok(Ok(())), "see {}", log.display());
    }
}

impl Drop for KinesisLocal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn installed() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    target.join("ci-node/node_modules/kinesis-local")
}

/// Two unused ports. Another process could take them only by an unlikely race.
fn free_ports() -> [u16; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
