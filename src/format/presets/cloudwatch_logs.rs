//! Log events that a subscription of CloudWatch Logs writes to a stream.
//!
//! A message holds the events of one log stream. A record holds one or more messages, usually compressed.

use datafusion::arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use serde_json::value::RawValue;

use crate::format::documents::{DocumentError, DocumentFailure, Documents};
use crate::format::json::{FieldValue, RowValues, Shape, each_document, values_of};
use crate::options::{Framing, OnMismatch, TimestampFormat};

/// The fields of a message that are columns, then those that are not.
const MESSAGE: [&str; 7] = [
    "owner",
    "logGroup",
    "logStream",
    "messageType",
    "subscriptionFilters",
    "policyLevel",
    "logEvents",
];
const MESSAGE_TYPE: usize = 3;
const LOG_EVENTS: usize = 6;

const EVENT: [&str; 4] = ["id", "timestamp", "message", "extractedFields"];

/// The columns, in order.
const SOURCES: [Source; 10] = [
    Source::Message(0),
    Source::Message(1),
    Source::Message(2),
    Source::Message(3),
    Source::Message(4),
    Source::Message(5),
    Source::Event(0),
    Source::Event(1),
    Source::Event(2),
    Source::Event(3),
];

/// Where the value of a column is.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// In the field of the message with this index.
    Message(usize),
    /// In the field of the event with this index.
    Event(usize),
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Self::Message(index) => MESSAGE[index],
            Self::Event(index) => EVENT[index],
        }
    }

    fn data_type(self) -> DataType {
        match self.name() {
            "timestamp" => DataType::Timestamp(TimeUnit::Nanosecond, None),
            "subscriptionFilters" => {
                DataType::List(Field::new_list_field(DataType::Utf8View, true).into())
            }
            _ => DataType::Utf8View,
        }
    }
}

/// The columns of each event.
pub(super) fn columns() -> Fields {
    super::fields(&SOURCES, Source::name, Source::data_type)
}

/// Decodes each event of a message to a row. The messages with which CloudWatch Logs checks whether it can write to
/// the stream have no rows.
#[derive(Debug)]
pub(in crate::format) struct CloudWatchLogsDecoder {
    /// Where the values of the decoded columns are.
    sources: Vec<(Source, Shape)>,
    values: RowValues,
}

impl CloudWatchLogsDecoder {
    /// A decoder of the columns with these indices.
    pub(in crate::format) fn new(columns: &[usize], on_mismatch: OnMismatch) -> Self {
        let sources = columns.iter().map(|column| SOURCES[*column]);
        let timestamps = TimestampFormat::Epoch(TimeUnit::Millisecond);
        Self {
            sources: sources
                .map(|source| (source, Shape::of(&source.data_type())))
                .collect(),
            values: RowValues::new(timestamps, on_mismatch),
        }
    }

    /// Decodes the messages of one record.
    pub(in crate::format) fn decode(&mut self, record: &[u8], out: &mut Documents<'_>) {
        each_document(record, Framing::Concatenated, out, |message, out| {
            let start = out.rows();
            if let Err(error) = self.message(message, out) {
                out.truncate(start);
                out.bad(message.as_bytes(), error);
            }
        });
    }

    fn message(&mut self, text: &str, out: &mut Documents<'_>) -> Result<(), DocumentError> {
        self.values.start();
        let message = values_of(text, &MESSAGE)?;
        if message[MESSAGE_TYPE].is_some_and(|value| value.get() == "\"CONTROL_MESSAGE\"") {
            return Ok(());
        }
        let Some(array) = message[LOG_EVENTS] else {
            let what = "is no message of CloudWatch Logs: field 'logEvents' is missing";
            return Err(DocumentFailure::new(what).into());
        };
        let events: Vec<&RawValue> = serde_json::from_str(array.get())
            .map_err(|_| DocumentFailure::new("field 'logEvents' is no array"))?;
        let repeated = text.len() - array.get().len();
        for event in events {
            let fields = values_of(event.get(), &EVENT).map_err(|_| {
                DocumentFailure::new("field 'logEvents' has an element that is no object")
            })?;
            out.expand(repeated + event.get().len())?;
            for ((source, shape), column) in self.sources.iter_mut().zip(&mut *out.columns) {
                let raw = match *source {
                    Source::Message(index) => message[index],
                    Source::Event(index) => fields[index],
                };
                let value = FieldValue {
                    parent: None,
                    name: source.name(),
                    raw,
                };
                let appended = self.values.append(value, shape, column);
                appended.map_err(|_| self.values.failure(text, value))?;
            }
            self.values.finish_row(out);
        }
        self.values.finish(out);
        Ok(())
    }
}
