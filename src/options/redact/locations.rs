//! Finds credentials in the locations of files.

use std::ops::Range;

use super::characters::{is_name_char, is_quote, skip_blank, value_len};
use super::has_secret;

/// The ranges of the locations of files with credentials: after LOCATION, and after the TO of COPY.
pub(super) fn secret_locations(sql: &str, lower: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let words: &[&str] = match lower.contains("copy") {
        true => &["location", "to"],
        false => &["location"],
    };
    for word in words {
        for (start, _) in lower.match_indices(word) {
            let end = start + word.len();
            let is_part = |c: char| is_name_char(c) || is_quote(c);
            if !lower[..start].ends_with(is_part) && !lower[end..].starts_with(is_name_char) {
                found.extend(locations_after(sql, end));
            }
        }
    }
    found.retain(|value| {
        let location = &lower[value.clone()];
        location.contains("://") && has_secret(location)
    });
    found
}

/// The values of a list that may begin at `from`, such as `'a'` or `('a', 'b')`.
fn locations_after(sql: &str, from: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut rest = skip_blank(&sql[from..], "(");
    loop {
        let start = sql.len() - rest.len();
        let end = start + value_len(rest);
        if end == start {
            return found;
        }
        found.push(start..end);
        rest = skip_blank(&sql[end..], "");
        match rest.strip_prefix(',') {
            Some(next) => rest = skip_blank(next, ""),
            None => return found,
        }
    }
}
