//! `SET streaming.…` in plain DataFusion and in this crate's `sql`.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_kinesis::model::{OutputMode, Secret, Trigger};
use datafusion_kinesis::{Error, ErrorKind, StreamingSettings, register, sql};

use crate::support::folder;

/// A plain DataFusion session with the crate registered.
fn session() -> SessionContext {
    let config = SessionConfig::new().with_information_schema(true);
    let ctx = SessionContext::new_with_config(config);
    register(&ctx);
    ctx
}

async fn run(ctx: &SessionContext, text: &str) -> String {
    let batches = ctx.sql(text).await.unwrap().collect().await.unwrap();
    pretty_format_batches(&batches).unwrap().to_string()
}

fn settings(ctx: &SessionContext) -> StreamingSettings {
    StreamingSettings::of(ctx.state().config_options())
}

async fn refusal(ctx: &SessionContext, text: &str) -> String {
    let error = ctx.sql(text).await.expect_err(text);
    let ours = Error::find_in(&error).unwrap_or_else(|| panic!("{text}: {error}"));
    assert_eq!(ours.kind(), ErrorKind::InvalidOption, "{ours}");
    ours.to_string()
}

#[tokio::test]
async fn a_session_starts_with_the_defaults() {
    let ctx = session();
    assert_eq!(settings(&ctx), StreamingSettings::default());
    let shown = run(&ctx, "SHOW streaming.trigger").await;
    assert!(shown.contains("as fast as possible"), "{shown}");
    let shown = run(&ctx, "SHOW streaming.output_mode").await;
    assert!(shown.contains("append"), "{shown}");
    let plain = SessionContext::new();
    assert_eq!(settings(&plain), StreamingSettings::default());
}

#[tokio::test]
async fn settings_take_effect_and_are_shown() {
    let ctx = session();
    for (set, shown) in [
        ("trigger = '200 milliseconds'", "200 milliseconds"),
        (
            "checkpoint_location = 'file:///var/lib/counts'",
            "file:///var/lib/counts",
        ),
        ("output_mode = 'Update'", "update"),
        ("query_name = 'word counts'", "word counts"),
        ("watermark_idle_timeout = '2 minutes'", "2 minutes"),
        ("refresh_tables = '10m'", "10 minutes"),
        ("alarm_lag = '5 minutes'", "5 minutes"),
        ("alarm_stuck = '10m'", "10 minutes"),
        ("alarm_error_rate = 0.05", "0.05"),
        (
            "alarm_webhook = 'https://hooks.example.com/canary'",
            "https://hooks.example.com/***",
        ),
    ] {
        run(&ctx, &format!("SET streaming.{set}")).await;
        let name = set.split(' ').next().unwrap();
        let text = run(&ctx, &format!("SHOW streaming.{name}")).await;
        assert!(
            text.contains(&format!("streaming.{name} ")) && text.contains(shown),
            "{text}"
        );
        assert!(!text.contains("canary"), "{text}");
    }
    let mut expected = StreamingSettings::default();
    expected.trigger = Trigger::ProcessingTime(Duration::from_millis(200));
    expected.checkpoint_location = Some("file:///var/lib/counts".to_owned());
    expected.output_mode = OutputMode::Update;
    expected.watermark_idle_timeout = Some(Duration::from_secs(120));
    expected.query_name = Some("word counts".to_owned());
    expected.refresh_tables = Some(Duration::from_secs(600));
    expected.alarm_lag = Some(Duration::from_secs(300));
    expected.alarm_stuck = Some(Duration::from_secs(600));
    expected.alarm_error_rate = Some(0.05);
    expected.alarm_webhook = Some(Secret::new("https://hooks.example.com/canary"));
    assert_eq!(settings(&ctx), expected);
    // Registering again keeps the user's settings.
    register(&ctx);
    assert_eq!(settings(&ctx), expected);
    let all = run(&ctx, "SHOW ALL VERBOSE").await;
    assert!(all.contains("When a streaming query runs batches"));
}

#[tokio::test]
async fn setting_names_ignore_case_and_values_need_no_quotes() {
    let ctx = session();
    run(&ctx, "SET Streaming.Trigger = once").await;
    assert_eq!(settings(&ctx).trigger, Trigger::Once);
}

#[tokio::test]
async fn an_invalid_value_is_refused_and_changes_nothing() {
    let ctx = session();
    run(&ctx, "SET streaming.trigger = '1 second'").await;
    for (set, expected) in [
        ("trigger = 'sometimes'", "'available now'"),
        ("trigger = 10", "'200 milliseconds'"),
        ("refresh_tables = 'daily'", "'every batch'"),
        ("refresh_tables = '0 seconds'", "'every batch'"),
        (
            "output_mode = 'overwrite'",
            "'append', 'update' or 'complete'",
        ),
        (
            "checkpoint_location = 'counts'",
            "an absolute path or a URL",
        ),
        ("checkpoint_location = ''", "an absolute path or a URL"),
        (
            r"checkpoint_location = 'file:///var/a\b'",
            "expected no backslash",
        ),
        (
            "accept_changed_query = 'maybe'",
            "expected 'true' or 'false'",
        ),
        ("query_name = ' '", "non-empty"),
        ("watermark_idle_timeout = 'soon'", "'10 seconds'"),
        ("alarm_lag = '0 seconds'", "RESET switches the alarm off"),
        ("alarm_stuck = '10'", "'5 minutes'"),
        ("alarm_error_rate = '5%'", "'0.05'"),
        ("alarm_error_rate = '1'", "above 0 and below 1"),
        ("alarm_webhook = 'example.com'", "an https:// URL"),
        ("alarm_webhook = 'http://example.com'", "an https:// URL"),
    ] {
        let message = refusal(&ctx, &format!("SET streaming.{set}")).await;
        let name = set.split(' ').next().unwrap();
        assert!(
            message.starts_with(&format!("setting 'streaming.{name}' = '"))
                && message.contains("expected")
                && message.contains(expected),
            "{message}"
        );
    }
    let mut expected = StreamingSettings::default();
    expected.trigger = Trigger::ProcessingTime(Duration::from_secs(1));
    assert_eq!(settings(&ctx), expected);
}

#[tokio::test]
async fn an_unknown_setting_suggests_a_similar_one() {
    let ctx = session();
    for (set, message) in [
        (
            "checkpointLocation = '/x'",
            "unknown setting 'streaming.checkpointlocation': expected a setting such as 'streaming.checkpoint_location'",
        ),
        (
            "trigger.interval = '1 second'",
            "unknown setting 'streaming.trigger.interval': expected a setting such as 'streaming.trigger'",
        ),
    ] {
        assert_eq!(
            refusal(&ctx, &format!("SET streaming.{set}")).await,
            message
        );
    }
}

#[tokio::test]
async fn a_location_with_a_secret_is_refused_and_not_shown() {
    let ctx = session();
    for location in [
        "hdfs://me:canary@host/counts",
        "s3://bucket/counts?X-Amz-Signature=canary",
    ] {
        let set = format!("SET streaming.checkpoint_location = '{location}'");
        let message = refusal(&ctx, &set).await;
        assert!(
            message.contains("= '***'") && message.contains("without user name, password"),
            "{message}"
        );
        let state = format!("{:?}", ctx.state().config_options());
        assert!(!state.contains("canary") && !message.contains("canary"));
    }
}

#[tokio::test]
async fn reset_restores_the_default() {
    let ctx = session();
    for set in [
        "trigger = 'once'",
        "checkpoint_location = '/counts'",
        "output_mode = 'complete'",
        "query_name = 'counts'",
        "watermark_idle_timeout = '1 minute'",
        "alarm_lag = '1 minute'",
        "alarm_stuck = '1 minute'",
        "alarm_error_rate = '0.5'",
        "alarm_webhook = 'https://example.com'",
    ] {
        run(&ctx, &format!("SET streaming.{set}")).await;
        assert_ne!(settings(&ctx), StreamingSettings::default());
        let name = set.split(' ').next().unwrap();
        let reset = sql(&ctx, &format!("RESET Streaming.{name}")).await.unwrap();
        assert_eq!(reset.count().await.unwrap(), 0);
        assert_eq!(settings(&ctx), StreamingSettings::default());
    }
    let error = sql(&ctx, "RESET streaming.trigers").await.unwrap_err();
    let error = Error::find_in(&error).unwrap().to_string();
    assert!(error.contains("such as 'streaming.trigger'"), "{error}");
    // The engine still resets its own settings.
    run(&ctx, "SET datafusion.execution.batch_size = 7").await;
    sql(&ctx, "RESET datafusion.execution.batch_size")
        .await
        .unwrap();
    assert_ne!(ctx.state().config().batch_size(), 7);
}

#[tokio::test]
async fn a_session_created_with_settings_keeps_them() {
    let mut settings = StreamingSettings::default();
    settings.trigger = Trigger::AvailableNow;
    let config = SessionConfig::new().with_option_extension(settings.clone());
    let ctx = SessionContext::new_with_config(config);
    register(&ctx);
    let state = Arc::new(ctx.state());
    assert_eq!(StreamingSettings::of(state.config_options()), settings);
}

/// Writes a file of prices, and returns its path.
fn file_of_prices(folder: &Path, text: &str) -> String {
    fs::create_dir_all(folder).unwrap();
    let path = folder.join("prices.json");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn prices_are_read_when_they_are_set() {
    let ctx = session();
    let folder = folder("prices");
    let path = file_of_prices(&folder, r#"{"prices": {"shardHour": 0.018}}"#);
    run(&ctx, &format!("SET streaming.prices = '{path}'")).await;
    fs::remove_dir_all(folder).unwrap();
    let shown = run(&ctx, "SHOW streaming.prices").await;
    assert!(shown.contains(&path), "{shown}");
    assert_ne!(settings(&ctx), StreamingSettings::default());
    sql(&ctx, "RESET streaming.prices").await.unwrap();
    assert_eq!(settings(&ctx), StreamingSettings::default());
}

#[tokio::test]
async fn prices_that_cannot_be_read_are_refused_with_the_file_and_the_reason() {
    let ctx = session();
    let folder = folder("wrong-prices");
    for (text, expected) in [
        ("{", "expected JSON such as"),
        (
            r#"{"prices": {"shardHours": 1}}"#,
            "price 'shardHours' is unknown: expected a name such as 'shardHour'",
        ),
        (
            r#"{"prices": {"fanOutGb": -1}}"#,
            "price 'fanOutGb' is -1: expected a number",
        ),
    ] {
        let path = file_of_prices(&folder, text);
        let message = refusal(&ctx, &format!("SET streaming.prices = '{path}'")).await;
        let start = format!("setting 'streaming.prices' = '{path}': {expected}");
        assert!(message.starts_with(&start), "{message}");
    }
    fs::remove_dir_all(folder).unwrap();
    let message = refusal(&ctx, "SET streaming.prices = '/no/such/file'").await;
    assert!(
        message.contains("expected a JSON file of prices: No such file"),
        "{message}"
    );
    assert_eq!(settings(&ctx), StreamingSettings::default());
}
