//! Plans the expressions of the keys with which rows are written.

mod reasons;

use std::ops::ControlFlow;
use std::sync::Arc;

use chrono::DateTime;
use datafusion::arrow::array::{Array, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::{Column, DFSchema, DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, cast};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Ident, visit_expressions_mut};

use super::columns::{TableColumn, TableColumns};
use super::encode_exec::{KeyExpression, PartitionKeys};
use crate::error::Error;
use crate::model::Clock;
use crate::options::{ExtraColumn, KeySource, SinkOptions};
use crate::source::RowColumn;

const PARTITION_KEY: &str = "kinesis.sink.partitionKey";
const EXPLICIT_HASH_KEY: &str = "kinesis.sink.explicitHashKey";

/// The keys of the rows that a table writes.
#[derive(Debug)]
pub(super) struct SinkKeys {
    pub(super) partition_keys: PartitionKeys,
    pub(super) explicit_hash_keys: Option<KeyExpression>,
    /// The names of the columns that they come from.
    pub(super) columns: Vec<String>,
}

impl SinkKeys {
    /// The keys of rows with these columns. `clock` gives the time of a statement that has none yet.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) if an expression does not suit the columns, or has no value.
    pub(super) fn plan(
        sink: &SinkOptions,
        columns: &TableColumns,
        clock: &dyn Clock,
        state: &dyn Session,
    ) -> Result<Self> {
        let (columns, schema) = columns.projected(None);
        let mut planner = KeyPlanner {
            state,
            clock,
            schema: &schema,
            columns: &columns,
            names: Vec::new(),
        };
        let partition_keys = match &sink.partition_key {
            Some(KeySource::Random) => None,
            Some(KeySource::Expression(text)) => Some(planner.expression(PARTITION_KEY, text)?),
            None => planner.column_of(PARTITION_KEY, RowColumn::PartitionKey)?,
        };
        let extra = RowColumn::Extra(ExtraColumn::ExplicitHashKey);
        let explicit_hash_keys = match &sink.explicit_hash_key {
            Some(text) => Some(planner.expression(EXPLICIT_HASH_KEY, text)?),
            None => planner.column_of(EXPLICIT_HASH_KEY, extra)?,
        };
        Ok(Self {
            partition_keys: partition_keys.map_or(PartitionKeys::Random, PartitionKeys::Expression),
            explicit_hash_keys,
            columns: planner.names,
        })
    }
}

struct KeyPlanner<'a> {
    state: &'a dyn Session,
    clock: &'a dyn Clock,
    schema: &'a SchemaRef,
    columns: &'a [TableColumn],
    /// The columns that the expressions use.
    names: Vec<String>,
}

impl KeyPlanner<'_> {
    /// The key of the table's column for `wanted`, if it has one.
    fn column_of(
        &mut self,
        option: &'static str,
        wanted: RowColumn,
    ) -> Result<Option<KeyExpression>> {
        let mut columns = self.columns.iter();
        let index = columns.position(|column| *column == TableColumn::Read(wanted));
        index
            .map(|index| {
                let name = self.schema.field(index).name();
                self.physical(option, name, Expr::Column(Column::new_unqualified(name)))
            })
            .transpose()
    }

    /// The key of an option that is a column or an SQL expression.
    fn expression(&mut self, option: &'static str, text: &str) -> Result<KeyExpression> {
        self.try_expression(option, text).map_err(|error| {
            let expected = match option {
                PARTITION_KEY => "'random', a column",
                _ => "a column",
            };
            Error::invalid_option(format!(
                "option '{option}' = '{text}': {}: expected {expected} of the table, or an SQL expression over the \
                 columns of one row",
                reasons::of(&error, self.schema)
            ))
            .into()
        })
    }

    fn try_expression(&mut self, option: &'static str, text: &str) -> Result<KeyExpression> {
        let expr = match self.column_named(text) {
            Some(name) => Expr::Column(Column::new_unqualified(name)),
            None => self.parsed(text)?.unalias(),
        };
        reasons::refuse_several_rows(&expr)?;
        let is_constant = expr.column_refs().is_empty() && !expr.is_volatile();
        let key = self.physical(option, text, expr)?;
        if is_constant {
            expect_value(&key)?;
        }
        Ok(key)
    }

    /// The column with this name: exactly, or else the first that only differs in case.
    fn column_named(&self, name: &str) -> Option<&str> {
        let fields = self.schema.fields().iter();
        let mut names = fields.map(|field| field.name().as_str());
        let exact = names.clone().find(|other| *other == name);
        exact.or_else(|| names.find(|other| other.eq_ignore_ascii_case(name)))
    }

    /// The expression `text`, with names of columns spelled as in the table.
    fn parsed(&self, text: &str) -> Result<Expr> {
        let state = self.state.as_any().downcast_ref::<SessionState>();
        let state = state.ok_or_else(|| {
            Error::unsupported("this session cannot parse SQL expressions: expected a SessionState")
        })?;
        let dialect = state.config_options().sql_parser.dialect;
        let mut parsed = state.sql_to_expr_with_alias(text, &dialect)?;
        let spell = |ident: &mut Ident| {
            let name = ident
                .quote_style
                .is_none()
                .then(|| self.column_named(&ident.value));
            if let Some(name) = name.flatten() {
                *ident = Ident::with_quote('"', name);
            }
        };
        let _: ControlFlow<()> = visit_expressions_mut(&mut parsed.expr, |expr| {
            match expr {
                SqlExpr::Identifier(ident) => spell(ident),
                SqlExpr::CompoundIdentifier(parts) => parts.iter_mut().take(1).for_each(spell),
                _ => {}
            }
            ControlFlow::Continue(())
        });
        state.create_logical_expr_from_sql_expr(parsed, &self.df_schema()?)
    }

    fn physical(&mut self, option: &'static str, text: &str, expr: Expr) -> Result<KeyExpression> {
        let columns = expr.column_refs();
        self.names
            .extend(columns.iter().map(|column| column.name.clone()));
        let schema = self.df_schema()?;
        let expr = self.simplified(cast(expr, DataType::Utf8View), &schema)?;
        Ok(KeyExpression {
            option,
            text: text.to_owned(),
            expr: self.state.create_physical_expr(expr, &schema)?,
        })
    }

    /// The expression as the optimizer of a statement leaves it. Some functions, such as `coalesce`, exist only
    /// before, and `now()` becomes a constant.
    fn simplified(&self, expr: Expr, schema: &DFSchema) -> Result<Expr> {
        let config = self.state.config().options();
        // Nothing is running yet when the table is made.
        let time = self.state.execution_props().query_execution_start_time;
        let time = time.or_else(|| DateTime::from_timestamp_millis(self.clock.now().0));
        let context = SimplifyContext::builder()
            .with_schema(Arc::new(schema.clone()))
            .with_config_options(Arc::clone(config))
            .with_query_execution_start_time(time)
            .build();
        let simplifier = ExprSimplifier::new(context);
        let coerced = simplifier.coerce(expr, schema)?;
        simplifier.simplify(coerced)
    }

    fn df_schema(&self) -> Result<DFSchema> {
        DFSchema::try_from(self.schema.as_ref().clone())
    }
}

/// Refuses a constant that fails, or that is no partition key.
fn expect_value(key: &KeyExpression) -> Result<()> {
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let row = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)?;
    let value = key.values(&row)?;
    let is_missing = value.is_null(0) || value.value(0).is_empty();
    match key.option == PARTITION_KEY && is_missing {
        false => Ok(()),
        true => Err(DataFusionError::Plan(
            "is NULL or empty in each row".to_owned(),
        )),
    }
}
