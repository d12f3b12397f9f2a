//! Converts positions of the engine's tokenizer to byte offsets.

use std::str::CharIndices;

use datafusion::sql::sqlparser::tokenizer::Location;

/// Walks over a text from one position to the next. Only moves forward, so offsets are ordered.
#[derive(Debug)]
pub(crate) struct TokenOffsets<'a> {
    rest: CharIndices<'a>,
    line: u64,
    column: u64,
}

impl<'a> TokenOffsets<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            rest: text.char_indices(),
            line: 1,
            column: 1,
        }
    }

    /// The byte offset of a position.
    pub(crate) fn advance(&mut self, to: Location) -> usize {
        while (self.line, self.column) < (to.line, to.column) {
            match self.rest.next() {
                Some((_, '\n')) => (self.line, self.column) = (self.line + 1, 1),
                Some(_) => self.column += 1,
                None => break,
            }
        }
        self.rest.offset()
    }

    /// The line and the column of the last position, both from 1.
    #[cfg(feature = "cli")]
    pub(crate) fn position(&self) -> (usize, usize) {
        let number = |number: u64| usize::try_from(number).unwrap_or(1);
        (number(self.line), number(self.column))
    }
}
