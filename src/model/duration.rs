//! Durations as text: `1 second`, `100ms`, `2 minutes`.

use std::time::Duration;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The longest duration, so that adding one to a time cannot overflow.
const LONGEST: u64 = 365 * DAY;

/// Units: milliseconds, name in the singular, abbreviations.
const UNITS: [(u64, &str, &[&str]); 5] = [
    (DAY, "day", &["d"]),
    (HOUR, "hour", &["h"]),
    (MINUTE, "minute", &["m", "min", "mins"]),
    (SECOND, "second", &["s", "sec", "secs"]),
    (1, "millisecond", &["ms"]),
];

/// Parses whole numbers with units, with millisecond precision and up to 365 days: `200
/// milliseconds`, `50s`, `1 minute 30 seconds`. Case is ignored. Returns `None` for anything else,
/// including a number without a unit.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim().to_ascii_lowercase();
    let mut rest = text.as_str();
    let mut millis = 0_u64;
    while !rest.is_empty() {
        let (digits, behind) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let behind = behind.trim_start();
        let end = behind.find(|c: char| !c.is_ascii_alphabetic());
        let (unit, behind) = behind.split_at(end.unwrap_or(behind.len()));
        let count: u64 = digits.parse().ok()?;
        millis = millis.checked_add(count.checked_mul(millis_of(unit)?)?)?;
        rest = behind.trim_start();
    }
    let known = !text.is_empty() && millis <= LONGEST;
    known.then(|| Duration::from_millis(millis))
}

fn millis_of(unit: &str) -> Option<u64> {
    let named = |name: &str| unit.strip_suffix('s').unwrap_or(unit) == name;
    let found = UNITS
        .iter()
        .find(|(_, name, short)| named(name) || short.contains(&unit));
    found.map(|(millis, ..)| *millis)
}

/// Formats a duration so that [`parse_duration`] can read it, in the largest unit that gives a
/// whole number. Fractions of a millisecond are dropped.
pub(crate) fn format_duration(span: Duration) -> String {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let whole = UNITS
        .iter()
        .find(|(unit, ..)| millis > 0 && millis % unit == 0);
    let (count, name) = whole.map_or((millis, "millisecond"), |(unit, name, _)| {
        (millis / unit, name)
    });
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {name}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, millis) in [
            ("1s", 1_000),
            ("50s", 50_000),
            ("100ms", 100),
            (" 100 MS ", 100),
            ("2 minutes", 120_000),
            ("1 Second", 1_000),
            ("5 min", 300_000),
            ("0 seconds", 0),
            ("1 hour", 3_600_000),
            ("1 minute 30 seconds", 90_000),
            ("1m30s", 90_000),
            ("365 days", LONGEST),
        ] {
            let span = Duration::from_millis(millis);
            assert_eq!(parse_duration(text), Some(span), "{text}");
        }
    }

    #[test]
    fn text_without_a_valid_unit_is_rejected() {
        for text in [
            "",
            " ",
            "1",
            "1000",
            "s",
            "-1s",
            "0.5 s",
            "1 fortnight",
            "1 ss",
            "1s 5",
            "1s,2s",
            "366 days",
            "1é",
            "99999999999999999999 s",
            "18446744073709551615 days",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn durations_round_trip() {
        for (millis, text) in [
            (0, "0 milliseconds"),
            (1, "1 millisecond"),
            (200, "200 milliseconds"),
            (1_000, "1 second"),
            (1_500, "1500 milliseconds"),
            (90_000, "90 seconds"),
            (300_000, "5 minutes"),
            (86_400_000, "1 day"),
        ] {
            let span = Duration::from_millis(millis);
            assert_eq!(format_duration(span), text);
            assert_eq!(parse_duration(text), Some(span));
        }
    }
}
