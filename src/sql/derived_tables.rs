//! Applies this crate's rewrites to queries in FROM, wherever the statement is planned.
//!
//! DataFusion's planner looks up column names itself and has no extension point for them, so bare column
//! names and windows need [`sql`](fn@crate::sql), which rewrites the text before it is planned. Relations do
//! have one, and it gets the text of a query in FROM. A statement that is planned by
//! [`SessionContext::sql`](datafusion::prelude::SessionContext::sql) can therefore use bare column names and
//! windows inside `FROM (SELECT …)`.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::common::Result;
use datafusion::logical_expr::planner::{
    RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::sql::sqlparser::ast::{ObjectName, Query, TableFactor, visit_relations};

use super::identifiers::{Tables, quote_query};
use super::json::group_operators;
use super::windows::expand_windows;

/// Rewrites the text of derived tables. The rewrites change nothing in a query that is rewritten already.
#[derive(Debug)]
pub(super) struct DerivedTablePlanner;

impl RelationPlanner for DerivedTablePlanner {
    fn plan_relation(
        &self,
        mut relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        if let TableFactor::Derived { subquery, .. } = &mut relation {
            let tables = tables_of(subquery, context);
            let dialect = context.context_provider().options().sql_parser.dialect;
            group_operators(&mut **subquery, dialect);
            quote_query(subquery, &tables);
            expand_windows(&mut **subquery, &tables)?;
        }
        Ok(RelationPlanning::Original(Box::new(relation)))
    }
}

/// The columns of the tables, views and outer CTEs that `query` names. A name that cannot be planned here
/// belongs to a CTE of the query itself, or is an error that the planner reports.
fn tables_of(query: &Query, context: &mut dyn RelationPlannerContext) -> Tables {
    let mut names = HashSet::new();
    let _: ControlFlow<()> = visit_relations(query, |name| {
        names.insert(name.clone());
        ControlFlow::Continue(())
    });
    let mut tables = Tables::new();
    for name in names {
        if let Ok(plan) = context.plan(named(name.clone())) {
            let fields = plan.schema().fields().iter();
            tables.insert(name, fields.map(|field| field.name().clone()).collect());
        }
    }
    tables
}

/// The relation `name`, without an alias.
fn named(name: ObjectName) -> TableFactor {
    TableFactor::Table {
        name,
        alias: None,
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::util::pretty::pretty_format_batches;
    use datafusion::prelude::SessionContext;

    use crate::kinesis::{InMemoryKinesis, InMemoryOptions, Kinesis};
    use crate::model::{StreamName, SystemClock};
    use crate::{Services, register_with};

    /// A session with the empty stream `words`, and the table `events` of three rows.
    async fn session() -> SessionContext {
        let ctx = SessionContext::new();
        let kinesis = InMemoryKinesis::new(Arc::new(SystemClock), InMemoryOptions::default());
        let words = StreamName::new("words").unwrap();
        kinesis.create_stream(&words, 1).await.unwrap();
        register_with(&ctx, Services::fixed(Arc::new(kinesis)));
        for statement in [
            "CREATE EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words'",
            "CREATE TABLE events AS SELECT arrow_cast(s, 'Timestamp(Second, None)') AS ts, v
             FROM (VALUES (10, 1), (50, 2), (70, 4)) AS t (s, v)",
        ] {
            ctx.sql(statement).await.unwrap().collect().await.unwrap();
        }
        ctx
    }

    async fn result(ctx: &SessionContext, statement: &str) -> String {
        let frame = ctx.sql(statement).await;
        let frame = frame.unwrap_or_else(|error| panic!("{statement}: {error}"));
        let rows = frame.collect().await.unwrap();
        pretty_format_batches(&rows).unwrap().to_string()
    }

    #[tokio::test]
    async fn bare_columns_are_known_in_a_derived_table_of_a_plain_session() {
        let ctx = session().await;
        for statement in [
            "SELECT * FROM (SELECT partitionKey FROM words WHERE SEQUENCENUMBER > '0')",
            "SELECT * FROM (SELECT w.partitionKey FROM words AS w)",
            "SELECT * FROM (WITH c AS (SELECT partitionKey FROM words) SELECT partitionkey FROM c)",
            "WITH c AS (SELECT * FROM words) SELECT * FROM (SELECT partitionKey FROM c)",
            "SELECT * FROM (SELECT partitionKey FROM (SELECT partitionKey FROM words))",
        ] {
            let plan = ctx.sql(statement).await.unwrap();
            let names = plan.schema().field_names();
            assert!(
                names.len() == 1 && names[0].ends_with("partitionKey"),
                "{statement}: {names:?}"
            );
        }
        let error = ctx.sql("SELECT partitionKey FROM words").await.unwrap_err();
        assert!(error.to_string().contains("partitionkey"), "{error}");
    }

    #[tokio::test]
    async fn windows_are_known_in_a_derived_table_of_a_plain_session() {
        let ctx = session().await;
        let windows = [
            ("tumble(ts, INTERVAL '1 minute')", "sum", "4 3"),
            (
                "hop(ts, INTERVAL '30 seconds', INTERVAL '1 minute')",
                "sum",
                "1 3 6 4",
            ),
            ("session(ts, INTERVAL '30 seconds')", "sum", "1 6"),
        ];
        for (window, function, expected) in windows {
            let statement = format!(
                "SELECT string_agg(CAST(s AS VARCHAR), ' ' ORDER BY window_end, s DESC) AS sums FROM (
                   SELECT window_start, window_end, {function}(v) AS s FROM events GROUP BY {window})"
            );
            let table = result(&ctx, &statement).await;
            let expected: Vec<&str> = expected.split(' ').collect();
            for sum in expected {
                assert!(table.contains(sum), "{window}:\n{table}");
            }
        }
    }

    #[tokio::test]
    async fn window_functions_work_at_the_top_of_a_plain_statement() {
        let ctx = session().await;
        let minute = "INTERVAL '1 minute'";
        let tumble = format!("tumble(ts, {minute})");
        let statement = format!(
            "SELECT {tumble} AS start, bin_end({tumble}, {minute}) AS \"end\", sum(v) AS s \
             FROM events GROUP BY {tumble} ORDER BY start"
        );
        let expected = "\
+---------------------+---------------------+---+
| start               | end                 | s |
+---------------------+---------------------+---+
| 1970-01-01T00:00:00 | 1970-01-01T00:01:00 | 3 |
| 1970-01-01T00:01:00 | 1970-01-01T00:02:00 | 4 |
+---------------------+---------------------+---+";
        assert_eq!(result(&ctx, &statement).await, expected);
        let gap = "INTERVAL '30 seconds'";
        let statement = format!(
            "SELECT session_start(ts, {gap}) AS start, session_end(ts, {gap}) AS \"end\", sum(v) AS s \
             FROM events GROUP BY session_start(ts, {gap}), session_end(ts, {gap}) ORDER BY start"
        );
        let expected = "\
+---------------------+---------------------+---+
| start               | end                 | s |
+---------------------+---------------------+---+
| 1970-01-01T00:00:10 | 1970-01-01T00:00:40 | 1 |
| 1970-01-01T00:00:50 | 1970-01-01T00:01:40 | 6 |
+---------------------+---------------------+---+";
        assert_eq!(result(&ctx, &statement).await, expected);
    }

    #[tokio::test]
    async fn tumble_gives_the_bins_of_date_bin_in_any_expression() {
        let ctx = session().await;
        let origin = "TIMESTAMP '1970-01-01T00:00:05'";
        let pair = |arguments: &str| format!("SELECT {arguments} AS t FROM events ORDER BY 1");
        for (tumble, date_bin) in [
            (
                "tumble(ts, INTERVAL '1 minute')",
                "date_bin(INTERVAL '1 minute', ts)".to_owned(),
            ),
            (
                "tumble(ts, INTERVAL '1 month')",
                "date_bin(INTERVAL '1 month', ts)".to_owned(),
            ),
            (
                "tumble(ts, INTERVAL '20 seconds', TIMESTAMP '1970-01-01T00:00:05')",
                format!("date_bin(INTERVAL '20 seconds', ts, {origin})"),
            ),
        ] {
            let (found, expected) = (pair(tumble), pair(&date_bin));
            assert_eq!(result(&ctx, &found).await, result(&ctx, &expected).await);
        }
        let error = ctx
            .sql("SELECT tumble('x', INTERVAL '1 minute')")
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("expected tumble(timestamp,"),
            "{error}"
        );
    }
}
