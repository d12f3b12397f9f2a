//! The fields of JSON objects, with their values as text.

use std::fmt;

use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

/// The fields of the object `text`, in order.
///
/// # Errors
/// It is not an object.
pub(in crate::format) fn entries(text: &str) -> serde_json::Result<Vec<(String, &RawValue)>> {
    struct Entries;

    impl<'de> Visitor<'de> for Entries {
        type Value = Vec<(String, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = map.next_entry()? {
                entries.push(entry);
            }
            Ok(entries)
        }
    }

    let mut deserializer = serde_json::Deserializer::from_str(text);
    let entries = deserializer.deserialize_any(Entries)?;
    deserializer.end()?;
    Ok(entries)
}

/// The value at `path` within the object `text`; `None` if there is none.
pub(in crate::format) fn at_path<'a>(
    text: &'a str,
    path: &[String],
) -> serde_json::Result<Option<&'a RawValue>> {
    let mut value: &RawValue = serde_json::from_str(text)?;
    for name in path {
        if !value.get().starts_with('{') {
            return Ok(None);
        }
        // As for columns: the last key that matches exactly, or else ignoring case.
        let entries = entries(value.get())?;
        let last = |same: fn(&str, &str) -> bool| {
            let mut entries = entries.iter().rev();
            entries.find(|(key, _)| same(key, name))
        };
        match last(|key, name| key == name).or_else(|| last(str::eq_ignore_ascii_case)) {
            Some((_, inner)) => value = inner,
            None => return Ok(None),
        }
    }
    Ok(Some(value))
}
