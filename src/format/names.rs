//! Checks the names of columns and of the fields within them.

use datafusion::arrow::datatypes::{DataType, FieldRef, Fields};

use crate::error::{Error, Result};
use crate::options::Format;

/// Refuses two fields of a struct with the same name: one of them would take the value of both. Where a schema has the
/// names, also refuses columns and fields that differ only in case, because both would be the same field of the schema.
///
/// # Errors
/// [`InvalidOption`](crate::ErrorKind::InvalidOption) with the path of the second one.
pub(crate) fn refuse_same_names(format: &Format, columns: &Fields) -> Result<()> {
    let has_schema = matches!(format, Format::Avro(_) | Format::Protobuf(_));
    Names {
        format,
        has_schema,
        path: Vec::new(),
    }
    .check(columns)
}

/// Whether a column can have the name: it is not empty, and a terminal shows it as it is.
#[cfg(feature = "cli")]
pub(super) fn can_be_declared(name: &str) -> bool {
    !name.is_empty() && !name.contains(is_unprintable)
}

/// Whether `c` is a control character, a line end, or changes the direction of text.
#[cfg(feature = "cli")]
pub(super) fn is_unprintable(c: char) -> bool {
    let controls_direction = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    c.is_control() || controls_direction || matches!(c, '\u{2028}' | '\u{2029}')
}

struct Names<'a> {
    format: &'a Format,
    has_schema: bool,
    /// The names of the fields around those that are checked.
    path: Vec<&'a str>,
}

impl<'a> Names<'a> {
    fn check(&mut self, fields: &'a Fields) -> Result<()> {
        for (index, field) in fields.iter().enumerate() {
            let others = &fields[..index];
            let same = |other: &&FieldRef| other.name() == field.name();
            let alike = |other: &&FieldRef| other.name().eq_ignore_ascii_case(field.name());
            // The table itself refuses two columns of the same name.
            if !self.path.is_empty() && others.iter().any(|other| same(&other)) {
                return Err(Error::invalid_option(format!(
                    "duplicate field '{}': expected fields of a STRUCT with different names, which SQL turns into \
                     lower case unless they are quoted",
                    self.path_of(field)
                )));
            }
            if let Some(other) = others.iter().find(alike)
                && self.has_schema
            {
                let what = if self.path.is_empty() {
                    "column"
                } else {
                    "field"
                };
                return Err(Error::invalid_option(format!(
                    "{what} '{}' differs from '{}' only in case: expected different names with 'kinesis.format' = \
                     '{}', which finds the fields of its schema in any case",
                    self.path_of(field),
                    self.path_of(other),
                    self.format.name()
                )));
            }
            self.path.push(field.name());
            let checked = match innermost(field.data_type()) {
                DataType::Struct(fields) => self.check(fields),
                _ => Ok(()),
            };
            self.path.pop();
            checked?;
        }
        Ok(())
    }

    fn path_of(&self, field: &FieldRef) -> String {
        let mut path = self.path.clone();
        path.push(field.name());
        path.join(".")
    }
}

/// The type of the items of a list of lists of …, or the type itself.
fn innermost(mut data_type: &DataType) -> &DataType {
    while let DataType::List(item) = data_type {
        data_type = item.data_type();
    }
    data_type
}
