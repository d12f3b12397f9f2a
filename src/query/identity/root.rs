//! Which checkpoint a query has if several queries are started at one location.
//!
//! The first query has its checkpoint at the location itself. A query of another name, which is that of its target
//! table if it has none, has its checkpoint in a folder of this name below it, from its first start on.

use super::registry::{SessionQueries, StartedQuery};
use super::statement::is_same_query;
use crate::checkpoint::{Checkpoint, QueryText, open};
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
        mut random: fastrand::Rng,
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
        // A query that was at the location before stays there, whatever is in a folder below it.
        let is_below = is_second
            || exists(&below, retry, random.fork()).await?
                && !self.is_at_location(retry, random).await?;
        if is_below {
            tracing::info!(
                location = self.location,
                checkpoint = below,
                "this query has its checkpoint below the location, because another query has it there"
            );
            return Ok(below);
        }
        Ok(self.location.to_owned())
    }

    /// Whether the checkpoint at the location itself belongs to this query.
    async fn is_at_location(&self, retry: RetryPolicy, random: fastrand::Rng) -> Result<bool> {
        let checkpoint = Checkpoint::new(open(self.location)?, retry, 1, random);
        let logged = logged_query(&checkpoint).await?;
        Ok(logged.is_some_and(|logged| is_same_query(&logged, &self.query.text)))
    }
}

/// The query of a checkpoint; `None` if there is no query yet.
pub(super) async fn logged_query(checkpoint: &Checkpoint) -> Result<Option<QueryText>> {
    let Some(metadata) = checkpoint.metadata().await? else {
        return Ok(None);
    };
    let newest = checkpoint.runs_since().await?;
    Ok(Some(newest.unwrap_or(metadata.runs)))
}

/// Whether there is a checkpoint.
///
/// # Errors
/// The location cannot be read.
async fn exists(location: &str, retry: RetryPolicy, random: fastrand::Rng) -> Result<bool> {
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
