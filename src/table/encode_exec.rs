//! The plan node that encodes rows: rows of the table's columns in, records out.

use std::fmt;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, StringArray, StringViewArray,
};
use datafusion::arrow::buffer::{Buffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::StreamExt;

use super::unary_node::unary_node;
use crate::error::{Error, describe_datafusion};
use crate::format::{Encoder, PayloadSchema};
use crate::options::ExtraColumn;
use crate::source::RowColumn;

/// How a [`KinesisEncodeExec`] makes records.
#[derive(Debug)]
pub(super) struct EncodeConfig {
    /// Its declared columns are the first of the input.
    pub(super) payload: Arc<PayloadSchema>,
    pub(super) partition_keys: PartitionKeys,
    pub(super) explicit_hash_keys: Option<KeyExpression>,
    /// The columns of the input that no part of a record comes from, so they must be NULL.
    pub(super) unwritable: Vec<usize>,
    /// Seeds random partition keys.
    pub(super) seed: u64,
}

/// Where partition keys come from.
#[derive(Debug)]
pub(super) enum PartitionKeys {
    Random,
    Expression(KeyExpression),
}

/// An expression over the columns of the input, of type `Utf8View`.
#[derive(Debug)]
pub(super) struct KeyExpression {
    /// The option that sets it.
    pub(super) option: &'static str,
    /// The name of a column, or an SQL expression.
    pub(super) text: String,
    pub(super) expr: Arc<dyn PhysicalExpr>,
}

/// The schemas of the output, without and with explicit hash keys.
static SCHEMAS: LazyLock<[SchemaRef; 2]> = LazyLock::new(|| {
    let field = |column: RowColumn, data_type| Field::new(column.name(), data_type, true);
    let fields = [
        field(RowColumn::PartitionKey, DataType::Utf8View),
        field(RowColumn::Data, DataType::LargeBinary),
        field(
            RowColumn::Extra(ExtraColumn::ExplicitHashKey),
            DataType::Utf8View,
        ),
    ];
    [
        Arc::new(Schema::new(fields[..2].to_vec())),
        Arc::new(Schema::new(fields.to_vec())),
    ]
});

impl EncodeConfig {
    fn schema(&self) -> SchemaRef {
        let has_hash_keys = self.explicit_hash_keys.is_some();
        Arc::clone(&SCHEMAS[usize::from(has_hash_keys)])
    }
}

/// Encodes each row to the columns of a record: `partitionKey`, `data` and, if there are any, `explicitHashKey`.
///
/// Metrics per partition: `output_rows`.
#[derive(Debug)]
pub(crate) struct KinesisEncodeExec {
    input: Arc<dyn ExecutionPlan>,
    config: Arc<EncodeConfig>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl KinesisEncodeExec {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, config: Arc<EncodeConfig>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(config.schema()),
            input.output_partitioning().clone(),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self {
            properties: Arc::new(properties),
            input,
            config,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    fn with_input(&self, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        Ok(Self::new(input, Arc::clone(&self.config)))
    }

    fn expressions(&self) -> impl Iterator<Item = &Arc<dyn PhysicalExpr>> {
        let partition_key = match &self.config.partition_keys {
            PartitionKeys::Random => None,
            PartitionKeys::Expression(key) => Some(key),
        };
        let keys = partition_key
            .into_iter()
            .chain(&self.config.explicit_hash_keys);
        keys.map(|key| &key.expr)
    }
}

impl DisplayAs for KinesisEncodeExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = self.config.payload.options().format.name();
        let partition_key = match &self.config.partition_keys {
            PartitionKeys::Random => "random",
            PartitionKeys::Expression(key) => &key.text,
        };
        write!(
            f,
            "KinesisEncodeExec: format={format}, partitionKey={partition_key}"
        )?;
        match &self.config.explicit_hash_keys {
            Some(key) => write!(f, ", explicitHashKey={}", key.text),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for KinesisEncodeExec {
    unary_node!("KinesisEncodeExec", expressions = expressions);

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    // Repartitioning would only change the order of rows.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = self.input.execute(partition, context)?;
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let mut encoding = PartitionEncoder {
            encoder: Encoder::new(&self.config.payload)?,
            config: Arc::clone(&self.config),
            random: fastrand::Rng::with_seed(self.config.seed.wrapping_add(partition as u64)),
        };
        let records = rows.map(move |rows| {
            let _timer = metrics.elapsed_compute().timer();
            let records = encoding.encode(&rows?)?;
            Ok(records.record_output(&metrics))
        });
        let schema = self.config.schema();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, records)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// Encodes one partition.
struct PartitionEncoder {
    encoder: Encoder,
    config: Arc<EncodeConfig>,
    random: fastrand::Rng,
}

impl PartitionEncoder {
    /// The records of `batch`, all or none of them.
    fn encode(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        self.refuse_unwritable(batch)?;
        let mut records: Vec<ArrayRef> = Vec::with_capacity(3);
        let keys = match &self.config.partition_keys {
            PartitionKeys::Random => {
                records.push(Arc::new(random_keys(rows, &mut self.random)?));
                None
            }
            PartitionKeys::Expression(key) => {
                let keys = key.evaluate(batch)?;
                key.expect_values(&keys)?;
                records.push(Arc::new(keys.clone()));
                Some(keys)
            }
        };
        let fields = self.config.payload.fields().len();
        let columns = batch.columns().get(..fields);
        let columns = columns.ok_or_else(|| internal_datafusion_err!("a column is missing"))?;
        let describe = |row| match &keys {
            Some(keys) => format!(
                "{} (partitionKey '{}')",
                row_name(row, rows),
                keys.value(row)
            ),
            None => row_name(row, rows),
        };
        records.push(Arc::new(self.encoder.encode(columns, rows, describe)?));
        if let Some(key) = &self.config.explicit_hash_keys {
            records.push(Arc::new(key.evaluate(batch)?));
        }
        Ok(RecordBatch::try_new(self.config.schema(), records)?)
    }

    /// Refuses a value for a column that only reading fills.
    fn refuse_unwritable(&self, batch: &RecordBatch) -> Result<()> {
        for index in &self.config.unwritable {
            let column = batch.column(*index);
            let Some(row) = (0..column.len()).find(|row| column.is_valid(*row)) else {
                continue;
            };
            let options = FormatOptions::default();
            let value = ArrayFormatter::try_new(column, &options)?;
            let schema = batch.schema_ref();
            let named: Vec<String> = (self.config.payload.fields().iter())
                .map(|field| format!("\"{}\"", field.name()))
                .collect();
            return Err(Error::invalid_row(format!(
                "{}: column '{}' cannot be written, but is '{}': expected NULL; to leave it out, name the columns to \
                 write: INSERT INTO … ({}) SELECT …",
                row_name(row, batch.num_rows()),
                schema.field(*index).name(),
                value.value(row),
                named.join(", ")
            ))
            .into());
        }
        Ok(())
    }
}

impl KeyExpression {
    /// The keys of the rows of `batch`.
    ///
    /// # Errors
    /// [`InvalidRow`](crate::ErrorKind::InvalidRow) with the first row for which the expression fails.
    fn evaluate(&self, batch: &RecordBatch) -> Result<StringViewArray> {
        let failure = match self.values(batch) {
            Ok(keys) => return Ok(keys),
            Err(failure) => failure,
        };
        let rows = batch.num_rows();
        // Evaluated again, one by one, to find the row.
        let fails = |row| Some((row, self.values(&batch.slice(row, 1)).err()?));
        let Some((row, failure)) = (0..rows).find_map(fails) else {
            return Err(failure);
        };
        let reason = describe_datafusion(&failure);
        let (kind, reason) = (
            reason.kind(),
            format!(
                "{}: the expression '{}' of option '{}' fails: {reason}: expected one with a value for each row",
                row_name(row, rows),
                self.text,
                self.option
            ),
        );
        Err(Error::new(kind, reason).into())
    }

    /// The values of the expression.
    pub(super) fn values(&self, batch: &RecordBatch) -> Result<StringViewArray> {
        let keys = self.expr.evaluate(batch)?.into_array(batch.num_rows())?;
        let keys = keys.as_string_view_opt().cloned();
        keys.ok_or_else(|| internal_datafusion_err!("a key has another type than Utf8View"))
    }

    /// Refuses a partition key that is NULL or empty, for which Kinesis has no shard.
    fn expect_values(&self, keys: &StringViewArray) -> Result<()> {
        let is_missing = |row: &usize| keys.is_null(*row) || keys.value(*row).is_empty();
        let Some(row) = (0..keys.len()).find(is_missing) else {
            return Ok(());
        };
        let found = if keys.is_null(row) { "NULL" } else { "empty" };
        Err(Error::invalid_row(format!(
            "{}: the partition key '{}' is {found}: expected a string of 1 to 256 characters; see option '{}'",
            row_name(row, keys.len()),
            self.text,
            self.option
        ))
        .into())
    }
}

/// Names a row by its number, counted from 1.
fn row_name(row: usize, rows: usize) -> String {
    format!("row {} of {rows} in its batch", row + 1)
}

/// Random partition keys: 16 hexadecimal digits each.
fn random_keys(rows: usize, random: &mut fastrand::Rng) -> Result<StringViewArray> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    const KEY_BYTES: usize = 16;
    let mut bytes = Vec::with_capacity(rows * KEY_BYTES);
    for _ in 0..rows {
        let number = random.u64(..);
        let digits = (0..KEY_BYTES).map(|digit| DIGITS[(number >> (4 * digit)) as usize & 15]);
        bytes.extend(digits);
    }
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(KEY_BYTES, rows));
    let keys = StringArray::try_new(offsets, Buffer::from_vec(bytes), None)?;
    Ok(StringViewArray::from(&keys))
}
