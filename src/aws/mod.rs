//! AWS itself, whichever service is asked: who asks, and how a request gets there.
//!
//! ```text
//!  settings ──▶ AwsAccess ──one for each way──▶ Identity ──renews before the end──▶ source
//!                   │                                                                │
//!                   ▼                                     keys, profile, provider of one's own,
//!          configuration of a client                      default chain, or a role that another
//!                                                         Identity assumes
//! ```

mod access;
mod assume_role;
#[cfg(feature = "cli")]
mod caller;
mod certificates;
mod connections;
mod default_chain;
mod held;
mod identity;
mod profile;
mod providers;
mod proxies;
mod recent;
mod skew;
mod trouble;

/// The types of a provider, in the version that [`CredentialProviders`] takes.
pub use aws_credential_types as credential_types;
pub use providers::{CredentialProviders, ProviderError};

pub(crate) use access::{Access, AwsAccess, timeouts};
pub(crate) use connections::ConnectFailure;
#[cfg(feature = "aws")]
pub(crate) use connections::Way;
pub(crate) use identity::Identity;
pub(crate) use recent::{InUse, Recent};
pub(crate) use skew::ClockSkew;
pub(crate) use trouble::{CredentialTrouble, causes};
