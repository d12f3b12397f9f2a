//! Searches and formats error chains.

use std::error::Error as StdError;
use std::io;

/// The first error of type `E` in the chain.
pub(super) fn find<'a, E: StdError + 'static>(
    error: &'a (dyn StdError + 'static),
) -> Option<&'a E> {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(found) = current.downcast_ref::<E>() {
            return Some(found);
        }
        cause = match current.downcast_ref::<io::Error>() {
            // `source` of an io::Error skips the wrapped error itself.
            Some(outer) => outer.get_ref().map(|inner| inner as _),
            None => current.source(),
        };
    }
    None
}

/// The messages of an error and its causes, without repetition.
pub(crate) fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut text = String::new();
    let mut cause = Some(error);
    while let Some(current) = cause {
        let said = current.to_string();
        if !text.ends_with(&said) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&said);
        }
        cause = current.source();
    }
    text
}
