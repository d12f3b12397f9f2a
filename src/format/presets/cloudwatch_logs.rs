//! Log events that a subscription of CloudWatch Logs writes to a stream.
//!
//! A message holds the events of one log stream. A record holds one or more messages, usually compressed.

use std::ops::Range;

use datafusion::arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use serde_json::value::RawValue;

use crate::format::documents::{DocumentError, DocumentFailure, Documents};
use crate::format::json::{
    Elements, FieldValue, RowValues, Shape, check_object, each_document, offset, values_of,
};
use crate::options::{Framing, OnMismatch, TimestampFormat};

const MESSAGE_FIELDS: usize = 7;

/// The fields of a message that are columns, then those that are not.
const MESSAGE: [&str; MESSAGE_FIELDS] = [
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
    /// The message whose events are not all decoded.
    paused: Option<PausedMessage>,
}

/// A message with events.
#[derive(Debug)]
struct Message<'a> {
    text: &'a str,
    events: &'a str,
    /// The values of the fields, without the events.
    fields: [Option<&'a RawValue>; MESSAGE_FIELDS],
}

/// A message of which some events are decoded.
#[derive(Debug)]
struct PausedMessage {
    /// Where the message is in its record.
    text: Range<usize>,
    /// Where its events are in the record.
    events: Range<usize>,
    fields: [Option<Box<RawValue>>; MESSAGE_FIELDS],
    /// Where in `events` the last event that was decoded ends.
    end: usize,
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
            paused: None,
        }
    }

    /// Decodes the messages of the record `text` from `at` on. Returns where to go on if there are enough rows.
    pub(in crate::format) fn decode(
        &mut self,
        text: &str,
        at: usize,
        out: &mut Documents<'_>,
    ) -> Option<usize> {
        if let Some(paused) = self.paused.take() {
            self.resume(text, paused, out);
            if self.paused.is_some() {
                return Some(at);
            }
        }
        let framing = Framing::Concatenated;
        let next = each_document(text, at, framing, out, |message, out| {
            if let Err(error) = self.message(text, message, out) {
                out.bad(message.as_bytes(), error);
            }
        });
        next.or(self.paused.as_ref().map(|_| text.len()))
    }

    /// Forgets the record that is not wholly decoded.
    pub(in crate::format) fn reset(&mut self) {
        self.paused = None;
    }

    fn message(
        &mut self,
        record: &str,
        text: &str,
        out: &mut Documents<'_>,
    ) -> Result<(), DocumentError> {
        let mut fields = values_of(text, &MESSAGE)?;
        if fields[MESSAGE_TYPE].is_some_and(|value| value.get() == "\"CONTROL_MESSAGE\"") {
            return Ok(());
        }
        let Some(array) = fields[LOG_EVENTS].take() else {
            let what = "is no message of CloudWatch Logs: field 'logEvents' is missing";
            return Err(DocumentFailure::new(what).into());
        };
        let message = Message {
            text,
            events: array.get(),
            fields,
        };
        // A bad event takes its message with it, so all are checked before the first is a row.
        let events = Elements::accepted(array, |event| {
            check_object(event).map_err(|_| not_an_object())?;
            out.repeat(message.row_bytes(event))
        })?;
        let Some(events) = events else {
            return Err(DocumentFailure::new("field 'logEvents' is no array").into());
        };
        if let Some(end) = self.events(&message, events, out)? {
            self.paused = Some(message.pause(record, end));
        }
        Ok(())
    }

    /// Goes on in a message of `record`.
    fn resume(&mut self, record: &str, mut paused: PausedMessage, out: &mut Documents<'_>) {
        let message = Message {
            text: &record[paused.text.clone()],
            events: &record[paused.events.clone()],
            fields: paused.fields.each_ref().map(Option::as_deref),
        };
        let events = Elements::after(message.events, paused.end);
        match self.events(&message, events, out) {
            Ok(None) => {}
            Ok(Some(end)) => {
                paused.end = end;
                self.paused = Some(paused);
            }
            Err(error) => out.bad(message.text.as_bytes(), error),
        }
    }

    /// Decodes events of `message` to rows. Returns where the last of them ends, if there are enough rows.
    fn events(
        &mut self,
        message: &Message<'_>,
        mut events: Elements<'_>,
        out: &mut Documents<'_>,
    ) -> Result<Option<usize>, DocumentError> {
        self.values.start();
        let start = out.rows();
        let rest = loop {
            if out.is_full() {
                break Some(events.end());
            }
            let Some(event) = events.next() else {
                break None;
            };
            out.expanded = out.expanded.saturating_add(message.row_bytes(event));
            if let Err(error) = self.event(message, event, out) {
                out.truncate(start);
                return Err(error);
            }
        };
        self.values.finish(out);
        Ok(rest)
    }

    fn event(
        &mut self,
        message: &Message<'_>,
        event: &RawValue,
        out: &mut Documents<'_>,
    ) -> Result<(), DocumentError> {
        let fields = values_of(event.get(), &EVENT).map_err(|_| not_an_object())?;
        for ((source, shape), column) in self.sources.iter_mut().zip(&mut *out.columns) {
            let raw = match *source {
                Source::Message(index) => message.fields[index],
                Source::Event(index) => fields[index],
            };
            let value = FieldValue {
                parent: None,
                name: source.name(),
                raw,
            };
            let appended = self.values.append(value, shape, column);
            appended.map_err(|_| self.values.failure(message.text, value))?;
        }
        self.values.finish_row(out);
        Ok(())
    }
}

fn not_an_object() -> DocumentFailure {
    DocumentFailure::new("field 'logEvents' has an element that is no object")
}

impl Message<'_> {
    /// How many bytes the row of `event` has: each repeats the fields of the message.
    fn row_bytes(&self, event: &RawValue) -> usize {
        self.text.len() - self.events.len() + event.get().len()
    }

    /// The state of a message of `record`, whose events up to `end` are decoded.
    fn pause(&self, record: &str, end: usize) -> PausedMessage {
        let range = |part: &str| {
            let start = offset(record, part).expect("a message is a part of its record");
            start..start + part.len()
        };
        PausedMessage {
            text: range(self.text),
            events: range(self.events),
            fields: self.fields.map(|field| field.map(RawValue::to_owned)),
            end,
        }
    }
}
