//! A JSON value into a column of any type.

use std::fmt;

use datafusion::arrow::datatypes::DataType;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::object::{Object, ObjectVisitor};
use crate::format::columns::{Column, Mismatch, type_name};
use crate::options::TimestampFormat;

/// How the values of a column are read.
#[derive(Debug)]
pub(super) enum Shape {
    Leaf,
    List(Box<Self>),
    Object(Object),
}

impl Shape {
    pub(super) fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::List(item) => Self::List(Box::new(Self::of(item.data_type()))),
            DataType::Struct(fields) => {
                let fields = fields
                    .iter()
                    .map(|field| (field.name().as_str(), field.data_type()));
                Self::Object(Object::new(fields))
            }
            _ => Self::Leaf,
        }
    }
}

/// What reading a document has found besides its values.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) timestamps: TimestampFormat,
    /// Whether a field that is missing ends the document.
    pub(super) fail_on_missing: bool,
    /// Whether a value that does not fit ends the document.
    pub(super) fail_on_mismatch: bool,
    /// The values that did not fit their columns.
    pub(super) mismatches: u64,
    /// The first of them in this document.
    pub(super) first: Option<Finding>,
    /// Whether the path of `first` is not complete.
    pub(super) in_progress: bool,
    /// Whether the current value has a field that no column has, or a value that does not fit.
    pub(super) is_incomplete: bool,
}

/// A value that does not fit, or a field that is missing.
#[derive(Debug)]
pub(super) struct Finding {
    /// The names of the fields that lead to it, the innermost first.
    pub(super) path: Vec<String>,
    pub(super) reason: String,
    /// The document has no such field.
    pub(super) is_missing: bool,
}

impl Findings {
    /// Whether reading must end.
    fn mismatch(&mut self, column: &Column, value: &str, mismatch: Mismatch) -> bool {
        self.mismatches += 1;
        self.is_incomplete = true;
        if self.first.is_none() {
            let data_type = type_name(column.data_type());
            let reason = match mismatch {
                Mismatch::Type => format!("{} is no {data_type}", shortened(value)),
                Mismatch::Range => format!("{} is not exactly a {data_type}", shortened(value)),
            };
            self.report(reason, false);
        }
        self.fail_on_mismatch
    }

    /// Counts a value that is valid JSON, but cannot be read.
    pub(super) fn unreadable(&mut self, column: &Column, value: &str) {
        self.mismatch(column, value, Mismatch::Range);
    }

    /// Remembers the first finding of a document.
    pub(super) fn report(&mut self, reason: String, is_missing: bool) {
        self.first = Some(Finding {
            path: Vec::new(),
            reason,
            is_missing,
        });
        self.in_progress = true;
    }

    /// Adds the name of the field around a finding that was reported while its value was read.
    pub(super) fn within(&mut self, name: &str) {
        if let (true, Some(first)) = (self.in_progress, &mut self.first) {
            first.path.push(name.to_owned());
        }
    }
}

/// Shortens a value for a message.
fn shortened(text: &str) -> String {
    const SHOWN_CHARS: usize = 40;
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
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
        if self.findings.mismatch(self.column, found, mismatch) {
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
