//! JSON objects to rows.

use std::borrow::Cow;
use std::fmt;

use datafusion::arrow::datatypes::Fields;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::entries::{at_path, entries};
use super::failures::{failure_of, offset};
use super::findings::{Finding, Findings};
use super::keys::Match;
use super::shape::Object;
use super::value::{ObjectVisitor, append_field};
use crate::format::columns::Column;
use crate::format::documents::{DocumentError, DocumentFailure, Documents};

/// Decodes objects to rows.
#[derive(Debug)]
pub(super) struct RowDecoder {
    root: Object,
    /// Whether the last column takes the fields that no other column has.
    rescues: bool,
    findings: Findings,
}

/// The fields of the document around an element.
#[derive(Debug)]
pub(super) struct Parent<'a> {
    pub(super) fields: Vec<(String, Cow<'a, RawValue>)>,
}

impl RowDecoder {
    /// A decoder of `fields`, which are some of the columns `all`. With `rescues` there is one more column, for the
    /// fields that no column has.
    pub(super) fn new(fields: &Fields, all: &Fields, rescues: bool, findings: Findings) -> Self {
        let fields = fields
            .iter()
            .map(|field| (field.name().as_str(), field.data_type()));
        let mut root = Object::new(fields);
        // What a column takes must not depend on which columns are read.
        let names = all.iter().map(|field| field.name().as_str());
        root.keys = root.keys.with_others(names);
        Self {
            root,
            rescues,
            findings,
        }
    }

    /// Ends a document, or a part of it.
    pub(super) fn end_document(
        &mut self,
        text: &str,
        rows: Result<(), DocumentError>,
        out: &mut Documents<'_>,
    ) {
        let mismatches = std::mem::take(&mut self.findings.mismatches);
        match rows {
            Ok(()) => out.mismatches += mismatches,
            Err(failure) => out.bad(text.as_bytes(), failure),
        }
    }

    /// Decodes the object `text` to one row.
    pub(super) fn row(
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
        let own_len = entries.len();
        let parent = parent.map_or(&[][..], |parent| &parent.fields);
        let own = entries.iter().map(|(key, raw)| (key.as_str(), *raw));
        let around = parent.iter().map(|(key, raw)| (key.as_str(), &**raw));
        let mut rescued = Rescued::default();
        let (columns, rescue) = match self.rescues {
            true => out.columns.split_at_mut(out.columns.len() - 1),
            false => (&mut *out.columns, &mut [][..]),
        };
        // Columns take the last of several fields, so all keys are matched before any value is read.
        let mut taken = vec![None; self.root.shapes.len()];
        self.match_keys(own.clone(), 0, &mut taken);
        let taken_own = taken.clone();
        self.match_keys(around.clone(), own_len, &mut taken);
        for (field, taken) in taken.iter_mut().enumerate() {
            // An element's own field wins over one of its document.
            *taken = taken_own[field].or(*taken);
            self.root.matched[field] = taken.map(|(_, found)| found);
        }
        let mut fields = vec![None; own_len + parent.len()];
        for (field, taken) in taken.iter().enumerate() {
            if let Some((entry, _)) = taken {
                fields[*entry] = Some(field);
            }
        }
        for (index, (key, raw)) in own.chain(around).enumerate() {
            let is_own = index < own_len;
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
    fn match_keys<'k>(
        &mut self,
        entries: impl Iterator<Item = (&'k str, &'k RawValue)>,
        first: usize,
        taken: &mut [Option<(usize, Match)>],
    ) {
        let mut next = 0;
        for (index, (key, _)) in entries.enumerate() {
            let Some(found) = self.root.keys.find(key, &mut next) else {
                continue;
            };
            let earlier = &mut taken[found.field];
            if !earlier.is_some_and(|(_, earlier)| earlier.is_exact && !found.is_exact) {
                *earlier = Some((first + index, found));
            }
        }
    }
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
