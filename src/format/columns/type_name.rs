//! The SQL names of types, for messages.

use std::borrow::Cow;

use datafusion::arrow::datatypes::DataType;

/// The name of `data_type` in a column list.
pub(crate) fn type_name(data_type: &DataType) -> Cow<'static, str> {
    match data_type {
        DataType::Boolean => "BOOLEAN".into(),
        DataType::Int8 => "TINYINT".into(),
        DataType::Int16 => "SMALLINT".into(),
        DataType::Int32 => "INT".into(),
        DataType::Int64 => "BIGINT".into(),
        DataType::UInt8 => "TINYINT UNSIGNED".into(),
        DataType::UInt16 => "SMALLINT UNSIGNED".into(),
        DataType::UInt32 => "INT UNSIGNED".into(),
        DataType::UInt64 => "BIGINT UNSIGNED".into(),
        DataType::Float32 => "REAL".into(),
        DataType::Float64 => "DOUBLE".into(),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            format!("DECIMAL({precision}, {scale})").into()
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR".into(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "BYTEA".into(),
        DataType::Date32 => "DATE".into(),
        DataType::Time64(_) => "TIME".into(),
        DataType::Timestamp(_, None) => "TIMESTAMP".into(),
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP WITH TIME ZONE".into(),
        DataType::List(item) => format!("{}[]", type_name(item.data_type())).into(),
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| {
                let name = type_name(field.data_type());
                format!("{} {name}", field.name())
            });
            let fields: Vec<String> = fields.collect();
            format!("STRUCT<{}>", fields.join(", ")).into()
        }
        other => other.to_string().into(),
    }
}
