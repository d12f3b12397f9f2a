//! Plans how rows of a table with a payload format become records.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::{Result, ScalarValue};
use datafusion::physical_expr::expressions::{self, Literal};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};

use super::columns::TableColumn;
use super::encode_exec::{EncodeConfig, KinesisEncodeExec};
use super::kinesis_table::TableConfig;
use super::sink_keys::SinkKeys;
use crate::error::Error;
use crate::format::Encoder;

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
    let keys = SinkKeys::plan(&table.options.sink, &table.columns, &*table.clock, state)?;
    let fields = payload.fields().len();
    let is_refused = |(index, column): (usize, &TableColumn)| {
        let is_used = keys
            .columns
            .iter()
            .any(|name| name == schema.field(index).name());
        let is_written = matches!(column, TableColumn::Payload(field) if *field < fields);
        (!is_written && !is_used).then_some(index)
    };
    let insert = table.inserts.fetch_add(1, Ordering::Relaxed);
    let config = EncodeConfig {
        payload: Arc::clone(payload),
        partition_keys: keys.partition_keys,
        explicit_hash_keys: keys.explicit_hash_keys,
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
