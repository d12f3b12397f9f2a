use super::*;
use crate::cli::statements::split;

fn shown(error: DataFusionError, sql: &str) -> String {
    Failure::from(error).describe(&split(sql).remove(0))
}

#[test]
fn the_crates_own_error_replaces_the_engines_wrapping() {
    let own = Error::invalid_option("region 'x' is unknown")
        .with_source(io::Error::other("no such host"));
    let wrapped = DataFusionError::Context("scan".into(), Box::new(own.into()));
    assert_eq!(
        shown(wrapped, "SELECT 1"),
        "region 'x' is unknown: no such host\n    SELECT 1"
    );
}

#[test]
fn a_repeated_cause_is_printed_once() {
    let own = Error::internal("broken: no such host").with_source(io::Error::other("no such host"));
    assert_eq!(chain(&own), "broken: no such host");
}

#[test]
fn the_engines_layer_names_are_omitted() {
    let external = DataFusionError::External(Box::new(io::Error::other("disk full")));
    assert_eq!(shown(external, "SELECT 1"), "disk full\n    SELECT 1");
    let plan = DataFusionError::Plan("table 't' not found".into());
    let shared = DataFusionError::Shared(std::sync::Arc::new(plan));
    assert_eq!(
        shown(shared, "SELECT 1"),
        "table 't' not found\n    SELECT 1"
    );
}

#[test]
fn a_long_statement_is_truncated() {
    let sql = format!("SELECT 1,\n2,\n3,\n4,\n5,\n6, '{}'", "x".repeat(500));
    assert_eq!(
        excerpt(&sql),
        "    SELECT 1,\n    2,\n    3,\n    4,\n    5,\n    …"
    );
    assert_eq!(
        excerpt(&"é".repeat(161)),
        format!("    {}…", "é".repeat(160))
    );
}

#[test]
fn messages_and_excerpts_hide_secrets() {
    let text = shown(
        DataFusionError::Plan("found: hunter2".into()),
        "OPTIONS ('kinesis.AWSSECRETKEY'\n'hunter2')",
    );
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn the_message_of_an_error_that_the_engine_has_shared_is_shown_once() {
    let own = Error::new(crate::ErrorKind::AccessDenied, "access is denied")
        .with_source(io::Error::other("401"));
    let shared = DataFusionError::Shared(std::sync::Arc::new(own.into()));
    for wrapped in [
        shared,
        DataFusionError::from(Error::internal("x")).context("reading"),
    ] {
        let message = crate::error::from_datafusion(wrapped);
        let shown = reason(&message.into());
        assert!(
            ["access is denied: 401", "x"].contains(&shown.as_str()),
            "{shown}"
        );
    }
}
