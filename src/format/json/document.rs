//! One record's JSON documents to rows.

use std::fmt;

use datafusion::arrow::datatypes::Fields;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::entries::entries;
use super::failures::{failure_of, offset};
use super::findings::{Finding, Findings};
use super::framing::each_document;
use super::keys::Match;
use super::shape::Object;
use super::value::{ObjectVisitor, append_field};
use crate::format::columns::Column;
use crate::format::documents::{DocumentError, DocumentFailure, Documents};
use crate::options::{Framing, JsonOptions, OnMismatch, TimestampFormat};

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
    /// A decoder of `fields`, which are some of the columns `all`. With `rescues` there is one more column, for the
    /// fields that no column has.
    pub(in crate::format) fn new(
        fields: &Fields,
        all: &Fields,
        options: &JsonOptions,
        framing: Framing,
        rescues: bool,
        (timestamps, on_mismatch): (TimestampFormat, OnMismatch),
    ) -> Self {
        let fields = fields
            .iter()
            .map(|field| (field.name().as_str(), field.data_type()));
        let mut root = Object::new(fields);
        // What a column takes must not depend on which columns are read.
        root.keys = root
            .keys
            .with_others(all.iter().map(|field| field.name().as_str()));
        Self {
            root,
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
        let framing = self.framing;
        each_document(record, framing, out, |document, out| {
            self.document(document, out);
        });
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
        let mismatches = std::mem::take(&mut self.findings.mismatches);
        match rows {
            Ok(()) => out.mismatches += mismatches,
            Err(failure) => out.bad(text.as_bytes(), failure),
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
        let mismatches = self.findings.mismatches;
        self.findings.start();
        let is_fast = !self.rescues && parent.is_none();
        let mut read = match is_fast {
            true => self.fast(text, out),
            false => self.careful(text, parent, out),
        };
        // The fast way also looks at values that a later field of the same name replaces.
        let is_final = match &read {
            Ok(()) => !(self.findings.has_duplicates && self.findings.first.is_some()),
            Err(_) => self.findings.has_ended && !is_fast,
        };
        if !is_final {
            out.truncate(start);
            self.findings.start();
            self.findings.mismatches = mismatches;
            // Where its grammar breaks does not depend on which columns are read. If it does not, there is a value
            // that is too large for the parser, such as 1e999.
            read = match serde_json::from_str::<IgnoredAny>(text) {
                Ok(_) => self.careful(text, parent, out),
                Err(error) => Err(error),
            };
        }
        let first = self.findings.first.take();
        match (read, first) {
            (Ok(()), None) => out.finish_row(None),
            (Ok(()), Some(finding)) => out.finish_row(Some(&finding.to_string())),
            (Err(_), Some(finding)) if self.findings.has_ended => {
                out.truncate(start);
                let is_missing = finding.is_missing;
                let failure = located(text, finding);
                return Err(match is_missing {
                    true => DocumentError::Missing(failure),
                    false => DocumentError::Unfit(failure),
                });
            }
            (Err(error), _) => {
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
        // Columns take the last of several fields, so all keys are matched before any value is read.
        let mut taken = vec![None; self.root.shapes.len()];
        self.match_keys(&entries, 0, &mut taken);
        let own = taken.clone();
        self.match_keys(parent, entries.len(), &mut taken);
        for (field, taken) in taken.iter_mut().enumerate() {
            // An element's own field wins over one of its document.
            *taken = own[field].or(*taken);
            self.root.matched[field] = taken.map(|(_, found)| found);
        }
        let mut fields = vec![None; entries.len() + parent.len()];
        for (field, taken) in taken.iter().enumerate() {
            if let Some((entry, _)) = taken {
                fields[*entry] = Some(field);
            }
        }
        for (index, (key, raw)) in entries.iter().chain(parent).enumerate() {
            let is_own = index < entries.len();
            let Some(field) = fields[index] else {
                if is_own {
                    rescued.add(key, raw);
                }
                continue;
            };
            self.findings.is_incomplete = false;
            let column = &mut columns[field];
            let shape = &mut self.root.shapes[field];
            let has_ended = append_field(raw, shape, column, &mut self.findings);
            self.findings.within_path(&[self.root.keys.name(field)]);
            if has_ended {
                return Err(serde::de::Error::custom("a value does not fit its column"));
            }
            if self.findings.is_incomplete && is_own {
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

    /// Finds the entry that each field takes: the last one that matches exactly, or else the last that matches.
    /// `first` is the index of the first entry.
    fn match_keys(
        &mut self,
        entries: &[(String, &RawValue)],
        first: usize,
        taken: &mut [Option<(usize, Match)>],
    ) {
        let mut next = 0;
        for (index, (key, _)) in entries.iter().enumerate() {
            let Some(found) = self.root.keys.find(key, &mut next) else {
                continue;
            };
            let earlier = &mut taken[found.field];
            if !earlier.is_some_and(|(_, earlier)| earlier.is_exact && !found.is_exact) {
                *earlier = Some((first + index, found));
            }
        }
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
                .filter(|(key, _)| !key.eq_ignore_ascii_case(&path[0]))
                .collect(),
        };
        let start = out.rows();
        // Each row can repeat all fields around the array. Counted whether or not they are read, so that the
        // same documents are refused.
        let repeated = text.len() - array.get().len();
        for raw in elements {
            let wrapped;
            let element = match raw.get().starts_with('{') {
                true => raw.get(),
                // An element that is no object is the value of a field with the array's name.
                false => {
                    let name = serde_json::Value::from(path[path.len() - 1].as_str());
                    wrapped = format!("{{{name}:{}}}", raw.get());
                    &wrapped
                }
            };
            let expanded = out.expand(repeated + raw.get().len());
            let row = match expanded {
                Ok(()) => self.row(element, Some(&parent), out),
                Err(failure) => Err(failure.into()),
            };
            let row = row.map_err(|error| {
                error.moved(|byte| {
                    // Bytes count from the start of the document.
                    let start = offset(text, raw.get())?;
                    let inner = byte.filter(|_| element.len() == raw.get().len());
                    Some(start + inner.unwrap_or(0))
                })
            });
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

/// The finding with the byte of its value in `text`, if that is not inside an array.
fn located(text: &str, finding: Finding) -> DocumentFailure {
    let path: Vec<String> = finding.path.iter().rev().cloned().collect();
    let value = at_path(text, &path).ok().flatten();
    DocumentFailure {
        byte: value.and_then(|value| offset(text, value.get())),
        field: Some(finding.path()),
        reason: finding.reason,
    }
}
