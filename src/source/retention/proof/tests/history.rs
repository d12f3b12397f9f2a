//! What a detector knows before the first page.

use super::*;

#[test]
fn the_history_depends_on_where_the_start_comes_from() {
    let created_at = UnixMillis(NOW.0 - 2 * HOUR);
    let timestamp = |time: i64| ShardPosition::AtTimestamp(UnixMillis(time));
    let known = |history: ReadHistory| {
        (
            history.read_to.map(|time| time.0),
            history.accepts_any_first,
        )
    };
    let asked = StartRequest {
        at: created_at,
        retention: Duration::from_secs(24 * 3_600),
    };
    let wish = |start: &ShardPosition| {
        known(ReadHistory::of_requested_start(
            start,
            asked,
            NOW,
            window(24),
        ))
    };
    let edge = Some(HORIZON + 60_000);
    assert_eq!(wish(&ShardPosition::TrimHorizon), (edge, true));
    // It had expired already, or was about to.
    let before = created_at.0 - 24 * HOUR + 60_000;
    assert_eq!(wish(&timestamp(before - 1)), (edge, true));
    assert_eq!(wish(&timestamp(before)), (Some(before), false));
    assert_eq!(wish(&timestamp(NOW.0 + HOUR)), (Some(NOW.0), false));
    assert_eq!(wish(&position("AFTER 7")), (None, false));

    let log = |start: &ShardPosition, read_to: Option<i64>| {
        known(ReadHistory::of_logged_start(start, read_to.map(UnixMillis)))
    };
    assert_eq!(log(&position("AFTER 7"), None), (None, false));
    assert_eq!(log(&position("AFTER 7"), Some(5)), (Some(5), false));
    assert_eq!(log(&timestamp(9), Some(5)), (Some(9), false));
    assert_eq!(log(&timestamp(9), None), (Some(9), false));
    assert_eq!(log(&ShardPosition::TrimHorizon, None), (None, false));
    let history = ReadHistory::of_logged_start(&ShardPosition::TrimHorizon, Some(UnixMillis(5)));
    assert_eq!(history.with_no_records_before(UnixMillis(4)), history);
    assert_eq!(
        known(history.with_no_records_before(UnixMillis(6))),
        (Some(6), false)
    );
}

/// Observes an empty page at the tip, requested at this time.
fn observe_idle(detector: &mut GapDetector, at: &str, sent_at: UnixMillis) {
    let answer = Answer {
        sent_at,
        ..answer(0, 0)
    };
    assert_eq!(observe_answer(detector, at, None, &answer), None);
}

#[test]
fn after_its_first_answer_a_reader_reports_gaps_whatever_its_start() {
    let later = UnixMillis(NOW.0 + 25 * HOUR);
    let chosen = ReadHistory {
        read_to: Some(UnixMillis(HORIZON + 60_000)),
        accepts_any_first: true,
    };
    for (at, history) in [
        // Any first record was accepted, and the shard was empty then.
        ("TRIM_HORIZON", chosen),
        ("AT_TIMESTAMP 1970-01-01T00:00:05Z", chosen),
        // Its last record had expired after it was read.
        ("AFTER 7", detector(Some(HORIZON + 60_000)).history),
    ] {
        let mut detector = GapDetector::new(window(24), history);
        detector.begin_request(&position(at), NOW);
        for _ in 0..3 {
            observe_idle(&mut detector, at, NOW);
        }
        assert_eq!(detector.read_to(), Some(NOW));
        detector.begin_request(&position(at), later);
        let answer = Answer {
            sent_at: later,
            ..answer(1, 0)
        };
        assert!(
            observe_answer(&mut detector, at, Some("9"), &answer).is_some(),
            "{at}"
        );
        assert_eq!(detector.seek(), Seek::Next);
    }
}
