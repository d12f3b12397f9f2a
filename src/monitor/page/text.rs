//! Numbers, sizes and times as people read them.

/// What stands for a number that is not known.
pub(super) const NONE: &str = "–";

/// A whole number with spaces between groups of three digits, which no reader takes for a decimal point.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A rate or a mean: one decimal below 100.
pub(super) fn number(number: f64) -> String {
    match number.abs() < 100.0 && number.fract() != 0.0 {
        true => format!("{number:.1}"),
        false => count(number.round().max(0.0) as u64),
    }
}

/// A share between 0 and 1. Never rounded to 0 % or 100 %, because one failure matters.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        0.0 => "0 %".to_owned(),
        100.0 => "100 %".to_owned(),
        _ => format!("{:.1} %", percent.clamp(0.1, 99.9)),
    }
}

/// US dollars, with as many decimals as small amounts need.
pub(super) fn dollars(dollars: f64) -> String {
    match dollars {
        0.0 => "$0".to_owned(),
        ..0.01 => format!("${dollars:.5}"),
        ..1.0 => format!("${dollars:.3}"),
        ..100.0 => format!("${dollars:.2}"),
        _ => format!("${}", count(dollars.round() as u64)),
    }
}

/// Bytes in binary units.
pub(super) fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit > 0 && value < 10.0 {
        true => format!("{value:.1} {}", UNITS[unit]),
        false => format!("{value:.0} {}", UNITS[unit]),
    }
}

/// Milliseconds in the unit that needs few digits.
pub(super) fn span(millis: f64) -> String {
    let seconds = millis / 1_000.0;
    match seconds {
        _ if millis > 0.0 && millis < 10.0 && millis.fract() != 0.0 => format!("{millis:.1} ms"),
        ..1.0 => format!("{millis:.0} ms"),
        ..60.0 if seconds.fract() == 0.0 => format!("{seconds:.0} s"),
        ..60.0 => format!("{seconds:.1} s"),
        ..3_600.0 => two(seconds, 60.0, "min", "s"),
        ..86_400.0 => two(seconds / 60.0, 60.0, "h", "min"),
        _ => two(seconds / 3_600.0, 24.0, "d", "h"),
    }
}

fn two(small: f64, factor: f64, large_unit: &str, small_unit: &str) -> String {
    let small = small.floor();
    let (large, rest) = ((small / factor).floor(), small % factor);
    match rest == 0.0 {
        true => format!("{large:.0} {large_unit}"),
        false => format!("{large:.0} {large_unit} {rest:.0} {small_unit}"),
    }
}

/// The text, or a dash.
pub(super) fn known<T>(value: Option<T>, text: impl Fn(T) -> String) -> String {
    value.map_or_else(|| NONE.to_owned(), text)
}

/// The time of day of a timestamp, such as `12:34:56`.
pub(super) fn time_of_day(timestamp: &str) -> &str {
    timestamp.get(11..19).unwrap_or(timestamp)
}

/// A timestamp without the letters between its parts.
pub(super) fn date_and_time(timestamp: &str) -> String {
    match (timestamp.get(..10), timestamp.get(11..19)) {
        (Some(date), Some(time)) => format!("{date} {time} UTC"),
        _ => timestamp.to_owned(),
    }
}

/// `shardId-000000000012` as `12`; another id as it is.
pub(super) fn short(id: &str) -> &str {
    match id
        .strip_prefix("shardId-")
        .map(|digits| digits.trim_start_matches('0'))
    {
        Some("") => "0",
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits,
        _ => id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_few_digits() {
        let spans = [
            (0.0, "0 ms"),
            (0.5, "0.5 ms"),
            (999.0, "999 ms"),
            (1_000.0, "1 s"),
            (1_250.0, "1.2 s"),
            (60_000.0, "1 min"),
            (61_999.0, "1 min 1 s"),
            (3_600_000.0, "1 h"),
            (86_400_000.0 * 3.5, "3 d 12 h"),
        ];
        for (millis, expected) in spans {
            assert_eq!(span(millis), expected);
        }
        for (size, expected) in [(0.0, "0 B"), (1_536.0, "1.5 KiB"), (52_428_800.0, "50 MiB")] {
            assert_eq!(bytes(size), expected);
        }
        for (value, expected) in [
            (0.0, "0"),
            (3.25, "3.2"),
            (123.4, "123"),
            (12_345.0, "12\u{202f}345"),
        ] {
            assert_eq!(number(value), expected);
        }
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
    }
}
