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
use crate::options::MetadataColumn;
use crate::source::RowColumn;
use crate::table::KinesisTable;

/// An INSERT into a Kinesis table that does not name the columns it writes.
pub(super) struct UnnamedInsert {
    target: ObjectName,
    columns: usize,
    /// The columns that are usually written.
    written: Vec<String>,
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
        let table = provider.downcast_ref::<KinesisTable>()?;
        let written = match table.payload_fields() {
            None => vec!["partitionKey".to_owned(), "data".to_owned()],
            Some(fields) => {
                let keys = table.key_columns();
                let names = fields.iter().map(|field| field.name()).chain(keys);
                names.map(|name| in_sql(name)).collect()
            }
        };
        Some(Self {
            written,
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
                "name the columns to write: INSERT INTO {} ({}) …",
                self.target,
                self.written.join(", ")
            )),
            _ => error,
        }
    }
}

/// The name of a column as SQL reads it.
fn in_sql(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    match name.chars().all(is_plain) {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// Refuses an INSERT of numbers into `data`, or into a binary column of a payload. DataFusion would cast a number
/// to its in-memory bytes, which no consumer expects.
pub(super) fn refuse_numbers(plan: &LogicalPlan) -> Result<(), DataFusionError> {
    let insert = match plan {
        LogicalPlan::Explain(explain) => return refuse_numbers(&explain.plan),
        LogicalPlan::Analyze(analyze) => return refuse_numbers(&analyze.input),
        LogicalPlan::Dml(insert) => insert,
        _ => return Ok(()),
    };
    let LogicalPlan::Projection(projection) = &*insert.input else {
        return Ok(());
    };
    let Ok(provider) = source_as_provider(&insert.target) else {
        return Ok(());
    };
    let Some(table) = provider.downcast_ref::<KinesisTable>() else {
        return Ok(());
    };
    let binary: Vec<String> = match table.payload_fields() {
        None => vec![RowColumn::Data.name().to_owned()],
        Some(fields) => (fields.iter())
            .filter(|field| field.data_type().is_binary())
            .map(|field| field.name().clone())
            .collect(),
    };
    for expr in &projection.expr {
        let name = expr.schema_name().to_string();
        if binary.contains(&name)
            && let Some(found) = inserted_number(expr, &projection.input)?
        {
            return Err(Error::invalid_row(format!(
                "table '{}': column '{name}' has type {found}: expected a string or binary; convert it with \
                 CAST(… AS VARCHAR)",
                insert.table_name
            ))
            .into());
        }
    }
    Ok(())
}

/// The type that `expr`, a column of an INSERT over `input`, casts to binary, unless it is a string or binary type.
fn inserted_number(expr: &Expr, input: &LogicalPlan) -> Result<Option<DataType>, DataFusionError> {
    let expr = expr.clone().unalias();
    // DataFusion casts the rows of VALUES below the projection.
    let (Expr::Column(column), LogicalPlan::Values(values)) = (&expr, input) else {
        return Ok(numeric_cast(&expr, input.schema()));
    };
    let index = values.schema.index_of_column(column)?;
    let mut rows = values.values.iter();
    Ok(rows.find_map(|row| numeric_cast(&row[index], &values.schema)))
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
    if !provider.is::<KinesisTable>() {
        return Ok(());
    }
    let schema = provider.schema();
    for column in &insert.columns {
        let written = column.to_string();
        let written = written.trim_matches('"');
        // Found in any case, as DataFusion finds the columns of a Kinesis table.
        let mut fields = schema.fields().iter();
        if fields.any(|field| field.name().eq_ignore_ascii_case(written)) {
            continue;
        }
        let mut known = MetadataColumn::ALL.into_iter().map(MetadataColumn::name);
        if let Some(name) = known.find(|name| name.eq_ignore_ascii_case(written)) {
            return Err(Error::invalid_option(format!(
                "table '{target}' has no column '{name}': add it with option \
                 'kinesis.extraColumns' = '{name}'"
            ))
            .into());
        }
    }
    Ok(())
}
