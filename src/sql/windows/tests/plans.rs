use super::*;

async fn explained(partitions: usize, statement: &str) -> String {
    let ctx = context(partitions);
    register_rows(
        &ctx,
        &[(Some(1), Some("a"), 1), (Some(2), Some("b"), 2)],
        &SECONDS,
    );
    let frame = sql(&ctx, statement).await.unwrap();
    let plan = frame.create_physical_plan().await.unwrap();
    let text = datafusion::physical_plan::displayable(plan.as_ref());
    text.indent(false).to_string()
}

fn assert_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            panic!("{part} is missing or out of order:\n{text}");
        };
        rest = after;
    }
}

#[tokio::test]
async fn panes_are_aggregated_before_they_expand_to_windows() {
    let statement = "SELECT key, count(*) FROM t GROUP BY key, hop(ts, INTERVAL '1 second', INTERVAL '3 seconds')";
    let text = explained(4, statement).await;
    assert_order(
        &text,
        &["mode=FinalPartitioned", "HopExec", "mode=Partial", "pane("],
    );
}

#[tokio::test]
async fn sessions_are_merged_after_repartitioning_by_key() {
    let keyed = "SELECT key, count(*) FROM t GROUP BY key, session(ts, INTERVAL '1 second')";
    let text = explained(4, keyed).await;
    assert_order(
        &text,
        &[
            "mode=Final",
            "SessionExec",
            "keys=[key]",
            "Hash([key@0], 4)",
            "mode=Partial",
        ],
    );
    let alone = "SELECT count(*) FROM t GROUP BY session(ts, INTERVAL '1 second')";
    let text = explained(4, alone).await;
    assert_order(
        &text,
        &[
            "mode=Final",
            "SessionExec",
            "CoalescePartitionsExec",
            "mode=Partial",
        ],
    );
}

#[tokio::test]
async fn only_filters_on_keys_are_pushed_down() {
    let statement = "SELECT * FROM (SELECT key, window_start, count(*) FROM t \
                     GROUP BY key, hop(ts, INTERVAL '1 second', INTERVAL '3 seconds')) \
                     WHERE window_start > to_timestamp(1) AND key = 'a'";
    let text = explained(4, statement).await;
    assert_order(
        &text,
        &[
            "FilterExec: hop",
            "mode=Final",
            "HopExec",
            "mode=Partial",
            "FilterExec: key",
        ],
    );
}

#[tokio::test]
async fn installing_twice_changes_nothing() {
    let ctx = context(1);
    let before = ctx.state();
    let kinesis = InMemoryKinesis::new(Arc::new(SystemClock), InMemoryOptions::default());
    register_with(&ctx, Services::fixed(Arc::new(kinesis)));
    let after = ctx.state();
    let names = |state: &datafusion::execution::SessionState| {
        let rules = state.physical_optimizers().iter();
        rules.map(|rule| rule.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&before), names(&after));
    assert_eq!(names(&after)[0], "kinesis_windows");
    assert_eq!(before.session_id(), after.session_id());
    assert_eq!(ctx.session_id(), after.session_id());
    assert!(
        after
            .config_options()
            .catalog
            .create_default_catalog_and_schema
    );
}

#[tokio::test]
async fn earlier_tables_and_settings_are_kept() {
    let config = SessionConfig::new().with_batch_size(77);
    let ctx = SessionContext::new_with_config(config);
    register_rows(&ctx, &[(Some(1), Some("a"), 1)], &SECONDS);
    let rules = ctx.state().optimizers().len();
    let kinesis = InMemoryKinesis::new(Arc::new(SystemClock), InMemoryOptions::default());
    register_with(&ctx, Services::fixed(Arc::new(kinesis)));
    assert_eq!(run(&ctx, "SELECT v FROM t").await.unwrap(), ["1"]);
    assert_eq!(ctx.state().config().batch_size(), 77);
    // One more: the rule for DISTINCT floats.
    assert_eq!(ctx.state().optimizers().len(), rules + 1);
}
