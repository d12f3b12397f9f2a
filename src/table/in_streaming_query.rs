//! Marks a session in which the batches of a streaming query are planned.

use std::sync::Arc;

use datafusion::prelude::SessionConfig;

/// Session extension of the batches of a streaming query. With it, an INSERT retries records until the
/// query stops, as reads do; without it, an INSERT fails after the default record TTL.
#[derive(Debug)]
pub(crate) struct InStreamingQuery;

impl InStreamingQuery {
    /// Marks a session.
    pub(crate) fn set(config: &mut SessionConfig) {
        config.set_extension(Arc::new(Self));
    }

    pub(super) fn is_set(config: &SessionConfig) -> bool {
        config.get_extension::<Self>().is_some()
    }
}
