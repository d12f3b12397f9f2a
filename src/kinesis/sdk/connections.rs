//! Connections of requests and of subscriptions.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::connection::CaptureSmithyConnection;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::timeout;

use crate::aws::{CONNECT_TIMEOUT, ClientConfig};

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
        let connector = connecting_one_by_one(self.config.new_connector());
        let marker = Arc::new(());
        let lease = Lease::new(&marker);
        connectors.push((connector.clone(), marker));
        (connector, lease)
    }
}

/// A connector that opens one encrypted connection after the other.
///
/// Only a finished TLS handshake tells that a server speaks HTTP/2, so until then every request would open a
/// connection of its own. Now the next request finds the connection that the one before has opened. It does not wait
/// longer than opening one may take.
pub(super) fn connecting_one_by_one(connector: SharedHttpConnector) -> SharedHttpConnector {
    SharedHttpConnector::new(OneByOne {
        connector,
        connecting: Arc::default(),
    })
}

/// As [`connecting_one_by_one`] describes it.
#[derive(Debug)]
struct OneByOne {
    connector: SharedHttpConnector,
    /// Held by a request that has no connection yet.
    connecting: Arc<AsyncMutex<()>>,
}

impl HttpConnector for OneByOne {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if !request.uri().starts_with("https:") {
            return self.connector.call(request);
        }
        let connector = self.connector.clone();
        let connecting = Arc::clone(&self.connecting);
        HttpConnectorFuture::new(async move {
            let mut turn = timeout(CONNECT_TIMEOUT, connecting.lock_owned()).await.ok();
            let connection = request.extension::<CaptureSmithyConnection>().cloned();
            let has_connection = || {
                connection
                    .as_ref()
                    .is_some_and(|connection| connection.get().is_some())
            };
            let mut answer = pin!(connector.call(request));
            poll_fn(|context| {
                let polled = answer.as_mut().poll(context);
                if turn.is_some() && (polled.is_ready() || has_connection()) {
                    turn = None;
                }
                polled
            })
            .await
        })
    }
}

#[cfg(test)]
mod tests;
