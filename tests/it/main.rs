//! Integration tests, one module per capability.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api_model;
mod architecture;
mod aws;
mod boto3;
mod broken_answers;
mod cbor;
mod chaos;
mod clients;
mod command;
mod consumers;
mod deployment;
mod describe;
mod docs;
mod doctor;
#[cfg(feature = "dynamodb")]
#[path = "../../src/checkpoint/tests/dynamo.rs"]
mod dynamo;
mod embedded;
mod expand_env;
#[cfg(any(feature = "cloudwatch", feature = "otlp"))]
mod exports;
mod files;
mod grouped;
mod http_versions;
mod infer;
mod inserts;
mod install;
mod json;
#[cfg(unix)]
mod killed;
#[cfg(feature = "ui")]
mod monitor;
mod network;
mod old_checkpoints;
mod options;
mod ordered;
mod payloads;
mod peers;
mod process;
mod public_api;
mod reading;
mod reference_deaggregator;
mod refused_statements;
mod registry_server;
#[cfg(unix)]
mod resharded;
#[cfg(unix)]
mod restarted_server;
mod row_errors;
mod sdk;
mod secrets;
mod settings;
mod shell;
#[cfg(unix)]
mod side_by_side;
mod sql_examples;
mod starts;
mod statement_set;
mod streaming;
mod streaming_command;
mod subscriptions;
mod support;
mod unbounded;
mod wire;
mod writing;
