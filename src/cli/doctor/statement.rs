//! Checks one statement that does not create a Kinesis table, by planning it as a run would.

use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{DdlStatement, DmlStatement, LogicalPlan};

use super::{Checker, Streaming};
use crate::cli::statements::Statement;
use crate::error::Error;
use crate::options::CommitterKind;
use crate::query::{expect_own_checkpoint, is_streaming, same_statement};
use crate::sql::{StreamingSettings, logical_plan, statements_of_set};

const WOULD_START: &str = "would start, and run until it is stopped or its trigger ends it";

/// Checks a statement. Returns what would happen, or `None` for a statement that only prepares
/// others.
pub(super) async fn check(
    checker: &mut Checker,
    origin: &str,
    statement: &Statement,
    plan: LogicalPlan,
) -> DataFusionResult<Option<&'static str>> {
    match &plan {
        // Running it would read its rows.
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create)) => {
            record_uses(checker, &create.input)?;
            let schema = Arc::clone(create.input.schema().inner());
            let table = EmptyTable::new(schema);
            checker
                .ctx
                .register_table(create.name.clone(), Arc::new(table))?;
            Ok(None)
        }
        LogicalPlan::Ddl(_) | LogicalPlan::Statement(_) => {
            checker.ctx.execute_logical_plan(plan).await?;
            Ok(None)
        }
        LogicalPlan::EmptyRelation(_) => Ok(None),
        _ => {
            record_uses(checker, &plan)?;
            planned(checker, origin, statement, &plan).await.map(Some)
        }
    }
}

/// Plans the statement as a run would.
async fn planned(
    checker: &mut Checker,
    origin: &str,
    statement: &Statement,
    plan: &LogicalPlan,
) -> DataFusionResult<&'static str> {
    if matches!(plan, LogicalPlan::Explain(_)) {
        // EXPLAIN shows planning errors instead of failing.
        crate::sql(&checker.ctx, &statement.text).await?;
        return Ok("would run");
    }
    if !is_streaming(&checker.ctx, &statement.text).await? {
        checker.ctx.state().create_physical_plan(plan).await?;
        return Ok("would run");
    }
    let mut read = Vec::new();
    scans(plan, &mut read)?;
    if matches!(plan, LogicalPlan::Dml(_)) {
        check_has_checkpoint(checker, &read)?;
    }
    crate::sql(&checker.ctx, &format!("EXPLAIN {}", statement.text)).await?;
    let is_second = check_can_start(checker, origin, statement, &read, target(plan))?;
    expect_own_checkpoint(&checker.ctx, &statement.text, is_second).await?;
    Ok(WOULD_START)
}

/// The bare name of the table that a statement writes to.
fn target(plan: &LogicalPlan) -> Option<String> {
    match plan {
        LogicalPlan::Dml(insert) => Some(insert.table_name.table().to_owned()),
        _ => None,
    }
}

/// Plans a statement set as a run would.
pub(super) async fn check_set(
    checker: &mut Checker,
    origin: &str,
    statement: &Statement,
) -> DataFusionResult<&'static str> {
    let (mut read, mut first) = (Vec::new(), None);
    for member in statements_of_set(&statement.in_place())? {
        let plan = logical_plan(&checker.ctx, &member).await?;
        record_uses(checker, &plan)?;
        scans(&plan, &mut read)?;
        first = first.or_else(|| target(&plan));
    }
    check_has_checkpoint(checker, &read)?;
    let is_second = check_can_start(checker, origin, statement, &read, first)?;
    expect_own_checkpoint(&checker.ctx, &statement.text, is_second).await?;
    Ok(WOULD_START)
}

/// Refuses a streaming statement that cannot start until an earlier one is stopped, or that shares
/// its checkpoint with another one. `read` are the names of the tables that it reads, and `target` is that of the table
/// that it writes to. Returns whether a query of another name has its checkpoint at the same location.
fn check_can_start(
    checker: &mut Checker,
    origin: &str,
    statement: &Statement,
    read: &[String],
    target: Option<String>,
) -> DataFusionResult<bool> {
    let settings = StreamingSettings::of(checker.ctx.state().config_options());
    let mut tables = checker.tables();
    let path = tables.find_map(|table| {
        let path = table.options.source.metadata.path.clone();
        path.filter(|_| read.iter().any(|name| same(&table.name, name)))
    });
    drop(tables);
    let has_path = path.is_some();
    let now = Streaming {
        origin: origin.to_owned(),
        text: statement.text.clone(),
        name: settings.query_name.or(target),
        log: path.or(settings.checkpoint_location),
        ends_by_itself: settings.trigger.ends_by_itself(),
    };
    for table in checker.tables().filter(|_| !now.ends_by_itself) {
        table.uses.follows |= read.iter().any(|name| same(&table.name, name));
    }
    let mut reasons = Vec::new();
    let mut before = checker.streaming.iter();
    if let Some(before) = before.find(|before| !before.ends_by_itself && !checker.side_by_side) {
        reasons.push(format!(
            "starts only when the streaming query of {} is stopped, which does not end by itself: run the file with \
             kinesis-sql run, and check it with doctor --run, or SET streaming.trigger = 'available now' before that query",
            before.origin
        ));
    }
    let sharing = checker.streaming.iter().find(|before| {
        before.log.is_some() && before.log == now.log && !same_statement(&before.text, &now.text)
    });
    let has_own_name = |before: &&Streaming| {
        !has_path && before.name.is_some() && now.name.is_some() && before.name != now.name
    };
    let is_second = sharing.as_ref().is_some_and(has_own_name);
    if let (Some(before), Some(log), false) = (sharing, &now.log, is_second) {
        reasons.push(format!(
            "uses the checkpoint of {}, '{log}', and would be refused: SET streaming.checkpoint_location to a \
             separate location before it, or SET streaming.query_name to another name",
            before.origin
        ));
    }
    checker.streaming.push(now);
    match reasons.as_slice() {
        [] => Ok(is_second),
        reasons => Err(Error::invalid_option(reasons.join("\n")).into()),
    }
}

/// Refuses a streaming INSERT without a checkpoint. `read` are the names of the tables that it reads.
fn check_has_checkpoint(checker: &mut Checker, read: &[String]) -> DataFusionResult<()> {
    let settings = StreamingSettings::of(checker.ctx.state().config_options());
    let stores_offsets = checker.tables().any(|table| {
        let metadata = &table.options.source.metadata;
        let stores_offsets =
            metadata.path.is_some() || metadata.committer != CommitterKind::ObjectStore;
        stores_offsets && read.iter().any(|name| same(&table.name, name))
    });
    if stores_offsets || settings.checkpoint_location.is_some() {
        return Ok(());
    }
    Err(Error::invalid_option(
        "a streaming INSERT needs a checkpoint: SET streaming.checkpoint_location before it",
    )
    .into())
}

/// Records which tables are read and which are written.
fn record_uses(checker: &mut Checker, plan: &LogicalPlan) -> DataFusionResult<()> {
    let mut read = Vec::new();
    scans(plan, &mut read)?;
    let written = match plan {
        LogicalPlan::Dml(DmlStatement { table_name, .. }) => Some(table_name.to_string()),
        _ => None,
    };
    for table in checker.tables() {
        table.uses.reads |= read.iter().any(|name| same(&table.name, name));
        table.uses.writes |= written.iter().any(|name| same(&table.name, name));
    }
    Ok(())
}

/// The names of the tables that are read.
fn scans(plan: &LogicalPlan, names: &mut Vec<String>) -> DataFusionResult<()> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            names.push(scan.table_name.to_string());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// Whether two names, each with or without a schema, refer to the same table.
fn same(one: &str, other: &str) -> bool {
    let bare = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    bare(one) == bare(other)
}
