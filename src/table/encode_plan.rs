//! Plans how rows of a table with a payload format become records.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::{Column, DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::execution::SessionState;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, cast};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{self, Literal};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Ident, visit_expressions_mut};

use super::columns::TableColumn;
use super::encode_exec::{EncodeConfig, KeyExpression, KinesisEncodeExec, PartitionKeys};
use super::kinesis_table::TableConfig;
use crate::error::{Error, describe_datafusion};
use crate::format::Encoder;
use crate::options::{ExtraColumn, KeySource};
use crate::source::RowColumn;

/// `input`, with rows encoded to records if the table has a payload format.
///
/// # Errors
/// [`Unsupported`](crate::ErrorKind::Unsupported) if the format cannot be written;
/// [`InvalidOption`](crate::ErrorKind::InvalidOption) if the expression of a key does not suit the columns;
/// [`InvalidRow`](crate::ErrorKind::InvalidRow) for columns that the table does not have.
pub(super) fn encoded(
    table: &TableConfig,
    state: &dyn Session,
    input: Arc<dyn ExecutionPlan>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let Some(payload) = table.columns.payload() else {
        return Ok(input);
    };
    // Fails if the format cannot be written.
    Encoder::new(payload)?;
    let (columns, schema) = table.columns.projected(None);
    let input = with_columns_of(&schema, input, table)?;
    let keys = KeyPlanner {
        state,
        schema: &schema,
        columns: &columns,
        names: Vec::new(),
    };
    let (partition_keys, explicit_hash_keys, used) = keys.plan(table)?;
    let fields = payload.fields().len();
    let is_refused = |(index, column): (usize, &TableColumn)| {
        let is_used = used.iter().any(|name| name == schema.field(index).name());
        let is_written = matches!(column, TableColumn::Payload(field) if *field < fields);
        (!is_written && !is_used).then_some(index)
    };
    let insert = table.inserts.fetch_add(1, Ordering::Relaxed);
    let config = EncodeConfig {
        payload: Arc::clone(payload),
        partition_keys,
        explicit_hash_keys,
        unwritable: columns.iter().enumerate().filter_map(is_refused).collect(),
        seed: fastrand::Rng::with_seed(table.seed.wrapping_add(insert)).u64(..),
    };
    Ok(Arc::new(KinesisEncodeExec::new(input, Arc::new(config))))
}

/// `input` with exactly the columns of `schema`, in order. Names match exactly, or else ignoring case; a column
/// that `input` lacks is NULL.
fn with_columns_of(
    schema: &SchemaRef,
    input: Arc<dyn ExecutionPlan>,
    table: &TableConfig,
) -> Result<Arc<dyn ExecutionPlan>> {
    let given = input.schema();
    let (fields, given_fields) = (schema.fields(), given.fields());
    let mut pairs = fields.iter().zip(given_fields);
    let is_same = pairs.all(|(field, given)| {
        field.name() == given.name() && field.data_type() == given.data_type()
    });
    if is_same && fields.len() == given_fields.len() {
        return Ok(input);
    }
    let mut used = vec![false; given_fields.len()];
    let mut projected = Vec::with_capacity(fields.len());
    for field in fields {
        let name = field.name();
        let exact = given_fields.iter().position(|given| given.name() == name);
        let found = exact.or_else(|| {
            let mut given = given_fields.iter();
            given.position(|given| given.name().eq_ignore_ascii_case(name))
        });
        let expr = match found {
            Some(index) => {
                used[index] = true;
                let column = expressions::Column::new(given_fields[index].name(), index);
                expressions::cast(Arc::new(column), &given, field.data_type().clone())?
            }
            None => Arc::new(Literal::new(ScalarValue::try_from(field.data_type())?)),
        };
        projected.push(ProjectionExpr::new(expr, name));
    }
    if let Some(index) = used.iter().position(|used| !used) {
        let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        return Err(Error::invalid_row(format!(
            "the table of stream '{}' has no column '{}': expected columns among [{}]",
            table.summary.stream.name(),
            given.field(index).name(),
            names.join(", ")
        ))
        .into());
    }
    Ok(Arc::new(ProjectionExec::try_new(projected, input)?))
}

/// Plans the expressions of keys.
struct KeyPlanner<'a> {
    state: &'a dyn Session,
    schema: &'a SchemaRef,
    columns: &'a [TableColumn],
    /// The columns that the expressions use.
    names: Vec<String>,
}

impl KeyPlanner<'_> {
    /// The partition keys, the explicit hash keys, and the names of the columns that they come from.
    fn plan(
        mut self,
        table: &TableConfig,
    ) -> Result<(PartitionKeys, Option<KeyExpression>, Vec<String>)> {
        const PARTITION_KEY: &str = "kinesis.sink.partitionKey";
        const EXPLICIT_HASH_KEY: &str = "kinesis.sink.explicitHashKey";
        let sink = &table.options.sink;
        let partition_keys = match &sink.partition_key {
            Some(KeySource::Random) => None,
            Some(KeySource::Expression(text)) => Some(self.expression(PARTITION_KEY, text)?),
            None => self.column_of(PARTITION_KEY, RowColumn::PartitionKey)?,
        };
        let extra = RowColumn::Extra(ExtraColumn::ExplicitHashKey);
        let explicit_hash_keys = match &sink.explicit_hash_key {
            Some(text) => Some(self.expression(EXPLICIT_HASH_KEY, text)?),
            None => self.column_of(EXPLICIT_HASH_KEY, extra)?,
        };
        let partition_keys =
            partition_keys.map_or(PartitionKeys::Random, PartitionKeys::Expression);
        Ok((partition_keys, explicit_hash_keys, self.names))
    }

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
        let in_context = |error: DataFusionError| {
            Error::invalid_option(format!(
                "option '{option}' = '{text}': {}: expected a column of the table, or an SQL expression over its \
                 columns",
                describe_datafusion(&error)
            ))
        };
        let expr = match self.column_named(text) {
            Some(name) => Expr::Column(Column::new_unqualified(name)),
            None => self.parsed(text).map_err(in_context)?.unalias(),
        };
        Ok(self.physical(option, text, expr).map_err(in_context)?)
    }

    /// The column with this name: exactly, or else the first that only differs in case.
    fn column_named(&self, name: &str) -> Option<&str> {
        let names = || {
            self.schema
                .fields()
                .iter()
                .map(|field| field.name().as_str())
        };
        let exact = names().find(|other| *other == name);
        exact.or_else(|| names().find(|other| other.eq_ignore_ascii_case(name)))
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
        let _: std::ops::ControlFlow<()> = visit_expressions_mut(&mut parsed.expr, |expr| {
            match expr {
                SqlExpr::Identifier(ident) => spell(ident),
                SqlExpr::CompoundIdentifier(parts) => parts.iter_mut().take(1).for_each(spell),
                _ => {}
            }
            std::ops::ControlFlow::Continue(())
        });
        state.create_logical_expr_from_sql_expr(parsed, &self.df_schema()?)
    }

    fn physical(&mut self, option: &'static str, text: &str, expr: Expr) -> Result<KeyExpression> {
        let columns = expr.column_refs();
        self.names
            .extend(columns.iter().map(|column| column.name.clone()));
        let schema = self.df_schema()?;
        let expr = self.simplified(cast(expr, DataType::Utf8View), &schema)?;
        let expr: Arc<dyn PhysicalExpr> = self.state.create_physical_expr(expr, &schema)?;
        Ok(KeyExpression {
            option,
            text: text.to_owned(),
            expr,
        })
    }

    /// The expression as the optimizer of a statement leaves it. Some functions, such as `coalesce`, exist only
    /// before, and `now()` becomes a constant.
    fn simplified(&self, expr: Expr, schema: &DFSchema) -> Result<Expr> {
        let config = self.state.config().options();
        let time = self.state.execution_props().query_execution_start_time;
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
