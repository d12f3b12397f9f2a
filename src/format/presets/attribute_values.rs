//! DynamoDB's JSON, in which each value has its type, to JSON as other programs write it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Appends the item `text`, such as `{"id":{"N":"7"}}`, to `out` as plain JSON: `{"id":7}`.
///
/// Numbers keep their digits, binary values stay base64 text, and sets become arrays.
///
/// # Errors
/// `text` is not an item, or is nested too deeply.
pub(super) fn plain_json(text: &str, out: &mut String) -> serde_json::Result<()> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Item(out).deserialize(&mut deserializer)?;
    deserializer.end()
}

/// Appends the attributes of an item, or of a map in one.
struct Item<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Item<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("attributes with their types")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.0.push('{');
        let mut is_first = true;
        while let Some(name) = entries.next_key::<&RawValue>()? {
            separate(self.0, &mut is_first);
            self.0.push_str(name.get());
            self.0.push(':');
            entries.next_value_seed(Attribute(self.0))?;
        }
        self.0.push('}');
        Ok(())
    }
}

/// Appends a value, which is the only field of an object and has its type as a name.
struct Attribute<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Attribute<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Attribute<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value with its type, such as {\"S\":\"text\"}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let out = self.0;
        // Names of types have no escapes, so they can be borrowed.
        match entries.next_key::<&str>()? {
            Some("S" | "B") => push_text(entries.next_value()?, out)?,
            Some("N") => push_number(entries.next_value()?, out)?,
            Some("BOOL") => out.push_str(match entries.next_value()? {
                true => "true",
                false => "false",
            }),
            Some("NULL") => {
                entries.next_value::<bool>()?;
                out.push_str("null");
            }
            Some("SS" | "BS") => push_set(entries.next_value()?, out, push_text)?,
            Some("NS") => push_set(entries.next_value()?, out, push_number)?,
            Some("L") => entries.next_value_seed(List(out))?,
            Some("M") => entries.next_value_seed(Item(out))?,
            _ => return Err(Error::custom("unknown type of a value")),
        }
        match entries.next_key::<&RawValue>()? {
            None => Ok(()),
            Some(_) => Err(Error::custom("a value with two types")),
        }
    }
}

/// Appends an array of values that have their types.
struct List<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of values with their types")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.0.push('[');
        let mut is_first = true;
        loop {
            let end = self.0.len();
            separate(self.0, &mut is_first);
            if items.next_element_seed(Attribute(self.0))?.is_none() {
                self.0.truncate(end);
                break;
            }
        }
        self.0.push(']');
        Ok(())
    }
}

fn separate(out: &mut String, is_first: &mut bool) {
    if !std::mem::take(is_first) {
        out.push(',');
    }
}

/// Appends a set as an array.
fn push_set<E: Error>(
    values: Vec<&RawValue>,
    out: &mut String,
    push: fn(&RawValue, &mut String) -> Result<(), E>,
) -> Result<(), E> {
    out.push('[');
    let mut is_first = true;
    for value in values {
        separate(out, &mut is_first);
        push(value, out)?;
    }
    out.push(']');
    Ok(())
}

/// Appends a string with its escapes.
fn push_text<E: Error>(value: &RawValue, out: &mut String) -> Result<(), E> {
    match value.get().starts_with('"') {
        true => out.push_str(value.get()),
        false => return Err(Error::custom("expected a string")),
    }
    Ok(())
}

/// Appends the number that a string holds.
fn push_number<E: Error>(value: &RawValue, out: &mut String) -> Result<(), E> {
    let text = value.get();
    let digits = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let digits = digits.filter(|digits| {
        let is_number = digits.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        is_number && serde_json::from_str::<&RawValue>(digits).is_ok()
    });
    let digits = digits.ok_or_else(|| Error::custom("expected a number in a string"))?;
    out.push_str(digits);
    Ok(())
}
