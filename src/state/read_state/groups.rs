//! [`StoredGroups`]: the groups after a batch, as a table.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;

use super::directory;
use crate::model::{BatchId, StateFiles, UnixMillis};
use crate::state::StateStore;
use crate::state::memory::Grouping;
use crate::state::memory::StateColumns;
use crate::state::memory::unique_names;

/// The column with the number of the batch.
const BATCH: &str = "batch";

/// The groups after a batch: those in its files, except those that its watermark has closed.
#[derive(Debug)]
pub(super) struct StoredGroups {
    location: String,
    batch: BatchId,
    files: StateFiles,
    watermark: Option<UnixMillis>,
    /// The columns of the files.
    stored: SchemaRef,
    described: StateColumns,
    schema: SchemaRef,
}

impl StoredGroups {
    pub(super) fn new(
        location: String,
        batch: BatchId,
        files: StateFiles,
        watermark: Option<UnixMillis>,
        stored: SchemaRef,
        described: StateColumns,
    ) -> Self {
        Self {
            schema: Arc::new(schema(&stored)),
            location,
            batch,
            files,
            watermark,
            stored,
            described,
        }
    }

    /// Reads the groups, which reserve memory in the session's pool meanwhile.
    async fn read(&self, session: &dyn Session) -> Result<Vec<RecordBatch>> {
        let grouping = Grouping::stored(Arc::clone(&self.stored), self.described.clone())?;
        let pool = &session.runtime_env().memory_pool;
        let store = Arc::new(StateStore::new(Arc::new(grouping), 1, pool));
        let mut directory = directory(&self.location)?;
        directory.restore(self.files.clone(), &store).await?;
        if let Some(watermark) = self.watermark {
            store.close(watermark)?;
        }
        let rows = store.image().rows();
        rows.map(|rows| self.with_batch(&rows?)).collect()
    }

    fn with_batch(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let batch = UInt64Array::from_value(self.batch.0, rows.num_rows());
        let mut columns: Vec<ArrayRef> = rows.columns().to_vec();
        columns.push(Arc::new(batch));
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

/// The columns of a state and the number of the batch, with unique names: later duplicates are numbered.
fn schema(stored: &Schema) -> Schema {
    let batch = Arc::new(Field::new(BATCH, DataType::UInt64, false));
    let fields = stored.fields().iter().chain([&batch]);
    let names = unique_names(fields.clone().map(|field| field.name().as_str()));
    let named = fields.zip(names);
    let named = named.map(|(field, name)| Field::clone(field).with_name(name));
    Schema::new(named.collect::<Vec<_>>())
}

#[async_trait]
impl TableProvider for StoredGroups {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = self.read(session).await?;
        let (schema, projection) = (Arc::clone(&self.schema), projection.cloned());
        Ok(MemorySourceConfig::try_new_exec(
            &[rows],
            schema,
            projection,
        )?)
    }
}
