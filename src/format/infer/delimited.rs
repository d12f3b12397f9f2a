//! Reads lines of text and of delimited values.

use super::Inferred;
use super::observed::{Field, Fields, MAX_FIELDS};
use super::payload::Payload;
use super::reading::Reading;
use crate::format::csv::line::{Line, LineReader};
use crate::format::documents::DocumentFailure;
use crate::options::CsvOptions;

/// The character between values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Delimiter(pub(super) u8);

/// Of a hundred lines, how many must have the same number of values.
const ALIKE_PERCENT: usize = 95;

impl Delimiter {
    const COMMA: Self = Self(b',');
    const KNOWN: [Self; 4] = [Self::COMMA, Self(b'\t'), Self(b';'), Self(b'|')];

    /// The value of option `kinesis.csv.delimiter`; `None` for the default, and for one that the user gave.
    pub(super) fn option(self) -> Option<&'static str> {
        match self.0 {
            b'\t' => Some("\\t"),
            b';' => Some(";"),
            b'|' => Some("|"),
            _ => None,
        }
    }
}

/// How the lines of a sample divide.
#[derive(Debug, Clone, Copy)]
pub(super) struct Division {
    pub(super) delimiter: Delimiter,
    /// The most frequent number of values.
    pub(super) values: usize,
    lines: usize,
    /// The lines with that number of values.
    alike: usize,
}

impl Division {
    fn of(payloads: &[Payload<'_>], delimiter: Delimiter, reading: &Reading) -> Self {
        let mut counts: Vec<usize> = Vec::new();
        let mut sampler = LineSampler::new(&reading.lines(delimiter.0), 0);
        for payload in payloads {
            let mut rest = payload.text().unwrap_or_default();
            while let Some((text, line)) = sampler.next_line(&mut rest) {
                if text.trim().is_empty() {
                    continue;
                }
                if counts.len() <= line.values {
                    counts.resize(line.values + 1, 0);
                }
                counts[line.values] += 1;
            }
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
        (2..=MAX_FIELDS).contains(&self.values) && self.alike * 100 >= self.lines * ALIKE_PERCENT
    }
}

/// How the lines divide at the given delimiter, or at each that is known.
fn divisions(payloads: &[Payload<'_>], reading: &Reading) -> impl Iterator<Item = Division> {
    let all = match reading.delimiter {
        Some(given) => vec![Delimiter(given)],
        None => Delimiter::KNOWN.to_vec(),
    };
    let free = |delimiter: &Delimiter| {
        delimiter.0 != reading.csv.quote && Some(delimiter.0) != reading.csv.escape
    };
    let all = all.into_iter().filter(free);
    all.map(|delimiter| Division::of(payloads, delimiter, reading))
}

/// How lines divide that clearly are delimited values, and not sentences with commas.
pub(super) fn detect(payloads: &[Payload<'_>], reading: &Reading) -> Option<Division> {
    let regular = divisions(payloads, reading).filter(Division::is_regular);
    let division = regular.max_by_key(|division| division.values)?;
    let mut fields = Fields::default();
    let mut sampler = LineSampler::new(&reading.lines(division.delimiter.0), division.values);
    for payload in payloads {
        let mut rest = payload.text().unwrap_or_default();
        while let Some((text, line)) = sampler.next_line(&mut rest) {
            // A line that does not divide alike says nothing.
            let _ = sampler.add(text, &line, &mut fields);
        }
    }
    let is_typed = |field: &Field| field.sql_type() != "VARCHAR";
    let typed = fields.declared().any(|(_, field)| is_typed(field));
    (typed || division.values > 2).then_some(division)
}

/// How the lines divide best.
pub(super) fn most_likely(payloads: &[Payload<'_>], reading: &Reading) -> Division {
    let divided = divisions(payloads, reading).filter(|division| division.values > 1);
    let best = divided.max_by_key(|division| division.alike);
    best.unwrap_or(Division {
        delimiter: reading.delimiter.map_or(Delimiter::COMMA, Delimiter),
        values: 1,
        lines: 0,
        alike: 0,
    })
}

/// Reads lines of values as a table does.
pub(super) struct LineSampler {
    reader: LineReader,
    null_literal: Option<String>,
    values: usize,
    unescaped: String,
}

impl LineSampler {
    /// A reader of lines with `values` values.
    pub(super) fn new(options: &CsvOptions, values: usize) -> Self {
        Self {
            reader: LineReader::new(options, values),
            null_literal: options.null_literal.clone(),
            values,
            unescaped: String::new(),
        }
    }

    /// Reads the only line of `payload`, or all of its lines, into `inferred`.
    pub(super) fn read(&mut self, payload: &Payload<'_>, by_line: bool, inferred: &mut Inferred) {
        let mut rest = match payload.text() {
            Ok(text) => text,
            Err(error) => return inferred.bad(payload.number, &format!("is not UTF-8: {error}")),
        };
        while let Some((text, line)) = self.next_line(&mut rest) {
            if text.is_empty() && by_line {
                continue;
            }
            match self.add(text, &line, &mut inferred.columns) {
                Ok(()) => inferred.documents += 1,
                Err(failure) => inferred.bad(payload.number, &failure.reason),
            }
        }
    }

    /// Takes the line at the start of `rest`, without its line end; `None` after the last.
    fn next_line<'a>(&mut self, rest: &mut &'a str) -> Option<(&'a str, Line)> {
        if rest.is_empty() {
            return None;
        }
        let line = self.reader.read(rest.as_bytes());
        let text = &rest[..line.end];
        *rest = &rest[line.next..];
        Some((text, line))
    }

    /// Adds the values of the line that was read last, from `text`.
    fn add(&mut self, text: &str, line: &Line, fields: &mut Fields) -> Result<(), DocumentFailure> {
        if let Some(failure) = &line.failure {
            return Err(DocumentFailure::at(failure.byte, failure.reason));
        }
        line.expect_values(self.values)?;
        fields.start_object();
        for (index, range) in self.reader.ranges().iter().enumerate() {
            let mut value = &text[range.start..range.end];
            if range.is_escaped {
                self.reader.unescape(value, &mut self.unescaped);
                value = &self.unescaped;
            }
            if let Some(field) = fields.field(&format!("c{}", index + 1)) {
                let is_null = match &self.null_literal {
                    Some(literal) => value == literal,
                    None => value.is_empty(),
                };
                match is_null && !range.is_quoted {
                    true => field.observe_null(),
                    false => field.observe_text(value),
                }
            }
        }
        Ok(())
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
