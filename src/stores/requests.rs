//! Who is told of requests to a store.

use std::fmt;

/// Is told of each request to S3, by its method and query.
pub(crate) trait CountRequests: fmt::Debug + Send + Sync {
    /// A request is about to be sent.
    #[cfg_attr(
        not(feature = "aws"),
        expect(dead_code, reason = "only requests to S3 are counted")
    )]
    fn s3(&self, method: &str, query: Option<&str>);
}

/// Counts nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Uncounted;

impl CountRequests for Uncounted {
    fn s3(&self, _: &str, _: Option<&str>) {}
}
