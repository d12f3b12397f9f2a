//! Sequence numbers, which compare numerically.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};

/// The sequence number of a record: a decimal of up to 128 digits that compares as a number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SequenceNumber(Arc<str>);

impl SequenceNumber {
    /// The lowest sequence number.
    pub fn zero() -> Self {
        Self("0".into())
    }

    /// Whether [`new`](Self::new) accepts `digits`.
    pub(crate) fn is_valid(digits: &[u8]) -> bool {
        let canonical = digits == b"0" || !digits.starts_with(b"0");
        // All bytes are looked at, which the compiler can do in blocks: the check runs for each record.
        let only_digits = digits
            .iter()
            .fold(true, |so_far, byte| so_far & byte.is_ascii_digit());
        (1..=128).contains(&digits.len()) && canonical && only_digits
    }

    /// Parses `0` or a decimal of 1 to 128 digits without leading zeros (API reference,
    /// GetShardIterator).
    pub fn new(digits: &str) -> Result<Self> {
        if Self::is_valid(digits.as_bytes()) {
            Ok(Self(digits.into()))
        } else {
            Err(Error::invalid_option(format!(
                "sequence number '{digits}': expected 1 to 128 decimal digits without a leading zero"
            )))
        }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares with another number given as digits.
    pub(crate) fn cmp_digits(&self, digits: &str) -> Ordering {
        let by_length = self.0.len().cmp(&digits.len());
        by_length.then_with(|| (*self.0).cmp(digits))
    }
}

impl Ord for SequenceNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        self.cmp_digits(&other.0)
    }
}

impl PartialOrd for SequenceNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_compare_numerically() {
        let number = |digits| SequenceNumber::new(digits).unwrap();
        assert!(number("9") < number("10"));
        assert!(
            number("49590338271490256608559692538361571095921575989136588898")
                < number("49590338271490256608559692538361571095921575989136588899")
        );
        assert!(SequenceNumber::zero() < number("1"));
    }

    #[test]
    fn sequence_numbers_are_canonical_decimals() {
        for text in ["", "007", "-1", "1a", &"9".repeat(129)] {
            assert!(SequenceNumber::new(text).is_err(), "{text}");
        }
    }
}
