//! AWS with several accounts on loopback: STS, and what it knows of users, roles and sessions.

mod assuming;
mod book;
mod directory;
mod serving;
mod signature;
mod sts;
mod tampered;

pub(crate) use directory::{Directory, Role};
pub(crate) use sts::LocalSts;
