//! Finds variables in the content of a literal.

/// A part of the content of a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Text(&'a str),
    /// `${NAME}` or `${NAME:-default}`, which begins at `at`.
    Variable {
        name: &'a str,
        default: Option<&'a str>,
        at: usize,
    },
}

/// A `${` that is no variable. The content is not shown, because it may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Problem {
    /// Where it is.
    pub(super) at: usize,
    pub(super) what: &'static str,
}

const BAD_NAME: &str = "'${' is followed by no valid name: expected '${NAME}' or '${NAME:-default}' with a name of \
    ASCII letters, digits and '_' that does not begin with a digit; a literal '${' is written '$${'";

const NOT_CLOSED: &str =
    "'${' has no '}': expected '${NAME}' or '${NAME:-default}'; a literal '${' is written '$${'";

const NESTED: &str = "the default of a variable contains '${': expected text without it";

/// The parts of `content`. `$${` is the text `${`.
pub(super) fn parts(content: &str) -> Result<Vec<Part<'_>>, Problem> {
    let mut parts = Vec::new();
    let mut rest = content;
    while let Some(before) = rest.find("${") {
        let at = content.len() - rest.len() + before;
        let inner = &rest[before + 2..];
        if let Some(text) = rest[..before].strip_suffix('$') {
            parts.extend([Part::Text(text), Part::Text("${")]);
            rest = inner;
            continue;
        }
        parts.push(Part::Text(&rest[..before]));
        let (name, default, after) = variable(inner).map_err(|what| Problem { at, what })?;
        parts.push(Part::Variable { name, default, at });
        rest = after;
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

/// The name and the default of the variable at the start of `inner`, and what follows its brace.
fn variable(inner: &str) -> Result<(&str, Option<&str>, &str), &'static str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = inner.find(|c| !is_name(c)).unwrap_or(inner.len());
    let (name, after) = inner.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(BAD_NAME);
    }
    if let Some(after) = after.strip_prefix('}') {
        return Ok((name, None, after));
    }
    let Some(after) = after.strip_prefix(":-") else {
        return Err(match after {
            "" => NOT_CLOSED,
            _ => BAD_NAME,
        });
    };
    let (default, after) = after.split_once('}').ok_or(NOT_CLOSED)?;
    match default.contains("${") {
        true => Err(NESTED),
        false => Ok((name, Some(default), after)),
    }
}
