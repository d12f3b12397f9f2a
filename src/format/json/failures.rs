//! Where a document is not valid JSON.

use serde_json::error::Category;

use crate::format::documents::DocumentFailure;

/// Why `text` is no valid document, with the byte where the parser stopped.
pub(super) fn failure_of(text: &str, error: &serde_json::Error) -> DocumentFailure {
    let message = error.to_string();
    let reason = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(reason, _)| reason);
    let before: usize = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    let byte = match error.classify() {
        Category::Eof => text.len(),
        // The document has another type.
        Category::Data => text.len() - text.trim_start().len(),
        _ => (before + error.column().saturating_sub(1)).min(text.len()),
    };
    DocumentFailure::at(byte, format!("is not valid JSON: {reason}"))
}

/// Where `part` starts in `text`, if it is a part of it.
pub(in crate::format) fn offset(text: &str, part: &str) -> Option<usize> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    (start + part.len() <= text.len()).then_some(start)
}
