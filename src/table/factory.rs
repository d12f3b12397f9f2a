//! The factory for `CREATE [UNBOUNDED] EXTERNAL TABLE … STORED AS "aws-kinesis"`.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider, TableProviderFactory};
use datafusion::common::Result as DataFusionResult;
use datafusion::execution::SessionState;
use datafusion::logical_expr::CreateExternalTable;

use super::builder::KinesisTableBuilder;
use super::kinesis_table::KinesisTable;
use super::services::Services;
use crate::error::Error;

/// The accepted names after `STORED AS`; DataFusion looks them up in upper case.
const FORMATS: [&str; 3] = ["AWS-KINESIS", "AWS_KINESIS", "KINESIS"];

/// Creates a [`KinesisTable`] for a `CREATE EXTERNAL TABLE` statement.
#[derive(Debug)]
pub struct KinesisTableFactory {
    services: Arc<Services>,
}

impl KinesisTableFactory {
    /// A factory whose tables use the clients of `services`.
    pub fn new(services: Arc<Services>) -> Self {
        Self { services }
    }
}

/// Registers the factory in `state`, under each name of the format.
pub(crate) fn install(state: &mut SessionState, services: &Arc<Services>) {
    for format in FORMATS {
        let factory = KinesisTableFactory::new(Arc::clone(services));
        state
            .table_factories_mut()
            .insert(format.to_owned(), Arc::new(factory));
    }
}

#[async_trait]
impl TableProviderFactory for KinesisTableFactory {
    async fn create(
        &self,
        _state: &dyn Session,
        command: &CreateExternalTable,
    ) -> DataFusionResult<Arc<dyn TableProvider>> {
        let builder = builder_of(command, &self.services)?;
        let table = builder.build().await?;
        Ok(Arc::new(table.with_definition(command.definition.clone())))
    }
}

/// The builder for the table of `command`, if it is a Kinesis table.
#[cfg(feature = "cli")]
pub(crate) fn kinesis_table(
    command: &CreateExternalTable,
    services: &Arc<Services>,
) -> Option<DataFusionResult<KinesisTableBuilder>> {
    let format = command.file_type.to_ascii_uppercase();
    let ours = FORMATS.contains(&format.as_str());
    ours.then(|| builder_of(command, services))
}

fn builder_of(
    command: &CreateExternalTable,
    services: &Arc<Services>,
) -> DataFusionResult<KinesisTableBuilder> {
    refuse_clauses(command)?;
    let [location] = command.locations.as_slice() else {
        return Err(Error::invalid_option(format!(
            "table '{}' has {} LOCATIONs: expected one stream name or ARN",
            command.name,
            command.locations.len()
        ))
        .into());
    };
    let mut builder = KinesisTable::builder(location)
        .with_services(Arc::clone(services))
        .with_columns(command.schema.fields().clone());
    if command.unbounded {
        builder = builder.unbounded();
    }
    // Sorted, so that the same one of several invalid options is always reported.
    for (name, value) in command.options.iter().collect::<BTreeMap<_, _>>() {
        builder = builder.with_option(name, value);
    }
    Ok(builder)
}

/// Refuses clauses that have no meaning for a stream.
fn refuse_clauses(command: &CreateExternalTable) -> DataFusionResult<()> {
    let refused = if !command.table_partition_cols.is_empty() {
        "PARTITIONED BY: the partitions of a stream are its shards"
    } else if !command.order_exprs.is_empty() {
        "WITH ORDER: rows of different shards have no order"
    } else {
        return Ok(());
    };
    Err(Error::unsupported(format!(
        "table '{}' does not support {refused}",
        command.name
    ))
    .into())
}
