//! The columns of a table: fields of the payload, and what Kinesis knows about a record.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Fields, Schema, SchemaRef};

use crate::error::{Error, Result};
use crate::format::{PayloadSchema, refuse_same_names};
use crate::kinesis::RecordColumns;
use crate::options::{CheckedOptions, OnError};
use crate::source::{RowColumn, page_columns};

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TableColumn {
    /// The column of the payload with this index.
    Payload(usize),
    /// A column that is read as it is.
    Read(RowColumn),
}

/// The columns of a table, in order, with their names and types.
#[derive(Debug, Clone)]
pub(super) struct TableColumns {
    columns: Vec<TableColumn>,
    schema: SchemaRef,
    /// How payloads are decoded, if they are.
    payload: Option<Arc<PayloadSchema>>,
}

impl TableColumns {
    /// The columns of a table with these options, and with the columns that its statement declares.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) if the columns do not suit the format, or two have the
    /// same name.
    pub(super) fn new(options: &CheckedOptions, declared: &Fields) -> Result<Self> {
        let requested = options.columns.iter().map(|requested| {
            let column = RowColumn::from(requested.column);
            (
                TableColumn::Read(column),
                column.field().with_name(&requested.name),
            )
        });
        let payload = match &options.format {
            None if declared.is_empty() => None,
            None => {
                return Err(Error::unsupported(
                    "a column list: expected together with option 'kinesis.format', such as 'json'; without it the \
                     columns of a stream are fixed, see option 'kinesis.extraColumns'",
                ));
            }
            Some(format) => {
                refuse_same_names(&format.format, declared)?;
                Some(Arc::new(PayloadSchema::new(format.clone(), declared)?))
            }
        };
        let first: Vec<(TableColumn, Field)> = match &payload {
            None => RowColumn::STANDARD
                .map(|column| (TableColumn::Read(column), column.field()))
                .to_vec(),
            Some(payload) => (payload.columns().iter().enumerate())
                .map(|(index, field)| (TableColumn::Payload(index), field.as_ref().clone()))
                .collect(),
        };
        let (columns, fields): (Vec<_>, Vec<_>) = first.into_iter().chain(requested).unzip();
        for (index, field) in fields.iter().enumerate() {
            // SQL finds metadata columns in any case.
            let TableColumn::Read(column) = columns[index] else {
                continue;
            };
            let mut others = fields[..index].iter();
            if others.any(|other| other.name().eq_ignore_ascii_case(field.name())) {
                return Err(Error::invalid_option(format!(
                    "duplicate column '{}': expected another name for one of them, such as \
                     'kinesis.extraColumns' = '{} AS name'",
                    field.name(),
                    column.name()
                )));
            }
        }
        Ok(Self {
            columns,
            schema: Arc::new(Schema::new(fields)),
            payload,
        })
    }

    /// The schema of the table.
    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// How payloads are decoded, if they are.
    pub(super) fn payload(&self) -> Option<&Arc<PayloadSchema>> {
        self.payload.as_ref()
    }

    /// Where each column comes from.
    pub(super) fn sources(&self) -> impl Iterator<Item = String> {
        self.columns
            .iter()
            .map(|column| match (column, &self.payload) {
                (TableColumn::Payload(index), Some(payload)) => payload.source(*index),
                (TableColumn::Read(RowColumn::Data), _) => "payload".to_owned(),
                (TableColumn::Read(column), _) => format!("metadata '{}'", column.name()),
                (TableColumn::Payload(_), None) => String::new(),
            })
    }

    /// The columns with these indices, with their fields.
    pub(super) fn projected(
        &self,
        projection: Option<&Vec<usize>>,
    ) -> (Vec<TableColumn>, SchemaRef) {
        let Some(indices) = projection else {
            return (self.columns.clone(), self.schema());
        };
        let columns = indices.iter().map(|index| self.columns[*index]).collect();
        let fields = indices
            .iter()
            .map(|index| Arc::clone(&self.schema.fields()[*index]));
        let schema = Schema::new(fields.collect::<Fields>());
        (columns, Arc::new(schema))
    }

    /// Adds a last column with the number of the read that each row comes from.
    pub(super) fn push_shard_number(&mut self) {
        self.columns.push(TableColumn::Read(RowColumn::ShardNumber));
        let fields = self.schema.fields().iter().cloned();
        let fields = fields.chain([Arc::new(RowColumn::ShardNumber.field())]);
        self.schema = Arc::new(Schema::new(fields.collect::<Fields>()));
    }

    /// The column that is read as it is, with the name `name`.
    pub(super) fn read_column(&self, name: &str) -> Option<RowColumn> {
        let index = self.schema.index_of(name).ok()?;
        match self.columns[index] {
            TableColumn::Read(column) => Some(column),
            TableColumn::Payload(_) => None,
        }
    }

    /// The columns to read for `output`: these, and what decoding needs.
    pub(super) fn reads(&self, output: &[TableColumn]) -> Vec<RowColumn> {
        let mut reads: Vec<RowColumn> = (output.iter())
            .filter_map(|column| match column {
                TableColumn::Read(column) => Some(*column),
                TableColumn::Payload(_) => None,
            })
            .collect();
        let data = self.payload.is_some().then_some(RowColumn::Data);
        for column in data.into_iter().chain(self.dead_letter_columns()) {
            if !reads.contains(&column) {
                reads.push(column);
            }
        }
        reads
    }

    /// Whether each record is exactly one row.
    pub(super) fn has_one_row_per_record(&self) -> bool {
        self.payload
            .as_ref()
            .is_none_or(|payload| payload.is_one_row_per_record())
    }

    /// The columns of pages that reading the columns with these names needs.
    pub(super) fn page_columns<'a>(
        &self,
        names: impl Iterator<Item = &'a String>,
    ) -> RecordColumns {
        let columns = names.filter_map(|name| self.read_column(name));
        let columns: Vec<RowColumn> = columns.chain(self.dead_letter_columns()).collect();
        page_columns(&columns)
    }

    /// The columns that each dead letter has, if there are dead letters.
    pub(super) fn dead_letter_columns(&self) -> impl Iterator<Item = RowColumn> + use<> {
        let options = self.payload.as_ref().map(|payload| payload.options());
        let writes =
            options.is_some_and(|options| matches!(options.on_error, OnError::DeadLetter(_)));
        super::dead_letters::COLUMNS
            .into_iter()
            .filter(move |_| writes)
    }
}
