//! The integration tests, one module a capability.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(feature = "embedded")]
mod api_model;
mod architecture;
#[cfg(feature = "embedded")]
mod aws;
#[cfg(all(feature = "cli", feature = "embedded"))]
mod boto3;
mod chaos;
#[cfg(feature = "cli")]
mod command;
#[cfg(all(feature = "cli", feature = "embedded"))]
mod doctor;
#[cfg(feature = "dynamodb")]
#[path = "../../src/checkpoint/tests/dynamo.rs"]
mod dynamo;
#[cfg(feature = "embedded")]
mod embedded;
mod grouped;
mod inserts;
#[cfg(all(unix, feature = "cli", feature = "embedded"))]
mod killed;
#[cfg(all(feature = "cli", feature = "embedded"))]
mod network;
mod options;
mod ordered;
mod peers;
#[cfg(all(feature = "cli", feature = "embedded"))]
mod process;
mod reading;
mod reference_deaggregator;
mod refused_statements;
#[cfg(all(unix, feature = "cli", feature = "embedded"))]
mod resharded;
mod row_errors;
#[cfg(feature = "embedded")]
mod sdk;
#[cfg(all(feature = "cli", feature = "embedded"))]
mod secrets;
mod settings;
#[cfg(feature = "cli")]
mod shell;
#[cfg(all(feature = "cli", feature = "embedded"))]
mod sql_examples;
mod starts;
mod streaming;
#[cfg(all(feature = "cli", feature = "embedded"))]
mod streaming_command;
mod support;
mod unbounded;
#[cfg(feature = "embedded")]
mod wire;
mod writing;
