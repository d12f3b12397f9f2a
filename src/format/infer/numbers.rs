//! The SQL type that holds a set of numbers exactly, or nearly so.

/// Integers up to this one are exact in a DOUBLE.
const MAX_EXACT: u64 = 1 << 53;

/// The most digits that a DOUBLE is sure to keep.
const DOUBLE_DIGITS: usize = 15;

/// What some numbers have in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    has_fraction: bool,
    has_exponent: bool,
    /// The most digits before the point.
    whole_digits: usize,
    /// The most digits after the point.
    scale: usize,
    /// One of them does not fit into a BIGINT.
    beyond_bigint: bool,
    /// A DOUBLE would round one of them.
    beyond_double: bool,
    /// One of them is larger than any DOUBLE.
    is_infinite: bool,
}

impl Numbers {
    /// Adds a number that is written as `text`, in the grammar of JSON.
    pub(super) fn observe(&mut self, text: &str) {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        self.is_infinite |= text.parse::<f64>().is_ok_and(f64::is_infinite);
        if unsigned.contains(['e', 'E']) {
            self.has_exponent = true;
            return;
        }
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        self.has_fraction |= unsigned.contains('.');
        self.whole_digits = self.whole_digits.max(whole.len());
        self.scale = self.scale.max(fraction.len());
        self.beyond_bigint |= fraction.is_empty() && text.parse::<i64>().is_err();
        let digits = whole.trim_start_matches('0').len() + fraction.len();
        self.beyond_double |= match fraction {
            "" => whole.parse::<u64>().map_or(true, |whole| whole > MAX_EXACT),
            _ => digits > DOUBLE_DIGITS && !is_short_double(text, whole.len() + fraction.len()),
        };
    }

    /// The type for all numbers so far.
    pub(super) fn sql_type(&self) -> String {
        let digits = self.whole_digits + self.scale;
        let precision = match digits {
            0..=38 => Some(38),
            39..=76 => Some(76),
            _ => None,
        };
        let needs_decimal = match self.has_fraction || self.has_exponent {
            false if !self.beyond_bigint => return "BIGINT".to_owned(),
            false => true,
            true => self.beyond_double && !self.has_exponent,
        };
        match precision {
            Some(precision) if needs_decimal => format!("DECIMAL({precision}, {})", self.scale),
            // A VARCHAR takes any number as it is written.
            _ if self.is_infinite => "VARCHAR".to_owned(),
            _ => "DOUBLE".to_owned(),
        }
    }
}

/// Whether `text` is the shortest text of a DOUBLE, as programs print it: then a DOUBLE it was.
fn is_short_double(text: &str, digits: usize) -> bool {
    // The shortest text never has more digits than these, leading zeros aside.
    digits <= 22
        && text
            .parse::<f64>()
            .is_ok_and(|value| value.to_string() == text)
}
