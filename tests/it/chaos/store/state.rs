//! The state store of one start: the store shared by all starts, with planned failures and delays.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use serde_json::Value;

use super::Calls;
use crate::chaos::ground::Ground;
use crate::chaos::tally::Met;

#[derive(Debug, Clone)]
pub(in super::super) struct StateStore {
    ground: Arc<Ground>,
    calls: Arc<Calls>,
    inner: Arc<InMemory>,
}

/// A transient error.
fn passing(why: &'static str) -> Error {
    Error::Generic {
        store: "chaos",
        source: why.into(),
    }
}

/// The state files that a commit names.
pub(in super::super) fn named_by(commit: &Value) -> Vec<String> {
    let state = &commit["operators"][0]["files"];
    let lists = [&state["snapshot"]["parts"], &state["deltas"]];
    let names = lists.into_iter().filter_map(Value::as_array).flatten();
    names
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

/// Whether the path is part of the state; other objects have no planned failures.
fn is_state(path: &Path) -> bool {
    path.parts().any(|part| part.as_ref() == "state")
}

/// A file name without the part that depends on its content.
fn told(path: &Path) -> String {
    let name = path.filename().unwrap_or_default();
    let (batch, rest) = name.split_once('-').unwrap_or((name, ""));
    let kind = rest.rsplit_once('.').map_or("", |(_, kind)| kind);
    format!("state {batch} {kind}")
}

impl StateStore {
    pub(in super::super) fn new(ground: &Arc<Ground>, calls: &Arc<Calls>) -> Self {
        Self {
            ground: Arc::clone(ground),
            calls: Arc::clone(calls),
            inner: Arc::clone(&ground.state),
        }
    }

    fn met(&self, what: Met) {
        self.ground.tally.lock().unwrap().add(what, 1);
    }

    /// Checks that a deleted file is not needed by the next start.
    fn deleted(&self, path: &Path) -> std::result::Result<(), String> {
        self.met(Met::StateFilesDeleted);
        let book = self.ground.book.lock().unwrap();
        let newest = book.ledger.commits.last_key_value();
        let needed = newest.map_or(Vec::new(), |(_, commit)| named_by(commit));
        let name = path.filename().unwrap_or_default();
        match needed.iter().any(|needed| needed == name) {
            true => Err(format!(
                "state file {name} is deleted although the log needs it"
            )),
            false => Ok(()),
        }
    }

    async fn delete_one(self, path: Path) -> Result<Path> {
        let name = format!("delete {}", told(&path));
        let delete = self.inner.delete(&path);
        let note = |(): &()| self.deleted(&path);
        self.calls.make(&name, delete, note, passing).await?;
        Ok(path)
    }
}

impl fmt::Display for StateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the state store")
    }
}

#[async_trait]
impl ObjectStore for StateStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let name = told(location);
        let put = self.inner.put_opts(location, payload, opts);
        let note = |_: &PutResult| {
            self.met(match name.ends_with("snapshot") {
                true => Met::Snapshots,
                false => Met::Deltas,
            });
            Ok(())
        };
        let name = format!("write {name}");
        self.calls.make(&name, put, note, passing).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let get = self.inner.get_opts(location, options);
        if !is_state(location) {
            return get.await;
        }
        let name = format!("read {}", told(location));
        let note = |_: &GetResult| {
            self.met(Met::StateFilesRead);
            Ok(())
        };
        self.calls.make(&name, get, note, passing).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let deleted = locations.and_then(move |path| store.clone().delete_one(path));
        deleted.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let list = self.inner.list_with_delimiter(prefix);
        self.calls
            .make("list state", list, |_| Ok(()), passing)
            .await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
