//! Messages that AWS services write to streams. Their formats determine the columns of a table.

mod attribute_values;
mod cloudwatch_logs;
mod dynamodb;

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields};

pub(super) use self::cloudwatch_logs::CloudWatchLogsDecoder;
pub(super) use self::dynamodb::DynamoDbDecoder;
use crate::options::Format;

/// The columns of a format that determines them.
pub(super) fn columns(format: &Format) -> Option<Fields> {
    match format {
        Format::CloudWatchLogs => Some(cloudwatch_logs::columns()),
        Format::DynamoDb => Some(dynamodb::columns()),
        _ => None,
    }
}

/// The columns of `sources`. A name is that of the JSON field in lower case, so that SQL needs no quotes.
fn fields<S: Copy>(
    sources: &[S],
    name: impl Fn(S) -> &'static str,
    data_type: impl Fn(S) -> DataType,
) -> Fields {
    let field = |source: &S| {
        let name = name(*source).to_ascii_lowercase();
        Arc::new(Field::new(name, data_type(*source), true))
    };
    sources.iter().map(field).collect()
}

#[cfg(test)]
mod tests;
