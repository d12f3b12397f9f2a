//! Numbers that are written in decimal, read without loss.

use std::str::FromStr;

use datafusion::arrow::datatypes::i256;

use super::mismatch::Mismatch;

/// The most digits of a decimal (`DECIMAL(76, …)`, Arrow's `Decimal256`).
const MAX_DIGITS: usize = 76;

/// Whether `text` is a number: digits, optionally with a sign, a fraction and an exponent.
pub(super) fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_is_valid = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    !(whole.is_empty() && fraction.is_empty())
        && digits(whole)
        && digits(fraction)
        && exponent_is_valid
}

/// The nearest floating-point number; `None` if it is not finite or `text` is not a number.
pub(super) fn float<T: FromStr + Into<f64> + Copy>(text: &str) -> Option<T> {
    let value: T = text.parse().ok()?;
    let wide: f64 = value.into();
    wide.is_finite().then_some(value)
}

/// The integer that `text` is exactly, such as `12`, `12.0` and `1.2e1`.
pub(super) fn integer(text: &str) -> Result<i128, Mismatch> {
    if let Ok(value) = text.parse() {
        return Ok(value);
    }
    let (value, scale) = decimal(text)?;
    let places = scale.checked_neg().ok_or(Mismatch::Range)?;
    let value = rescaled(value, places, MAX_DIGITS as u8)?;
    value.to_i128().ok_or(Mismatch::Range)
}

/// The number as `(value, scale)`, which stands for `value` · 10^-`scale`.
pub(super) fn decimal(text: &str) -> Result<(i256, i32), Mismatch> {
    if !is_number(text) {
        return Err(Mismatch::Type);
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().map_err(|_| Mismatch::Range)?;
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => (true, mantissa),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // Zeros at the end of a fraction say nothing about the value.
    let fraction = fraction.trim_end_matches('0');
    let digits = || whole.bytes().chain(fraction.bytes());
    let significant = digits().skip_while(|digit| *digit == b'0').count();
    if significant > MAX_DIGITS {
        return Err(Mismatch::Range);
    }
    let value = if significant <= 18 {
        let value = digits().fold(0_i64, |value, digit| value * 10 + i64::from(digit - b'0'));
        i256::from_i128(value.into())
    } else {
        let ten = i256::from_i128(10);
        digits().fold(i256::ZERO, |value, digit| {
            value
                .wrapping_mul(ten)
                .wrapping_add(i256::from_i128((digit - b'0').into()))
        })
    };
    let value = if negative {
        value.wrapping_neg()
    } else {
        value
    };
    let scale = i32::try_from(fraction.len()).map_err(|_| Mismatch::Range)?;
    let scale = scale.checked_sub(exponent).ok_or(Mismatch::Range)?;
    Ok((value, scale))
}

/// `value` · 10^`places`, if that is an integer of at most `precision` digits.
pub(crate) fn rescaled(value: i256, places: i32, precision: u8) -> Result<i256, Mismatch> {
    if value == i256::ZERO {
        return Ok(value);
    }
    let power = power_of_ten(places.unsigned_abs()).ok_or(Mismatch::Range)?;
    let value = if places >= 0 {
        value.checked_mul(power).ok_or(Mismatch::Range)?
    } else if value.checked_rem(power) == Some(i256::ZERO) {
        value.checked_div(power).ok_or(Mismatch::Range)?
    } else {
        return Err(Mismatch::Range);
    };
    let limit = power_of_ten(precision.into()).ok_or(Mismatch::Range)?;
    match value < limit && value > limit.wrapping_neg() {
        true => Ok(value),
        false => Err(Mismatch::Range),
    }
}

fn power_of_ten(exponent: u32) -> Option<i256> {
    (exponent as usize <= MAX_DIGITS).then(|| i256::from_i128(10).wrapping_pow(exponent))
}

/// `value` · 10^-`scale` in decimal.
pub(crate) fn decimal_text(value: i256, scale: i32) -> String {
    if scale == 0 {
        return value.to_string();
    }
    if scale < 0 {
        return format!("{value}e{}", scale.unsigned_abs());
    }
    let text = value.to_string();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.as_str()),
    };
    let scale = scale.unsigned_abs() as usize;
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    format!("{sign}{whole}.{fraction}")
}
