//! What metrics and spans have in common.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::model::UnixMillis;

/// An attribute with a text.
pub(super) fn attribute(name: &str, value: impl Into<String>) -> KeyValue {
    key_value(name, Value::StringValue(value.into()))
}

/// An attribute with a number.
pub(super) fn number(name: &str, value: u64) -> KeyValue {
    key_value(
        name,
        Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)),
    )
}

fn key_value(name: &str, value: Value) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// Who counts and measures.
pub(super) fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}

/// What the metrics and spans are from.
pub(super) fn resource(attributes: &BTreeMap<String, String>) -> Resource {
    let attributes = attributes.iter();
    Resource {
        attributes: attributes
            .map(|(name, value)| attribute(name, value.as_str()))
            .collect(),
        ..Resource::default()
    }
}

/// Nanoseconds since 1970.
pub(super) fn nanos(time: UnixMillis) -> u64 {
    u64::try_from(time.0).unwrap_or(0).saturating_mul(1_000_000)
}
