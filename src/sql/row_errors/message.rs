//! The error message for a record that fails.

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::error::DataFusionError;

use super::expression::FailingExpression;
use crate::error::{Error, ErrorKind, describe_datafusion, strip_bug_report};
use crate::model::StreamName;
use crate::options::ExtraColumn;
use crate::source::RowColumn;

/// A record for which a statement fails.
pub(super) struct RecordFailure<'a> {
    pub(super) stream: &'a StreamName,
    /// The record as a batch of one row, with the columns that locate it.
    pub(super) records: &'a RecordBatch,
    pub(super) cause: Cause,
    pub(super) error: &'a DataFusionError,
}

/// What fails for a record.
pub(super) enum Cause {
    /// Its payload cannot be decoded.
    Payload,
    /// The row that was computed from it cannot be written.
    Encoding,
    /// An expression, if it is known.
    Expression(Option<FailingExpression>),
}

impl RecordFailure<'_> {
    pub(super) fn describe(&self) -> Error {
        let shard = self.text(RowColumn::Extra(ExtraColumn::ShardId));
        let sequence = self.text(RowColumn::SequenceNumber);
        let cause = match Error::find_in(self.error) {
            Some(own) => own.to_string(),
            None => match self.error.find_root() {
                DataFusionError::ArrowError(error, _) => error.to_string(),
                DataFusionError::Execution(message) => strip_bug_report(message),
                _ => describe_datafusion(self.error).to_string(),
            },
        };
        let record = format!(
            "stream '{}', shard '{shard}', sequence number {sequence}{}",
            self.stream,
            self.user_record()
        );
        let message = match &self.cause {
            Cause::Payload | Cause::Encoding => format!("{record}: {cause}"),
            Cause::Expression(None) => format!("{record}: {cause}. {}", hint(None, sequence)),
            Cause::Expression(Some(failing)) => format!(
                "{record}: {} fails: {cause}. {}",
                failing.text,
                hint(Some(failing), sequence)
            ),
        };
        Error::new(ErrorKind::InvalidRow, message)
    }

    /// Its number within an aggregated record, unless it is the first or only user record.
    fn user_record(&self) -> String {
        let column = RowColumn::Extra(ExtraColumn::SubSequenceNumber);
        let column = self.records.column_by_name(column.name());
        let column = column.and_then(|column| column.as_primitive_opt::<Int64Type>());
        match column {
            Some(subs) if subs.is_valid(0) && subs.value(0) > 0 => {
                format!(", user record {}", subs.value(0))
            }
            _ => String::new(),
        }
    }

    fn text(&self, column: RowColumn) -> &str {
        let column = self.records.column_by_name(column.name());
        let column = column.and_then(|column| column.as_string_opt::<i32>());
        match column {
            Some(texts) if texts.is_valid(0) => texts.value(0),
            _ => "unknown",
        }
    }
}

/// What to do about a record with this sequence number.
fn hint(failing: Option<&FailingExpression>, sequence: &str) -> String {
    let casts = failing.is_none_or(|failing| failing.text.contains("CAST("));
    let filters = failing.is_some_and(|failing| failing.filters);
    let cast = match casts {
        true => "use TRY_CAST instead of CAST to get NULL; ",
        false => "",
    };
    match filters {
        true => format!(
            "{cast}to skip the record, wrap the condition in CASE WHEN \"sequenceNumber\" <> '{sequence}' \
                 THEN … END"
        ),
        false => {
            format!("{cast}to skip the record, add WHERE \"sequenceNumber\" <> '{sequence}'")
        }
    }
}
