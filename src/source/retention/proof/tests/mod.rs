//! The proof over scripted pages.

mod changed_retention;
mod dead_ends;
mod history;
mod proof;

use std::time::Duration;

use super::*;
use crate::source::request::Answer;
use crate::source::retention::StartRequest;

const HOUR: i64 = 3_600_000;

/// When pages are requested; the horizon is a day earlier.
const NOW: UnixMillis = UnixMillis(100 * HOUR);

const HORIZON: i64 = 76 * HOUR;

fn window(hours: u64) -> RetentionWindow {
    RetentionWindow::constant(Duration::from_secs(hours * 3_600))
}

fn position(text: &str) -> ShardPosition {
    text.parse().unwrap()
}

fn detector(read_to: Option<i64>) -> GapDetector {
    let history = ReadHistory {
        read_to: read_to.map(UnixMillis),
        accepts_any_first: false,
    };
    GapDetector::new(window(24), history)
}

/// An answer with `records` of 100 records, `behind` milliseconds before the tip.
fn answer(records: usize, behind: u64) -> Answer {
    Answer {
        sent_at: NOW,
        behind_latest: Some(Duration::from_millis(behind)),
        limit: 100,
        records,
        bytes: 0,
        max_record_bytes: 1024 * 1024,
        confirmed: None,
    }
}

/// Observes a page with this first record, which arrived an hour ago.
fn observe_page(
    detector: &mut GapDetector,
    at: &str,
    first: Option<&str>,
    behind: u64,
) -> Option<Gap> {
    observe_answer(
        detector,
        at,
        first,
        &answer(3 * usize::from(first.is_some()), behind),
    )
}

fn observe_answer(
    detector: &mut GapDetector,
    at: &str,
    first: Option<&str>,
    answer: &Answer,
) -> Option<Gap> {
    let arrived = Some(UnixMillis(99 * HOUR));
    let evidence = PageEvidence {
        answer,
        first: first.map(|number| (number, arrived)),
        last_arrival: first.and(arrived),
        ended: false,
    };
    detector.observe(&position(at), evidence)
}
