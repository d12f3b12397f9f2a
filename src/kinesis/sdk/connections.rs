//! Connections of subscriptions.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::SharedHttpConnector;

use crate::aws::ClientConfig;

/// How many subscriptions share the connections of one client. Over HTTP/2 they are streams of one connection, of
/// which servers allow 100 and more (RFC 9113, 6.5.2).
const SUBSCRIPTIONS_PER_CONNECTOR: usize = 100;

/// Connectors for subscriptions, apart from those of requests: a stream whose events wait takes its share of the
/// window of its connection.
#[derive(Debug)]
pub(super) struct SubscriptionConnectors {
    config: ClientConfig,
    /// Each with the number of its subscriptions as the strong count of its marker.
    connectors: Mutex<Vec<(SharedHttpConnector, Arc<()>)>>,
}

/// The right to one stream of a connector, until it is dropped.
#[derive(Debug)]
pub(super) struct Lease(#[expect(dead_code, reason = "its count is what matters")] Arc<()>);

impl Lease {
    /// One more of what `marker` counts.
    pub(super) fn new(marker: &Arc<()>) -> Self {
        Self(Arc::clone(marker))
    }
}

impl SubscriptionConnectors {
    /// No connectors yet.
    pub(super) fn new(config: ClientConfig) -> Self {
        Self {
            config,
            connectors: Mutex::default(),
        }
    }

    /// A connector with room for a subscription.
    pub(super) fn lease(&self) -> (SharedHttpConnector, Lease) {
        let connectors = self.connectors.lock();
        let mut connectors = connectors.unwrap_or_else(PoisonError::into_inner);
        let has_room = |marker: &Arc<()>| Arc::strong_count(marker) <= SUBSCRIPTIONS_PER_CONNECTOR;
        if let Some((connector, marker)) = connectors.iter().find(|(_, marker)| has_room(marker)) {
            return (connector.clone(), Lease::new(marker));
        }
        let (connector, marker) = (self.config.new_connector(), Arc::new(()));
        let lease = Lease::new(&marker);
        connectors.push((connector.clone(), marker));
        (connector, lease)
    }
}
