//! Objects as local files that survive a power failure.
//!
//! The `object_store` crate does not flush local files to disk, so they are written here: under a temporary name,
//! flushed, then hard-linked to their final name, which fails if the name exists.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind as Io, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use super::super::committer::{StoreError, StoreResult};
use super::Objects;
use super::temporary_names;
use crate::error::{Error, ErrorKind};

/// How often a write restarts because its temporary file was deleted by [`Objects::delete_temporaries`].
const MAX_WRITE_TRIES: u32 = 8;

/// Files below a folder, which the first write creates.
#[derive(Debug, Clone)]
pub(super) struct LocalFiles {
    root: Arc<Path>,
    location: Arc<str>,
}

impl LocalFiles {
    /// Files below `root`, an absolute path.
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.into(),
            location: root.display().to_string().into(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        let mut path = self.root.to_path_buf();
        path.extend(name.split('/').filter(|part| !part.is_empty()));
        path
    }

    /// Runs `work` on the path of `name` on a blocking thread.
    async fn blocking<T: Send + 'static>(
        &self,
        doing: &'static str,
        name: &str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> StoreResult<T> {
        let path = self.path(name);
        let done = tokio::task::spawn_blocking(move || work(&path)).await;
        let done = done.unwrap_or_else(|stopped| Err(io::Error::other(stopped)));
        done.map_err(|error| store_error(&self.location, doing, name, error))
    }
}

#[async_trait]
impl Objects for LocalFiles {
    fn location(&self) -> &str {
        &self.location
    }

    async fn create(&self, name: &str, content: Bytes) -> StoreResult<bool> {
        self.blocking("write", name, move |path| create(path, &content))
            .await
    }

    async fn read(&self, name: &str) -> StoreResult<Option<Bytes>> {
        self.blocking("read", name, |path| {
            Ok(if_found(fs::read(path))?.map(Bytes::from))
        })
        .await
    }

    async fn exists(&self, name: &str) -> StoreResult<bool> {
        self.blocking("look for", name, Path::try_exists).await
    }

    async fn delete(&self, name: &str) -> StoreResult<()> {
        self.blocking("delete", name, |path| {
            if_found(fs::remove_file(path)).map(drop)
        })
        .await
    }

    async fn list(&self, folder: &str) -> StoreResult<Vec<String>> {
        self.blocking("list", folder, names).await
    }

    async fn delete_temporaries(&self, folder: &str) -> StoreResult<()> {
        self.blocking("tidy", folder, |path| {
            for name in names(path)?
                .iter()
                .filter(|name| temporary_names::is_temporary(name))
            {
                if_found(fs::remove_file(path.join(name)))?;
            }
            Ok(())
        })
        .await
    }
}

/// The error with its kind, and whether it is transient.
pub(in crate::checkpoint) fn store_error(
    location: &str,
    doing: &str,
    name: &str,
    error: io::Error,
) -> StoreError {
    let target = if name.is_empty() { "it" } else { name };
    let message = format!("checkpoint '{location}': cannot {doing} {target}: {error}");
    let kind = match error.kind() {
        Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::AccessDenied,
        Io::NotADirectory | Io::IsADirectory | Io::InvalidInput | Io::InvalidFilename => {
            ErrorKind::InvalidOption
        }
        Io::Unsupported => ErrorKind::Unsupported,
        _ => {
            let error = Error::new(ErrorKind::Unavailable, message).with_source(error);
            return StoreError::transient(error);
        }
    };
    StoreError::permanent(Error::new(kind, message).with_source(error))
}

fn if_found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == Io::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The names in a folder; none if it does not exist.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let Some(entries) = if_found(fs::read_dir(folder))? else {
        return Ok(Vec::new());
    };
    let name = |entry: io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into());
    entries.map(name).collect()
}

/// Creates a file and flushes it and its folder; `false` if it exists.
fn create(path: &Path, content: &[u8]) -> io::Result<bool> {
    let folder = path.parent().unwrap_or(path);
    create_folder(folder)?;
    let mut tries = 1;
    let created = loop {
        let (mut file, temporary) = new_temporary(path)?;
        let written = file.write_all(content).and_then(|()| file.sync_all());
        let linked = written.and_then(|()| link(&temporary, path));
        if_found(fs::remove_file(&temporary))?;
        match linked {
            Ok(()) => break true,
            Err(error) if error.kind() == Io::AlreadyExists => break false,
            Err(error) if error.kind() == Io::NotFound && tries < MAX_WRITE_TRIES => tries += 1,
            Err(error) => return Err(error),
        }
    };
    // Flushed even if it existed, because its writer may have crashed before this step.
    sync_folder(folder)?;
    Ok(created)
}

/// Gives a file its final name, unless that exists.
fn link(temporary: &Path, path: &Path) -> io::Result<()> {
    fs::hard_link(temporary, path).map_err(cannot_link)
}

/// Explains a failed link: a file system without hard links, such as FAT, allows only creating files.
pub(in crate::checkpoint) fn cannot_link(error: io::Error) -> io::Error {
    match error.kind() {
        Io::PermissionDenied | Io::Unsupported => {
            let message = format!(
                "the file system does not support hard links: choose another one ({error})"
            );
            io::Error::new(Io::Unsupported, message)
        }
        _ => error,
    }
}

/// Opens a new temporary file next to `path`.
fn new_temporary(path: &Path) -> io::Result<(File, PathBuf)> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    loop {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let temporary = temporary_names::temporary_name(&name, std::process::id(), number);
        let temporary = path.with_file_name(temporary);
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
        {
            Ok(file) => return Ok((file, temporary)),
            Err(error) if error.kind() == Io::AlreadyExists => {} // of a crash, or another machine
            Err(error) => return Err(error),
        }
    }
}

/// Creates a folder and its ancestors, and flushes each into its parent.
fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        create_folder(above)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() == Io::AlreadyExists => {
            if !folder.is_dir() {
                let message = format!("'{}' is not a folder", folder.display());
                return Err(io::Error::new(Io::NotADirectory, message));
            }
        }
        made => made?,
    }
    folder.parent().map_or(Ok(()), sync_folder)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Other systems cannot open a folder to flush it; their file systems journal it.
#[cfg(not(unix))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "has the signature of the Unix function"
)]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}
