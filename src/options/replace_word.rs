//! Replaces whole words of a text.

/// Replaces `word` where it is a whole word.
pub(crate) fn replace_word(text: &str, word: &str, by: &str) -> String {
    if word.is_empty() {
        return text.to_owned();
    }
    let mut masked = String::new();
    let mut end = 0;
    for (start, _) in text.match_indices(word) {
        let after = start + word.len();
        let joined = text[..start].ends_with(char::is_alphanumeric)
            || text[after..].starts_with(char::is_alphanumeric);
        if !joined {
            masked.push_str(&text[end..start]);
            masked.push_str(by);
            end = after;
        }
    }
    masked.push_str(&text[end..]);
    masked
}
