//! A local AWS with several accounts: an STS, and a Kinesis per account that authenticates callers.
//! Both share users, roles, sessions and a clock.

mod access_denied;
mod access_keys;
mod accounts;
mod assume_role;
mod calls;
mod clock_skew;
mod cloud;
mod credential_sources;
mod cross_account;
mod directory;
mod failing_sts;
mod http_server;
mod observed;
mod providers;
mod renewal;
mod roles;
mod signature;
mod sts;
mod tampered;

pub(crate) use accounts::Accounts;
pub(crate) use directory::{Directory, Role};
pub(crate) use signature::Signature;
pub(crate) use sts::LocalSts;
