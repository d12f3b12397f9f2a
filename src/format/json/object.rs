//! The fields of a JSON object into columns.

use std::fmt;

use datafusion::arrow::datatypes::DataType;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::keys::{Keys, Match};
use super::value::{Findings, Shape, ValueSeed};
use crate::format::columns::Column;

/// How the fields of an object are read.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) keys: Keys,
    pub(super) shapes: Vec<Shape>,
    /// How each field of the current object was matched, if it was.
    pub(super) matched: Vec<Option<Match>>,
}

impl Object {
    pub(super) fn new<'a>(fields: impl Iterator<Item = (&'a str, &'a DataType)>) -> Self {
        let (names, types): (Vec<_>, Vec<_>) = fields.unzip();
        Self {
            shapes: types.into_iter().map(Shape::of).collect(),
            matched: vec![None; names.len()],
            keys: Keys::new(names),
        }
    }

    /// Starts an object.
    pub(super) fn start(&mut self) {
        self.matched.fill(None);
    }

    /// Whether the value of a key that matches `found` is wanted. A key that matches exactly wins over one that
    /// does not; of several equal ones, the last wins.
    pub(super) fn takes(&mut self, found: Match, column: &mut Column, row: usize) -> bool {
        let earlier = &mut self.matched[found.field];
        if earlier.is_some_and(|earlier| earlier.is_exact && !found.is_exact) {
            return false;
        }
        if earlier.replace(found).is_some() {
            column.truncate(row);
        }
        true
    }

    /// Appends NULL to the columns of fields that the object lacks. Returns `false` if that ends the document.
    pub(super) fn fill(&mut self, columns: &mut [Column], findings: &mut Findings) -> bool {
        for (field, column) in columns.iter_mut().enumerate() {
            if self.matched[field].is_none() {
                if findings.fail_on_missing {
                    findings.report("is missing".to_owned(), true);
                    findings.within(self.keys.name(field));
                    return false;
                }
                column.push_null();
            }
        }
        true
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
            let Some(found) =
                found.filter(|found| object.takes(*found, &mut columns[found.field], row))
            else {
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
