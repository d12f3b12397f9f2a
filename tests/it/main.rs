//! The integration tests, one module a capability.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(feature = "cli")]
mod command;
mod reading;
mod support;
mod writing;
