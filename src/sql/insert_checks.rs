//! Checks on INSERT INTO a Kinesis table that DataFusion does not perform.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::datasource::source_as_provider;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Insert, ObjectName, Query, Statement as SqlStatement, TableObject,
};

use super::identifiers::table_reference;
use crate::error::Error;
use crate::options::ExtraColumn;
use crate::source::RowColumn;
use crate::table::KinesisTable;

/// An INSERT into a Kinesis table that does not name the columns it writes.
pub(super) struct UnnamedInsert {
    target: ObjectName,
    columns: usize,
    source: Box<Query>,
}

impl UnnamedInsert {
    /// Returns the INSERT if `statement` is one into a Kinesis table, without a column list.
    pub(super) async fn of(ctx: &SessionContext, statement: &Statement) -> Option<Self> {
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
        let provider = ctx
            .table_provider(table_reference(ctx, target)?)
            .await
            .ok()?;
        provider.downcast_ref::<KinesisTable>()?;
        Some(Self {
            target: target.clone(),
            columns: provider.schema().fields().len(),
            source: insert.source.clone()?,
        })
    }

    /// Adds a hint to `error` if the number of columns of the query differs from that of the table,
    /// whose metadata columns are usually not written.
    pub(super) async fn with_hint(
        self,
        state: &SessionState,
        error: DataFusionError,
    ) -> DataFusionError {
        let source = Statement::Statement(Box::new(SqlStatement::Query(self.source)));
        match state.statement_to_plan(source).await {
            Ok(source) if source.schema().fields().len() != self.columns => error.context(format!(
                "name the columns to write: INSERT INTO {} (partitionKey, data) …",
                self.target
            )),
            _ => error,
        }
    }
}

/// Refuses an INSERT whose `data` is neither string nor binary. DataFusion would cast a number to its
/// in-memory bytes, which no consumer expects.
pub(super) fn refuse_numbers(plan: &LogicalPlan) -> Result<(), DataFusionError> {
    let insert = match plan {
        LogicalPlan::Explain(explain) => return refuse_numbers(&explain.plan),
        LogicalPlan::Analyze(analyze) => return refuse_numbers(&analyze.input),
        LogicalPlan::Dml(insert) => insert,
        _ => return Ok(()),
    };
    let is_kinesis = source_as_provider(&insert.target).is_ok_and(|provider| {
        let table = provider.downcast_ref::<KinesisTable>();
        table.is_some_and(|table| !table.is_decoded())
    });
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
    // DataFusion casts the rows of VALUES below the projection.
    let cast = match (&data, &*projection.input) {
        (Expr::Column(column), LogicalPlan::Values(values)) => {
            let index = values.schema.index_of_column(column)?;
            values
                .values
                .iter()
                .find_map(|row| numeric_cast(&row[index], &values.schema))
        }
        (data, input) => numeric_cast(data, input.schema()),
    };
    let (true, Some(found)) = (is_kinesis, cast) else {
        return Ok(());
    };
    Err(Error::invalid_row(format!(
        "table '{}': column 'data' has type {found}: expected a string or binary; convert it with \
         CAST(… AS VARCHAR)",
        insert.table_name
    ))
    .into())
}

/// The type that `expr` casts from, unless it is a string or binary type.
fn numeric_cast(expr: &Expr, schema: &DFSchema) -> Option<DataType> {
    let Expr::Cast(cast) = expr else {
        return None;
    };
    let from = cast.expr.get_type(schema).ok()?;
    let readable = from.is_string() || from.is_binary() || from.is_null();
    (!readable).then_some(from)
}

/// Refuses an INSERT into a metadata column that the table does not have but could, with the option that
/// adds it.
pub(super) async fn refuse_absent_columns(
    ctx: &SessionContext,
    insert: &Insert,
) -> Result<(), DataFusionError> {
    let TableObject::TableName(target) = &insert.table else {
        return Ok(());
    };
    let Some(reference) = table_reference(ctx, target) else {
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
            extra.name().eq_ignore_ascii_case(written) && !table.has_column(extra.name())
        });
        if let Some(extra) = absent {
            return Err(Error::invalid_option(format!(
                "table '{target}' has no column '{name}': add it with option \
                 'kinesis.extraColumns' = '{name}'",
                name = extra.name()
            ))
            .into());
        }
    }
    Ok(())
}
