//! AWS with several accounts on loopback: STS, and a Kinesis for each account behind the check of
//! who calls. Both know the same users, roles and sessions, and have the same clock.

mod across;
mod assuming;
mod book;
mod calling;
mod clocks;
mod cloud;
mod directory;
mod failing_sts;
mod gate;
mod keys;
mod providers;
mod refused;
mod renewal;
mod roles;
mod serving;
mod signature;
mod sts;
mod tampered;
mod ways;

pub(crate) use directory::{Directory, Role};
pub(crate) use gate::Accounts;
pub(crate) use sts::LocalSts;
