//! Finds the values of one line, without copying them.

use crate::format::documents::DocumentFailure;
use crate::options::CsvOptions;

/// Reads lines, and keeps the ranges of the values of the last one.
#[derive(Debug)]
pub(in crate::format) struct LineReader {
    delimiter: u8,
    quote: u8,
    /// The character before a quote within a quoted value. A doubled quote is always read.
    escape: u8,
    /// How many values a line should have. The ranges of more are not kept.
    expected: usize,
    ranges: Vec<ValueRange>,
}

/// Where a value is in its line, without quotes around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format) struct ValueRange {
    pub(in crate::format) start: usize,
    pub(in crate::format) end: usize,
    pub(in crate::format) is_quoted: bool,
    /// Whether it has escapes to remove.
    pub(in crate::format) is_escaped: bool,
}

/// A line that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::format) struct Line {
    /// Where the line ends, without its line end.
    pub(in crate::format) end: usize,
    /// Where the next line starts.
    pub(in crate::format) next: usize,
    /// How many values it has, at least one.
    pub(in crate::format) values: usize,
    /// Where the first value after the expected ones starts.
    pub(super) surplus: Option<usize>,
    /// The first error in its quotes.
    pub(in crate::format) failure: Option<QuoteFailure>,
}

/// An error in the quotes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format) struct QuoteFailure {
    pub(in crate::format) byte: usize,
    /// The index of the value.
    pub(super) value: usize,
    pub(in crate::format) reason: &'static str,
}

impl Line {
    /// Refuses a line without exactly `expected` values.
    ///
    /// # Errors
    /// Where the first value too many starts, or where the line ends.
    pub(in crate::format) fn expect_values(&self, expected: usize) -> Result<(), DocumentFailure> {
        if self.values == expected {
            return Ok(());
        }
        let plural = if self.values == 1 { "" } else { "s" };
        let reason = format!("has {} value{plural}: expected {expected}", self.values);
        let byte = self.surplus.unwrap_or(self.end);
        Err(DocumentFailure::at(byte, reason))
    }
}

impl LineReader {
    /// A reader of lines with `expected` values.
    pub(in crate::format) fn new(csv: &CsvOptions, expected: usize) -> Self {
        Self {
            delimiter: csv.delimiter,
            quote: csv.quote,
            escape: csv.escape.unwrap_or(csv.quote),
            expected,
            ranges: Vec::with_capacity(expected),
        }
    }

    /// The ranges of the values of the last line: all, or as many as expected.
    pub(in crate::format) fn ranges(&self) -> &[ValueRange] {
        &self.ranges
    }

    /// Reads the line at the start of `text`. It ends at a line feed, a carriage return or both, outside of
    /// quotes. A line with an error in its quotes ends where it would if text after a closing quote was allowed.
    pub(in crate::format) fn read(&mut self, text: &[u8]) -> Line {
        self.ranges.clear();
        let mut line = Line {
            end: 0,
            next: 0,
            values: 0,
            surplus: None,
            failure: None,
        };
        let mut start = 0;
        loop {
            let (range, mut end, mut failure) = match text.get(start) {
                Some(byte) if *byte == self.quote => self.quoted(text, start),
                _ => self.unquoted(text, start),
            };
            if range.is_quoted && failure.is_none() {
                let value_end = self.end_of_value(text, end);
                if value_end > end {
                    failure = Some((end, "has text after its closing quote"));
                    end = value_end;
                }
            }
            if let (None, Some((byte, reason))) = (&line.failure, failure) {
                let value = line.values;
                line.failure = Some(QuoteFailure {
                    byte,
                    value,
                    reason,
                });
            }
            if line.values < self.expected {
                self.ranges.push(range);
            } else {
                line.surplus.get_or_insert(start);
            }
            line.values += 1;
            (line.end, line.next) = match text[end..] {
                [] => (end, end),
                [b'\r', b'\n', ..] => (end, end + 2),
                [byte, ..] if byte == self.delimiter => {
                    start = end + 1;
                    continue;
                }
                _ => (end, end + 1),
            };
            return line;
        }
    }

    /// The value at `start`, and its end.
    fn unquoted(
        &self,
        text: &[u8],
        start: usize,
    ) -> (ValueRange, usize, Option<(usize, &'static str)>) {
        let end = self.end_of_value(text, start);
        let range = ValueRange {
            start,
            end,
            is_quoted: false,
            is_escaped: false,
        };
        (range, end, None)
    }

    /// The quoted value at `start`, and the end of its closing quote.
    fn quoted(
        &self,
        text: &[u8],
        start: usize,
    ) -> (ValueRange, usize, Option<(usize, &'static str)>) {
        let mut is_escaped = false;
        let mut at = start + 1;
        let (end, failure) = loop {
            let special = |byte: &u8| *byte == self.quote || *byte == self.escape;
            let Some(found) = text[at..].iter().position(special) else {
                break (text.len(), Some((start, "has no closing quote")));
            };
            at += found;
            let is_quote = text[at] == self.quote;
            if is_quote && text.get(at + 1) != Some(&self.quote) {
                break (at, None);
            }
            is_escaped = true;
            at = (at + 2).min(text.len());
        };
        let range = ValueRange {
            start: start + 1,
            end,
            is_quoted: true,
            is_escaped,
        };
        (range, (end + 1).min(text.len()), failure)
    }

    /// The end of the text from `start` on that has no delimiter and no line end.
    fn end_of_value(&self, text: &[u8], start: usize) -> usize {
        let ends = |byte: &u8| *byte == self.delimiter || matches!(byte, b'\n' | b'\r');
        let found = text[start..].iter().position(ends);
        found.map_or(text.len(), |found| start + found)
    }

    /// Replaces `unescaped` with the quoted value `text` without its escapes.
    pub(in crate::format) fn unescape(&self, text: &str, unescaped: &mut String) {
        unescaped.clear();
        let (quote, escape) = (char::from(self.quote), char::from(self.escape));
        let mut chars = text.chars();
        while let Some(mut char) = chars.next() {
            if char == quote || char == escape {
                char = chars.next().unwrap_or(char);
            }
            unescaped.push(char);
        }
    }
}
