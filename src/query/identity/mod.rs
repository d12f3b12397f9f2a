//! Which query a checkpoint belongs to, and where it is stored.

pub(super) mod metadata;
#[cfg(feature = "cli")]
pub(super) mod preflight;
pub(super) mod registry;
pub(super) mod statement;
pub(super) mod storage;
