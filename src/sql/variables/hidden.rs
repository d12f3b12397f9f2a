//! The values that variables had, which are not shown.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use super::short;
use crate::options::replace_word::replace_word;

/// From this length on, a value is also found inside of words.
const LONG: usize = 8;

/// A shorter value is found only between quotes: it may be part of any text.
const SHORT: usize = 4;

#[derive(Default)]
pub(super) struct Hidden {
    /// Each with the text to show instead. The longest comes first, because a value may be part of another.
    values: Vec<(String, String)>,
    /// Names and keywords of the statements. A value that is one of them is shown: a table is often named like its
    /// stream, and its name is no secret.
    words: HashSet<String>,
}

impl Hidden {
    /// Shows values that are the same as `word`, which is a word of a statement.
    pub(super) fn show(&mut self, word: &str) {
        if !self.words.contains(word) {
            self.words.insert(word.to_owned());
        }
    }

    /// Hides `value`, also as SQL and JSON write it, and a user or password of a URL in it. What is written is
    /// `written`.
    pub(super) fn add(&mut self, value: &str, written: &str) {
        let json = serde_json::Value::from(value).to_string();
        let json = json[1..json.len() - 1].to_owned();
        let mut forms = vec![value.to_owned(), value.replace('\'', "''"), json];
        if let Some((_, rest)) = value.split_once("://")
            && let Some((user, _)) = rest.rsplit_once('@')
        {
            forms.extend(user.split(':').map(str::to_owned));
        }
        for form in forms {
            let is_known = self.values.iter().any(|(known, _)| *known == form);
            if !form.is_empty() && !is_known {
                self.values.push((form, written.to_owned()));
            }
        }
        self.values
            .sort_by(|(one, _), (other, _)| other.len().cmp(&one.len()).then(one.cmp(other)));
    }

    fn hidden(&self) -> impl Iterator<Item = &(String, String)> {
        let values = self.values.iter();
        values.filter(|(value, _)| !self.words.contains(value))
    }

    #[cfg(feature = "ui")]
    pub(super) fn values(&self) -> Vec<String> {
        self.hidden().map(|(value, _)| value.clone()).collect()
    }

    pub(super) fn mask(&self, text: &str) -> String {
        if let Some((_, written)) = self.hidden().find(|(value, _)| value == text) {
            return written.clone();
        }
        let values = self.hidden();
        values.fold(text.to_owned(), |text, (value, written)| {
            match value.chars().count() {
                ..SHORT => ["'", "\""].iter().fold(text, |text, quote| {
                    let quoted = |inner: &str| format!("{quote}{inner}{quote}");
                    text.replace(&quoted(value), &quoted(written))
                }),
                SHORT..LONG => replace_word(&text, value, written),
                _ => text.replace(value.as_str(), written),
            }
        })
    }

    /// `text`, an expression of a plan, with a hash for each literal that is one of the values.
    pub(super) fn identify(&self, text: &str) -> String {
        let values = self.values.iter();
        values.fold(text.to_owned(), |text, (value, written)| {
            let hash = short(Sha256::new_with_prefix(value));
            let shown = format!("(\"{written}\" of hash {hash})");
            text.replace(&format!("(\"{value}\")"), &shown)
        })
    }
}
