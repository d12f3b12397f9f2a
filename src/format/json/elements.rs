//! The elements of a JSON array of any length.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::failures::offset;

/// Finds the elements of an array in its text. An array can have millions of elements, so only the first ones are
/// remembered.
#[derive(Debug, Default)]
pub(in crate::format) struct Elements<'a> {
    array: &'a str,
    /// The next elements, if they were found before.
    known: std::vec::IntoIter<&'a RawValue>,
    /// Where the last element ends.
    end: usize,
}

/// The most elements that are remembered. Most arrays have less, and are read once.
const MAX_KNOWN: usize = 1_024;

impl<'a> Elements<'a> {
    /// The elements of the array `text`.
    ///
    /// # Errors
    /// It is no array, or not valid JSON.
    pub(super) fn checked(text: &'a str) -> serde_json::Result<Self> {
        let known: KnownElements<'a> = serde_json::from_str(text)?;
        Ok(Self {
            known: known.0.into_iter(),
            ..Self::after(text, 0)
        })
    }

    /// The elements of the value `json`, after each of them was given to `check`; `None` if it is no array.
    ///
    /// # Errors
    /// `check` returns one.
    pub(in crate::format) fn accepted<E>(
        json: &'a RawValue,
        mut check: impl FnMut(&'a RawValue) -> Result<(), E>,
    ) -> Result<Option<Self>, E> {
        if !json.get().starts_with('[') {
            return Ok(None);
        }
        let mut known = Vec::new();
        for element in Self::after(json.get(), 0) {
            check(element)?;
            if known.len() < MAX_KNOWN {
                known.push(element);
            }
        }
        Ok(Some(Self {
            known: known.into_iter(),
            ..Self::after(json.get(), 0)
        }))
    }

    /// The elements after the one that ends at `end`, or all for 0, of the array `text`, which is valid.
    pub(in crate::format) fn after(text: &'a str, end: usize) -> Self {
        Self {
            array: text,
            end,
            ..Self::default()
        }
    }

    /// Where the last element that was returned ends.
    pub(in crate::format) fn end(&self) -> usize {
        self.end
    }

    fn read_next(&self) -> Option<&'a RawValue> {
        // A closing bracket ends the array.
        let rest = self.array[self.end..].trim_ascii_start();
        let rest = rest.strip_prefix(['[', ','])?;
        let mut values = serde_json::Deserializer::from_str(rest).into_iter();
        values.next()?.ok()
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a RawValue;

    fn next(&mut self) -> Option<&'a RawValue> {
        let element = self.known.next().or_else(|| self.read_next())?;
        self.end = offset(self.array, element.get())? + element.get().len();
        Some(element)
    }
}

/// The first elements of an array that was read to its end.
#[derive(Debug)]
struct KnownElements<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for KnownElements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Known;

        impl<'de> Visitor<'de> for Known {
            type Value = KnownElements<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sequence")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut known = Vec::new();
                while let Some(element) = items.next_element()? {
                    if known.len() < MAX_KNOWN {
                        known.push(element);
                    }
                }
                Ok(KnownElements(known))
            }
        }

        deserializer.deserialize_seq(Known)
    }
}

/// Checks that `json`, whose grammar is valid, is an object whose keys are text.
///
/// # Errors
/// It is no object, or a key is no text.
pub(in crate::format) fn check_object(json: &RawValue) -> serde_json::Result<()> {
    struct Entries;

    impl<'de> Visitor<'de> for Entries {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while map.next_entry::<Key, IgnoredAny>()?.is_some() {}
            Ok(())
        }
    }

    // The grammar of a key allows one half of a surrogate pair, but nothing else that is no text.
    let text = json.get();
    if text.starts_with('{') && !text.contains("\\u") {
        return Ok(());
    }
    serde_json::Deserializer::from_str(text).deserialize_any(Entries)
}

struct Key;

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Self)
    }
}

impl Visitor<'_> for Key {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, _key: &str) -> Result<Self, E> {
        Ok(self)
    }
}
