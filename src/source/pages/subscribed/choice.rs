//! Whether the shards of a stream are always subscribed to, or only for a reason.

use std::sync::Arc;

use super::auto::AutoConsumer;
use super::consumer::StreamConsumer;
use crate::model::ConsumerName;

/// The consumer that subscribes to the shards of a stream.
#[derive(Debug, Clone)]
pub(crate) enum ConsumerChoice {
    /// All shards are subscribed to.
    Always(Arc<StreamConsumer>),
    /// They are polled, unless there is a reason to subscribe.
    Auto(Arc<AutoConsumer>),
}

impl ConsumerChoice {
    /// The consumer; `None` while the shards are polled.
    pub(super) fn current(&self) -> Option<Arc<StreamConsumer>> {
        match self {
            Self::Always(consumer) => Some(Arc::clone(consumer)),
            Self::Auto(consumer) => consumer.current(),
        }
    }

    pub(super) fn name(&self) -> &ConsumerName {
        match self {
            Self::Always(consumer) => consumer.name(),
            Self::Auto(consumer) => consumer.name(),
        }
    }

    /// Whether the shards are subscribed to at present.
    pub(crate) fn is_subscribed(&self) -> bool {
        match self {
            Self::Always(_) => true,
            Self::Auto(consumer) => consumer.current().is_some(),
        }
    }

    /// Finds or registers the consumer again, if it is needed, because the stream may be another one by now.
    ///
    /// # Errors
    /// As [`StreamConsumer::start`].
    pub(crate) async fn find_again(&self, random: fastrand::Rng) -> crate::error::Result<()> {
        match self {
            Self::Always(consumer) => consumer.find_again(random).await,
            Self::Auto(consumer) => {
                consumer.poll_again();
                Ok(())
            }
        }
    }

    /// Whether the end of the query may deregister it.
    pub(crate) fn is_managed(&self) -> bool {
        match self {
            Self::Always(consumer) => consumer.is_managed(),
            Self::Auto(consumer) => consumer.is_managed(),
        }
    }

    /// Deregisters the consumer if this query has registered it and may. Failures are logged only: the query has
    /// ended.
    pub(crate) async fn end(&self, random: fastrand::Rng) {
        match self {
            Self::Always(consumer) => consumer.end(random).await,
            Self::Auto(consumer) => consumer.end().await,
        }
    }
}
