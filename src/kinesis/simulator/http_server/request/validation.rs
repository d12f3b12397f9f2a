//! Validates requests against the API model, with the service's error messages.

use std::fmt;

use serde_json::{Map, Value};

use super::pattern::Pattern;
use crate::kinesis::simulator::http_server::error_response::ErrorResponse;

/// A member of a structure.
#[derive(Debug, Clone, Copy)]
pub(in crate::kinesis) struct Member {
    name: &'static str,
    required: bool,
    shape: Shape,
}

pub(in crate::kinesis) const fn required(name: &'static str, shape: Shape) -> Member {
    Member {
        name,
        required: true,
        shape,
    }
}

pub(in crate::kinesis) const fn optional(name: &'static str, shape: Shape) -> Member {
    Member {
        name,
        required: false,
        shape,
    }
}

/// The type of a value and its limits.
#[derive(Debug, Clone, Copy)]
pub(in crate::kinesis) enum Shape {
    /// A string: minimum and maximum length in characters, and pattern.
    Text(usize, usize, Pattern),
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// An integer: minimum and maximum.
    Integer(i64, i64),
    Boolean,
    /// Seconds since 1970, optionally with a fraction.
    Timestamp,
    /// Base64 of at most this many bytes.
    Blob(usize),
    /// A list: minimum and maximum length, and item shape.
    List(usize, usize, &'static Self),
    /// A map: minimum and maximum size, and shapes of keys and values.
    Map(usize, usize, &'static Self, &'static Self),
    Structure(&'static [Member]),
}

/// The most violations that one response lists.
const MAX_VIOLATIONS: usize = 10;

/// Validates the members of a request.
///
/// # Errors
/// `SerializationException` for the first value of a wrong type; otherwise `ValidationException`
/// with all violations.
pub(in crate::kinesis) fn check(
    members: &Map<String, Value>,
    of: &[Member],
) -> Result<(), ErrorResponse> {
    check_types(members, of)?;
    let mut violations = Violations::default();
    violations.structure(&Path::Request, members, of);
    let count = violations.0.len();
    if count == 0 {
        return Ok(());
    }
    let errors = if count == 1 { "error" } else { "errors" };
    let violations = violations.0.join("; ");
    let message = format!("{count} validation {errors} detected: {violations}");
    Err(ErrorResponse::validation(message))
}

fn check_types(members: &Map<String, Value>, of: &[Member]) -> Result<(), ErrorResponse> {
    of.iter().try_for_each(|member| {
        let value = members.get(member.name).filter(|value| !value.is_null());
        value.map_or(Ok(()), |value| {
            check_type(member.name, value, &member.shape)
        })
    })
}

fn check_type(name: &str, value: &Value, shape: &Shape) -> Result<(), ErrorResponse> {
    let expected = match (shape, value) {
        (Shape::Text(..) | Shape::OneOf(_), Value::String(_))
        | (Shape::Boolean, Value::Bool(_))
        | (Shape::Timestamp, Value::Number(_)) => return Ok(()),
        (Shape::Integer(..), Value::Number(number)) if number.is_i64() => return Ok(()),
        (Shape::Blob(_), Value::String(text)) => {
            let is_base64 = base64_simd::STANDARD.check(text.as_bytes()).is_ok();
            let message = || ErrorResponse::serialization(format!("{name} is not valid base64."));
            return is_base64.then_some(()).ok_or_else(message);
        }
        (Shape::List(_, _, item), Value::Array(items)) => {
            return items.iter().try_for_each(|of| check_type(name, of, item));
        }
        (Shape::Map(_, _, _, of), Value::Object(entries)) => {
            return entries
                .values()
                .try_for_each(|value| check_type(name, value, of));
        }
        (Shape::Structure(of), Value::Object(members)) => return check_types(members, of),
        (Shape::Text(..) | Shape::OneOf(_), _) => "a string",
        (Shape::Integer(..), _) => "an integer",
        (Shape::Boolean, _) => "a boolean",
        (Shape::Timestamp, _) => "a number of seconds",
        (Shape::Blob(_), _) => "base64",
        (Shape::List(..), _) => "a list",
        (Shape::Map(..) | Shape::Structure(_), _) => "an object",
    };
    let message = format!("{name}: expected {expected}, found {}.", type_of(value));
    Err(ErrorResponse::serialization(message))
}

/// The type of a value, for messages.
pub(in crate::kinesis) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The path of a value in a request; formatted only for a violation.
#[derive(Clone, Copy)]
enum Path<'a> {
    Request,
    Member(&'a Self, &'static str),
    Item(&'a Self, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request => Ok(()),
            Self::Member(parent, name) => {
                if !matches!(parent, Self::Request) {
                    write!(f, "{parent}.")?;
                }
                // The service's messages start member names in lower case.
                let (first, rest) = name.split_at(1);
                write!(f, "{}{rest}", first.to_ascii_lowercase())
            }
            Self::Item(list, number) => write!(f, "{list}.{number}.member"),
        }
    }
}

/// The violations of a request whose types are right.
#[derive(Debug, Default)]
struct Violations(Vec<String>);

impl Violations {
    fn add(&mut self, shown: impl fmt::Display, at: &Path<'_>, constraint: impl fmt::Display) {
        if self.0.len() < MAX_VIOLATIONS {
            self.0.push(format!(
                "Value {shown} at '{at}' failed to satisfy constraint: {constraint}"
            ));
        }
    }

    fn structure(&mut self, parent: &Path<'_>, members: &Map<String, Value>, of: &[Member]) {
        for member in of {
            let at = Path::Member(parent, member.name);
            match members.get(member.name).filter(|value| !value.is_null()) {
                Some(value) => self.value(&at, value, &member.shape),
                None if member.required => self.add("null", &at, "Member must not be null"),
                None => {}
            }
        }
    }

    fn value(&mut self, at: &Path<'_>, value: &Value, shape: &Shape) {
        match (shape, value) {
            (Shape::Structure(of), Value::Object(members)) => self.structure(at, members, of),
            (Shape::List(least, most, item), Value::Array(items)) => {
                for constraint in violated_bounds("length", items.len(), *least, *most) {
                    self.add(format_args!("'[{} items]'", items.len()), at, constraint);
                }
                for (number, value) in (1..).zip(items) {
                    if let (Shape::Structure(of), Value::Object(members)) = (item, value) {
                        self.structure(&Path::Item(at, number), members, of);
                    } else {
                        let shown = format_args!("'[{}]'", shown(value));
                        self.part(at, "Member", shown, &violated_constraints(value, item));
                    }
                }
            }
            (Shape::Map(least, most, key_shape, value_shape), Value::Object(entries)) => {
                for constraint in violated_bounds("length", entries.len(), *least, *most) {
                    self.add(
                        format_args!("'{{{} entries}}'", entries.len()),
                        at,
                        constraint,
                    );
                }
                for (key, value) in entries {
                    let shown = format_args!("'{{{key}={}}}'", shown(value));
                    let wrong_key = violated_constraints(&Value::from(key.as_str()), key_shape);
                    self.part(at, "Map keys", shown, &wrong_key);
                    self.part(
                        at,
                        "Map value",
                        shown,
                        &violated_constraints(value, value_shape),
                    );
                }
            }
            _ => {
                for constraint in violated_constraints(value, shape) {
                    self.add(format_args!("'{}'", shown(value)), at, constraint);
                }
            }
        }
    }

    /// A simple value in a list or map. The service names its container.
    fn part(
        &mut self,
        at: &Path<'_>,
        what: &str,
        shown: fmt::Arguments<'_>,
        constraints: &[String],
    ) {
        if !constraints.is_empty() {
            let constraints = constraints.join(", ");
            let constraint = format_args!("{what} must satisfy constraint: [{constraints}]");
            self.add(shown, at, constraint);
        }
    }
}

/// The constraints that a simple value violates.
fn violated_constraints(value: &Value, shape: &Shape) -> Vec<String> {
    match (shape, value) {
        (Shape::Text(least, most, pattern), Value::String(text)) => {
            let unlike = (!pattern.matches(text)).then(|| {
                let pattern = pattern.text();
                format!("Member must satisfy regular expression pattern: {pattern}")
            });
            let length = violated_bounds("length", text.chars().count(), *least, *most);
            unlike.into_iter().chain(length).collect()
        }
        (Shape::OneOf(allowed), Value::String(text)) if !allowed.contains(&text.as_str()) => {
            let allowed = allowed.join(", ");
            vec![format!("Member must satisfy enum value set: [{allowed}]")]
        }
        (Shape::Integer(least, most), Value::Number(number)) => {
            let integer = number.as_i64().unwrap_or(*least);
            violated_bounds("value", integer, *least, *most).collect()
        }
        (Shape::Blob(most), Value::String(text)) => {
            let length = base64_simd::STANDARD.decoded_length(text.as_bytes());
            violated_bounds("length", length.unwrap_or(0), 0, *most).collect()
        }
        _ => Vec::new(),
    }
}

/// A value as messages show it.
fn shown(value: &Value) -> std::borrow::Cow<'_, str> {
    match value {
        Value::String(text) => text.as_str().into(),
        other => other.to_string().into(),
    }
}

/// The bound that `found` violates, if any.
fn violated_bounds<T: Copy + PartialOrd + fmt::Display>(
    what: &'static str,
    found: T,
    least: T,
    most: T,
) -> impl Iterator<Item = String> {
    let low = (found < least)
        .then(|| format!("Member must have {what} greater than or equal to {least}"));
    let high =
        (found > most).then(|| format!("Member must have {what} less than or equal to {most}"));
    low.into_iter().chain(high)
}
