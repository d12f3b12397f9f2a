//! Sequence numbers in the service's layout: 186 bits, printed as 56 decimal digits.
//!
//! In hexadecimal: `2`, nine digits of the second in which the shard was created, the low digit of
//! its index, sixteen digits of a counter, `00`, nine digits of the second of arrival, eight digits
//! of the index, `2`. The layout is not documented by AWS; it was reverse-engineered by others from
//! real numbers.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::{SequenceNumber, UnixMillis};

/// The number of decimal digits.
pub(in crate::kinesis) const DIGITS: usize = 56;

/// The counter of a closed shard's ending number, above that of any record.
pub(in crate::kinesis) const ENDING_COUNTER: u64 = i64::MAX as u64;

const VERSION: u64 = 2;
const SECONDS_BITS: u32 = 36;
const COUNTER_SHIFT: u32 = 80;
const ARRIVAL_SHIFT: u32 = 36;
const INDEX_SHIFT: u32 = 4;
const HEAD_SHIFT: u32 = 144;

/// Numbers are computed in limbs of nineteen decimal digits, the most that fit in a `u64`.
const LIMB: u128 = 10_u128.pow(LIMB_DIGITS as u32);
const LIMB_DIGITS: usize = 19;

const COUNTER_UNIT: [u128; 2] = {
    let unit = 1_u128 << COUNTER_SHIFT;
    [unit % LIMB, unit / LIMB]
};

const HEAD_UNIT: [u128; 3] = {
    let by = 1_u128 << (HEAD_SHIFT - COUNTER_SHIFT);
    let low = COUNTER_UNIT[0] * by;
    let middle = COUNTER_UNIT[1] * by + low / LIMB;
    [low % LIMB, middle % LIMB, middle / LIMB]
};

/// The parts that all sequence numbers of one shard share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kinesis) struct NumberOrigin {
    /// The second in which the shard was created, 36 bits; unique among the shards of a simulator.
    pub(in crate::kinesis) created_second: u64,
    /// The number in the shard id.
    pub(in crate::kinesis) shard_index: u32,
}

/// The parts of a sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kinesis) struct NumberParts {
    pub(in crate::kinesis) origin: NumberOrigin,
    pub(in crate::kinesis) counter: u64,
    /// The second of arrival.
    pub(in crate::kinesis) second: u64,
}

/// Assigns each new shard a creation second: that of the clock, but always later than the previous
/// one, so that a child's numbers are above its parents'.
#[derive(Debug, Default)]
pub(in crate::kinesis) struct CreationSeconds(AtomicU64);

impl CreationSeconds {
    pub(in crate::kinesis) fn next(&self, now: UnixMillis) -> u64 {
        let now = second_of(now);
        let next = |last: u64| now.max(last + 1);
        let (Ok(last) | Err(last)) =
            self.0
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                    Some(next(last))
                });
        next(last)
    }
}

/// The digits of one number, on the stack.
pub(in crate::kinesis) struct NumberText([u8; DIGITS]);

impl NumberText {
    pub(in crate::kinesis) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("only ASCII digits are written")
    }

    pub(in crate::kinesis) fn to_sequence(&self) -> SequenceNumber {
        SequenceNumber::new(self.as_str()).expect("56 digits, the first of which is never zero")
    }
}

impl fmt::Debug for NumberText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl NumberOrigin {
    /// The number with this counter and arrival time. Higher counters give higher numbers.
    pub(in crate::kinesis) fn number(self, counter: u64, arrival: UnixMillis) -> NumberText {
        let head = VERSION << 40 | self.created_second << 4 | u64::from(self.shard_index & 0xF);
        let second = second_of(arrival);
        let tail = u128::from(second) << ARRIVAL_SHIFT
            | u128::from(self.shard_index) << INDEX_SHIFT
            | u128::from(VERSION);
        let (head, counter) = (u128::from(head), u128::from(counter));

        let low = head * HEAD_UNIT[0] + counter * COUNTER_UNIT[0] + tail;
        let middle = head * HEAD_UNIT[1] + counter * COUNTER_UNIT[1] + low / LIMB;
        let high = head * HEAD_UNIT[2] + middle / LIMB;

        let mut text = [b'0'; DIGITS];
        let (high_text, rest) = text.split_at_mut(DIGITS - 2 * LIMB_DIGITS);
        let (middle_text, low_text) = rest.split_at_mut(LIMB_DIGITS);
        write_digits(high_text, high);
        write_digits(middle_text, middle % LIMB);
        write_digits(low_text, low % LIMB);
        NumberText(text)
    }

    /// Parses a number into its parts; `None` if it does not have the layout.
    pub(in crate::kinesis) fn parse(number: &SequenceNumber) -> Option<NumberParts> {
        let limbs = binary_limbs(number.as_str())?;
        let bits = |from: u32, count: u32| -> u64 {
            let (limb, offset) = ((from / 64) as usize, from % 64);
            let low = limbs[limb] >> offset;
            let high = match limbs.get(limb + 1) {
                Some(next) if offset > 0 => next << (64 - offset),
                _ => 0,
            };
            (low | high) & (u64::MAX >> (64 - count))
        };
        let origin = Self {
            created_second: bits(HEAD_SHIFT + 4, SECONDS_BITS),
            shard_index: u32::try_from(bits(INDEX_SHIFT, 32)).ok()?,
        };
        let well_formed = bits(0, 4) == VERSION
            && bits(72, 8) == 0
            && bits(HEAD_SHIFT, 4) == u64::from(origin.shard_index & 0xF)
            && bits(184, 8) == VERSION;
        well_formed.then(|| NumberParts {
            origin,
            counter: bits(COUNTER_SHIFT, 64),
            second: bits(ARRIVAL_SHIFT, SECONDS_BITS),
        })
    }
}

/// The second of `time` in 36 bits.
pub(in crate::kinesis) fn second_of(time: UnixMillis) -> u64 {
    u64::try_from(time.0.div_euclid(1_000)).unwrap_or(0) & (u64::MAX >> (64 - SECONDS_BITS))
}

/// Writes the digits of `value`, right-aligned; `value` must fit a limb.
fn write_digits(text: &mut [u8], value: u128) {
    let mut rest = u64::try_from(value).unwrap_or(u64::MAX);
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

/// Parses a decimal of at most 192 bits into three binary limbs, lowest first.
fn binary_limbs(digits: &str) -> Option<[u64; 3]> {
    let mut limbs = [0_u64; 3];
    for digit in digits.bytes() {
        let mut carry = u128::from(digit.checked_sub(b'0')?);
        for limb in &mut limbs {
            let value = u128::from(*limb) * 10 + carry;
            *limb = value as u64;
            carry = value >> 64;
        }
        if carry != 0 {
            return None;
        }
    }
    Some(limbs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: NumberOrigin = NumberOrigin {
        created_second: 1_721_946_460,
        shard_index: 37,
    };

    #[test]
    fn a_number_parses_into_its_origin_and_counter() {
        for counter in [0, 1, 4_711, u64::from(u32::MAX), ENDING_COUNTER] {
            let number = ORIGIN.number(counter, UnixMillis(1_721_946_999_123));
            assert_eq!(number.as_str().len(), DIGITS);
            let parsed = NumberOrigin::parse(&number.to_sequence());
            let parts = NumberParts {
                origin: ORIGIN,
                counter,
                second: 1_721_946_999,
            };
            assert_eq!(parsed, Some(parts), "{number:?}");
        }
    }

    #[test]
    fn a_number_has_the_layout_of_a_real_one() {
        // A real sequence number, from the AWS CLI tutorial in the Developer Guide.
        let real = SequenceNumber::new("49544985256907370027570885864065577703022652638596431874");
        let real = real.unwrap();
        let parts = NumberOrigin::parse(&real).expect("the layout of the service");
        assert_eq!(parts.origin.shard_index, 0);
        let arrival = UnixMillis(i64::try_from(parts.second).unwrap() * 1_000);
        assert_eq!(
            parts.origin.number(parts.counter, arrival).to_sequence(),
            real
        );
    }

    #[test]
    fn numbers_increase_with_the_counter_regardless_of_arrival() {
        let late = ORIGIN.number(7, UnixMillis(9_000_000)).to_sequence();
        let early = ORIGIN.number(8, UnixMillis(1_000)).to_sequence();
        assert!(late < early);
    }

    #[test]
    fn numbers_of_another_layout_are_not_parsed() {
        for digits in [
            "0",
            "1",
            "49590338271490256608559692538361571095921575989136588899",
        ] {
            let number = SequenceNumber::new(digits).unwrap();
            assert_eq!(NumberOrigin::parse(&number), None, "{digits}");
        }
        let long = SequenceNumber::new(&"9".repeat(128)).unwrap();
        assert_eq!(NumberOrigin::parse(&long), None);
    }
}
