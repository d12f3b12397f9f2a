//! HTTP clients of the SDK that choose a proxy for each request, check server certificates, and
//! explain connection failures.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use super::Network;
use super::proxies::Proxy;
use crate::aws::shared_cache::InUse;

/// Shorter than the service's idle timeout: a request on a connection that is being closed fails,
/// and a failed PutRecords may have written its records.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// How long it may take to open a connection.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The service answers within seconds or not at all. Without this timeout, a lost response would
/// block a shard.
pub(in crate::aws) const READ_TIMEOUT: Duration = Duration::from_secs(15);

/// An HTTP client of the SDK, shared by its clones.
#[derive(Debug, Clone)]
pub(in crate::aws) struct Client(Arc<Clients>);

/// One client per proxy, and one without.
#[derive(Debug)]
struct Clients {
    network: Arc<Network>,
    direct: SharedHttpClient,
    proxied: Vec<(Proxy, SharedHttpClient)>,
}

impl Client {
    /// A client for this network.
    pub(in crate::aws) fn new(network: &Arc<Network>) -> Self {
        let proxies = network.proxies.usable().into_iter();
        Self(Arc::new(Clients {
            direct: connecting(network, None),
            proxied: proxies
                .map(|proxy| (proxy.clone(), connecting(network, Some(proxy))))
                .collect(),
            network: Arc::clone(network),
        }))
    }
}

impl InUse for Client {
    fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

/// An SDK client that connects through `proxy`, or directly.
fn connecting(network: &Network, proxy: Option<&Proxy>) -> SharedHttpClient {
    let (proxy, context) = (config(proxy), network.certificates.tls_context());
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder().pool_idle_timeout(POOL_IDLE_TIMEOUT);
        connector
            .set_proxy_config(proxy.clone())
            .set_connector_settings(settings.cloned())
            .set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(context.clone())
            .build()
    })
}

fn config(proxy: Option<&Proxy>) -> Option<ProxyConfig> {
    proxy.map(|proxy| ProxyConfig::all(proxy.url().reveal()).expect("the proxy URL was validated"))
}

/// A connector for requests that no SDK client sends.
pub(in crate::aws) fn connector(network: &Arc<Network>) -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .build();
    let connector = |proxy| {
        let mut connector = Connector::builder().pool_idle_timeout(POOL_IDLE_TIMEOUT);
        connector
            .set_proxy_config(config(proxy))
            .set_connector_settings(Some(settings.clone()));
        SharedHttpConnector::new(
            connector
                .tls_provider(Provider::Rustls(CryptoMode::Ring))
                .tls_context(network.certificates.tls_context())
                .build(),
        )
    };
    let proxied = network.proxies.usable().into_iter();
    SharedHttpConnector::new(Routing {
        network: Arc::clone(network),
        direct: connector(None),
        proxied: proxied
            .map(|proxy| (proxy.clone(), connector(Some(proxy))))
            .collect(),
    })
}

impl HttpClient for Client {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let Clients {
            network,
            direct,
            proxied,
        } = &*self.0;
        let proxied = proxied.iter();
        let connector = |client: &SharedHttpClient| client.http_connector(settings, components);
        SharedHttpConnector::new(Routing {
            network: Arc::clone(network),
            direct: connector(direct),
            proxied: proxied
                .map(|(proxy, client)| (proxy.clone(), connector(client)))
                .collect(),
        })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.direct.connector_metadata()
    }
}

/// Routes each request by its host.
#[derive(Debug)]
struct Routing {
    network: Arc<Network>,
    direct: SharedHttpConnector,
    proxied: Vec<(Proxy, SharedHttpConnector)>,
}

impl HttpConnector for Routing {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = match self.network.proxy(request.uri()) {
            Ok(None) => &self.direct,
            Ok(Some(proxy)) => {
                let mut proxied = self.proxied.iter();
                let found = proxied.find(|(known, _)| known == proxy);
                found.map_or(&self.direct, |(_, connector)| connector)
            }
            Err(failure) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::other(
                    failure.into(),
                    None,
                )));
            }
        };
        let url = request.uri().to_owned();
        let network = Arc::clone(&self.network);
        let answer = connector.call(request);
        HttpConnectorFuture::new(async move {
            let error = match answer.await {
                Ok(answer) => {
                    return match network.refused_by_proxy(&url, answer.status().as_u16()) {
                        None => Ok(answer),
                        Some(failure) => Err(ConnectorError::other(failure.into(), None)),
                    };
                }
                Err(error) => error,
            };
            Err(match network.explain(&url, &error) {
                None => error,
                Some(failure) => {
                    let (permanent, timeout) = (failure.permanent, error.is_timeout());
                    let failure = failure.caused_by(error).into();
                    match permanent {
                        true => ConnectorError::other(failure, None),
                        false if timeout => ConnectorError::timeout(failure),
                        false => ConnectorError::io(failure),
                    }
                }
            })
        })
    }
}
