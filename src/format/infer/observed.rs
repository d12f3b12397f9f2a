//! What the values of a field have in common, and the SQL type that holds all of them.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::names;
use super::numbers::Numbers;
use crate::format::json::entries;

/// The most fields of an object that become columns, or fields of a STRUCT. An object with more of them is a map, whose
/// keys are data.
pub(super) const MAX_FIELDS: usize = 500;

/// The deepest nesting that becomes a type; below it is JSON as text.
const MAX_DEPTH: usize = 16;

/// How many characters of a value are kept as a sample.
const SAMPLE_CHARS: usize = 40;

/// The type of text, and of values that have no type in common.
const TEXT: &str = "VARCHAR";

/// The fields of the objects at one place, in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Fields {
    fields: Vec<Field>,
    by_name: HashMap<String, usize>,
    objects: u64,
    too_many: bool,
}

/// A field.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    /// In how many objects it was.
    pub(super) present: u64,
    /// How many of its values were NULL.
    pub(super) nulls: u64,
    /// Its first value that was not NULL, shortened.
    pub(super) sample: Option<String>,
    shape: Shape,
    /// The last object that it was in.
    last: u64,
}

/// What the values of a field were.
#[derive(Debug, Default)]
struct Shape {
    booleans: bool,
    numbers: Option<Numbers>,
    /// Text that is a point in time.
    times: bool,
    /// Text that is a date.
    dates: bool,
    /// Other text.
    texts: bool,
    items: Option<Box<Self>>,
    objects: Option<Fields>,
    /// Values nested so deeply that their types are not looked at.
    deep: bool,
}

impl Fields {
    /// Begins the next object.
    pub(super) fn start_object(&mut self) {
        self.objects += 1;
    }

    /// The field `name` of the object; `None` if there are too many fields.
    pub(super) fn field(&mut self, name: &str) -> Option<&mut Field> {
        let index = match self.by_name.get(name) {
            Some(index) => *index,
            None if self.fields.len() == MAX_FIELDS => {
                self.too_many = true;
                return None;
            }
            None => {
                self.by_name.insert(name.to_owned(), self.fields.len());
                self.fields.push(Field::new(name));
                self.fields.len() - 1
            }
        };
        let field = &mut self.fields[index];
        // A field that an object has twice counts once.
        if field.last != self.objects {
            field.last = self.objects;
            field.present += 1;
        }
        Some(field)
    }

    /// All fields that can be declared, with their names as identifiers.
    pub(super) fn declared(&self) -> impl Iterator<Item = (String, &Field)> {
        let identifiers = names::identifiers(self.fields.iter().map(|field| field.name.as_str()));
        let all = identifiers.into_iter().zip(&self.fields);
        all.filter(|(_, field)| names::can_be_declared(&field.name))
    }

    /// How many objects there were.
    pub(super) fn objects(&self) -> u64 {
        self.objects
    }

    /// Whether some fields were left out.
    pub(super) fn left_out(&self) -> bool {
        self.too_many
            || self
                .fields
                .iter()
                .any(|field| !names::can_be_declared(&field.name))
    }

    fn sql_type(&self, depth: usize) -> String {
        let fields = self.declared().map(|(name, field)| {
            let data_type = field.shape.sql_type(depth + 1);
            format!("{name} {data_type}")
        });
        let fields: Vec<String> = fields.collect();
        match fields.is_empty() || self.too_many {
            true => TEXT.to_owned(),
            false => format!("STRUCT<{}>", fields.join(", ")),
        }
    }
}

impl Field {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            present: 0,
            nulls: 0,
            sample: None,
            shape: Shape::default(),
            last: 0,
        }
    }

    /// The type that holds all values.
    pub(super) fn sql_type(&self) -> String {
        self.shape.sql_type(0)
    }

    /// Whether no value says what type it has.
    pub(super) fn is_only_null(&self) -> bool {
        self.sample.is_none()
    }

    /// Adds the value that is written as `json`.
    pub(super) fn observe_json(&mut self, json: &str) {
        if json == "null" {
            self.nulls += 1;
            return;
        }
        if self.sample.is_none() {
            let text = serde_json::from_str::<String>(json);
            self.sample = Some(shortened(text.as_deref().unwrap_or(json)));
        }
        self.shape.observe_json(json, 0);
    }

    /// Adds text that means NULL.
    pub(super) fn observe_null(&mut self) {
        self.nulls += 1;
    }

    /// Adds the value that is written as `text` in a line of delimited values.
    pub(super) fn observe_text(&mut self, text: &str) {
        let trimmed = text.trim();
        self.sample.get_or_insert_with(|| shortened(text));
        if serde_json::from_str::<serde_json::Number>(trimmed).is_ok() {
            self.shape.number(trimmed);
        } else if trimmed.eq_ignore_ascii_case("true") || trimmed.eq_ignore_ascii_case("false") {
            self.shape.booleans = true;
        } else {
            self.shape.text(trimmed);
        }
    }

    /// Adds text that stays text.
    pub(super) fn observe_line(&mut self, text: &str) {
        self.sample.get_or_insert_with(|| shortened(text));
        self.shape.texts = true;
    }
}

impl Shape {
    fn number(&mut self, text: &str) {
        self.numbers.get_or_insert_default().observe(text);
    }

    fn text(&mut self, text: &str) {
        match (is_time(text), is_date(text)) {
            (true, _) => self.times = true,
            (_, true) => self.dates = true,
            _ => self.texts = true,
        }
    }

    fn observe_json(&mut self, json: &str, depth: usize) {
        match json.as_bytes().first() {
            Some(b'n') | None => {}
            Some(b't' | b'f') => self.booleans = true,
            Some(b'"') => match serde_json::from_str::<String>(json) {
                Ok(text) => self.text(&text),
                // A lone surrogate.
                Err(_) => self.texts = true,
            },
            Some(b'[' | b'{') if depth == MAX_DEPTH => self.deep = true,
            Some(b'[') => {
                let items = self.items.get_or_insert_default();
                for item in serde_json::from_str::<Vec<&RawValue>>(json).unwrap_or_default() {
                    items.observe_json(item.get(), depth + 1);
                }
            }
            Some(b'{') => {
                let fields = self.objects.get_or_insert_default();
                fields.start_object();
                for (name, value) in entries(json).unwrap_or_default() {
                    let Some(field) = fields.field(&name) else {
                        continue;
                    };
                    field.shape.observe_json(value.get(), depth + 1);
                }
            }
            Some(_) => self.number(json),
        }
    }

    /// The type that holds all values. Values of several types are text: a VARCHAR takes any JSON value as it is
    /// written.
    fn sql_type(&self, depth: usize) -> String {
        let kinds = [
            self.booleans,
            self.numbers.is_some(),
            self.times || self.dates || self.texts,
            self.items.is_some(),
            self.objects.is_some(),
            self.deep,
        ];
        if kinds.into_iter().filter(|is_present| *is_present).count() != 1 {
            return TEXT.to_owned();
        }
        if self.booleans {
            return "BOOLEAN".to_owned();
        }
        match (self.times, self.dates, self.texts) {
            (true, false, false) => return "TIMESTAMP".to_owned(),
            (false, true, false) => return "DATE".to_owned(),
            _ => {}
        }
        match (&self.numbers, &self.items, &self.objects) {
            (Some(numbers), ..) => numbers.sql_type(),
            (_, Some(items), _) => format!("{}[]", items.sql_type(depth + 1)),
            (.., Some(fields)) => fields.sql_type(depth),
            _ => TEXT.to_owned(),
        }
    }
}

/// Whether `text` is a point in time as in RFC 3339, within the range of a TIMESTAMP.
fn is_time(text: &str) -> bool {
    let time = chrono::DateTime::parse_from_rfc3339(text);
    time.is_ok_and(|time| time.timestamp_nanos_opt().is_some())
}

/// Whether `text` is a date such as `2026-11-30`.
fn is_date(text: &str) -> bool {
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    [year.len(), month.len(), day.len()] == [4, 2, 2]
        && parts.iter().all(|part| is_digits(part))
        && text.parse::<chrono::NaiveDate>().is_ok()
}

/// The start of a value, in which control characters are spaces.
fn shortened(text: &str) -> String {
    let clean = |c: char| match c.is_control() {
        true => ' ',
        false => c,
    };
    let mut shown: String = text.chars().take(SAMPLE_CHARS).map(clean).collect();
    if text.chars().nth(SAMPLE_CHARS).is_some() {
        shown.push('…');
    }
    shown
}
