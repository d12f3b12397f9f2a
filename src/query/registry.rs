//! The queries that run in this process: one for a checkpoint, one for a name.

use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};

static RUNNING: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct Entry {
    run_id: String,
    name: Option<String>,
    /// Where its logs and its stop lock are.
    places: Vec<String>,
}

/// The place of a running query among the others; given up when dropped.
#[derive(Debug)]
pub(super) struct Registration {
    run_id: String,
}

impl Registration {
    /// Registers a run.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) where a running query has the name or one
    /// of the places.
    pub(super) fn take(run_id: &str, name: Option<&str>, places: Vec<String>) -> Result<Self> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = name
            && running
                .iter()
                .any(|entry| entry.name.as_deref() == Some(name))
        {
            return Err(Error::invalid_option(format!(
                "a query named '{name}' is running in this process: stop it first, or give \
                 another name"
            )));
        }
        let in_use = places
            .iter()
            .find(|place| running.iter().any(|entry| entry.places.contains(place)));
        if let Some(place) = in_use {
            return Err(Error::invalid_option(format!(
                "a query with checkpoint '{place}' is running in this process: stop it first, or \
                 give this query a checkpoint location of its own"
            )));
        }
        running.push(Entry {
            run_id: run_id.to_owned(),
            name: name.map(str::to_owned),
            places,
        });
        Ok(Self {
            run_id: run_id.to_owned(),
        })
    }

    /// The registration of a run that the others do not know of.
    pub(super) fn none() -> Self {
        Self {
            run_id: String::new(),
        }
    }

    /// Makes room for another run; a second time does nothing.
    pub(super) fn release(&self) {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|entry| entry.run_id != self.run_id);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_place_are_free_again_when_their_query_is_gone() {
        let place = || vec!["memory://registry-test".to_owned()];
        let first = Registration::take("run-1", Some("registry-test"), place()).unwrap();
        let error = Registration::take("run-2", Some("registry-test"), Vec::new()).unwrap_err();
        assert!(error.to_string().contains("'registry-test'"), "{error}");
        let error = Registration::take("run-3", None, place()).unwrap_err();
        assert!(
            error.to_string().contains("memory://registry-test"),
            "{error}"
        );
        first.release();
        let second = Registration::take("run-4", Some("registry-test"), place()).unwrap();
        drop(first);
        let error = Registration::take("run-5", None, place()).unwrap_err();
        assert!(error.to_string().contains("is running"), "{error}");
        drop(second);
        Registration::take("run-6", Some("registry-test"), place()).unwrap();
    }
}
