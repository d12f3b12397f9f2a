//! `TableProvider` for [`KinesisTable`]: bounded scans and INSERT.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::encode_plan::encoded;
use super::in_streaming_query::InStreamingQuery;
use super::kinesis_table::KinesisTable;
use super::pushdown::support;
use super::row_order::with_sort_kept;
use super::scan::{ScanRequest, bounded_scan};
use super::sink_exec::{KinesisSinkExec, RowCountExec, writers};
use crate::error::Error;
use crate::sink::SinkSettings;

/// How many bytes all writers of an INSERT buffer before they stop polling the input.
const SINK_BUFFER_BYTES: usize = 32 * 1024 * 1024;

/// The minimum buffer of one writer: a few aggregated records.
const MIN_WRITER_BYTES: usize = 256 * 1024;

#[async_trait]
impl TableProvider for KinesisTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn get_table_definition(&self) -> Option<&str> {
        self.definition.as_deref()
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let columns = &self.config.columns;
        Ok(filters
            .iter()
            .map(|filter| support(filter, columns))
            .collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let config = &self.config;
        if config.unbounded {
            return Err(Error::unsupported(format!(
                "the table of stream '{}' is UNBOUNDED, so only a streaming query can read it: start a \
                 StreamingQuery (in the kinesis-sql command, run INSERT INTO … SELECT or a SELECT as a \
                 statement of its own), or create the table without UNBOUNDED to read up to the tip",
                config.summary.stream.name()
            ))
            .into());
        }
        let output = config.columns.projected(projection);
        let input = config.columns.reads(&output.0);
        let request = ScanRequest {
            columns: input.clone(),
            filters,
            limit: limit.filter(|_| config.columns.has_one_row_per_record()),
            partitions: state.config().target_partitions(),
        };
        let read = bounded_scan(self, request).await?;
        Ok(self.decoded(read, input, output, false)?)
    }

    async fn insert_into(
        &self,
        state: &dyn Session,
        input: Arc<dyn ExecutionPlan>,
        operation: InsertOp,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let config = &self.config;
        if operation != InsertOp::Append {
            let stream = config.summary.stream.name();
            return Err(Error::unsupported(format!(
                "stream '{stream}' cannot be overwritten: use INSERT INTO"
            ))
            .into());
        }
        // Each writer has buffers for every shard that it writes to.
        let max_writers = state.config().target_partitions();
        let writers = writers(input.output_partitioning().partition_count(), max_writers).max(1);
        let mut settings = SinkSettings {
            max_buffered_bytes: (SINK_BUFFER_BYTES / writers).max(MIN_WRITER_BYTES),
            ..config.sink.settings().clone()
        };
        if InStreamingQuery::is_set(state.config()) {
            settings.record_ttl = config.options.sink.record_ttl;
        }
        let stream = Arc::new(config.sink.with_settings(settings));
        let input = with_sort_kept(input)?;
        let input = encoded(config, state, input)?;
        let sink = KinesisSinkExec::try_new(input, stream, max_writers, config.seed)?;
        Ok(Arc::new(RowCountExec::new(Arc::new(sink))))
    }
}
