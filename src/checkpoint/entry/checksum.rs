//! The checksum at the end of an entry, which detects edits.
//!
//! An edited entry may still be valid JSON and cause harm: with a later watermark in `commits/N`, rows before
//! it would be dropped as late. The checksum is the MD5 of the entry's text without it.

use md5::{Digest, Md5};

use super::Unreadable;

/// The end of an entry before the checksum is added.
const END: &[u8] = b"\n}";

/// The text before the checksum, which is the last member.
const BEFORE: &[u8] = b",\n  \"checksum\": \"";

/// The text after it.
const AFTER: &[u8] = b"\"\n}";

/// Adds the checksum to a pretty-printed JSON object; `None` if `text` is not one.
pub(crate) fn sealed(text: &[u8]) -> Option<Vec<u8>> {
    let members = text.strip_suffix(END)?;
    let checksum = hex(text);
    Some([members, BEFORE, checksum.as_bytes(), AFTER, b"\n"].concat())
}

/// The text without its checksum.
///
/// # Errors
/// The checksum is missing or wrong.
pub(super) fn opened(entry: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let missing = || Unreadable::foreign("its checksum is missing at the end");
    let text = entry.trim_ascii_end();
    let text = text.strip_suffix(AFTER).ok_or_else(missing)?;
    let offset = text
        .windows(BEFORE.len())
        .rposition(|part| part == BEFORE)
        .ok_or_else(missing)?;
    let (members, checksum) = text.split_at(offset);
    let text = [members, END].concat();
    if hex(&text).as_bytes() != &checksum[BEFORE.len()..] {
        let reason = "its checksum does not match, so it was edited or damaged";
        return Err(Unreadable::foreign(reason));
    }
    Ok(text)
}

fn hex(text: &[u8]) -> String {
    let digest = Md5::digest(text);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_entry_opens_and_detects_any_changed_byte() {
        let text = b"{\n  \"version\": 3,\n  \"batch\": 7\n}";
        let entry = sealed(text).unwrap();
        assert_eq!(opened(&entry).unwrap(), text);
        assert_eq!(opened(entry.trim_ascii_end()).unwrap(), text);
        for offset in 0..entry.len() - 1 {
            let mut other = entry.clone();
            other[offset] ^= 1;
            assert!(opened(&other).is_err(), "{offset}");
            assert!(opened(&entry[..offset]).is_err(), "{offset}");
        }
        assert_eq!(sealed(b"{}"), None);
        assert!(opened(b"").is_err());
    }
}
