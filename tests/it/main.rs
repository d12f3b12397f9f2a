//! The integration tests, one module a capability.

#[cfg(feature = "cli")]
mod command;
#[cfg(feature = "cli")]
mod shell;
