//! Integration tests in one binary: a module for each capability.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod boto3;
mod embedded;
mod sdk;
mod wire;
