//! Access to AWS, shared by all services: credentials and network.
//!
//! ```text
//!  settings ──▶ AwsAccess ──one per caller──▶ Identity ──renews before expiry──▶ source
//!                   │                                                               │
//!                   ▼                                  access key, profile, registered provider,
//!          configuration of a client                   default chain, or a role that another
//!                                                      Identity assumes
//! ```

mod client_config;
mod clock_skew;
mod credentials;
#[cfg(feature = "cli")]
mod diagnostics;
mod endpoint;
mod error_chain;
mod network;
mod requests;
mod shared_cache;
mod signing;

/// Provider types, in the version that [`CredentialProviders`] takes.
pub use aws_credential_types as credential_types;
pub use credentials::{CredentialProviders, ProviderError};

pub(crate) use aws_config::SdkConfig;
pub(crate) use client_config::{ATTEMPT_TIMEOUT, AwsAccess, ClientConfig, timeouts};
pub(crate) use clock_skew::{ClockSkew, ServiceClock};
pub(crate) use credentials::{CredentialFailure, Identity};
pub(crate) use endpoint::endpoint_of;
pub(crate) use error_chain::causes;
#[cfg(feature = "aws")]
pub(crate) use network::Network;
pub(crate) use network::{CONNECT_TIMEOUT, ConnectFailure};
pub(crate) use requests::{Answer, Request, RequestFailure, RequestSender};
pub(crate) use shared_cache::{InUse, SharedCache};
pub(crate) use signing::{SignatureScope, UnsignedRequest, signature};
