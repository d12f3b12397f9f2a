//! Names of files that are still being written.

use std::fmt::Display;

/// The name under which `writer`, a hexadecimal number, writes the file `name` before it gets that
/// name; `number` is another one each time.
pub(super) fn name(name: impl Display, writer: impl Display, number: u64) -> String {
    format!(".{name}.{writer}-{number}.tmp")
}

/// Whether [`name`] makes such names, for the files of a log.
pub(super) fn is_one(name: &str) -> bool {
    let parts = || {
        let name = name.strip_prefix('.')?.strip_suffix(".tmp")?;
        let (name, unique) = name.rsplit_once('.')?;
        let (writer, number) = unique.split_once('-')?;
        Some((name, writer, number))
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let hexadecimal = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    parts().is_some_and(|(name, writer, number)| {
        (name == "metadata" || digits(name)) && hexadecimal(writer) && digits(number)
    })
}
