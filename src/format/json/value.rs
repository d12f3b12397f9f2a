//! JSON values into columns of any type.

use std::fmt;

use datafusion::arrow::datatypes::DataType;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::findings::{Findings, unfit_reason};
use super::keys::{Keys, Match};
use super::shape::{Object, Shape};
use crate::format::columns::{Column, Mismatch, type_name};
use crate::options::TimestampFormat;

/// Appends the value `raw` to `column`, or NULL if it does not fit. Returns whether reading must end.
pub(super) fn append_field(
    raw: &RawValue,
    shape: &mut Shape,
    column: &mut Column,
    findings: &mut Findings,
) -> bool {
    let row = column.len();
    let seed = ValueSeed {
        shape,
        column,
        findings,
    };
    let mut deserializer = serde_json::Deserializer::from_str(raw.get());
    if seed.deserialize(&mut deserializer).is_ok() {
        return false;
    }
    // A value that is valid JSON, but that the parser cannot read, such as 1e999.
    column.truncate(row);
    let reason = || unfit_reason(column, raw.get(), Mismatch::Range);
    if findings.has_ended || findings.unfit(reason) {
        return true;
    }
    column.push_null();
    false
}

/// Appends one value to `column`.
pub(super) struct ValueSeed<'a> {
    pub(super) shape: &'a mut Shape,
    pub(super) column: &'a mut Column,
    pub(super) findings: &'a mut Findings,
}

/// Reading ends; the reason is in the findings.
fn ended<E: serde::de::Error>() -> E {
    E::custom("a value does not fit its column")
}

impl ValueSeed<'_> {
    /// Appends the scalar value that is written as `text`.
    fn leaf<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        let Err(mismatch) = append(self.column, text, self.findings.timestamps) else {
            return Ok(());
        };
        self.replace(text, mismatch)
    }

    fn mismatch<E: serde::de::Error>(self, found: &str) -> Result<(), E> {
        self.replace(found, Mismatch::Type)
    }

    fn replace<E: serde::de::Error>(self, found: &str, mismatch: Mismatch) -> Result<(), E> {
        let column = &*self.column;
        if self
            .findings
            .unfit(|| unfit_reason(column, found, mismatch))
        {
            return Err(ended());
        }
        self.column.push_null();
        Ok(())
    }
}

/// Appends the JSON value `text`, which has valid grammar.
fn append(column: &mut Column, text: &str, timestamps: TimestampFormat) -> Result<(), Mismatch> {
    match text.as_bytes() {
        b"null" => column.push_null(),
        [b'"', inner @ .., b'"'] => {
            let inner_text = &text[1..=inner.len()];
            if !inner.contains(&b'\\') {
                return column.push_str(inner_text);
            }
            // A lone surrogate is valid grammar, but no text.
            let unescaped: String = serde_json::from_str(text).map_err(|_| Mismatch::Range)?;
            return column.push_str(&unescaped);
        }
        // A string column takes any other value as it is written.
        _ if column.data_type().is_string() => return column.push_str(text),
        b"true" => return column.push_bool(true),
        b"false" => return column.push_bool(false),
        [b'{' | b'[', ..] => return Err(Mismatch::Type),
        _ if matches!(column.data_type(), DataType::Timestamp(_, _)) => {
            return column.push_epoch(text, timestamps);
        }
        _ => return column.push_number(text),
    }
    Ok(())
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.shape {
            Shape::Leaf => {
                let raw = <&RawValue>::deserialize(deserializer)?;
                self.leaf(raw.get())
            }
            _ => deserializer.deserialize_any(self),
        }
    }
}

/// A value for a nested column.
impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value of type {}", type_name(self.column.data_type()))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.column.push_null();
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.mismatch(&value.to_string())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.mismatch(&value.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.mismatch(&value.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.mismatch(&value.to_string())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.mismatch(&format!("\"{value}\""))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Shape::List(shape) = self.shape else {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return self.mismatch("an array");
        };
        loop {
            let Some(column) = self.column.list_item() else {
                return Err(ended());
            };
            let seed = ValueSeed {
                shape,
                column,
                findings: self.findings,
            };
            if items.next_element_seed(seed)?.is_none() {
                break;
            }
        }
        self.column.finish_list();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Shape::Object(object) = self.shape else {
            while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return self.mismatch("an object");
        };
        if let Some(columns) = self.column.struct_fields() {
            let findings = self.findings;
            let visitor = ObjectVisitor {
                object,
                columns,
                findings,
            };
            visitor.fields(entries)?;
        }
        self.column.finish_struct();
        Ok(())
    }
}

/// Reads one object: appends one value to each of `columns`.
pub(super) struct ObjectVisitor<'a> {
    pub(super) object: &'a mut Object,
    pub(super) columns: &'a mut [Column],
    pub(super) findings: &'a mut Findings,
}

impl ObjectVisitor<'_> {
    pub(super) fn fields<'de, A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Self {
            object,
            columns,
            findings,
        } = self;
        // All columns have the same length between objects.
        let row = columns.first().map_or(0, Column::len);
        object.start();
        let mut next = 0;
        loop {
            let seed = KeySeed {
                keys: &mut object.keys,
                next: &mut next,
            };
            let Some(found) = entries.next_key_seed(seed)? else {
                break;
            };
            let Some(found) = found.filter(|found| {
                findings.has_duplicates |= object.matched[found.field].is_some();
                object.takes(*found, &mut columns[found.field], row)
            }) else {
                findings.is_incomplete = true;
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            // A finding of an earlier field has its path already.
            let had_finding = findings.in_progress;
            let value = entries.next_value_seed(ValueSeed {
                shape: &mut object.shapes[found.field],
                column: &mut columns[found.field],
                findings,
            });
            if !had_finding {
                findings.within(object.keys.name(found.field));
            }
            value?;
        }
        match object.fill(columns, findings) {
            true => Ok(()),
            false => Err(serde::de::Error::custom("a field is missing")),
        }
    }
}

/// Finds the field of a key without keeping the key.
pub(super) struct KeySeed<'a> {
    pub(super) keys: &'a mut Keys,
    pub(super) next: &'a mut usize,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Option<Match>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = Option<Match>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.keys.find(key, self.next))
    }
}
