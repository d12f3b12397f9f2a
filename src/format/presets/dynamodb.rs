//! Changes of items that DynamoDB writes to a stream (Kinesis Data Streams for DynamoDB).

use datafusion::arrow::datatypes::{DataType, Fields, TimeUnit};
use serde_json::value::RawValue;

use super::attribute_values::plain_json;
use crate::format::columns::Column;
use crate::format::documents::{DocumentError, DocumentFailure, Documents};
use crate::format::json::{FieldValue, RowValues, Shape, values_of};
use crate::options::{OnMismatch, TimestampFormat};

const RECORD: [&str; 8] = [
    "eventID",
    "eventName",
    "tableName",
    "awsRegion",
    "userIdentity",
    "recordFormat",
    "eventSource",
    CHANGE_FIELD,
];
const CHANGE_FIELD: &str = "dynamodb";
const CHANGE_INDEX: usize = 7;

const CHANGE: [&str; 6] = [
    "ApproximateCreationDateTime",
    "Keys",
    "NewImage",
    "OldImage",
    "SizeBytes",
    "ApproximateCreationDateTimePrecision",
];
const PRECISION: usize = 5;

/// The columns, in order.
const SOURCES: [Source; 12] = [
    Source::Record(0),
    Source::Record(1),
    Source::Record(2),
    Source::Record(3),
    Source::CreationTime(0),
    Source::Item(1),
    Source::Item(2),
    Source::Item(3),
    Source::Size(4),
    Source::Record(4),
    Source::Record(5),
    Source::Record(6),
];

/// Where the value of a column is, as an index of [`RECORD`] or else of [`CHANGE`].
#[derive(Debug, Clone, Copy)]
enum Source {
    /// Text, or any other value as it is written.
    Record(usize),
    /// When the item changed.
    CreationTime(usize),
    /// Attributes with their types.
    Item(usize),
    /// A number of bytes.
    Size(usize),
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Self::Record(index) => RECORD[index],
            Self::CreationTime(index) | Self::Item(index) | Self::Size(index) => CHANGE[index],
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Record(_) | Self::Item(_) => DataType::Utf8View,
            Self::CreationTime(_) => DataType::Timestamp(TimeUnit::Nanosecond, None),
            Self::Size(_) => DataType::Int64,
        }
    }
}

/// The columns of each change.
pub(super) fn columns() -> Fields {
    super::fields(&SOURCES, Source::name, Source::data_type)
}

/// Decodes each change to a row.
#[derive(Debug)]
pub(in crate::format) struct DynamoDbDecoder {
    /// Where the values of the decoded columns are.
    sources: Vec<Source>,
    values: RowValues,
    /// The item that is converted.
    item: String,
}

impl DynamoDbDecoder {
    /// A decoder of the columns with these indices.
    pub(in crate::format) fn new(columns: &[usize], on_mismatch: OnMismatch) -> Self {
        Self {
            sources: columns.iter().map(|column| SOURCES[*column]).collect(),
            values: RowValues::new(TimestampFormat::default(), on_mismatch),
            item: String::new(),
        }
    }

    /// Decodes the change of one record.
    pub(in crate::format) fn decode(&mut self, change: &str, out: &mut Documents<'_>) {
        let start = out.rows();
        if let Err(error) = self.change(change, out) {
            out.truncate(start);
            out.bad(change.as_bytes(), error);
        }
    }

    fn change(&mut self, text: &str, out: &mut Documents<'_>) -> Result<(), DocumentError> {
        self.values.start();
        let record = values_of(text, &RECORD)?;
        let Some(change) = record[CHANGE_INDEX].filter(|change| change.get().starts_with('{'))
        else {
            let what = "is no change of a DynamoDB item: expected an object in field 'dynamodb'";
            return Err(DocumentFailure::new(what).into());
        };
        let change = values_of(change.get(), &CHANGE)?;
        for (source, column) in self.sources.iter().zip(&mut *out.columns) {
            let (parent, raw) = match *source {
                Source::Record(index) => (None, record[index]),
                Source::CreationTime(index) | Source::Item(index) | Source::Size(index) => {
                    (Some(CHANGE_FIELD), change[index])
                }
            };
            let value = FieldValue {
                parent,
                name: source.name(),
                raw,
            };
            let values = &mut self.values;
            let appended = match source {
                Source::Record(_) | Source::Size(_) => {
                    values.append(value, &mut Shape::Leaf, column)
                }
                Source::CreationTime(_) => {
                    let precision = change[PRECISION].map(RawValue::get);
                    values.append_with(value, column, |column, number| {
                        push_time(column, number, precision)
                    })
                }
                Source::Item(_) => values.append_with(value, column, |column, text| {
                    push_item(column, text, &mut self.item)
                }),
            };
            appended.map_err(|_| self.values.failure(text, value))?;
        }
        self.values.finish_row(out);
        self.values.finish(out);
        Ok(())
    }
}

fn push_time(column: &mut Column, number: &str, precision: Option<&str>) -> Result<(), String> {
    let unit = epoch_unit(number, precision);
    let pushed = unit.map(|unit| column.push_epoch(number, TimestampFormat::Epoch(unit)));
    match pushed {
        Some(Ok(())) => Ok(()),
        _ => Err(format!("{number} is no time after 1970")),
    }
}

/// Appends an item as plain JSON. `plain` is used for the conversion.
fn push_item(column: &mut Column, text: &str, plain: &mut String) -> Result<(), String> {
    plain.clear();
    plain_json(text, plain).map_err(|error| {
        let error = error.to_string();
        let reason = error.split(" at line ").next().unwrap_or_default();
        format!("is no item with typed attributes: {reason}")
    })?;
    let pushed = column.push_str(plain);
    pushed.map_err(|_| "is too large".to_owned())
}

/// The unit of a creation time. DynamoDB writes milliseconds, or microseconds if the table is configured so; its own
/// streams have seconds. The precision is not always stated, but since 1973 the units differ in magnitude.
fn epoch_unit(number: &str, precision: Option<&str>) -> Option<TimeUnit> {
    /// The year 5138 in seconds, and 1973 in milliseconds.
    const MIN_MILLIS: f64 = 1e11;
    /// The year 5138 in milliseconds, and 1973 in microseconds.
    const MIN_MICROS: f64 = 1e14;
    let magnitude: f64 = number.parse().ok()?;
    Some(match precision {
        _ if magnitude < MIN_MILLIS => TimeUnit::Second,
        Some("\"MICROSECOND\"") => TimeUnit::Microsecond,
        Some("\"MILLISECOND\"") => TimeUnit::Millisecond,
        _ if magnitude < MIN_MICROS => TimeUnit::Millisecond,
        _ => TimeUnit::Microsecond,
    })
}
