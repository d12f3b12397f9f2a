//! Rows as comparable cells.

use std::collections::BTreeMap;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

use super::aggregates::Near;
use super::query::Query;

/// Relative difference of sums in different orders.
const LAST_DIGITS: f64 = 1e-9;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Number(f64),
    Text(String),
}

pub(super) type Line = Vec<Cell>;

/// Groups by their key as text.
pub(super) type Groups = BTreeMap<Vec<String>, Line>;

pub(super) fn lines(batches: &[RecordBatch]) -> Vec<Line> {
    let options = FormatOptions::default().with_null("NULL");
    let mut lines = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter();
        let texts = columns.map(|column| ArrayFormatter::try_new(column, &options).unwrap());
        let texts: Vec<_> = texts.collect();
        let cell = |row: usize, place: usize| {
            let column = batch.column(place);
            match column.data_type() {
                DataType::Float64 if column.is_valid(row) => {
                    Cell::Number(column.as_primitive::<Float64Type>().value(row))
                }
                _ => Cell::Text(texts[place].value(row).to_string()),
            }
        };
        let line = |row: usize| (0..texts.len()).map(|place| cell(row, place)).collect();
        lines.extend((0..batch.num_rows()).map(line));
    }
    lines
}

impl Cell {
    fn is_near(&self, other: &Self, near: Near) -> bool {
        match (self, other, near) {
            (Self::Number(one), Self::Number(other), near) => is_near(*one, *other, near),
            (Self::Text(one), Self::Text(other), Near::Roughly(_)) => {
                match (one.parse::<f64>(), other.parse::<f64>()) {
                    (Ok(one), Ok(other)) => is_near(one, other, near),
                    _ => one == other,
                }
            }
            (one, other, _) => one == other,
        }
    }

    /// Zeros of both signs are one group.
    fn key(&self) -> String {
        match self {
            Self::Number(number) if *number == 0.0 => "0".to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

fn is_near(one: f64, other: f64, near: Near) -> bool {
    if one.is_nan() || other.is_nan() {
        return one.is_nan() && other.is_nan();
    }
    let scale = one.abs().max(other.abs()).max(1.0);
    let most = match near {
        Near::Alike => LAST_DIGITS * scale,
        Near::Roughly(most) => most,
    };
    one == other || (one - other).abs() <= most
}

impl Query {
    /// The groups of `lines`.
    ///
    /// # Errors
    /// A group is duplicated.
    pub(super) fn groups(&self, lines: &[Line]) -> Result<Groups, String> {
        let mut groups = Groups::new();
        for line in lines {
            if let Some(twice) = groups.insert(self.key(line), line.clone()) {
                return Err(format!("duplicate group: {twice:?} and {line:?}"));
            }
        }
        Ok(groups)
    }

    /// The newest row of each group of `batches`.
    pub(super) fn newest<'a>(
        &self,
        batches: impl Iterator<Item = &'a Vec<Line>>,
    ) -> Result<Groups, String> {
        let mut newest = Groups::new();
        for lines in batches {
            for (key, line) in self.groups(lines)? {
                if self.session {
                    newest.retain(|before, _| !covers(&key, before));
                }
                newest.insert(key, line);
            }
        }
        Ok(newest)
    }

    fn key(&self, line: &Line) -> Vec<String> {
        line[..self.keys].iter().map(Cell::key).collect()
    }

    /// How the groups of `found` differ.
    pub(super) fn differs(&self, expected: &Groups, found: &Groups) -> Option<String> {
        for (key, expected) in expected {
            let Some(found) = found.get(key) else {
                return Some(format!("missing: {expected:?}"));
            };
            if !self.alike(expected, found) {
                return Some(format!("expected: {expected:?}\nfound:    {found:?}"));
            }
        }
        let mut found = found.iter();
        let surplus = found.find(|(key, _)| !expected.contains_key(*key));
        surplus.map(|(_, line)| format!("unexpected: {line:?}"))
    }

    fn alike(&self, expected: &Line, found: &Line) -> bool {
        let pairs = expected[self.keys..].iter().zip(&found[self.keys..]);
        let near = self
            .near
            .iter()
            .copied()
            .chain(std::iter::repeat(Near::Alike));
        let mut pairs = pairs.zip(near);
        expected.len() == found.len() && pairs.all(|((one, other), near)| one.is_near(other, near))
    }
}

/// Whether a session contains an earlier one; times sort like their text.
fn covers(session: &[String], before: &[String]) -> bool {
    let ([start, end, key @ ..], [first, last, other @ ..]) = (session, before) else {
        return false;
    };
    key == other && start <= first && last <= end && first != "NULL" && start != "NULL"
}
