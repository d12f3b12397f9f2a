//! Reads lines of text and of delimited values.

use super::Inferred;
use super::observed::Fields;
use super::payload::Payload;

/// The character between values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delimiter {
    Comma,
    Tab,
    Semicolon,
    Pipe,
}

/// Of a hundred lines, how many must have the same number of values.
const ALIKE_PERCENT: usize = 95;

impl Delimiter {
    const ALL: [Self; 4] = [Self::Comma, Self::Tab, Self::Semicolon, Self::Pipe];

    fn byte(self) -> char {
        match self {
            Self::Comma => ',',
            Self::Tab => '\t',
            Self::Semicolon => ';',
            Self::Pipe => '|',
        }
    }

    /// The value of option `kinesis.csv.delimiter`; `None` for the default.
    pub(super) fn option(self) -> Option<&'static str> {
        match self {
            Self::Comma => None,
            Self::Tab => Some("\\t"),
            Self::Semicolon => Some(";"),
            Self::Pipe => Some("|"),
        }
    }
}

/// How the lines of a sample divide.
#[derive(Debug, Clone, Copy)]
struct Division {
    delimiter: Delimiter,
    /// The most frequent number of values.
    values: usize,
    lines: usize,
    /// The lines with that number of values.
    alike: usize,
}

impl Division {
    fn of(payloads: &[Payload<'_>], delimiter: Delimiter) -> Self {
        let mut counts: Vec<usize> = Vec::new();
        for line in payloads.iter().flat_map(Payload::lines) {
            let values = values(line, delimiter).len();
            if counts.len() <= values {
                counts.resize(values + 1, 0);
            }
            counts[values] += 1;
        }
        let most = counts.iter().copied().max().unwrap_or_default();
        Self {
            delimiter,
            values: counts.iter().rposition(|count| *count == most).unwrap_or(0),
            lines: counts.iter().sum(),
            alike: most,
        }
    }

    fn is_regular(&self) -> bool {
        self.values > 1 && self.alike * 100 >= self.lines * ALIKE_PERCENT
    }
}

fn divisions(payloads: &[Payload<'_>]) -> impl Iterator<Item = Division> {
    let all = Delimiter::ALL.into_iter();
    all.map(|delimiter| Division::of(payloads, delimiter))
}

/// The delimiter of lines that clearly are delimited values, and not sentences with commas.
pub(super) fn detect(payloads: &[Payload<'_>]) -> Option<Delimiter> {
    let regular = divisions(payloads).filter(Division::is_regular);
    let division = regular.max_by_key(|division| division.values)?;
    let mut fields = Fields::default();
    let text = payloads.iter().flat_map(Payload::lines);
    for line in text.filter(|line| values(line, division.delimiter).len() == division.values) {
        observe(line, division.delimiter, &mut fields);
    }
    let is_typed = |field: &super::observed::Field| field.sql_type() != "VARCHAR";
    let typed = fields.declared().any(|(_, field)| is_typed(field));
    (typed || division.values > 2).then_some(division.delimiter)
}

/// The delimiter that divides the lines best.
pub(super) fn most_likely(payloads: &[Payload<'_>]) -> Delimiter {
    let divided = divisions(payloads).filter(|division| division.values > 1);
    let best = divided.max_by_key(|division| division.alike);
    best.map_or(Delimiter::Comma, |division| division.delimiter)
}

/// Reads the lines of `payload` into `inferred`.
pub(super) fn read(payload: &Payload<'_>, delimiter: Delimiter, inferred: &mut Inferred) {
    if let Err(error) = payload.text() {
        return inferred.bad(payload.number, &format!("is not UTF-8: {error}"));
    }
    for line in payload.lines() {
        inferred.documents += 1;
        observe(line, delimiter, &mut inferred.columns);
    }
}

/// Reads `payload` as plain text into `inferred`.
pub(super) fn read_text(payload: &Payload<'_>, by_line: bool, inferred: &mut Inferred) {
    let text = match payload.text() {
        Ok(text) => text,
        Err(error) => return inferred.bad(payload.number, &format!("is not UTF-8: {error}")),
    };
    let mut document = |text: &str| {
        inferred.documents += 1;
        inferred.columns.start_object();
        if let Some(field) = inferred.columns.field("message") {
            field.observe_line(text);
        }
    };
    match by_line {
        true => payload.lines().for_each(document),
        false => document(text),
    }
}

fn observe(line: &str, delimiter: Delimiter, fields: &mut Fields) {
    fields.start_object();
    for (index, value) in values(line, delimiter).iter().enumerate() {
        if let Some(field) = fields.field(&format!("c{}", index + 1)) {
            field.observe_text(value);
        }
    }
}

/// The values of a line. A quote inside quotes is doubled.
fn values(line: &str, delimiter: Delimiter) -> Vec<String> {
    let mut values = vec![String::new()];
    let mut is_quoted = false;
    let mut chars = line.trim_end_matches('\r').chars().peekable();
    while let Some(c) = chars.next() {
        let Some(value) = values.last_mut() else {
            break;
        };
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => {
                value.push('"');
                chars.next();
            }
            '"' if is_quoted || value.is_empty() => is_quoted = !is_quoted,
            c if c == delimiter.byte() && !is_quoted => values.push(String::new()),
            c => value.push(c),
        }
    }
    values
}
