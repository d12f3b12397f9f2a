//! Statement sets: several INSERTs that run as one streaming query.
//!
//! ```text
//! EXECUTE STATEMENT SET BEGIN INSERT INTO a …; INSERT INTO b …; END;
//! BEGIN STATEMENT SET; INSERT INTO a …; INSERT INTO b …; END;
//! ```
//!
//! The parser of the engine does not know them, so they are found among its tokens.

use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::token_offsets::TokenOffsets;
use crate::error::Error;

const EXECUTE: [&str; 4] = ["EXECUTE", "STATEMENT", "SET", "BEGIN"];
const BEGIN: [&str; 3] = ["BEGIN", "STATEMENT", "SET"];
const END: &str = "END";

/// Finds the semicolons of a text that end a statement: not those between the statements of a set.
#[cfg(any(feature = "cli", test))]
#[derive(Debug, Default)]
pub(crate) struct StatementEnds {
    part: PartStart,
    is_in_set: bool,
}

/// How the text after a semicolon starts.
#[derive(Debug, Default)]
struct PartStart {
    /// Its first tokens in upper case; those that are no unquoted words are empty.
    words: Vec<String>,
    tokens: usize,
}

impl PartStart {
    fn add(&mut self, token: &Token) {
        self.tokens += 1;
        // One more than the longest heading, for END.
        if self.words.len() <= EXECUTE.len() {
            self.words.push(match token {
                Token::Word(word) if word.quote_style.is_none() => word.value.to_uppercase(),
                _ => String::new(),
            });
        }
    }

    fn is(&self, words: &[&str]) -> bool {
        self.tokens == words.len() && self.starts_with(words)
    }

    fn starts_with(&self, words: &[&str]) -> bool {
        let mut pairs = self.words.iter().zip(words);
        self.words.len() >= words.len() && pairs.all(|(found, expected)| found == expected)
    }

    /// The number of tokens that begin a set; `None` if it begins none.
    fn heading(&self) -> Option<usize> {
        match (self.starts_with(&EXECUTE), self.is(&BEGIN)) {
            (true, _) => Some(EXECUTE.len()),
            (false, true) => Some(BEGIN.len()),
            (false, false) => None,
        }
    }

    /// Whether it is `END`, or a set without statements.
    fn is_end(&self) -> bool {
        let is_last = self.words.last().is_some_and(|word| word == END);
        match self.heading() {
            Some(heading) => self.tokens == heading + 1 && is_last,
            None => self.tokens == 1 && is_last,
        }
    }
}

#[cfg(any(feature = "cli", test))]
impl StatementEnds {
    /// Takes the next token. Whether it is a semicolon that ends a statement.
    pub(crate) fn ends_at(&mut self, token: &Token) -> bool {
        match token {
            Token::Whitespace(_) => false,
            Token::SemiColon => {
                let part = std::mem::take(&mut self.part);
                let is_in_set = self.is_in_set || part.heading().is_some();
                self.is_in_set = is_in_set && !part.is_end();
                !self.is_in_set
            }
            token => {
                self.part.add(token);
                false
            }
        }
    }
}

/// Whether `sql` begins a statement set.
pub(crate) fn is_statement_set(sql: &str) -> bool {
    let mut tokens = Vec::new();
    // A token that is not complete may follow.
    let _ = tokenizer(sql).tokenize_with_location_into_buf(&mut tokens);
    let mut start = PartStart::default();
    let significant = tokens.iter().map(|token| &token.token);
    for token in significant.filter(|token| !matches!(token, Token::Whitespace(_))) {
        if *token == Token::SemiColon {
            break;
        }
        start.add(token);
    }
    start.heading().is_some()
}

/// The statement set of `statements`.
pub(crate) fn statement_set_of(statements: &[String]) -> String {
    let lines = statements.iter().map(|statement| {
        let statement = statement.trim().trim_end_matches(';');
        // The semicolon must not become part of a comment.
        format!("{statement}\n;\n")
    });
    format!(
        "EXECUTE STATEMENT SET BEGIN\n{}END",
        lines.collect::<String>()
    )
}

/// The statements of a set, in order. Each is padded with white space, so that positions in messages of the parser
/// are positions in `sql`.
///
/// # Errors
/// Its end is missing, something follows the end, or there are no statements.
pub(crate) fn statements_of_set(sql: &str) -> Result<Vec<String>, DataFusionError> {
    let mut tokens = Vec::new();
    let lexed = tokenizer(sql).tokenize_with_location_into_buf(&mut tokens);
    lexed.map_err(|error| {
        let error = ParserError::TokenizerError(error.to_string());
        DataFusionError::SQL(Box::new(error), None)
    })?;
    let mut tokens = tokens.iter();
    let tokens = tokens
        .by_ref()
        .filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let tokens: Vec<&TokenWithSpan> = tokens.collect();
    let mut statements = Statements::new(sql);
    let mut has_ended = false;
    let mut parts = tokens.split(|token| token.token == Token::SemiColon);
    if let Some(first) = parts.next() {
        let heading = start_of(first).heading().unwrap_or_default();
        has_ended = statements.add(&first[heading..]);
    }
    for part in parts {
        match (has_ended, part.first()) {
            (false, _) => has_ended = statements.add(part),
            (true, None) => {}
            (true, Some(token)) => {
                return Err(malformed(&format!(
                    "'{}' after the END at line {}: expected a statement of its own after a semicolon, or nothing",
                    token.token, token.span.start.line
                )));
            }
        }
    }
    if !has_ended {
        return Err(malformed("no END: expected END; after the last INSERT …;"));
    }
    match statements.found.is_empty() {
        true => Err(malformed(
            "no statements: expected INSERT INTO … SELECT …; at least once",
        )),
        false => Ok(statements.found),
    }
}

fn tokenizer(sql: &str) -> Tokenizer<'_> {
    Tokenizer::new(&GenericDialect {}, sql)
}

fn start_of(part: &[&TokenWithSpan]) -> PartStart {
    let mut start = PartStart::default();
    for token in part {
        start.add(&token.token);
    }
    start
}

fn malformed(found: &str) -> DataFusionError {
    Error::invalid_option(format!("the statement set has {found}")).into()
}

/// The statements that were found so far.
struct Statements<'a> {
    sql: &'a str,
    offsets: TokenOffsets<'a>,
    found: Vec<String>,
}

impl<'a> Statements<'a> {
    fn new(sql: &'a str) -> Self {
        Self {
            sql,
            offsets: TokenOffsets::new(sql),
            found: Vec::new(),
        }
    }

    /// Adds the statement of these tokens, if there are any. Returns whether it is the end of the set.
    fn add(&mut self, part: &[&TokenWithSpan]) -> bool {
        if start_of(part).is_end() {
            return true;
        }
        if let (Some(first), Some(last)) = (part.first(), part.last()) {
            let start = self.offsets.advance(first.span.start);
            let end = self.offsets.advance(last.span.end);
            let padding = padding(first.span.start);
            self.found
                .push(format!("{padding}{}", &self.sql[start..end]));
        }
        false
    }
}

/// White space up to a location.
fn padding(location: Location) -> String {
    let count = |number: u64| usize::try_from(number.saturating_sub(1)).unwrap_or_default();
    let lines = "\n".repeat(count(location.line));
    lines + &" ".repeat(count(location.column))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(sql: &str) -> Vec<String> {
        let found = statements_of_set(sql).unwrap();
        found.iter().map(|text| text.trim().to_owned()).collect()
    }

    fn error(sql: &str) -> String {
        statements_of_set(sql).unwrap_err().to_string()
    }

    #[test]
    fn both_spellings_are_sets_of_the_same_statements() {
        let expected = ["INSERT INTO a SELECT ';'", "INSERT INTO b SELECT 1"];
        for sql in [
            "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT ';'; INSERT INTO b SELECT 1; END",
            "begin statement set; INSERT INTO a SELECT ';'; INSERT INTO b SELECT 1; end;",
            "-- first\nExecute /* a */ Statement Set Begin\n\nINSERT INTO a SELECT ';';;\nINSERT INTO b SELECT 1;End ; ;",
        ] {
            assert!(is_statement_set(sql), "{sql}");
            assert_eq!(statements(sql), expected, "{sql}");
        }
    }

    #[test]
    fn other_statements_are_no_sets() {
        for sql in [
            "BEGIN",
            "BEGIN STATEMENT",
            "BEGIN STATEMENT SET x",
            "EXECUTE STATEMENT SET",
            "SELECT 1; EXECUTE STATEMENT SET BEGIN END",
            "\"EXECUTE\" STATEMENT SET BEGIN",
            "SELECT 'EXECUTE STATEMENT SET BEGIN'",
            "",
        ] {
            assert!(!is_statement_set(sql), "{sql}");
        }
        assert!(is_statement_set(
            "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 'x"
        ));
    }

    #[test]
    fn statements_keep_their_positions() {
        let sql = "EXECUTE STATEMENT SET BEGIN\n  INSERT ä;\n\n INSERT b; END";
        let found = statements_of_set(sql).unwrap();
        assert_eq!(found, ["\n  INSERT ä", "\n\n\n INSERT b"]);
    }

    #[test]
    fn a_malformed_set_says_what_is_missing() {
        let no_end = error("EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1;");
        assert!(no_end.contains("no END"), "{no_end}");
        let no_semicolon = error("BEGIN STATEMENT SET; INSERT INTO a SELECT 1 END;");
        assert!(no_semicolon.contains("no END"), "{no_semicolon}");
        let empty = error("EXECUTE STATEMENT SET BEGIN END;");
        assert!(empty.contains("no statements"), "{empty}");
        let more = error("EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1;\nEND; SELECT 1");
        assert!(more.contains("'SELECT' after the END at line 2"), "{more}");
        let open = error("EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 'x; END;");
        assert!(open.contains("Unterminated string"), "{open}");
    }

    #[test]
    fn a_set_of_statements_has_these_statements() {
        let given = [
            "INSERT INTO a SELECT 1; ",
            "\nINSERT INTO b SELECT 2 -- two",
        ];
        let text = statement_set_of(&given.map(str::to_owned));
        assert!(is_statement_set(&text));
        assert_eq!(
            statements(&text),
            ["INSERT INTO a SELECT 1", "INSERT INTO b SELECT 2"]
        );
    }

    #[test]
    fn only_the_last_semicolon_of_a_set_ends_it() {
        let ends = |sql: &str| {
            let mut ends = StatementEnds::default();
            let tokens = tokenizer(sql).tokenize().unwrap();
            tokens.iter().filter(|token| ends.ends_at(token)).count()
        };
        assert_eq!(ends("SELECT 1; SELECT 2;"), 2);
        assert_eq!(ends("BEGIN STATEMENT SET; INSERT a; INSERT b;"), 0);
        assert_eq!(ends("BEGIN STATEMENT SET; INSERT a; END; SELECT 1;"), 2);
        assert_eq!(
            ends("EXECUTE STATEMENT SET BEGIN INSERT a; END; SELECT 1;"),
            2
        );
        assert_eq!(ends("EXECUTE STATEMENT SET BEGIN END;"), 1);
        assert_eq!(ends("EXECUTE STATEMENT SET BEGIN INSERT CASE x END;"), 0);
        assert_eq!(ends("END; BEGIN;"), 2);
    }
}
