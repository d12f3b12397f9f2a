//! Places to keep a log in, each new and gone with its test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::{OffsetCommitter, open};

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A new, empty place for the log of one query.
#[derive(Debug)]
pub(crate) struct Place {
    location: String,
    folder: Option<PathBuf>,
}

impl Place {
    /// A folder that does not exist yet.
    pub(crate) fn local() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("kinesis checkpoint {}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        Self {
            location: folder.to_str().unwrap().to_owned(),
            folder: Some(folder),
        }
    }

    /// The memory of the process.
    pub(crate) fn memory() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self {
            location: format!("memory://place-{number}/query"),
            folder: None,
        }
    }

    /// A prefix below the location in `CHECKPOINT_TEST_LOCATION`, which stays behind.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn below_the_given() -> Result<Self, &'static str> {
        let given = std::env::var("CHECKPOINT_TEST_LOCATION").map_err(|_| {
            "CHECKPOINT_TEST_LOCATION names no bucket, such as s3://bucket/prefix with feature aws"
        })?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let run = fastrand::Rng::new().u64(..);
        Ok(Self {
            location: format!("{given}/{run:016x}-{number}"),
            folder: None,
        })
    }

    /// What a user writes to mean it.
    pub(crate) fn location(&self) -> &str {
        &self.location
    }

    /// The folder of a local one.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_deref().expect("a local place")
    }

    /// A handle of its own.
    pub(crate) fn open(&self) -> Arc<dyn OffsetCommitter> {
        open(&self.location).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder
            && folder.exists()
        {
            fs::remove_dir_all(folder).unwrap();
        }
    }
}
