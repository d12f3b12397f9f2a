//! Positions that lead nowhere: their pages stay empty.

use super::*;

#[test]
fn few_empty_pages_decide_nothing() {
    for (at, behind, pages, seek) in [
        ("AFTER 7", 0, 3, Seek::Oldest),
        ("TRIM_HORIZON", 0, 3, Seek::Next),
    ] {
        let mut detector = detector(Some(HORIZON - HOUR));
        detector.begin_request(&position(at), NOW);
        for _ in 1..pages {
            assert_eq!(observe_page(&mut detector, at, None, behind), None);
            assert!(detector.is_undecided());
            assert_eq!(detector.read_to(), Some(UnixMillis(HORIZON - HOUR)));
        }
        assert!(
            observe_page(&mut detector, at, None, behind).is_some(),
            "{at} {behind}"
        );
        assert_eq!(detector.seek(), seek);
        assert!(!detector.is_undecided());
        assert_eq!(observe_page(&mut detector, at, Some("9"), 0), None);
        assert_eq!(detector.seek(), Seek::Next);
    }
}

#[test]
fn a_dead_end_is_reported_with_the_oldest_record() {
    let day = 24 * 3_600_000;
    for (behind, then, pages, found) in [
        (day, Some("9"), 1, "oldest record now is 9"),
        (day - 60_000, None, 3, "now holds no records"),
    ] {
        let mut detector = detector(Some(HORIZON - HOUR));
        detector.begin_request(&position("AFTER 7"), NOW);
        for _ in 0..MAX_PINNED_PAGES {
            assert_eq!(detector.seek(), Seek::LastRead);
            assert_eq!(observe_page(&mut detector, "AFTER 7", None, behind), None);
        }
        for page in 1..=pages {
            assert_eq!(detector.seek(), Seek::Oldest);
            assert!(detector.is_undecided());
            assert_eq!(detector.read_to(), Some(UnixMillis(HORIZON - HOUR)));
            let gap = observe_page(&mut detector, "AFTER 7", then, 0);
            assert_eq!(gap.is_some(), page == pages, "{found}");
            let text = gap.map_or_else(String::new, |gap| gap.to_string());
            assert!(page < pages || text.contains(found), "{text}");
        }
        assert!(!detector.is_undecided());
        // It is reported once.
        assert_eq!(observe_page(&mut detector, "AFTER 7", Some("9"), 0), None);
        assert_eq!(detector.seek(), Seek::Next);
    }
}

#[test]
fn empty_pages_between_records_are_not_a_gap() {
    let mut detector = detector(Some(HORIZON - HOUR));
    detector.begin_request(&position("AFTER 7"), NOW);
    for _ in 0..100 {
        assert_eq!(observe_page(&mut detector, "AFTER 7", None, 5_000), None);
        assert_eq!(detector.seek(), Seek::LastRead);
    }
    assert_eq!(observe_page(&mut detector, "AFTER 7", Some("7"), 0), None);
}

#[test]
fn a_dead_end_is_left_without_a_gap_if_everything_was_read() {
    for mut detector in [detector(Some(NOW.0 - 1)), GapDetector::silent(window(24))] {
        for page in 1..=5 {
            assert!(!detector.begin_request(&position("AFTER 7"), NOW));
            assert_eq!(detector.seek(), Seek::Next, "{page}");
            assert_eq!(
                observe_page(&mut detector, "AFTER 7", None, 24 * 3_600_000),
                None
            );
        }
        assert_eq!(detector.seek(), Seek::Oldest);
        // The oldest record of an idle shard is requested until there is one.
        for _ in 0..10 {
            observe_page(&mut detector, "AFTER 7", None, 0);
            assert_eq!(detector.seek(), Seek::Oldest);
        }
    }
}

#[test]
fn pages_pinned_at_the_horizon_report_one_gap_and_no_time() {
    let mut detector = detector(Some(HORIZON - HOUR));
    detector.begin_request(&position("AFTER 7"), NOW);
    let mut gaps = 0;
    for page in 0..20 {
        let sent_at = UnixMillis(NOW.0 + 1_000 * page);
        let pinned = Answer {
            sent_at,
            ..answer(0, 24 * 3_600_000)
        };
        gaps += usize::from(observe_answer(&mut detector, "AFTER 7", None, &pinned).is_some());
    }
    assert_eq!(gaps, 1);
    let expected = UnixMillis(HORIZON + 1_000 * 9);
    assert_eq!(detector.read_to(), Some(expected));
}
