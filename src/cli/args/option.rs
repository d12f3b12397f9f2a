//! Options of a table on the command line.

use std::fmt;

use crate::error::{Error, Result};

/// An option of the table with its value, as `NAME=VALUE`.
#[derive(Clone)]
pub(in crate::cli) struct OptionText(String);

impl OptionText {
    /// The name and the value.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) if it has another form.
    pub(in crate::cli) fn parts(&self) -> Result<(&str, &str)> {
        // What is no option may be a secret.
        self.0.split_once('=').ok_or_else(|| {
            Error::invalid_option(
                "argument '--option': expected NAME=VALUE, such as kinesis.awsProfile=reader",
            )
        })
    }
}

impl From<String> for OptionText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// Omits the option, which may be a secret.
impl fmt::Debug for OptionText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OptionText(..)")
    }
}
