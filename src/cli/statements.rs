//! Splits text into statements with the engine's tokenizer, keeping the line each one starts on.

use std::fmt;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{
    Location, Token, TokenWithSpan, Tokenizer, TokenizerError,
};

use crate::options::redact;
use crate::sql::{StatementEnds, TokenOffsets};

/// One statement or statement set, without its semicolon and the comments before it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) text: String,
    /// Line and column of its first token, both from 1.
    position: (usize, usize),
}

/// Masks the values of secret options.
impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement")
            .field("text", &redact::statement(&self.text))
            .field("position", &self.position)
            .finish()
    }
}

impl Statement {
    /// The line of its first token, from 1.
    pub(super) fn line(&self) -> usize {
        self.position.0
    }

    /// The text padded with the white space before it, so that positions in parser messages are
    /// positions in the file.
    pub(super) fn in_place(&self) -> String {
        let (line, column) = self.position;
        let mut text = "\n".repeat(line - 1);
        text.push_str(&" ".repeat(column - 1));
        text.push_str(&self.text);
        text
    }
}

/// The statements of a text, in order.
///
/// After an invalid token, such as an unterminated quote, the rest of the text is one statement.
/// The statements before it can run, and the parser reports the error.
pub(super) fn split(text: &str) -> Vec<Statement> {
    let mut whole = Incoming::new();
    let mut statements = whole.push(text);
    statements.extend(whole.finish());
    statements
}

/// Splits text that arrives in pieces: stores the text after the last semicolon, and its position.
pub(super) struct Incoming {
    text: String,
    position: (usize, usize),
}

impl Incoming {
    pub(super) fn new() -> Self {
        Self {
            text: String::new(),
            position: (1, 1),
        }
    }

    /// Adds a piece and returns the statements that it completes.
    pub(super) fn push(&mut self, piece: &str) -> Vec<Statement> {
        let first = self.text.is_empty() && self.position == (1, 1);
        // Some editors prepend a byte order mark, which is not SQL.
        let piece = match first {
            true => piece.trim_start_matches('\u{feff}'),
            false => piece,
        };
        self.text.push_str(piece);
        if !piece.contains(';') {
            return Vec::new();
        }
        let (tokens, _) = tokens(&self.text);
        let mut reader = Reader::new(&self.text, self.position);
        let mut ends = StatementEnds::default();
        let mut statements = Vec::new();
        let mut open: Option<Start> = None;
        let mut rest = None;
        for token in &tokens {
            match token.token {
                _ if ends.ends_at(&token.token) => {
                    let end = reader.offsets.advance(token.span.start);
                    statements.extend(open.take().map(|start| start.statement(&self.text, end)));
                    rest = Some(reader.start(token.span.end));
                }
                Token::Whitespace(_) => {}
                _ if open.is_none() => open = Some(reader.start(token.span.start)),
                _ => {}
            }
        }
        if let Some(rest) = rest {
            self.text.drain(..rest.offset);
            self.position = rest.position;
        }
        statements
    }

    /// The last statement, whose semicolon is optional.
    pub(super) fn finish(self) -> Option<Statement> {
        let (tokens, lexed) = tokens(&self.text);
        let word = tokens
            .iter()
            .find(|token| !matches!(token.token, Token::Whitespace(_)))
            .map(|token| token.span.start);
        let broken = || tokens.last().map_or(Location::of(1, 1), |t| t.span.end);
        let begin = word.or_else(|| lexed.is_err().then(broken))?;
        let start = Reader::new(&self.text, self.position).start(begin);
        Some(start.statement(&self.text, self.text.len()))
    }
}

/// Whether the text is complete: its last token is a semicolon that ends a statement, or it has no tokens.
pub(super) fn is_complete(text: &str) -> bool {
    let (tokens, lexed) = tokens(text);
    let (mut ends, mut is_complete) = (StatementEnds::default(), true);
    for TokenWithSpan { token, .. } in &tokens {
        match token {
            Token::Whitespace(_) => {}
            token => is_complete = ends.ends_at(token),
        }
    }
    lexed.is_ok() && is_complete
}

/// The unterminated construct at the end of an incomplete text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    /// Only the semicolon is missing.
    Statement,
    Parenthesis,
    /// A string or a quoted name, which ends with this character.
    Quote(char),
    Comment,
}

/// The innermost unterminated construct at the end of a text.
pub(super) fn open_at_end(text: &str) -> Open {
    let (tokens, lexed) = tokens(text);
    match lexed {
        Ok(()) => {
            let depth = tokens
                .iter()
                .fold(0, |depth: usize, token| match token.token {
                    Token::LParen => depth + 1,
                    Token::RParen => depth.saturating_sub(1),
                    // A new statement starts here.
                    Token::SemiColon => 0,
                    _ => depth,
                });
            match depth {
                0 => Open::Statement,
                _ => Open::Parenthesis,
            }
        }
        Err(error) if error.message.contains("comment") => Open::Comment,
        Err(error) if error.message.contains("close delimiter '\"'") => Open::Quote('"'),
        Err(error) if error.message.contains("close delimiter '`'") => Open::Quote('`'),
        Err(_) => Open::Quote('\''),
    }
}

fn tokens(text: &str) -> (Vec<TokenWithSpan>, Result<(), TokenizerError>) {
    let mut tokens = Vec::new();
    let lexed =
        Tokenizer::new(&GenericDialect {}, text).tokenize_with_location_into_buf(&mut tokens);
    (tokens, lexed)
}

/// Where a statement starts.
struct Start {
    offset: usize,
    position: (usize, usize),
}

impl Start {
    fn statement(self, text: &str, end: usize) -> Statement {
        Statement {
            text: text[self.offset..end].trim_end().to_owned(),
            position: self.position,
        }
    }
}

/// Finds where statements start and end.
struct Reader<'a> {
    offsets: TokenOffsets<'a>,
    /// Position of the start of the text.
    origin: (usize, usize),
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, origin: (usize, usize)) -> Self {
        Self {
            offsets: TokenOffsets::new(text),
            origin,
        }
    }

    fn start(&mut self, location: Location) -> Start {
        let offset = self.offsets.advance(location);
        let position = match self.offsets.position() {
            (1, column) => (self.origin.0, self.origin.1 + column - 1),
            (line, column) => (self.origin.0 + line - 1, column),
        };
        Start { offset, position }
    }
}

#[cfg(test)]
mod tests;
