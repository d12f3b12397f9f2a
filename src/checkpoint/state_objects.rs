//! The objects below `state/` of a checkpoint location, which hold the state of a query.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::billed::BilledRequests;
use super::log::retrying;
use super::objects::{Objects, location};
use crate::error::{Error, ErrorKind, Result};
use crate::model::RetryPolicy;

const FOLDER: &str = "state";

/// The objects below `state/` of a checkpoint location. Each is written once, under a name derived from its
/// content, and takes effect when an entry of `commits` names it.
#[derive(Debug)]
pub(crate) struct StateObjects {
    objects: Arc<dyn Objects>,
    retry: RetryPolicy,
    random: Mutex<fastrand::Rng>,
}

impl StateObjects {
    /// The objects of `location`; reads nothing yet.
    pub(crate) fn at(location: &str, retry: RetryPolicy, random: fastrand::Rng) -> Result<Self> {
        Ok(Self {
            objects: location::objects(location)?,
            retry,
            random: Mutex::new(random),
        })
    }

    fn random(&self) -> fastrand::Rng {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        random.fork()
    }

    /// What AWS bills for the requests so far.
    pub(crate) fn billed_requests(&self) -> BilledRequests {
        self.objects.billed()
    }

    /// The location of an object, for messages.
    pub(crate) fn describe(&self, name: &str) -> String {
        format!("checkpoint '{}': {FOLDER}/{name}", self.objects.location())
    }

    /// Writes an object. An existing object of the same name has the same content.
    pub(crate) async fn create(&self, name: &str, content: &Bytes) -> Result<()> {
        let path = format!("{FOLDER}/{name}");
        let create = || self.objects.create(&path, content.clone());
        retrying(self.retry, self.random(), create).await?;
        Ok(())
    }

    /// The content of an object.
    ///
    /// # Errors
    /// [`ErrorKind::Checkpoint`] if it does not exist.
    pub(crate) async fn read(&self, name: &str) -> Result<Bytes> {
        let path = format!("{FOLDER}/{name}");
        let found = retrying(self.retry, self.random(), || self.objects.read(&path)).await?;
        found.ok_or_else(|| {
            Error::new(
                ErrorKind::Checkpoint,
                format!(
                    "{} is missing, but a commit names it; restore it from a copy, or give the query \
                     a new checkpoint location, where it begins at its starting position",
                    self.describe(name)
                ),
            )
        })
    }

    /// The names of all objects.
    pub(crate) async fn list(&self) -> Result<Vec<String>> {
        retrying(self.retry, self.random(), || self.objects.list(FOLDER)).await
    }

    /// Deletes temporary files of crashed writers; a concurrent writer restarts its write.
    pub(crate) async fn delete_temporaries(&self) -> Result<()> {
        retrying(self.retry, self.random(), || {
            self.objects.delete_temporaries(FOLDER)
        })
        .await
    }

    /// Deletes an object; succeeds if it does not exist.
    pub(crate) async fn delete(&self, name: &str) -> Result<()> {
        let path = format!("{FOLDER}/{name}");
        retrying(self.retry, self.random(), || self.objects.delete(&path)).await
    }
}
