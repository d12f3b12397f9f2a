//! JSON documents to decode, or to encode again.

use std::sync::Arc;

use datafusion::arrow::array::BinaryArray;
use datafusion::arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use serde_json::{Map, Value, json};

/// `records` documents with ten fields and `extra` more, and the fields' types.
pub(crate) fn documents(records: usize, extra: usize) -> (Fields, BinaryArray) {
    let field = |name: &str, data_type: DataType| Field::new(name, data_type, true);
    let geo = Fields::from(vec![
        field("country", DataType::Utf8View),
        field("lat", DataType::Float64),
        field("lon", DataType::Float64),
    ]);
    let tags = Arc::new(field("item", DataType::Utf8View));
    let mut fields = vec![
        field("user_id", DataType::Int64),
        field("session", DataType::Utf8View),
        field("ts", DataType::Timestamp(TimeUnit::Millisecond, None)),
        field("price", DataType::Float64),
        field("ok", DataType::Boolean),
        field("url", DataType::Utf8View),
        field("agent", DataType::Utf8View),
        field("geo", DataType::Struct(geo)),
        field("tags", DataType::List(tags)),
        field("count", DataType::Int64),
    ];
    for n in 0..extra {
        let data_type = match n % 3 {
            0 => DataType::Int64,
            1 => DataType::Utf8View,
            _ => DataType::Float64,
        };
        fields.push(field(&format!("extra_{n}"), data_type));
    }
    let mut random = fastrand::Rng::with_seed(1);
    let documents = (0..records).map(|_| document(extra, &mut random));
    let documents: Vec<String> = documents.collect();
    let documents = documents.iter().map(|document| Some(document.as_bytes()));
    (fields.into(), documents.collect())
}

fn document(extra: usize, random: &mut fastrand::Rng) -> String {
    let mut fields = Map::new();
    let mut add = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    add("user_id", json!(random.i64(0..1 << 40)));
    add("session", json!(format!("{:032x}", random.u128(..))));
    add(
        "ts",
        json!(format!(
            "2026-11-30T08:{:02}:{:02}.123Z",
            random.u8(0..60),
            random.u8(0..60)
        )),
    );
    add("price", json!(random.f64() * 100.0));
    add("ok", json!(random.bool()));
    add(
        "url",
        json!(format!(
            "https://example.com/items/{}?page={}",
            random.u32(..),
            random.u8(..)
        )),
    );
    add("agent", json!("Mozilla/5.0 (X11; Linux x86_64)"));
    add(
        "geo",
        json!({"country": "DE", "lat": random.f64() * 90.0, "lon": random.f64() * 180.0}),
    );
    add("tags", json!(["new", format!("tag-{}", random.u8(..))]));
    add("count", json!(random.u8(..)));
    for n in 0..extra {
        add(
            &format!("extra_{n}"),
            match n % 3 {
                0 => json!(random.u32(..)),
                1 => json!(format!("text {:016x}", random.u64(..))),
                _ => json!(random.f64()),
            },
        );
    }
    Value::Object(fields).to_string()
}
