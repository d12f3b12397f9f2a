//! Known fields of JSON objects, for formats that are written in JSON.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::failures::{failure_of, offset};
use super::findings::Findings;
use super::shape::Shape;
use super::value::append_field;
use crate::format::columns::Column;
use crate::format::documents::{DocumentError, DocumentFailure, Documents};
use crate::options::{OnMismatch, TimestampFormat};

/// The values of the fields with these names in the object `text`. A name that matches exactly wins over one that
/// matches when ASCII case is ignored; of several equal ones, the last wins.
///
/// # Errors
/// `text` is not an object, or not valid JSON.
pub(in crate::format) fn values_of<'a, const N: usize>(
    text: &'a str,
    names: &'static [&'static str; N],
) -> Result<[Option<&'a RawValue>; N], DocumentFailure> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let values = deserializer.deserialize_any(FieldsVisitor(names));
    let values = values.and_then(|values| deserializer.end().map(|()| values));
    values.map_err(|error| failure_of(text, &error))
}

struct FieldsVisitor<const N: usize>(&'static [&'static str; N]);

impl<'de, const N: usize> Visitor<'de> for FieldsVisitor<N> {
    type Value = [Option<&'de RawValue>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut values = [None; N];
        let mut exact = [false; N];
        while let Some(found) = entries.next_key_seed(NameSeed(self.0))? {
            let value: &RawValue = entries.next_value()?;
            if let Some((index, is_exact)) = found
                && (is_exact || !exact[index])
            {
                values[index] = Some(value);
                exact[index] = is_exact;
            }
        }
        Ok(values)
    }
}

/// Finds the index of a name, and whether it matches exactly.
struct NameSeed(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Option<(usize, bool)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed {
    type Value = Option<(usize, bool)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Self::Value, E> {
        if let Some(index) = self.0.iter().position(|name| *name == key) {
            return Ok(Some((index, true)));
        }
        let mut names = self.0.iter();
        let index = names.position(|name| name.eq_ignore_ascii_case(key));
        Ok(index.map(|index| (index, false)))
    }
}

/// A value of a document.
#[derive(Debug, Clone, Copy)]
pub(in crate::format) struct FieldValue<'a> {
    /// The field around it, if that is not the document.
    pub(in crate::format) parent: Option<&'static str>,
    pub(in crate::format) name: &'static str,
    /// `None` if the document lacks the field.
    pub(in crate::format) raw: Option<&'a RawValue>,
}

/// A value does not fit its column, and that ends the document.
#[derive(Debug)]
pub(in crate::format) struct Ended;

/// Appends the values of rows to columns, and collects what does not fit.
#[derive(Debug)]
pub(in crate::format) struct RowValues {
    findings: Findings,
}

impl RowValues {
    pub(in crate::format) fn new(timestamps: TimestampFormat, on_mismatch: OnMismatch) -> Self {
        Self {
            findings: Findings {
                timestamps,
                fail_on_mismatch: on_mismatch == OnMismatch::Fail,
                ..Findings::default()
            },
        }
    }

    /// Starts a document.
    pub(in crate::format) fn start(&mut self) {
        self.findings.start();
        self.findings.mismatches = 0;
    }

    /// Appends `value`, or NULL if it is missing or does not fit.
    ///
    /// # Errors
    /// It does not fit, and the options say that this ends the document.
    pub(in crate::format) fn append(
        &mut self,
        value: FieldValue<'_>,
        shape: &mut Shape,
        column: &mut Column,
    ) -> Result<(), Ended> {
        let Some(raw) = value.raw else {
            column.push_null();
            return Ok(());
        };
        let has_ended = append_field(raw, shape, column, &mut self.findings);
        self.end_value(value, has_ended)
    }

    /// Appends a value by calling `push` with its text, unless it is `null`. `push` returns why it does not fit.
    ///
    /// # Errors
    /// As for [`append`](Self::append).
    pub(in crate::format) fn append_with(
        &mut self,
        value: FieldValue<'_>,
        column: &mut Column,
        push: impl FnOnce(&mut Column, &str) -> Result<(), String>,
    ) -> Result<(), Ended> {
        let row = column.len();
        let text = value.raw.map(RawValue::get).filter(|text| *text != "null");
        let has_ended = match text.map(|text| push(column, text)) {
            Some(Ok(())) => return Ok(()),
            Some(Err(reason)) => self.findings.unfit(|| reason),
            None => false,
        };
        column.truncate(row);
        column.push_null();
        self.end_value(value, has_ended)
    }

    fn end_value(&mut self, value: FieldValue<'_>, has_ended: bool) -> Result<(), Ended> {
        let names = [value.parent.unwrap_or_default(), value.name];
        self.findings
            .within_path(&names[usize::from(value.parent.is_none())..]);
        match has_ended {
            true => Err(Ended),
            false => Ok(()),
        }
    }

    /// Ends a row, to which one value was appended in each column.
    pub(in crate::format) fn finish_row(&mut self, out: &mut Documents<'_>) {
        match self.findings.first.take() {
            None => out.finish_row(None),
            Some(finding) => out.finish_row(Some(&finding.to_string())),
        }
    }

    /// Ends a document, all of whose rows are finished.
    pub(in crate::format) fn finish(&mut self, out: &mut Documents<'_>) {
        out.mismatches += self.findings.mismatches;
    }

    /// Why `value` ended `document`.
    pub(in crate::format) fn failure(
        &mut self,
        document: &str,
        value: FieldValue<'_>,
    ) -> DocumentError {
        let Some(finding) = self.findings.first.take() else {
            return DocumentFailure::new("a value does not fit its column").into();
        };
        DocumentError::Unfit(DocumentFailure {
            byte: value.raw.and_then(|raw| offset(document, raw.get())),
            field: Some(finding.path()),
            reason: finding.reason,
        })
    }
}
