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
    /// Whether it is the only user record with its sequence number.
    pub(super) is_alone: bool,
    /// Whether its payload is decoded to columns, so that the table has the others on request only.
    pub(super) is_decoded: bool,
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
            Cause::Expression(None) => format!("{record}: {cause}. {}", self.hint(None, sequence)),
            Cause::Expression(Some(failing)) => format!(
                "{record}: {} fails: {cause}. {}",
                failing.text,
                self.hint(Some(failing), sequence)
            ),
        };
        Error::new(ErrorKind::InvalidRow, message)
    }

    /// Names it within an aggregated record, unless it is the first or only user record.
    fn user_record(&self) -> String {
        match self.index() {
            Some(index) if index > 0 => format!(", user record {index}"),
            _ => String::new(),
        }
    }

    /// Its index within an aggregated record.
    fn index(&self) -> Option<i64> {
        let column = RowColumn::Extra(ExtraColumn::SubSequenceNumber);
        let column = self.records.column_by_name(column.name())?;
        let subs = column.as_primitive_opt::<Int64Type>()?;
        subs.is_valid(0).then(|| subs.value(0))
    }

    fn text(&self, column: RowColumn) -> &str {
        let column = self.records.column_by_name(column.name());
        let column = column.and_then(|column| column.as_string_opt::<i32>());
        match column {
            Some(texts) if texts.is_valid(0) => texts.value(0),
            _ => "unknown",
        }
    }

    /// What to do about it.
    fn hint(&self, failing: Option<&FailingExpression>, sequence: &str) -> String {
        let casts = failing.is_none_or(|failing| failing.text.contains("CAST("));
        let filters = failing.is_some_and(|failing| failing.filters);
        let cast = match casts {
            true => "use TRY_CAST instead of CAST to get NULL; ",
            false => "",
        };
        // The other user records of an aggregated record have the same sequence number.
        let (others, sub) = match self.index().filter(|_| !self.is_alone) {
            None => (format!("\"sequenceNumber\" <> '{sequence}'"), ""),
            Some(index) => (
                format!(
                    "NOT (\"sequenceNumber\" = '{sequence}' AND \"subSequenceNumber\" = {index})"
                ),
                "subSequenceNumber",
            ),
        };
        let columns = match (self.is_decoded, sub) {
            (false, "") => String::new(),
            (false, sub) => format!(", with 'kinesis.extraColumns' = '{sub}' in the table"),
            (true, "") => {
                ", with 'kinesis.extraColumns' = 'sequenceNumber' in the table".to_owned()
            }
            (true, sub) => {
                format!(", with 'kinesis.extraColumns' = 'sequenceNumber, {sub}' in the table")
            }
        };
        match filters {
            true => format!(
                "{cast}to skip the record, wrap the condition in CASE WHEN {others} THEN … END{columns}"
            ),
            false => format!("{cast}to skip the record, add WHERE {others}{columns}"),
        }
    }
}
