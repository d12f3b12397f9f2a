//! The queries that run: a checkpoint serves one of this process, a name one of its session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::prelude::SessionContext;

use crate::checkpoint::QueryText;
use crate::error::{Error, Result};

/// Where the queries of this process keep their logs and stop locks, and by which run.
static HELD: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a session knows of its queries.
#[derive(Debug, Default)]
pub(in crate::query) struct SessionQueries {
    /// The run of each name in use.
    names: Mutex<HashMap<String, String>>,
    /// What was started last at each checkpoint.
    started: Mutex<HashMap<String, QueryText>>,
}

impl SessionQueries {
    /// Those of the session of `ctx`, shared by all its handles.
    pub(in crate::query) fn of(ctx: &SessionContext) -> Arc<Self> {
        let state = ctx.state_ref();
        let mut state = state.write();
        if let Some(known) = state.config().get_extension::<Self>() {
            return known;
        }
        let queries = Arc::<Self>::default();
        state.config_mut().set_extension(Arc::clone(&queries));
        queries
    }

    /// What was started last at the checkpoint `location`.
    pub(in crate::query) fn started_at(&self, location: &str) -> Option<QueryText> {
        lock(&self.started).get(location).cloned()
    }

    /// Notes what was started at the checkpoint `location`.
    pub(in crate::query) fn note(&self, location: String, runs: QueryText) {
        lock(&self.started).insert(location, runs);
    }
}

/// The place of a running query among the others; given up when dropped.
#[derive(Debug)]
pub(in crate::query) struct Registration {
    run_id: String,
    session: Arc<SessionQueries>,
}

impl Registration {
    /// Registers a run.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) where a running query of `session` has the
    /// name, or one of this process has one of the places.
    pub(in crate::query) fn take(
        session: &Arc<SessionQueries>,
        run_id: &str,
        name: Option<&str>,
        places: Vec<String>,
    ) -> Result<Self> {
        let mut names = lock(&session.names);
        if let Some(name) = name
            && names.contains_key(name)
        {
            return Err(Error::invalid_option(format!(
                "a query named '{name}' is running in this session: stop it first, or give \
                 another name"
            )));
        }
        let mut held = lock(&HELD);
        let in_use = places
            .iter()
            .find(|place| held.iter().any(|(held, _)| held == *place));
        if let Some(place) = in_use {
            return Err(Error::invalid_option(format!(
                "a query with checkpoint '{place}' is running in this process: stop it first, or \
                 give this query a checkpoint location of its own"
            )));
        }
        held.extend(places.into_iter().map(|place| (place, run_id.to_owned())));
        names.extend(name.map(|name| (name.to_owned(), run_id.to_owned())));
        Ok(Self {
            run_id: run_id.to_owned(),
            session: Arc::clone(session),
        })
    }

    /// The registration of a run that the others do not know of.
    pub(in crate::query) fn none() -> Self {
        Self {
            run_id: String::new(),
            session: Arc::default(),
        }
    }

    /// Makes room for another run; a second time does nothing.
    pub(in crate::query) fn release(&self) {
        lock(&self.session.names).retain(|_, run| *run != self.run_id);
        lock(&HELD).retain(|(_, run)| *run != self.run_id);
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
        let session = Arc::<SessionQueries>::default();
        let take = |run: &str, name: Option<&str>, places: &[&str]| {
            let places = places.iter().map(ToString::to_string).collect();
            Registration::take(&session, run, name, places)
        };
        let place = ["memory://registry-test"];
        let first = take("run-1", Some("registry-test"), &place).unwrap();
        let error = take("run-2", Some("registry-test"), &[]).unwrap_err();
        assert!(error.to_string().contains("'registry-test'"), "{error}");
        let error = take("run-3", None, &place).unwrap_err();
        assert!(
            error.to_string().contains("memory://registry-test"),
            "{error}"
        );
        first.release();
        let second = take("run-4", Some("registry-test"), &place).unwrap();
        drop(first);
        let error = take("run-5", None, &place).unwrap_err();
        assert!(error.to_string().contains("is running"), "{error}");
        drop(second);
        take("run-6", Some("registry-test"), &place).unwrap();
    }

    #[test]
    fn a_session_has_one_registry_for_all_its_handles() {
        let ctx = SessionContext::new();
        let queries = SessionQueries::of(&ctx);
        assert!(Arc::ptr_eq(&queries, &SessionQueries::of(&ctx.clone())));
        let other = SessionQueries::of(&SessionContext::new());
        assert!(!Arc::ptr_eq(&queries, &other));
        let _running = Registration::take(&queries, "run-7", Some("one"), Vec::new()).unwrap();
        Registration::take(&other, "run-8", Some("one"), Vec::new()).unwrap();
    }
}
