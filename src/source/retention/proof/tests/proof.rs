//! When the last record is requested again, and what its answer proves.

use super::*;

#[test]
fn the_last_record_is_requested_again_only_near_the_horizon() {
    let near = HORIZON + 60_000;
    for (at, read_to, reports_gaps, asks) in [
        ("AFTER 7", Some(near - 1), true, true),
        ("AFTER 7", Some(near), true, false),
        ("AFTER 7.2", Some(HORIZON - HOUR), true, true),
        ("AT 7", None, true, true),
        ("AT 7", None, false, false),
        // No record that could be requested again.
        ("TRIM_HORIZON", None, true, false),
        ("AT_TIMESTAMP 1970-01-01T00:00:05Z", None, true, false),
        ("SHARD_END", None, true, false),
    ] {
        let mut detector = GapDetector {
            reports_gaps,
            ..detector(read_to)
        };
        assert_eq!(
            detector.begin_request(&position(at), NOW),
            asks,
            "{at} {read_to:?}"
        );
        let seek = if asks { Seek::LastRead } else { Seek::Next };
        assert_eq!(detector.seek(), seek, "{at} {read_to:?}");
        // A proof that has begun keeps its iterator.
        assert!(!detector.begin_request(&position(at), NOW));
    }
}

#[test]
fn the_first_record_decides_whether_there_is_a_gap() {
    let edge = window(24).safe_horizon(NOW).0;
    let (old, young) = (Some(edge - 1), Some(edge));
    for (at, read_to, first, lost) in [
        ("AFTER 7", old, "7", false),
        ("AFTER 7", old, "9", true),
        ("AFTER 7", young, "9", false),
        ("AFTER 7", None, "9", true),
        ("AFTER 7.1", old, "7", false),
        ("AFTER 7.1", old, "8", true),
        ("AT 7", None, "7", false),
        ("AT 7", None, "8", true),
        ("TRIM_HORIZON", old, "7", true),
        ("TRIM_HORIZON", young, "7", false),
        ("TRIM_HORIZON", None, "7", true),
        ("AT_TIMESTAMP 1970-01-01T00:00:05Z", old, "7", true),
        ("AT_TIMESTAMP 1970-01-01T00:00:05Z", young, "7", false),
    ] {
        let mut detector = detector(read_to);
        detector.begin_request(&position(at), NOW);
        let gap = observe_page(&mut detector, at, Some(first), 0);
        assert_eq!(gap.is_some(), lost, "{at} {read_to:?} {first}");
        assert_eq!(detector.seek(), Seek::Next);
        // Everything has been read up to now, so nothing is reported twice.
        assert_eq!(detector.read_to(), Some(NOW));
    }
}

#[test]
fn a_start_that_accepts_any_first_record_has_no_gap() {
    let history = ReadHistory {
        read_to: Some(UnixMillis(HORIZON - HOUR)),
        accepts_any_first: true,
    };
    let mut detector = GapDetector::new(window(24), history);
    assert_eq!(
        observe_page(&mut detector, "TRIM_HORIZON", Some("7"), 0),
        None
    );
}

#[test]
fn the_end_of_a_shard_decides_at_once() {
    let answer = answer(0, 0);
    let evidence = PageEvidence {
        answer: &answer,
        first: None,
        last_arrival: None,
        ended: true,
    };
    let mut detector = detector(Some(HORIZON - HOUR));
    detector.begin_request(&position("AFTER 7"), NOW);
    let gap = detector.observe(&position("AFTER 7"), evidence).unwrap();
    // The time when its children may begin, not the time of the request.
    assert_eq!(detector.read_to(), Some(UnixMillis(HORIZON)));
    assert_eq!(
        gap.to_string(),
        "records after this position may have expired: all records that arrived by 1970-01-04T03:00:00Z were \
         read, the shard now holds no records, and the retention of the stream is 24 hours"
    );
}

#[test]
fn a_page_with_only_the_proof_needs_no_second_proof() {
    let mut detector = detector(Some(HORIZON - 1));
    assert!(detector.begin_request(&position("AFTER 7"), NOW));
    // Full, so it does not show a time.
    let only = Answer {
        limit: 1,
        ..answer(1, 0)
    };
    let evidence = PageEvidence {
        answer: &only,
        first: Some(("7", None)),
        last_arrival: None,
        ended: false,
    };
    assert_eq!(detector.observe(&position("AFTER 7"), evidence), None);
    assert!(!detector.begin_request(&position("AFTER 7"), NOW));
    observe_answer(&mut detector, "AFTER 7", None, &answer(0, 24 * 3_600_000));
    assert!(detector.begin_request(&position("AFTER 7"), NOW));
}

#[test]
fn full_pages_show_by_lag_or_last_record_what_was_read() {
    for (behind, read_to) in [(5_000, NOW.0 - 5_001), (0, 99 * HOUR)] {
        let mut detector = detector(None);
        observe_answer(
            &mut detector,
            "TRIM_HORIZON",
            Some("7"),
            &answer(100, behind),
        );
        assert_eq!(detector.read_to(), Some(UnixMillis(read_to)), "{behind}");
        // A clock that is set back does not lower it.
        observe_page(&mut detector, "AFTER 7", Some("8"), 2 * 3_600_000);
        assert_eq!(detector.read_to(), Some(UnixMillis(read_to)));
    }
}

#[test]
fn a_gap_reports_what_is_known() {
    let mut detector = detector(None);
    detector.begin_request(&position("AT 7"), NOW);
    let gap = observe_page(&mut detector, "AT 7", Some("9"), 0).unwrap();
    assert_eq!(
        gap.to_string(),
        "records after this position may have expired: it is not known up to which time all records were \
         read, the oldest record now is 9, which arrived at 1970-01-05T03:00:00Z, and the retention of the \
         stream is 24 hours"
    );
}
