//! How the values of JSON columns are read.

use datafusion::arrow::datatypes::DataType;

use super::findings::Findings;
use super::keys::{Keys, Match};
use crate::format::columns::Column;

/// How the values of a column are read.
#[derive(Debug)]
pub(in crate::format) enum Shape {
    Leaf,
    List(Box<Self>),
    Object(Object),
}

impl Shape {
    pub(in crate::format) fn of(data_type: &DataType) -> Self {
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

/// How the fields of an object are read.
#[derive(Debug)]
pub(in crate::format) struct Object {
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
                    findings.has_ended = true;
                    findings.within(self.keys.name(field));
                    return false;
                }
                column.push_null();
            }
        }
        true
    }
}
