//! Reads stdin as it arrives, so that a statement runs as soon as it is complete.

use std::io::{self, ErrorKind, Read};

/// The pipe capacity of most systems.
const PIECE: usize = 64 * 1024;

/// Reads stdin, and keeps the bytes of an incomplete character until the rest arrives.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    incomplete: Vec<u8>,
}

impl Pieces {
    /// Waits for more text; an empty piece marks the end.
    pub(super) fn next(mut self) -> io::Result<(String, Self)> {
        let mut buffer = vec![0; PIECE];
        loop {
            let length = match io::stdin().lock().read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                length => length?,
            };
            let text = self.text(&buffer[..length])?;
            if length == 0 || !text.is_empty() {
                return Ok((text, self));
            }
        }
    }

    /// The characters completed by `bytes`. An incomplete character at the end is an error.
    fn text(&mut self, bytes: &[u8]) -> io::Result<String> {
        self.incomplete.extend_from_slice(bytes);
        let complete = match str::from_utf8(&self.incomplete) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() && !bytes.is_empty() => error.valid_up_to(),
            Err(_) => return Err(not_text()),
        };
        let rest = self.incomplete.split_off(complete);
        let text = std::mem::replace(&mut self.incomplete, rest);
        String::from_utf8(text).map_err(|_| not_text())
    }
}

fn not_text() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "stream did not contain valid UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_split_across_pieces_is_reassembled() {
        let mut pieces = Pieces::default();
        let bytes = "aä€".as_bytes();
        assert_eq!(pieces.text(&bytes[..2]).unwrap(), "a");
        assert_eq!(pieces.text(&bytes[2..4]).unwrap(), "ä");
        assert_eq!(pieces.text(&bytes[4..5]).unwrap(), "");
        assert_eq!(pieces.text(&bytes[5..]).unwrap(), "€");
        assert_eq!(pieces.text(&[]).unwrap(), "");
    }

    #[test]
    fn invalid_utf_8_is_an_error() {
        assert!(Pieces::default().text(b"a\xff").is_err());
        let mut pieces = Pieces::default();
        assert_eq!(pieces.text(b"a\xc3").unwrap(), "a");
        assert!(pieces.text(&[]).is_err());
    }
}
