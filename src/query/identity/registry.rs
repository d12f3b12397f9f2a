//! The running queries. Only one query of a process may use a checkpoint, and only one of a session a
//! name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::prelude::SessionContext;

use crate::checkpoint::QueryText;
use crate::error::{Error, Result};

/// The log and stop lock locations in use in this process, each with the id of the run that uses it.
static IN_USE: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The queries of a session.
#[derive(Debug, Default)]
pub(in crate::query) struct SessionQueries {
    /// The names in use, with the ids of their runs.
    names: Mutex<HashMap<String, String>>,
    /// The query that was last started at each checkpoint.
    started: Mutex<HashMap<String, StartedQuery>>,
}

/// A query that was started in a session.
#[derive(Debug, Clone)]
pub(in crate::query) struct StartedQuery {
    /// Its name, or that of its target; `None` for a SELECT without a name.
    pub(in crate::query) name: Option<String>,
    pub(in crate::query) text: QueryText,
}

impl SessionQueries {
    /// The queries of the session of `ctx`, shared by all clones of the context.
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

    /// The query that was last started at the checkpoint `location`.
    pub(in crate::query) fn started_at(&self, location: &str) -> Option<StartedQuery> {
        lock(&self.started).get(location).cloned()
    }

    /// Records that `query` was started at the checkpoint `location`.
    pub(in crate::query) fn record_start(&self, location: String, query: StartedQuery) {
        lock(&self.started).insert(location, query);
    }
}

/// The registration of a running query. Dropping it frees its name and locations.
#[derive(Debug)]
pub(in crate::query) struct Registration {
    run_id: String,
    session: Arc<SessionQueries>,
}

impl Registration {
    /// Registers a run.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) if a running query of `session` has the name, or
    /// one of this process uses one of the locations.
    pub(in crate::query) fn take(
        session: &Arc<SessionQueries>,
        run_id: &str,
        name: Option<&str>,
        locations: Vec<String>,
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
        let mut in_use = lock(&IN_USE);
        let is_in_use = |location: &&String| in_use.iter().any(|(used, _)| used == *location);
        if let Some(location) = locations.iter().find(is_in_use) {
            return Err(Error::invalid_option(format!(
                "a query with checkpoint '{location}' is running in this process: stop it first, or \
                 give this query a checkpoint location of its own"
            )));
        }
        let locations = locations.into_iter();
        in_use.extend(locations.map(|location| (location, run_id.to_owned())));
        names.extend(name.map(|name| (name.to_owned(), run_id.to_owned())));
        Ok(Self {
            run_id: run_id.to_owned(),
            session: Arc::clone(session),
        })
    }

    /// The registration of a run that other queries do not see.
    pub(in crate::query) fn none() -> Self {
        Self {
            run_id: String::new(),
            session: Arc::default(),
        }
    }

    /// Frees the name and the locations. Further calls do nothing.
    pub(in crate::query) fn release(&self) {
        lock(&self.session.names).retain(|_, run| *run != self.run_id);
        lock(&IN_USE).retain(|(_, run)| *run != self.run_id);
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
    fn releasing_a_registration_frees_its_name_and_locations() {
        let session = Arc::<SessionQueries>::default();
        let take = |run: &str, name: Option<&str>, locations: &[&str]| {
            let locations = locations.iter().map(ToString::to_string).collect();
            Registration::take(&session, run, name, locations)
        };
        let location = ["memory://registry-test"];
        let first = take("run-1", Some("registry-test"), &location).unwrap();
        let error = take("run-2", Some("registry-test"), &[]).unwrap_err();
        assert!(error.to_string().contains("'registry-test'"), "{error}");
        let error = take("run-3", None, &location).unwrap_err();
        assert!(
            error.to_string().contains("memory://registry-test"),
            "{error}"
        );
        first.release();
        let second = take("run-4", Some("registry-test"), &location).unwrap();
        drop(first);
        let error = take("run-5", None, &location).unwrap_err();
        assert!(error.to_string().contains("is running"), "{error}");
        drop(second);
        take("run-6", Some("registry-test"), &location).unwrap();
    }

    #[test]
    fn clones_of_a_session_share_its_registry() {
        let ctx = SessionContext::new();
        let queries = SessionQueries::of(&ctx);
        assert!(Arc::ptr_eq(&queries, &SessionQueries::of(&ctx.clone())));
        let other = SessionQueries::of(&SessionContext::new());
        assert!(!Arc::ptr_eq(&queries, &other));
        let _running = Registration::take(&queries, "run-7", Some("one"), Vec::new()).unwrap();
        Registration::take(&other, "run-8", Some("one"), Vec::new()).unwrap();
    }
}
