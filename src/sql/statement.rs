//! Parses one statement, applies this crate's rewrites and checks, and plans it.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::sqlparser::ast::{
    ObjectName, Query, Statement as SqlStatement, Visit, visit_relations,
};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::column_lists;
use super::describe;
use super::duplicate_columns;
use super::file_checks;
use super::hints;
use super::identifiers::{Tables, quote_columns, quote_query, table_reference};
use super::insert_checks::{UnnamedInsert, refuse_absent_columns, refuse_numbers};
use super::json;
use super::settings;
use super::show_create;
use super::statement_set::is_statement_set;
use super::tokens;
use super::variables;
use super::windows;
use crate::error::Error;
use crate::table::relist_files;

/// The table function that reads the state of a streaming query.
pub(crate) const READ_STATE: &str = "read_state";

/// Plans one statement for execution, with the additions of [`sql`](fn@crate::sql). `RESET streaming.…`
/// takes effect here; its plan is empty.
///
/// # Errors
/// The statement cannot be parsed or planned.
pub(crate) async fn plan_to_run(
    ctx: &SessionContext,
    sql: &str,
) -> Result<LogicalPlan, DataFusionError> {
    let statement = parse(ctx, sql).await?;
    match settings::reset(ctx, &statement)? {
        true => LogicalPlanBuilder::empty(false).build(),
        false => plan(ctx, statement).await,
    }
}

/// Plans one statement, with the additions of [`sql`](fn@crate::sql), and changes nothing in the session.
///
/// # Errors
/// The statement cannot be parsed or planned.
pub(crate) async fn logical_plan(
    ctx: &SessionContext,
    sql: &str,
) -> Result<LogicalPlan, DataFusionError> {
    plan(ctx, parse(ctx, sql).await?).await
}

/// `SHOW TABLES` without the tables of `information_schema`.
const SHOW_TABLES: &str = "\
    SELECT table_catalog, table_schema, table_name, table_type FROM information_schema.tables \
    WHERE table_schema <> 'information_schema' ORDER BY table_catalog, table_schema, table_name";

fn is_show_tables(statement: &Statement) -> bool {
    match statement {
        Statement::Statement(statement) => {
            matches!(**statement, SqlStatement::ShowTables { .. })
                && statement.to_string() == "SHOW TABLES"
        }
        _ => false,
    }
}

/// Parses and rewrites a statement.
async fn parse(ctx: &SessionContext, sql: &str) -> Result<Statement, DataFusionError> {
    if is_statement_set(sql) {
        return Err(Error::unsupported(
            "a statement set is a streaming query: run it with StreamingQuery::builder, or with the command",
        )
        .into());
    }
    let state = ctx.state();
    let dialect = state.config_options().sql_parser.dialect;
    let filled = variables::filled(&state, sql)?;
    let parsed = match &filled {
        Some(filled) => tokens::parse(&state, filled.clone()),
        None => state.sql_to_statement(sql, &dialect),
    };
    let mut statement = match parsed {
        Ok(statement) => statement,
        Err(error) => json::parse_question_marks(&state, sql, filled)
            .ok_or_else(|| hints::with_syntax_hint(error, sql))?,
    };
    if is_show_tables(&statement) && state.config_options().catalog.information_schema {
        statement = state.sql_to_statement(SHOW_TABLES, &dialect)?;
    }
    rewrite(ctx, &mut statement).await?;
    Ok(statement)
}

async fn plan(ctx: &SessionContext, statement: Statement) -> Result<LogicalPlan, DataFusionError> {
    let mut state = ctx.state();
    column_lists::set_time_zone(&mut state, &statement);
    if let Some(plan) = describe::plan(ctx, &statement).await? {
        return Ok(plan);
    }
    let unnamed = UnnamedInsert::of(ctx, &statement).await;
    let definition = show_create::definition(&statement);
    let mut plan = match (with_distinct_columns(&state, statement).await, unnamed) {
        (Err(error), Some(unnamed)) => {
            return Err(hints::with_hint(unnamed.with_hint(&state, error).await));
        }
        (plan, _) => plan.map_err(hints::with_hint)?,
    };
    show_create::keep(definition, &mut plan);
    refuse_numbers(&plan)?;
    hints::refuse_impossible_casts(&plan)?;
    relist_files(plan)
}

/// Plans `statement` without rewriting it. DataFusion calls table functions synchronously during
/// planning, so a statement that calls [`READ_STATE`] is planned on a thread that may block.
async fn statement_to_plan(
    state: &SessionState,
    statement: Statement,
) -> Result<LogicalPlan, DataFusionError> {
    if !reads_state(&statement) {
        return state.statement_to_plan(statement).await;
    }
    let (state, runtime) = (state.clone(), Handle::current());
    let planning = spawn_blocking(move || runtime.block_on(state.statement_to_plan(statement)));
    planning.await.unwrap_or_else(|error| {
        Err(Error::internal(format!("planning a statement panicked: {error}")).into())
    })
}

/// Whether `statement` calls [`READ_STATE`].
fn reads_state(statement: &Statement) -> bool {
    let is_read_state = |name: &ObjectName| name.to_string().eq_ignore_ascii_case(READ_STATE);
    let visit = |name: &ObjectName| match is_read_state(name) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    match statement {
        Statement::Statement(statement) => visit_relations(&**statement, visit).is_break(),
        Statement::CopyTo(copy) => match &copy.source {
            CopyToSource::Query(query) => visit_relations(&**query, visit).is_break(),
            CopyToSource::Relation(_) => false,
        },
        Statement::Explain(explain) => reads_state(&explain.statement),
        Statement::CreateExternalTable(_) | Statement::Reset(_) => false,
    }
}

/// Plans a statement. If two columns of a SELECT list have the same name, retries with distinct names.
async fn with_distinct_columns(
    state: &SessionState,
    mut statement: Statement,
) -> Result<LogicalPlan, DataFusionError> {
    match statement_to_plan(state, statement.clone()).await {
        Err(error) if duplicate_columns::is_duplicate(&error) => {
            duplicate_columns::make_distinct(&mut statement);
            let plan = statement_to_plan(state, statement).await;
            plan.map_err(|_| error)
        }
        result => result,
    }
}

async fn rewrite(ctx: &SessionContext, statement: &mut Statement) -> Result<(), DataFusionError> {
    windows::register_bin_end(ctx);
    let dialect = ctx.state().config_options().sql_parser.dialect;
    match statement {
        Statement::Statement(statement) => {
            let tables = tables_of(ctx, &**statement).await;
            if let SqlStatement::Insert(insert) = &**statement {
                refuse_absent_columns(ctx, insert).await?;
            }
            json::group_operators(&mut **statement, dialect);
            quote_columns(statement, &tables);
            windows::expand_windows(statement, &tables)?;
        }
        Statement::CopyTo(copy) => {
            file_checks::refuse_copy(&ctx.state(), copy)?;
            if let CopyToSource::Query(query) = &mut copy.source {
                let tables = tables_of(ctx, &**query as &Query).await;
                json::group_operators(&mut **query, dialect);
                quote_query(query, &tables);
                windows::expand_windows(query, &tables)?;
            }
        }
        Statement::Explain(explain) => Box::pin(rewrite(ctx, &mut explain.statement)).await?,
        Statement::CreateExternalTable(create) => {
            let mut names = HashSet::new();
            for (name, _) in &create.options {
                if !names.insert(name.to_lowercase()) {
                    return Err(Error::invalid_option(format!("duplicate option '{name}'")).into());
                }
            }
            file_checks::refuse_table(&ctx.state(), create)?;
            column_lists::refuse(create)?;
        }
        Statement::Reset(_) => {}
    }
    Ok(())
}

/// The columns of every table that `node` names. The planner reports names that do not refer to a table.
async fn tables_of<N: Visit>(ctx: &SessionContext, node: &N) -> Tables {
    let mut names = HashSet::new();
    let _: ControlFlow<()> = visit_relations(node, |name| {
        names.insert(name.clone());
        ControlFlow::Continue(())
    });
    let mut tables = Tables::new();
    for name in names {
        if let Some(reference) = table_reference(ctx, &name)
            && let Ok(provider) = ctx.table_provider(reference).await
        {
            let schema = provider.schema();
            let columns = schema.fields().iter().map(|field| field.name().clone());
            tables.insert(name, columns.collect());
        }
    }
    tables
}
