//! `CREATE [UNBOUNDED] EXTERNAL TABLE … STORED AS "aws-kinesis"`.

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

/// What may stand after `STORED AS`; DataFusion looks a format up in upper case.
const FORMATS: [&str; 3] = ["AWS-KINESIS", "AWS_KINESIS", "KINESIS"];

/// Makes a [`KinesisTable`] of a `CREATE EXTERNAL TABLE`.
#[derive(Debug)]
pub struct KinesisTableFactory {
    services: Arc<Services>,
}

impl KinesisTableFactory {
    /// Tables that reach their streams through `services`.
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
        Ok(Arc::new(table.defined_by(command.definition.clone())))
    }
}

/// What makes the table of `command`, if that is of Kinesis.
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
    let mut builder = KinesisTable::builder(location).with_services(Arc::clone(services));
    if command.unbounded {
        builder = builder.unbounded();
    }
    // In order, so that of several wrong options the same is named every time.
    for (name, value) in command.options.iter().collect::<BTreeMap<_, _>>() {
        builder = builder.with_option(name, value);
    }
    Ok(builder)
}

/// Clauses that mean nothing for a stream are refused, so that nobody relies on them.
fn refuse_clauses(command: &CreateExternalTable) -> DataFusionResult<()> {
    let refused = if !command.schema.fields().is_empty() {
        "a list of columns: the columns of a stream are fixed; see option 'kinesis.extraColumns'"
    } else if !command.table_partition_cols.is_empty() {
        "PARTITIONED BY: the partitions of a stream are its shards"
    } else if !command.order_exprs.is_empty() {
        "WITH ORDER: between shards there is no order"
    } else {
        return Ok(());
    };
    Err(Error::unsupported(format!("table '{}' does not take {refused}", command.name)).into())
}
