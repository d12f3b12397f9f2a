//! Checks one statement that makes no Kinesis table: it is planned as if it were to run.

use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{DdlStatement, DmlStatement, LogicalPlan};

use super::{Streaming, Visit};
use crate::cli::statements::Statement;
use crate::error::Error;
use crate::options::CommitterKind;
use crate::query::{expect_own_checkpoint, is_streaming, same_statement};
use crate::sql::StreamingSettings;

/// What is to be said about a statement that is right; nothing about one that only prepares others.
pub(super) async fn check(
    visit: &mut Visit,
    place: &str,
    statement: &Statement,
    plan: LogicalPlan,
) -> DataFusionResult<Option<&'static str>> {
    match &plan {
        // Its rows would have to be read.
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(made)) => {
            note_uses(visit, &made.input)?;
            let schema = Arc::clone(made.input.schema().inner());
            let table = EmptyTable::new(schema);
            visit
                .ctx
                .register_table(made.name.clone(), Arc::new(table))?;
            Ok(None)
        }
        LogicalPlan::Ddl(_) | LogicalPlan::Statement(_) => {
            visit.ctx.execute_logical_plan(plan).await?;
            Ok(None)
        }
        LogicalPlan::EmptyRelation(_) => Ok(None),
        _ => {
            note_uses(visit, &plan)?;
            planned(visit, place, statement, &plan).await.map(Some)
        }
    }
}

/// Plans as a run would.
async fn planned(
    visit: &mut Visit,
    place: &str,
    statement: &Statement,
    plan: &LogicalPlan,
) -> DataFusionResult<&'static str> {
    if matches!(plan, LogicalPlan::Explain(_)) {
        // It shows what is wrong with a plan instead of failing.
        crate::sql(&visit.ctx, &statement.text).await?;
        return Ok("would run");
    }
    if !is_streaming(&visit.ctx, &statement.text).await? {
        visit.ctx.state().create_physical_plan(plan).await?;
        return Ok("would run");
    }
    if matches!(plan, LogicalPlan::Dml(_)) {
        expect_a_place(visit, plan)?;
    }
    crate::sql(&visit.ctx, &format!("EXPLAIN {}", statement.text)).await?;
    expect_a_start(visit, place, statement, plan)?;
    expect_own_checkpoint(&visit.ctx, &statement.text).await?;
    Ok("would start, and run until it is stopped or its trigger ends it")
}

/// Refuses a streaming statement that starts only once an earlier one is stopped, or that has the checkpoint
/// of another one.
fn expect_a_start(
    visit: &mut Visit,
    place: &str,
    statement: &Statement,
    plan: &LogicalPlan,
) -> DataFusionResult<()> {
    let settings = StreamingSettings::of(visit.ctx.state().config_options());
    let mut read = Vec::new();
    scans(plan, &mut read)?;
    let mut tables = visit.tables();
    let path = tables.find_map(|table| {
        let path = table.options.source.metadata.path.clone();
        path.filter(|_| read.iter().any(|name| same(&table.name, name)))
    });
    drop(tables);
    let now = Streaming {
        place: place.to_owned(),
        text: statement.text.clone(),
        log: path.or(settings.checkpoint_location),
        ends_by_itself: settings.trigger.ends_by_itself(),
    };
    let mut reasons = Vec::new();
    if let Some(before) = visit.streaming.iter().find(|before| !before.ends_by_itself) {
        reasons.push(format!(
            "starts only when the streaming query of {} is stopped, which does not end by itself: expected it in a \
             file and a process of its own, or SET streaming.trigger = 'available now' before that one",
            before.place
        ));
    }
    let sharing = visit.streaming.iter().find(|before| {
        before.log.is_some() && before.log == now.log && !same_statement(&before.text, &now.text)
    });
    if let (Some(before), Some(log)) = (sharing, &now.log) {
        reasons.push(format!(
            "has the checkpoint of {}, '{log}', and would be refused: expected SET streaming.checkpoint_location \
             with a place of its own before it",
            before.place
        ));
    }
    visit.streaming.push(now);
    match reasons.as_slice() {
        [] => Ok(()),
        reasons => Err(Error::invalid_option(reasons.join("\n")).into()),
    }
}

/// Refuses a streaming INSERT that has nowhere to keep its progress.
fn expect_a_place(visit: &mut Visit, plan: &LogicalPlan) -> DataFusionResult<()> {
    let settings = StreamingSettings::of(visit.ctx.state().config_options());
    let mut read = Vec::new();
    scans(plan, &mut read)?;
    let keeps = visit.tables().any(|table| {
        let metadata = &table.options.source.metadata;
        let keeps = metadata.path.is_some() || metadata.committer != CommitterKind::ObjectStore;
        keeps && read.iter().any(|name| same(&table.name, name))
    });
    if keeps || settings.checkpoint_location.is_some() {
        return Ok(());
    }
    Err(Error::invalid_option(
        "a streaming INSERT needs a place to keep its progress: expected \
         SET streaming.checkpoint_location before it",
    )
    .into())
}

/// Remembers which tables are read and which are written.
fn note_uses(visit: &mut Visit, plan: &LogicalPlan) -> DataFusionResult<()> {
    let mut read = Vec::new();
    scans(plan, &mut read)?;
    let written = match plan {
        LogicalPlan::Dml(DmlStatement { table_name, .. }) => Some(table_name.to_string()),
        _ => None,
    };
    for table in visit.tables() {
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

/// Whether two names mean one table, either with its schema in front or without.
fn same(one: &str, other: &str) -> bool {
    let bare = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    bare(one) == bare(other)
}
