//! The factory for `CREATE [UNBOUNDED] EXTERNAL TABLE … STORED AS "aws-kinesis"`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider, TableProviderFactory};
use datafusion::common::{Constraint, Result as DataFusionResult};
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
        state: &dyn Session,
        command: &CreateExternalTable,
    ) -> DataFusionResult<Arc<dyn TableProvider>> {
        let builder = builder_of(command, &self.services)?;
        let table = builder.build().await?;
        table.check_keys(state)?;
        Ok(Arc::new(table.with_definition(command.definition.clone())))
    }
}

/// The builder for the table of `command`, if it is a Kinesis table.
#[cfg(feature = "cli")]
pub(crate) fn kinesis_table(
    command: &CreateExternalTable,
    services: &Arc<Services>,
) -> Option<DataFusionResult<KinesisTableBuilder>> {
    is_kinesis_format(&command.file_type).then(|| builder_of(command, services))
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
        return refuse_checks(command);
    };
    Err(refusal(&command.name, refused).into())
}

/// The error for a part of the statement that creates the table `name`.
pub(crate) fn refusal(name: &impl fmt::Display, refused: &str) -> Error {
    Error::unsupported(format!("table '{name}' does not support {refused}"))
}

/// Why a table has no keys and checks.
pub(crate) const NO_CHECKS: &str = "nothing checks the records of a stream; remove it, and filter or deduplicate in \
                                    queries";

/// Refuses defaults and keys of columns, which would have no effect.
fn refuse_checks(command: &CreateExternalTable) -> DataFusionResult<()> {
    let columns = |indices: &[usize]| {
        let names: Vec<&str> = (indices.iter())
            .filter_map(|index| command.schema.fields().get(*index))
            .map(|field| field.name().as_str())
            .collect();
        names.join(", ")
    };
    let refused = match command.constraints.iter().next() {
        Some(Constraint::PrimaryKey(key)) => format!("PRIMARY KEY ({}): {NO_CHECKS}", columns(key)),
        Some(Constraint::Unique(key)) => format!("UNIQUE ({}): {NO_CHECKS}", columns(key)),
        None => {
            let defaults = command.column_defaults.iter().collect::<BTreeMap<_, _>>();
            let Some((column, default)) = defaults.into_iter().next() else {
                return Ok(());
            };
            let default = default.human_display();
            let quoted = column.replace('"', "\"\"");
            format!(
                "DEFAULT {default} for column '{column}': a field that a document lacks is NULL; remove DEFAULT, and \
                 read coalesce(\"{quoted}\", {default})"
            )
        }
    };
    Err(refusal(&command.name, &refused).into())
}

/// Whether `format`, the name after `STORED AS`, is that of a Kinesis table.
pub(crate) fn is_kinesis_format(format: &str) -> bool {
    FORMATS.contains(&format.to_ascii_uppercase().as_str())
}
