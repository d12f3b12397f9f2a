//! Reads a sample of a stream.

use std::sync::Arc;

use datafusion::arrow::array::{BinaryArray, RecordBatch, TimestampMicrosecondArray};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{col, ident};
use futures::TryStreamExt;

use super::super::args::Infer;
use super::super::session::context;
use super::given::Given;
use crate::Services;
use crate::table::KinesisTable;

/// Reading ends when the sample has this many bytes, so that large records do not fill the memory.
const MAX_READ_BYTES: usize = 64 * 1024 * 1024;

/// The most records of one GetRecords call.
const MAX_PAGE_RECORDS: usize = 10_000;

/// Records of a stream.
pub(super) struct Sample {
    /// The table that they were read from.
    pub(super) table: Arc<KinesisTable>,
    pub(super) payloads: Vec<BinaryArray>,
    /// When each of them arrived.
    pub(super) arrivals: Vec<TimestampMicrosecondArray>,
}

impl Sample {
    /// Up to the requested number of records, from the oldest on, of all shards.
    pub(super) async fn read(
        services: &Arc<Services>,
        arguments: &Infer,
        given: &Given,
    ) -> Result<Self, DataFusionError> {
        let builder = || {
            let builder = KinesisTable::builder(&arguments.stream);
            let builder = given.set_on_sample(builder.with_services(Arc::clone(services)));
            match given.has("kinesis.startingPosition") {
                true => builder,
                false => builder.with_option("kinesis.startingPosition", "TRIM_HORIZON"),
            }
        };
        let stream = builder().build().await?;
        // Each shard gives its share, so that one busy shard is not the whole sample.
        let shards = stream.stream_summary().open_shards.max(1) as usize;
        let share = arguments.records.div_ceil(shards);
        let table = builder()
            .with_option("kinesis.maxFetchRecordsPerShard", share.to_string())
            .with_option(
                "kinesis.getRecords.numberOfRecordsPerFetch",
                share.min(MAX_PAGE_RECORDS).to_string(),
            );
        let table = Arc::new(table.build().await?);
        let ctx = context(services)?;
        let frame = ctx.read_table(Arc::<KinesisTable>::clone(&table))?;
        let frame = frame
            .select(vec![col("data"), ident("approximateArrivalTimestamp")])?
            .limit(0, Some(arguments.records))?;
        let mut batches = frame.execute_stream().await?;
        let mut sample = Self {
            table,
            payloads: Vec::new(),
            arrivals: Vec::new(),
        };
        let mut bytes = 0;
        while bytes < MAX_READ_BYTES
            && let Some(batch) = batches.try_next().await?
        {
            bytes += sample.add(&batch);
        }
        Ok(sample)
    }

    /// Adds the records of a batch. Returns how many bytes they have.
    fn add(&mut self, batch: &RecordBatch) -> usize {
        let payloads = batch.column(0).as_any().downcast_ref::<BinaryArray>();
        let arrivals = batch.column(1).as_any().downcast_ref();
        let (Some(payloads), Some(arrivals)) = (payloads, arrivals) else {
            return 0;
        };
        self.payloads.push(payloads.clone());
        self.arrivals
            .push(TimestampMicrosecondArray::clone(arrivals));
        payloads.value_data().len()
    }
}
