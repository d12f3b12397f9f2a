//! AWS with several accounts on loopback: STS, and a Kinesis for each account behind the check of
//! who calls. Both know the same users, roles and sessions, and have the same clock.

mod assuming;
mod book;
mod calling;
mod directory;
mod gate;
mod serving;
mod signature;
mod sts;
mod tampered;

pub(crate) use directory::{Directory, Role};
pub(crate) use gate::Accounts;
pub(crate) use sts::LocalSts;
