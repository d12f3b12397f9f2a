//! [`TestLocation`]: a new location for a log, deleted after its test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::objects::location::objects_with;
use super::super::{ObjectStoreCommitter, OffsetCommitter};
#[cfg(all(feature = "aws", feature = "simulator"))]
use super::s3::S3Server;

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A new, empty location for the log of one query.
#[derive(Debug)]
pub(crate) struct TestLocation {
    location: String,
    settings: Vec<(&'static str, String)>,
    folder: Option<PathBuf>,
    #[cfg(all(feature = "aws", feature = "simulator"))]
    s3: Option<S3Server>,
    open: fn(&Self) -> Arc<dyn OffsetCommitter>,
}

fn open_objects(place: &TestLocation) -> Arc<dyn OffsetCommitter> {
    let objects = objects_with(&place.location, &place.settings).unwrap();
    Arc::new(ObjectStoreCommitter::over(objects))
}

impl TestLocation {
    fn at(location: String) -> Self {
        Self {
            location,
            settings: Vec::new(),
            folder: None,
            #[cfg(all(feature = "aws", feature = "simulator"))]
            s3: None,
            open: open_objects,
        }
    }

    /// A folder that does not exist yet.
    pub(crate) fn local() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("kinesis checkpoint {}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let location = folder.to_str().unwrap().to_owned();
        let mut place = Self::at(location);
        place.folder = Some(folder);
        place
    }

    /// The memory of the process.
    pub(crate) fn memory() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self::at(format!("memory://place-{number}/query"))
    }

    /// A bucket of a new server on loopback.
    #[cfg(all(feature = "aws", feature = "simulator"))]
    pub(crate) async fn s3() -> Self {
        let server = S3Server::start().await;
        let mut place = Self::at("s3://bucket/queries of today/q1".to_owned());
        place.settings = server.settings();
        place.s3 = Some(server);
        place
    }

    /// A prefix below the location in `CHECKPOINT_TEST_LOCATION`, which is not deleted.
    ///
    /// # Errors
    /// Why there is no such location.
    pub(crate) fn below_the_given() -> Result<Self, &'static str> {
        let why = "CHECKPOINT_TEST_LOCATION names no bucket, such as s3://bucket/prefix";
        Self::below("CHECKPOINT_TEST_LOCATION").ok_or(why)
    }

    /// A folder below the location in `HDFS_TEST_LOCATION`, which is not deleted.
    ///
    /// # Errors
    /// Why there is no such location.
    #[cfg(feature = "hdfs")]
    pub(crate) fn hdfs() -> Result<Self, &'static str> {
        let why = "HDFS_TEST_LOCATION names no place, such as hdfs://127.0.0.1:19000/tests \
                   (tests/hdfs-up.sh starts a NameNode there)";
        Self::below("HDFS_TEST_LOCATION").ok_or(why)
    }

    fn below(variable: &str) -> Option<Self> {
        let given = std::env::var(variable).ok()?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let run = fastrand::Rng::new().u64(..);
        Some(Self::at(format!("{given}/{run:016x}-{number}")))
    }

    /// A new table in a DynamoDB server on loopback: one in this process, or the one at
    /// `DYNAMODB_TEST_ENDPOINT`, where the table is not deleted.
    #[cfg(feature = "dynamodb")]
    pub(crate) fn dynamodb() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let run = fastrand::Rng::new().u64(..);
        let mut place = Self::at(format!("place-{run:016x}-{number}"));
        place.open = |place| over_the_wire::open(&place.location);
        place
    }

    /// The location as a user writes it.
    pub(crate) fn location(&self) -> &str {
        &self.location
    }

    /// The folder of a local location.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_deref().expect("a local location")
    }

    /// The same, at another location.
    #[cfg(all(feature = "aws", feature = "simulator"))]
    pub(crate) fn moved(mut self, location: &str) -> Self {
        self.location = location.to_owned();
        self
    }

    /// The same, with another setting.
    #[cfg(all(feature = "aws", feature = "simulator"))]
    pub(crate) fn with_setting(mut self, name: &'static str, value: &str) -> Self {
        self.settings.push((name, value.to_owned()));
        self
    }

    /// The location as messages show it.
    #[cfg(all(feature = "aws", feature = "simulator"))]
    pub(crate) fn shown(&self) -> String {
        self.open().location()
    }

    /// The server of a location on S3.
    #[cfg(all(feature = "aws", feature = "simulator"))]
    pub(crate) fn server(&self) -> &S3Server {
        self.s3.as_ref().expect("a location on S3")
    }

    /// Opens a new handle.
    pub(crate) fn open(&self) -> Arc<dyn OffsetCommitter> {
        (self.open)(self)
    }
}

impl Drop for TestLocation {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder
            && folder.exists()
        {
            let removed = fs::remove_dir_all(folder);
            // A failing test may leave running writers.
            assert!(std::thread::panicking() || removed.is_ok(), "{removed:?}");
        }
    }
}

#[cfg(feature = "dynamodb")]
mod over_the_wire {
    use std::sync::mpsc::channel;
    use std::sync::{Arc, LazyLock};
    use std::thread;

    use dynoxide::Database;
    use tokio::net::TcpListener;
    use tokio::runtime::{Builder, Handle};

    use super::super::super::{DynamoDbCommitter, OffsetCommitter};
    use crate::model::{ConnectionSettings, CredentialSettings, Secret, StaticCredentials};

    /// The URL of the server; a server in this process ends with it.
    static SERVER: LazyLock<String> = LazyLock::new(|| {
        if let Ok(url) = std::env::var("DYNAMODB_TEST_ENDPOINT") {
            return url;
        }
        let (sender, url) = channel();
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
                let address = listener.local_addr().unwrap();
                sender.send(format!("http://{address}")).unwrap();
                dynoxide::server::serve_on(listener, Database::memory().unwrap()).await;
            });
        });
        url.recv().unwrap()
    });

    pub(super) fn open(table: &str) -> Arc<dyn OffsetCommitter> {
        let settings = ConnectionSettings {
            endpoint_url: Some(SERVER.clone()),
            region: Some("us-east-1".to_owned()),
            credentials: CredentialSettings::keys(StaticCredentials {
                access_key_id: Secret::new("test"),
                secret_key: Secret::new("test"),
                session_token: None,
            }),
            ..ConnectionSettings::default()
        };
        let connect = DynamoDbCommitter::connect(&settings, table, "some query");
        let connect = || Handle::current().block_on(connect);
        Arc::new(tokio::task::block_in_place(connect).unwrap())
    }
}
