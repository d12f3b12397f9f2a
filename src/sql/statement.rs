//! Statements with the comforts of this crate.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, TableReference};
use datafusion::datasource::source_as_provider;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::planner::object_name_to_table_reference;
use datafusion::sql::sqlparser::ast::{
    Insert, ObjectName, Query, Statement as SqlStatement, TableObject, Visit, visit_relations,
};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::duplicate_columns;
use super::file_checks;
use super::hints;
use super::identifiers::{Tables, quote_columns, quote_query};
use super::settings;
use super::show_create;
use super::windows;
use crate::error::Error;
use crate::options::ExtraColumn;
use crate::source::RowColumn;
use crate::table::{KinesisTable, relist_files};

/// The table function that reads the state of a query.
pub(crate) const READ_STATE: &str = "read_state";

/// The plan that is to be run for one statement, with the additions of [`sql`](fn@crate::sql). A RESET that
/// DataFusion does not know is done, and there is nothing to be run.
///
/// # Errors
/// Those of planning.
pub(crate) async fn plan_to_run(
    ctx: &SessionContext,
    sql: &str,
) -> Result<LogicalPlan, DataFusionError> {
    let statement = statement(ctx, sql).await?;
    match settings::reset(ctx, &statement)? {
        true => LogicalPlanBuilder::empty(false).build(),
        false => planned(ctx, statement).await,
    }
}

/// The plan of one statement, with the additions of [`sql`](fn@crate::sql); nothing is run.
///
/// # Errors
/// Those of planning.
pub(crate) async fn logical_plan(
    ctx: &SessionContext,
    sql: &str,
) -> Result<LogicalPlan, DataFusionError> {
    planned(ctx, statement(ctx, sql).await?).await
}

/// The tables of the user: those that describe a session are of no use in a list of what there is.
const TABLES: &str = "\
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

/// A statement as it was meant.
async fn statement(ctx: &SessionContext, sql: &str) -> Result<Statement, DataFusionError> {
    let state = ctx.state();
    let dialect = state.config_options().sql_parser.dialect;
    let statement = state.sql_to_statement(sql, &dialect);
    let mut statement = statement.map_err(|error| hints::of_syntax(error, sql))?;
    if is_show_tables(&statement) && state.config_options().catalog.information_schema {
        statement = state.sql_to_statement(TABLES, &dialect)?;
    }
    rewrite(ctx, &mut statement).await?;
    Ok(statement)
}

async fn planned(
    ctx: &SessionContext,
    statement: Statement,
) -> Result<LogicalPlan, DataFusionError> {
    let state = ctx.state();
    let unnamed = UnnamedInsert::of(ctx, &statement).await;
    let definition = show_create::definition(&statement);
    let mut plan = match (named_apart(&state, statement).await, unnamed) {
        (Err(error), Some(unnamed)) => {
            return Err(hints::advised(unnamed.explain(&state, error).await));
        }
        (plan, _) => plan.map_err(hints::advised)?,
    };
    show_create::keep(definition, &mut plan);
    refuse_numbers(&plan)?;
    hints::refuse_impossible_casts(&plan)?;
    relist_files(plan)
}

/// The plan of `statement` as it is. The engine calls table functions while it plans and cannot wait for
/// them; one that reads a checkpoint does so on a thread that may block.
async fn to_plan(
    state: &SessionState,
    statement: Statement,
) -> Result<LogicalPlan, DataFusionError> {
    if !reads_state(&statement) {
        return state.statement_to_plan(statement).await;
    }
    let (state, runtime) = (state.clone(), Handle::current());
    let planning = spawn_blocking(move || runtime.block_on(state.statement_to_plan(statement)));
    planning.await.unwrap_or_else(|error| {
        Err(Error::internal(format!("the planning of a statement stopped: {error}")).into())
    })
}

/// Whether `statement` calls [`READ_STATE`].
fn reads_state(statement: &Statement) -> bool {
    let is_it = |name: &ObjectName| name.to_string().eq_ignore_ascii_case(READ_STATE);
    let visit = |name: &ObjectName| match is_it(name) {
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

/// The plan of a statement, whose columns get names where two have the same one.
async fn named_apart(
    state: &SessionState,
    mut statement: Statement,
) -> Result<LogicalPlan, DataFusionError> {
    match to_plan(state, statement.clone()).await {
        Err(error) if duplicate_columns::is_duplicate(&error) => {
            duplicate_columns::make_distinct(&mut statement);
            let named = to_plan(state, statement).await;
            named.map_err(|_| error)
        }
        planned => planned,
    }
}

async fn rewrite(ctx: &SessionContext, statement: &mut Statement) -> Result<(), DataFusionError> {
    windows::register_bin_end(ctx);
    match statement {
        Statement::Statement(statement) => {
            let tables = tables_of(ctx, &**statement).await;
            if let SqlStatement::Insert(insert) = &**statement {
                refuse_absent_columns(ctx, insert).await?;
            }
            quote_columns(statement, &tables);
            windows::expand_windows(statement, &tables)?;
        }
        Statement::CopyTo(copy) => {
            file_checks::refuse_copy(&ctx.state(), copy)?;
            if let CopyToSource::Query(query) = &mut copy.source {
                let tables = tables_of(ctx, &**query as &Query).await;
                quote_query(query, &tables);
                windows::expand_windows(query, &tables)?;
            }
        }
        Statement::Explain(explain) => Box::pin(rewrite(ctx, &mut explain.statement)).await?,
        Statement::CreateExternalTable(create) => {
            let mut names = HashSet::new();
            for (name, _) in &create.options {
                if !names.insert(name.to_lowercase()) {
                    return Err(
                        Error::invalid_option(format!("option '{name}' is given twice")).into(),
                    );
                }
            }
            file_checks::refuse_table(&ctx.state(), create)?;
        }
        Statement::Reset(_) => {}
    }
    Ok(())
}

/// An INSERT into a Kinesis table that does not name the columns it writes.
struct UnnamedInsert {
    target: ObjectName,
    columns: usize,
    source: Box<Query>,
}

impl UnnamedInsert {
    async fn of(ctx: &SessionContext, statement: &Statement) -> Option<Self> {
        let Statement::Statement(statement) = statement else {
            return None;
        };
        let SqlStatement::Insert(insert) = &**statement else {
            return None;
        };
        let TableObject::TableName(target) = &insert.table else {
            return None;
        };
        if !insert.columns.is_empty() {
            return None;
        }
        let provider = ctx.table_provider(reference(ctx, target)?).await.ok()?;
        provider.downcast_ref::<KinesisTable>()?;
        Some(Self {
            target: target.clone(),
            columns: provider.schema().fields().len(),
            source: insert.source.clone()?,
        })
    }

    /// Adds what to do, where the number of columns is what is wrong: the table has some that nobody
    /// writes.
    async fn explain(self, state: &SessionState, error: DataFusionError) -> DataFusionError {
        let source = Statement::Statement(Box::new(SqlStatement::Query(self.source)));
        match state.statement_to_plan(source).await {
            Ok(source) if source.schema().fields().len() != self.columns => error.context(format!(
                "name the columns that are written: INSERT INTO {} (partitionKey, data) …",
                self.target
            )),
            _ => error,
        }
    }
}

/// Refuses an INSERT of `data` that is neither text nor bytes: DataFusion would cast a number to the
/// bytes of its memory, which nobody can read again.
fn refuse_numbers(plan: &LogicalPlan) -> Result<(), DataFusionError> {
    let insert = match plan {
        LogicalPlan::Explain(explain) => return refuse_numbers(&explain.plan),
        LogicalPlan::Analyze(analyze) => return refuse_numbers(&analyze.input),
        LogicalPlan::Dml(insert) => insert,
        _ => return Ok(()),
    };
    let is_kinesis = source_as_provider(&insert.target)
        .is_ok_and(|provider| provider.downcast_ref::<KinesisTable>().is_some());
    let LogicalPlan::Projection(projection) = &*insert.input else {
        return Ok(());
    };
    let data = projection
        .expr
        .iter()
        .find(|expr| expr.schema_name().to_string() == RowColumn::Data.name());
    let Some(data) = data.map(|expr| expr.clone().unalias()) else {
        return Ok(());
    };
    // The rows of VALUES are cast one by one, below the projection.
    let cast = match (&data, &*projection.input) {
        (Expr::Column(column), LogicalPlan::Values(values)) => {
            let place = values.schema.index_of_column(column)?;
            values
                .values
                .iter()
                .find_map(|row| numeric_cast(&row[place], &values.schema))
        }
        (data, input) => numeric_cast(data, input.schema()),
    };
    let (true, Some(found)) = (is_kinesis, cast) else {
        return Ok(());
    };
    Err(Error::invalid_row(format!(
        "table '{}': 'data' is of type {found}: expected a string or binary; CAST(… AS VARCHAR) \
         makes it one",
        insert.table_name
    ))
    .into())
}

/// The type that `expr` casts to bytes although it is neither text nor bytes.
fn numeric_cast(expr: &Expr, schema: &DFSchema) -> Option<DataType> {
    let Expr::Cast(cast) = expr else {
        return None;
    };
    let from = cast.expr.get_type(schema).ok()?;
    let readable = from.is_string() || from.is_binary() || from.is_null();
    (!readable).then_some(from)
}

/// The columns of every table the node names; a name that is no table is left to the planner.
async fn tables_of<N: Visit>(ctx: &SessionContext, node: &N) -> Tables {
    let mut names = HashSet::new();
    let _: ControlFlow<()> = visit_relations(node, |name| {
        names.insert(name.clone());
        ControlFlow::Continue(())
    });
    let mut tables = Tables::new();
    for name in names {
        if let Some(reference) = reference(ctx, &name)
            && let Ok(provider) = ctx.table_provider(reference).await
        {
            let schema = provider.schema();
            let columns = schema.fields().iter().map(|field| field.name().clone());
            tables.insert(name, columns.collect());
        }
    }
    tables
}

fn reference(ctx: &SessionContext, name: &ObjectName) -> Option<TableReference> {
    let normalize = ctx
        .state_ref()
        .read()
        .config_options()
        .sql_parser
        .enable_ident_normalization;
    object_name_to_table_reference(name.clone(), normalize).ok()
}

/// A column a Kinesis table has only on request is told from one that does not exist.
async fn refuse_absent_columns(
    ctx: &SessionContext,
    insert: &Insert,
) -> Result<(), DataFusionError> {
    let TableObject::TableName(target) = &insert.table else {
        return Ok(());
    };
    let Some(reference) = reference(ctx, target) else {
        return Ok(());
    };
    let Ok(provider) = ctx.table_provider(reference).await else {
        return Ok(());
    };
    let Some(table) = provider.downcast_ref::<KinesisTable>() else {
        return Ok(());
    };
    for column in &insert.columns {
        let written = column.to_string();
        let written = written.trim_matches('"');
        let absent = ExtraColumn::ALL.into_iter().find(|extra| {
            extra.name().eq_ignore_ascii_case(written)
                && !table.options().extra_columns.contains(extra)
        });
        if let Some(extra) = absent {
            return Err(Error::invalid_option(format!(
                "table '{target}' has no column '{name}': make it with option \
                 'kinesis.extraColumns' = '{name}'",
                name = extra.name()
            ))
            .into());
        }
    }
    Ok(())
}
