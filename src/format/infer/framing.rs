//! Recognizes how JSON documents are arranged in a record.

use serde_json::value::RawValue;

/// How JSON documents are arranged in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JsonFraming {
    Record,
    Newline,
    Concatenated,
    Array,
}

/// What a text that may be JSON holds.
pub(super) enum Documents<'a> {
    /// Objects, the first of which is given.
    Objects(JsonFraming, &'a str),
    /// JSON that is no object.
    Other,
    /// No valid JSON.
    Bad,
}

/// What `text` holds.
pub(super) fn documents(text: &str) -> Documents<'_> {
    let is_object = |document: &&RawValue| document.get().starts_with('{');
    let stream = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let Ok(found) = stream.collect::<Result<Vec<_>, _>>() else {
        // Lines are independent of each other: one of them may be damaged.
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let whole =
            |line: &str| serde_json::from_str::<&RawValue>(line).is_ok_and(|line| is_object(&line));
        let first = lines.clone().find(|line| whole(line));
        return match first {
            Some(first) if lines.nth(1).is_some() => {
                Documents::Objects(JsonFraming::Newline, first.trim())
            }
            _ => Documents::Bad,
        };
    };
    match found.as_slice() {
        [array] if array.get().starts_with('[') => {
            let items = serde_json::from_str::<Vec<&RawValue>>(array.get()).unwrap_or_default();
            match items.first() {
                Some(first) if items.iter().all(is_object) => {
                    Documents::Objects(JsonFraming::Array, first.get())
                }
                _ => Documents::Other,
            }
        }
        [first] if is_object(first) => Documents::Objects(JsonFraming::Record, first.get()),
        [first, ..] if found.iter().all(is_object) => {
            let lines = || text.lines().filter(|line| !line.trim().is_empty());
            let one_per_line = lines().count() == found.len()
                && lines().all(|line| serde_json::from_str::<&RawValue>(line).is_ok());
            let framing = match one_per_line {
                true => JsonFraming::Newline,
                false => JsonFraming::Concatenated,
            };
            Documents::Objects(framing, first.get())
        }
        _ => Documents::Other,
    }
}
