//! Names of temporary files.

use std::fmt::Display;

/// The temporary name of the file `name` while `writer`, a hexadecimal number, writes it; `number` is unique for the
/// writer.
pub(super) fn temporary_name(name: impl Display, writer: impl Display, number: u64) -> String {
    format!(".{name}.{writer}-{number}.tmp")
}

/// Whether `name` is a [`temporary_name`] of a file of a log or a state.
pub(super) fn is_temporary(name: &str) -> bool {
    let parts = || {
        let name = name.strip_prefix('.')?.strip_suffix(".tmp")?;
        let (name, unique) = name.rsplit_once('.')?;
        let (writer, number) = unique.split_once('-')?;
        Some((name, writer, number))
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let hexadecimal = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    let of_state = |name: &str| {
        let name = name
            .strip_suffix(".delta")
            .or(name.strip_suffix(".snapshot"));
        let parts = name.and_then(|name| name.split_once('-'));
        parts.is_some_and(|(batch, md5)| digits(batch) && hexadecimal(md5))
    };
    parts().is_some_and(|(name, writer, number)| {
        let known = name == "metadata" || digits(name) || of_state(name);
        known && hexadecimal(writer) && digits(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_files_are_not_temporary() {
        for of in ["metadata", "7", "12-00ff.delta", "12-00ff.snapshot"] {
            assert!(is_temporary(&temporary_name(of, "1f", 3)), "{of}");
        }
        for other in [
            "7",
            ".7.tmp",
            ".notes.1f-3.tmp",
            ".12-00ff.txt.1f-3.tmp",
            ".x-00ff.delta.1f-3.tmp",
        ] {
            assert!(!is_temporary(other), "{other}");
        }
    }
}
