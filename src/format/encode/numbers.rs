//! Numbers in decimal notation, appended to a buffer.

use std::io::Write;

use datafusion::arrow::datatypes::i256;
use serde::Serialize;

/// Appends an integer or a finite floating-point number: the shortest text that reads back to the same value.
pub(super) fn write_number(value: impl Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(out, &value).expect("writing a number to a Vec cannot fail");
}

/// Appends `value` · 10^-`scale`, with all digits of the scale.
pub(super) fn write_decimal(value: i128, scale: i8, out: &mut Vec<u8>) {
    let start = out.len();
    write!(out, "{value}").expect("writing to a Vec cannot fail");
    place_point(start, scale, out);
}

/// Like [`write_decimal`], for larger values.
pub(super) fn write_wide_decimal(value: i256, scale: i8, out: &mut Vec<u8>) {
    match value.to_i128() {
        Some(value) => write_decimal(value, scale, out),
        None => {
            let start = out.len();
            write!(out, "{value}").expect("writing to a Vec cannot fail");
            place_point(start, scale, out);
        }
    }
}

/// Divides the integer that starts at `start` by 10^`scale`.
fn place_point(start: usize, scale: i8, out: &mut Vec<u8>) {
    let start = start + usize::from(out[start] == b'-');
    let digits = out.len() - start;
    let places = usize::from(scale.unsigned_abs());
    if scale <= 0 {
        if out[start..] != *b"0" {
            out.resize(out.len() + places, b'0');
        }
        return;
    }
    // At least one digit before the point.
    let missing = (places + 1).saturating_sub(digits);
    if missing > 0 {
        out.splice(start..start, std::iter::repeat_n(b'0', missing));
    }
    out.insert(out.len() - places, b'.');
}

/// Appends a number of units of 10^-`digits` seconds as a number of units of 10^-`wanted` seconds, exactly: with a
/// fraction if the result is not whole.
pub(super) fn write_epoch(value: i64, digits: u32, wanted: u32, out: &mut Vec<u8>) {
    match wanted.checked_sub(digits) {
        // An i128 holds any of these products.
        Some(places) => write_decimal(i128::from(value) * 10_i128.pow(places), 0, out),
        None => {
            let mut scale = digits - wanted;
            let mut value = value;
            while scale > 0 && value % 10 == 0 {
                value /= 10;
                scale -= 1;
            }
            // At most 9.
            write_decimal(value.into(), scale as i8, out);
        }
    }
}
