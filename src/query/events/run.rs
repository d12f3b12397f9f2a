//! The identity of one run of a query, for events and messages.

use std::fmt;

/// One run of a query. Displayed as `query 'name'`, or `query <id>` without a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::query) struct QueryRun {
    /// The id of the query, the same after every restart.
    pub(in crate::query) id: String,
    /// The id of this run.
    pub(in crate::query) run_id: String,
    /// The name of the query, if it has one.
    pub(in crate::query) name: Option<String>,
}

impl fmt::Display for QueryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "query '{name}'"),
            None => write!(f, "query {}", self.id),
        }
    }
}
