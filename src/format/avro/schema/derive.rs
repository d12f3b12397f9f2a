//! Derives a schema from columns.

use datafusion::arrow::datatypes::{DataType, Fields, TimeUnit};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::format::columns::type_name;

/// The JSON of a schema for rows of `columns`: a record whose fields can all be null.
///
/// # Errors
/// [`InvalidOption`](crate::ErrorKind::InvalidOption) if the name of a column is not allowed in Avro.
pub(super) fn derive(columns: &Fields) -> Result<String> {
    let mut records = 0;
    record(columns, &mut records).map(|schema| schema.to_string())
}

fn record(columns: &Fields, records: &mut usize) -> Result<Value> {
    // Each record needs a name of its own.
    let name = match *records {
        0 => "Row".to_owned(),
        number => format!("Row{number}"),
    };
    *records += 1;
    let mut fields = Vec::with_capacity(columns.len());
    for column in columns {
        let data_type = nullable(column.data_type(), records)?;
        if !is_name(column.name()) {
            return Err(Error::invalid_option(format!(
                "column '{}': expected a name of letters, digits and underscores, which Avro allows, or the schema in \
                 option 'kinesis.avro.schema'",
                column.name()
            )));
        }
        fields.push(json!({"name": column.name(), "type": data_type}));
    }
    Ok(json!({"type": "record", "name": name, "fields": fields}))
}

/// Whether the specification allows the name.
fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(allowed)
}

fn nullable(data_type: &DataType, records: &mut usize) -> Result<Value> {
    Ok(json!(["null", avro_type(data_type, records)?]))
}

fn avro_type(data_type: &DataType, records: &mut usize) -> Result<Value> {
    let decimal = |precision: u8, scale: i8| json!({"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale});
    Ok(match data_type {
        DataType::Boolean => json!("boolean"),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => {
            json!("int")
        }
        DataType::Int64 | DataType::UInt32 => json!("long"),
        DataType::UInt64 => decimal(20, 0),
        DataType::Float32 => json!("float"),
        DataType::Float64 => json!("double"),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale)
            if *scale >= 0 =>
        {
            decimal(*precision, *scale)
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => json!("string"),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => json!("bytes"),
        DataType::Date32 => json!({"type": "int", "logicalType": "date"}),
        // Nothing finer is widely known.
        DataType::Time64(_) => json!({"type": "long", "logicalType": "time-micros"}),
        DataType::Timestamp(TimeUnit::Second | TimeUnit::Millisecond, _) => {
            json!({"type": "long", "logicalType": "timestamp-millis"})
        }
        DataType::Timestamp(_, _) => json!({"type": "long", "logicalType": "timestamp-micros"}),
        DataType::List(item) => {
            json!({"type": "array", "items": nullable(item.data_type(), records)?})
        }
        DataType::Struct(fields) => record(fields, records)?,
        other => {
            return Err(Error::unsupported(format!(
                "a column of type {} has no Avro type",
                type_name(other)
            )));
        }
    })
}
