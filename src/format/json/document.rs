//! One record's JSON documents to rows.

use std::fmt;

use datafusion::arrow::datatypes::Fields;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::findings::{Finding, Findings};
use super::value::{Object, ObjectVisitor, ValueSeed};
use crate::format::columns::Column;
use crate::format::documents::{DocumentError, DocumentFailure, Documents};
use crate::options::{Framing, JsonOptions, OnMismatch, TimestampFormat};

/// The most bytes that the rows of one document may have, so that offsets into a column fit into 32 bits.
const MAX_EXPLODED_BYTES: usize = 1 << 30;

/// Decodes JSON documents.
#[derive(Debug)]
pub(in crate::format) struct JsonDecoder {
    root: Object,
    framing: Framing,
    explode: Option<Vec<String>>,
    /// Whether the last column takes the fields that no other column has.
    rescues: bool,
    findings: Findings,
}

impl JsonDecoder {
    /// A decoder of `fields`. With `rescues` there is one more column, for the fields that no column has.
    pub(in crate::format) fn new(
        fields: &Fields,
        options: &JsonOptions,
        framing: Framing,
        rescues: bool,
        (timestamps, on_mismatch): (TimestampFormat, OnMismatch),
    ) -> Self {
        let fields = fields
            .iter()
            .map(|field| (field.name().as_str(), field.data_type()));
        Self {
            root: Object::new(fields),
            framing,
            explode: options.explode.clone(),
            rescues,
            findings: Findings {
                timestamps,
                fail_on_missing: options.fail_on_missing_field,
                fail_on_mismatch: on_mismatch == OnMismatch::Fail,
                ..Findings::default()
            },
        }
    }

    /// Decodes the documents of one record.
    pub(in crate::format) fn decode(&mut self, record: &[u8], out: &mut Documents<'_>) {
        let record = record.strip_prefix(b"\xef\xbb\xbf").unwrap_or(record);
        // Checked once, so that skipped strings are, too.
        let text = match std::str::from_utf8(record) {
            Ok(text) => text,
            Err(error) => {
                let byte = error.valid_up_to();
                return out.bad(record, DocumentFailure::at(byte, "is not valid UTF-8"));
            }
        };
        match self.framing {
            Framing::Record => self.document(text, out),
            Framing::Newline => {
                for line in text.lines().filter(|line| !line.trim().is_empty()) {
                    self.document(line, out);
                }
            }
            Framing::Concatenated => self.concatenated(text, out),
            Framing::Array => self.array(text, out),
        }
    }

    fn concatenated(&mut self, text: &str, out: &mut Documents<'_>) {
        let deserializer = serde_json::Deserializer::from_str(text);
        let mut documents = deserializer.into_iter::<&RawValue>();
        loop {
            let start = documents.byte_offset();
            match documents.next() {
                None => return,
                Some(Ok(document)) => self.document(document.get(), out),
                // Where the next document starts cannot be known.
                Some(Err(error)) => {
                    let rest = &text[start..];
                    // The position counts from the start of the record.
                    let failure = failure_of(text, &error);
                    return out.bad(rest.trim_start().as_bytes(), failure);
                }
            }
        }
    }

    fn array(&mut self, text: &str, out: &mut Documents<'_>) {
        // The whole array must be valid before any of its elements counts.
        match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(documents) => {
                for document in documents {
                    self.document(document.get(), out);
                }
            }
            Err(error) => out.bad(text.as_bytes(), failure_of(text, &error)),
        }
    }

    /// Decodes one document, to one row or, with a path to explode, to one for each element.
    fn document(&mut self, text: &str, out: &mut Documents<'_>) {
        let rows = match self.explode.take() {
            None => self.row(text, None, out),
            Some(path) => {
                let rows = self.exploded(text, &path, out);
                self.explode = Some(path);
                rows
            }
        };
        out.mismatches += std::mem::take(&mut self.findings.mismatches);
        if let Err(failure) = rows {
            out.bad(text.as_bytes(), failure);
        }
    }

    /// Decodes the object `text` to one row.
    fn row(
        &mut self,
        text: &str,
        parent: Option<&Parent<'_>>,
        out: &mut Documents<'_>,
    ) -> Result<(), DocumentError> {
        let start = out.rows();
        self.findings.first = None;
        self.findings.in_progress = false;
        let mut read = match self.rescues || parent.is_some() {
            false => self.fast(text, out),
            true => self.careful(text, parent, out),
        };
        if read.is_err() && self.findings.first.is_none() && is_grammatical(text) {
            // A value that is valid JSON, but too large for the parser, such as 1e999.
            out.truncate(start);
            read = self.careful(text, parent, out);
        }
        match (read, self.findings.first.take()) {
            (Ok(()), None) => out.finish_row(None),
            (Ok(()), Some(finding)) => out.finish_row(Some(&described(&finding))),
            (Err(_), Some(finding)) => {
                out.truncate(start);
                let failure = located(text, &finding);
                return Err(match finding.is_missing {
                    true => DocumentError::Missing(failure),
                    false => DocumentError::Unfit(failure),
                });
            }
            (Err(error), None) => {
                out.truncate(start);
                return Err(DocumentError::Bad(failure_of(text, &error)));
            }
        }
        Ok(())
    }

    fn fast(&mut self, text: &str, out: &mut Documents<'_>) -> serde_json::Result<()> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let visitor = RootVisitor(ObjectVisitor {
            object: &mut self.root,
            columns: out.columns,
            findings: &mut self.findings,
        });
        deserializer.deserialize_any(visitor)?;
        deserializer.end()
    }

    /// Reads each field as text before it is decoded.
    fn careful(
        &mut self,
        text: &str,
        parent: Option<&Parent<'_>>,
        out: &mut Documents<'_>,
    ) -> serde_json::Result<()> {
        let entries = entries(text)?;
        let parent = parent.map_or(&[][..], |parent| &parent.fields);
        let mut rescued = Rescued::default();
        let (columns, rescue) = match self.rescues {
            true => out.columns.split_at_mut(out.columns.len() - 1),
            false => (&mut *out.columns, &mut [][..]),
        };
        let row = columns.first().map_or(0, Column::len);
        self.root.start();
        let (mut next, mut own) = (0, true);
        for (index, (key, raw)) in entries.iter().chain(parent).enumerate() {
            own &= index < entries.len();
            let found = self.root.keys.find(key, &mut next);
            // An element's own field wins over one of its document.
            let is_free = |field: usize| own || self.root.matched[field].is_none();
            let found = found.filter(|found| is_free(found.field));
            let found =
                found.filter(|found| self.root.takes(*found, &mut columns[found.field], row));
            let Some(found) = found else {
                if own {
                    rescued.add(key, raw);
                }
                continue;
            };
            self.findings.is_incomplete = false;
            let column = &mut columns[found.field];
            let seed = ValueSeed {
                shape: &mut self.root.shapes[found.field],
                column,
                findings: &mut self.findings,
            };
            let mut deserializer = serde_json::Deserializer::from_str(raw.get());
            if let Err(error) = seed.deserialize(&mut deserializer) {
                if self.findings.in_progress && self.findings.fail_on_mismatch {
                    self.findings.within(self.root.keys.name(found.field));
                    return Err(error);
                }
                column.truncate(row);
                self.findings.unreadable(column, raw.get());
                column.push_null();
            }
            self.findings.within(self.root.keys.name(found.field));
            self.findings.in_progress = false;
            if self.findings.is_incomplete && own {
                rescued.add(key, raw);
            }
        }
        if !self.root.fill(columns, &mut self.findings) {
            return Err(serde::de::Error::custom("a field is missing"));
        }
        if let [column] = rescue {
            rescued.push_to(column);
        }
        Ok(())
    }

    fn exploded(
        &mut self,
        text: &str,
        path: &[String],
        out: &mut Documents<'_>,
    ) -> Result<(), DocumentError> {
        let bad = |error: serde_json::Error| DocumentError::Bad(failure_of(text, &error));
        let fields = entries(text).map_err(bad)?;
        let array = at_path(text, path).map_err(bad)?;
        let Some(array) = array.filter(|array| array.get() != "null") else {
            // No array, no rows: as with an empty one.
            return Ok(());
        };
        let elements: Vec<&RawValue> = serde_json::from_str(array.get()).map_err(|_| {
            let what = format!("'$.{}' is no array", path.join("."));
            DocumentError::Bad(DocumentFailure::new(what))
        })?;
        let parent = Parent {
            fields: fields
                .into_iter()
                .filter(|(key, _)| *key != path[0])
                .collect(),
        };
        let start = out.rows();
        // Each row can repeat all fields around the array. Counted whether or not they are read, so that the
        // same documents are refused.
        let repeated = text.len() - array.get().len();
        let mut expanded = 0_usize;
        for element in elements {
            expanded = expanded.saturating_add(repeated + element.get().len());
            let wrapped;
            let element = match element.get().starts_with('{') {
                true => element.get(),
                // An element that is no object is the value of a field with the array's name.
                false => {
                    let name = serde_json::Value::from(path[path.len() - 1].as_str());
                    wrapped = format!("{{{name}:{}}}", element.get());
                    &wrapped
                }
            };
            let row = match expanded > MAX_EXPLODED_BYTES {
                true => Err(DocumentFailure::new(format!(
                    "the elements of '$.{}', with the fields around them, have more than {MAX_EXPLODED_BYTES} bytes",
                    path.join(".")
                ))
                .into()),
                false => self.row(element, Some(&parent), out),
            };
            if let Err(error) = row {
                out.truncate(start);
                return Err(error);
            }
        }
        Ok(())
    }
}

/// The fields of the document around an element.
#[derive(Debug)]
struct Parent<'a> {
    fields: Vec<(String, &'a RawValue)>,
}

/// The entries of the object `text`, in order.
fn entries(text: &str) -> serde_json::Result<Vec<(String, &RawValue)>> {
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
fn at_path<'a>(text: &'a str, path: &[String]) -> serde_json::Result<Option<&'a RawValue>> {
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

fn is_grammatical(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// The fields that no column has, as a JSON object.
#[derive(Debug, Default)]
struct Rescued {
    text: String,
}

impl Rescued {
    fn add(&mut self, key: &str, raw: &RawValue) {
        self.text.push(if self.text.is_empty() { '{' } else { ',' });
        self.text
            .push_str(&serde_json::Value::from(key).to_string());
        self.text.push(':');
        self.text.push_str(raw.get());
    }

    fn push_to(mut self, column: &mut Column) {
        if self.text.is_empty() {
            return column.push_null();
        }
        self.text.push('}');
        if column.push_str(&self.text).is_err() {
            column.push_null();
        }
    }
}

/// A document must be an object.
struct RootVisitor<'a>(ObjectVisitor<'a>);

impl<'de> Visitor<'de> for RootVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<(), A::Error> {
        self.0.fields(entries)
    }
}

/// Why `text` is no valid document, with the byte where the parser stopped.
fn failure_of(text: &str, error: &serde_json::Error) -> DocumentFailure {
    let message = error.to_string();
    let reason = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(reason, _)| reason);
    let before: usize = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    let byte = match error.is_eof() {
        true => text.len(),
        false => (before + error.column().saturating_sub(1)).min(text.len()),
    };
    DocumentFailure::at(byte, format!("is not valid JSON: {reason}"))
}

/// The finding as text: the path of the field, and the reason.
fn described(finding: &Finding) -> String {
    let path: Vec<&str> = finding.path.iter().rev().map(String::as_str).collect();
    format!("field '{}': {}", path.join("."), finding.reason)
}

/// The finding with the byte of its value in `text`, if that is not inside an array.
fn located(text: &str, finding: &Finding) -> DocumentFailure {
    let path: Vec<String> = finding.path.iter().rev().cloned().collect();
    let value = at_path(text, &path).ok().flatten();
    let byte = value.map(|value| value.get().as_ptr() as usize - text.as_ptr() as usize);
    DocumentFailure {
        byte,
        field: Some(path.join(".")),
        reason: finding.reason.clone(),
    }
}
