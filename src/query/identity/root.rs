//! Which checkpoint a query has if several queries are started at one location.
//!
//! The first query has its checkpoint at the location itself. A query of another name, which is that of its target
//! table if it has none, has its checkpoint in a folder of this name below it, from its first start on.

use super::registry::{SessionQueries, StartedQuery};
use super::statement::is_same_query;
use crate::checkpoint::{Checkpoint, open};
use crate::error::Result;
use crate::model::RetryPolicy;

/// A query that is started at a location.
#[derive(Debug)]
pub(in crate::query) struct RootedQuery<'a> {
    pub(in crate::query) location: &'a str,
    pub(in crate::query) query: &'a StartedQuery,
    /// The queries that were started before; `None` if they do not matter.
    pub(in crate::query) session: Option<&'a SessionQueries>,
}

impl RootedQuery<'_> {
    /// The location of its own checkpoint.
    ///
    /// # Errors
    /// The location is invalid, or cannot be read.
    pub(in crate::query) async fn checkpoint_location(
        &self,
        retry: RetryPolicy,
        random: fastrand::Rng,
    ) -> Result<String> {
        let Some(name) = self.query.name.as_deref() else {
            return Ok(self.location.to_owned());
        };
        let below = below(self.location, name);
        let root = open(self.location)?.location();
        let first = self.session.and_then(|session| session.started_at(&root));
        let is_second = first.is_some_and(|first| {
            let has_another_name = first.name.is_some_and(|first| first != name);
            has_another_name && !is_same_query(&first.text, &self.query.text)
        });
        if is_second || exists(&below, retry, random).await? {
            tracing::info!(
                location = self.location,
                checkpoint = below,
                "this query has its checkpoint below the location, because another query has it there"
            );
            return Ok(below);
        }
        Ok(self.location.to_owned())
    }
}

/// Whether there is a checkpoint.
///
/// # Errors
/// The location cannot be read.
pub(super) async fn exists(
    location: &str,
    retry: RetryPolicy,
    random: fastrand::Rng,
) -> Result<bool> {
    Checkpoint::new(open(location)?, retry, 1, random)
        .exists()
        .await
}

/// The location of the query `name` below `location`.
pub(super) fn below(location: &str, name: &str) -> String {
    let folder = name.chars().map(|char| match char {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => char,
        _ => '_',
    });
    let folder: String = folder.collect();
    format!("{}/{folder}", location.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_query_is_a_single_part_of_a_path() {
        assert_eq!(
            below("s3://bucket/a/", "word counts/2"),
            "s3://bucket/a/word_counts_2"
        );
        assert_eq!(below("/var/lib", ".."), "/var/lib/__");
    }
}
