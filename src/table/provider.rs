//! The `TableProvider` of a Kinesis table: bounded scans and INSERT.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::in_streaming_query::InStreamingQuery;
use super::kinesis_table::KinesisTable;
use super::pushdown::support;
use super::row_order::with_sort_kept;
use super::scan::{ScanRequest, bounded_scan};
use super::sink_exec::{KinesisSinkExec, RowCountExec, writers};
use crate::error::Error;
use crate::sink::SinkSettings;

/// What an INSERT holds, over all its writers, before its input waits.
const SINK_BUFFER_BYTES: usize = 32 * 1024 * 1024;

/// What one writer may hold at least: some aggregated records.
const LEAST_WRITER_BYTES: usize = 256 * 1024;

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
        Ok(filters.iter().map(|filter| support(filter)).collect())
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
                "stream '{}' is the source of a streaming query here, because its table is UNBOUNDED: \
                 start a StreamingQuery, which in the kinesis-sql command an INSERT INTO … SELECT or a \
                 SELECT of its own is; or make the table without the word UNBOUNDED to read to the tip",
                config.summary.stream.name()
            ))
            .into());
        }
        let columns = match projection {
            None => config.columns.clone(),
            Some(places) => places.iter().map(|place| config.columns[*place]).collect(),
        };
        let request = ScanRequest {
            columns,
            filters,
            limit,
            partitions: state.config().target_partitions(),
        };
        bounded_scan(self, request).await
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
                "stream '{stream}' cannot be overwritten: expected INSERT INTO"
            ))
            .into());
        }
        // Writers are tasks, and each has state for every shard that it writes to.
        let max_writers = state.config().target_partitions();
        let writers = writers(input.output_partitioning().partition_count(), max_writers).max(1);
        let mut settings = SinkSettings {
            max_buffered_bytes: (SINK_BUFFER_BYTES / writers).max(LEAST_WRITER_BYTES),
            ..config.sink.settings().clone()
        };
        if InStreamingQuery::is_set(state.config()) {
            settings.record_ttl = config.options.sink.record_ttl;
        }
        let stream = Arc::new(config.sink.with_settings(settings));
        let input = with_sort_kept(input)?;
        let sink = KinesisSinkExec::try_new(input, stream, max_writers, config.seed)?;
        Ok(Arc::new(RowCountExec::new(Arc::new(sink))))
    }
}
