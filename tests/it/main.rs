//! The integration tests, one module a capability.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod architecture;
#[cfg(feature = "cli")]
mod command;
mod options;
mod reading;
mod reference_deaggregator;
#[cfg(feature = "cli")]
mod shell;
mod support;
mod writing;
