//! Environment variables in string literals, `'${NAME}'`: the command's `--expand-env`.
//!
//! A statement keeps `${NAME}` as it is written, wherever it is shown, logged or stored. Only the parser gets the
//! values: they replace the content of tokens, so no value can end its literal and become SQL.

mod hidden;
mod parts;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::execution::SessionState;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::sqlparser::dialect::{GenericDialect, dialect_from_str};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};
use sha2::{Digest, Sha256};

use self::hidden::Hidden;
use self::parts::{Part, Problem, parts};
use crate::error::{Error, Result};

/// What a statement that is stored with its values ends with, before their hash. A comment, so that the text is
/// still the statement.
const VALUES: &str = "\n-- SHA-256 of the values: ";

/// How many bytes of a hash are stored.
const HASH_BYTES: usize = 8;

/// The environment variables that the statements of a session may use, and the values that they have used.
pub(crate) struct Variables {
    /// `None` is a value that is not UTF-8.
    environment: HashMap<String, Option<String>>,
    used: Mutex<Hidden>,
}

/// A variable that cannot be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unusable {
    /// The line of the text, from 1.
    pub(crate) line: usize,
    pub(crate) message: String,
}

/// A text with the values of its variables.
struct Filled {
    tokens: Vec<TokenWithSpan>,
    /// Of the names and values.
    hash: Sha256,
    /// Whether any literal has a `${`.
    has_any: bool,
}

impl Variables {
    /// Variables of this environment.
    pub(crate) fn new(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Arc<Self> {
        let text = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()))
        };
        Arc::new(Self {
            environment: environment.into_iter().filter_map(text).collect(),
            used: Mutex::default(),
        })
    }

    /// Lets the statements of a session use the variables.
    pub(crate) fn install(self: &Arc<Self>, ctx: &SessionContext) {
        let state = ctx.state_ref();
        let mut state = state.write();
        state.config_mut().set_extension(Arc::clone(self));
    }

    /// The variables of a session, if its statements may use any.
    pub(crate) fn of(config: &SessionConfig) -> Option<Arc<Self>> {
        config.get_extension()
    }

    /// Refuses a text with a variable that is not set, or with a `${` that is no variable.
    pub(crate) fn check(&self, sql: &str) -> Result<(), Unusable> {
        self.fill(tokens(sql)).map(drop)
    }

    /// `text` without the values of variables, which are shown as they are written.
    pub(crate) fn mask(&self, text: &str) -> String {
        self.used().mask(text)
    }

    /// The values that must not be shown.
    #[cfg(feature = "ui")]
    pub(crate) fn hidden(&self) -> Vec<String> {
        self.used().values()
    }

    /// The text by which a statement is stored: without values, but with a hash of them.
    pub(crate) fn identify(&self, sql: &str) -> String {
        match self.fill(tokens(sql)) {
            Ok(filled) if filled.has_any => format!("{sql}{VALUES}{}", short(filled.hash)),
            _ => sql.to_owned(),
        }
    }

    /// The text of an expression of a plan, with a hash in place of each literal that is a value.
    pub(crate) fn identify_expression(&self, text: &str) -> String {
        self.used().identify(text)
    }

    fn used(&self) -> MutexGuard<'_, Hidden> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the variables in string literals, and remembers their values.
    fn fill(&self, mut tokens: Vec<TokenWithSpan>) -> Result<Filled, Unusable> {
        let mut hash = Sha256::new();
        let mut has_any = false;
        for token in &mut tokens {
            let written = match &mut token.token {
                Token::SingleQuotedString(written) => written,
                Token::Word(word) => {
                    self.used().show(&word.value);
                    continue;
                }
                _ => continue,
            };
            if !written.contains("${") {
                continue;
            }
            has_any = true;
            let filled = self.literal(written, &mut hash);
            *written = filled.map_err(|(at, message)| {
                let first = usize::try_from(token.span.start.line).unwrap_or(1);
                Unusable {
                    line: first + written[..at].matches('\n').count(),
                    message,
                }
            })?;
        }
        Ok(Filled {
            tokens,
            hash,
            has_any,
        })
    }

    /// The content of a literal with its values, or where it cannot be replaced and why.
    fn literal(&self, written: &str, hash: &mut Sha256) -> Result<String, (usize, String)> {
        let mut filled = String::with_capacity(written.len());
        let mut is_secret = false;
        for part in parts(written).map_err(|Problem { at, what }| (at, what.to_owned()))? {
            let (name, default, at) = match part {
                Part::Text(text) => {
                    filled.push_str(text);
                    continue;
                }
                Part::Variable { name, default, at } => (name, default, at),
            };
            let given = self.environment.get(name);
            let value = match (given, default) {
                (Some(Some(value)), Some(default)) if value.is_empty() => default,
                (Some(Some(value)), _) => {
                    self.used().add(value, &format!("${{{name}}}"));
                    is_secret = true;
                    value
                }
                (Some(None), _) => return Err((at, not_text(name))),
                (None, Some(default)) => default,
                (None, None) => return Err((at, not_set(name))),
            };
            for text in [name, value] {
                hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
                hash.update(text);
            }
            filled.push_str(value);
        }
        if is_secret {
            self.used().add(&filled, written);
        }
        Ok(filled)
    }
}

/// Shows no values.
impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variables").finish_non_exhaustive()
    }
}

fn not_set(name: &str) -> String {
    format!(
        "environment variable '{name}' is not set: set it, or give a default as in '${{{name}:-default}}'; \
         a literal '${{' is written '$${{'"
    )
}

fn not_text(name: &str) -> String {
    format!("environment variable '{name}' is not UTF-8: expected text")
}

/// The tokens of a text, up to the first that is invalid.
fn tokens(sql: &str) -> Vec<TokenWithSpan> {
    let mut tokens = Vec::new();
    // The parser reports an invalid token.
    let _ = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location_into_buf(&mut tokens);
    tokens
}

/// The tokens of `sql` with the values of its variables; `None` if it has none or cannot be tokenized.
///
/// # Errors
/// [`InvalidOption`](crate::ErrorKind::InvalidOption) with a variable that is not set.
pub(super) fn filled(state: &SessionState, sql: &str) -> Result<Option<Vec<TokenWithSpan>>> {
    let Some(variables) = Variables::of(state.config()).filter(|_| sql.contains("${")) else {
        return Ok(None);
    };
    let Some(dialect) = dialect_from_str(state.config_options().sql_parser.dialect) else {
        return Ok(None);
    };
    let Ok(tokens) = Tokenizer::new(&*dialect, sql).tokenize_with_location() else {
        return Ok(None);
    };
    let filled = variables.fill(tokens);
    let filled = filled.map_err(|unusable| Error::invalid_option(unusable.message))?;
    Ok(filled.has_any.then_some(filled.tokens))
}

/// The hash of the values that a stored statement had, if it had any.
pub(crate) fn hash_of_values(stored: &str) -> Option<&str> {
    stored.rsplit_once(VALUES).map(|(_, hash)| hash)
}

fn short(hash: Sha256) -> String {
    let hash = hash.finalize();
    hash.iter()
        .take(HASH_BYTES)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests;
