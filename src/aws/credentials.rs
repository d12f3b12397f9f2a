//! Credentials: their sources, caching and renewal.

mod assume_role;
mod cached;
mod default_chain;
mod failure;
mod identity;
mod profile;
mod providers;

pub(super) use assume_role::AssumeRole;
#[cfg(feature = "cli")]
pub(super) use default_chain::ChainSource;
pub(super) use default_chain::DefaultChain;
pub(crate) use failure::CredentialFailure;
pub(crate) use identity::Identity;
pub(super) use profile::{Profile, ProviderParts};
pub use providers::{CredentialProviders, ProviderError};
