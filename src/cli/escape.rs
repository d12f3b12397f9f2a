//! Escapes control characters, so that data from a stream cannot control the terminal.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::io;

/// Whether `c` controls a terminal (C0, DEL, C1) or invisibly changes the text around it: direction
/// marks, line separators, zero-width spaces, tags.
///
/// U+200C and U+200D are excluded: Persian, Indic scripts and emoji need them.
pub(super) fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Writes a control character as a Rust or JavaScript string would: `\n`, `\x1b`, `\u{202e}`.
pub(super) fn write_escaped(out: &mut impl Write, c: char) -> fmt::Result {
    match c {
        '\n' | '\r' | '\t' => write!(out, "{}", c.escape_default()),
        '\0'..='\x7f' => write!(out, "\\x{:02x}", u32::from(c)),
        _ => write!(out, "{}", c.escape_unicode()),
    }
}

/// Escapes every control character, for single-line output.
pub(super) fn line(text: &str) -> Cow<'_, str> {
    escaped(text, &[])
}

/// Escapes control characters except line breaks and tabs.
pub(super) fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, &['\n', '\t'])
}

fn escaped<'a>(text: &'a str, kept: &[char]) -> Cow<'a, str> {
    let harmful = |c: char| is_control(c) && !kept.contains(&c);
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match harmful(c) {
            true => {
                write_escaped(&mut escaped, c).expect("a String takes all that is written to it")
            }
            false => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

/// Writes each log event as one line. An event arrives in one piece that ends with a line break.
#[derive(Debug)]
pub(super) struct EventWriter<W>(pub(super) W);

impl<W: io::Write> io::Write for EventWriter<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        match text.strip_suffix('\n') {
            Some(text) => self.0.write_all(format!("{}\n", line(text)).as_bytes())?,
            None => self.0.write_all(line(&text).as_bytes())?,
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn control_characters_are_escaped() {
        for (text, expected) in [
            ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\0\x7f\u{85}\u{9b}31m", "\\x00\\x7f\\u{85}\\u{9b}31m"),
            ("\u{202e}evil\u{2066}", "\\u{202e}evil\\u{2066}"),
            (
                "a\u{200b}b\u{feff}\u{2028}",
                "a\\u{200b}b\\u{feff}\\u{2028}",
            ),
            ("\u{e0041}", "\\u{e0041}"),
        ] {
            assert_eq!(line(text), expected);
        }
    }

    #[test]
    fn printable_text_of_any_script_is_unchanged() {
        for text in [
            "Grüße",
            "日本語",
            "می\u{200c}خواهم",
            "👨\u{200d}👩\u{200d}👧",
            "a\\n\"b'",
        ] {
            assert!(matches!(line(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn multi_line_text_keeps_line_breaks_and_tabs() {
        assert_eq!(lines("a\n\tb\r\x1b"), "a\n\tb\\r\\x1b");
    }

    #[test]
    fn a_log_event_cannot_break_its_line() {
        let mut writer = EventWriter(Vec::new());
        writer
            .write_all(b"WARN key=a\nWARN forged\x1b[2J\n")
            .unwrap();
        assert_eq!(writer.0, b"WARN key=a\\nWARN forged\\x1b[2J\n");
    }
}
