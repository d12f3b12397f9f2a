//! A terminal line that is redrawn while a statement runs, and its number formats.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crate::cli::escape;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

const FIRST_LINE_AFTER: Duration = Duration::from_secs(1);
const LINE_EVERY: Duration = Duration::from_millis(200);
/// Rates are measured over this window: long enough to be steady, short enough to show changes.
pub(super) const RATE_WINDOW: Duration = Duration::from_secs(2);

/// The line of one statement. Draws nothing if stderr is not a terminal.
#[derive(Debug)]
pub(super) struct Line {
    ticks: Option<Interval>,
    drawn: bool,
}

impl Line {
    pub(super) fn start() -> Self {
        let ticks = io::stderr().is_terminal().then(|| {
            let mut ticks = interval_at(Instant::now() + FIRST_LINE_AFTER, LINE_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            ticks
        });
        Self {
            ticks,
            drawn: false,
        }
    }

    /// Waits until the line is due. Cancel safe.
    pub(super) async fn due(&mut self) {
        match &mut self.ticks {
            Some(ticks) => {
                ticks.tick().await;
            }
            None => std::future::pending().await,
        }
    }

    pub(super) fn draw(&mut self, text: &impl fmt::Display) {
        let text = text.to_string();
        let text = escape::line(&text);
        // Wrapping is off, so that a narrow terminal cuts the line instead of scrolling.
        let _ = write!(io::stderr(), "\r\x1b[2K\x1b[?7l{text}\x1b[?7h");
        self.drawn = true;
    }

    /// Removes the line, for other output or the prompt.
    pub(super) fn clear(&mut self) {
        if self.drawn {
            let _ = write!(io::stderr(), "\r\x1b[2K");
            self.drawn = false;
        }
    }

    /// Removes the `^C` that the terminal printed over the line.
    pub(super) fn hide_echo(&mut self) {
        self.drawn = self.ticks.is_some();
        self.clear();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.clear();
    }
}

pub(super) fn lag(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0..60 => format!("{seconds}.{} s", millis % 1000 / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_lag_is_shown_in_minutes_and_hours() {
        assert_eq!(lag(59_999), "59.9 s");
        assert_eq!(lag(192_000), "3 min 12 s");
        assert_eq!(lag(86_400_000), "24 h 0 min");
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
