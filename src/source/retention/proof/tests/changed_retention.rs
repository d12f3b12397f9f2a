//! Streams whose retention changes.

use super::*;

#[test]
fn a_page_that_passes_whole_hours_depends_on_the_present_retention() {
    // The last known retention is one week.
    for (at, read_to, arrived, depends) in [
        // Nothing that is younger than a day can have expired.
        ("AFTER 7", NOW.0 - 24 * HOUR + 60_000, 90 * HOUR, false),
        ("AFTER 7", NOW.0 - 30 * HOUR, NOW.0 - 24 * HOUR, true),
        ("AFTER 7", NOW.0 - 30 * HOUR, NOW.0, true),
        (
            "AFTER 7",
            NOW.0 - 31 * HOUR + 120_000,
            NOW.0 - 30 * HOUR - 120_000,
            false,
        ),
        (
            "AFTER 7",
            NOW.0 - 31 * HOUR + 120_000,
            NOW.0 - 30 * HOUR,
            true,
        ),
        (
            "AFTER 7",
            NOW.0 - 31 * HOUR,
            NOW.0 - 30 * HOUR - 120_000,
            true,
        ),
        (
            "TRIM_HORIZON",
            NOW.0 - 31 * HOUR,
            NOW.0 - 30 * HOUR - 120_000,
            true,
        ),
    ] {
        let history = ReadHistory {
            read_to: Some(UnixMillis(read_to)),
            accepts_any_first: false,
        };
        let mut detector = GapDetector::new(window(168), history);
        assert!(!detector.begin_request(&position(at), NOW));
        let deep = read_to < NOW.0 - 24 * HOUR + 60_000;
        assert_eq!(
            detector.needs_sequence_numbers(&position(at)),
            deep,
            "{at} {read_to}"
        );
        let answer = answer(3, 5_000);
        let evidence = PageEvidence {
            answer: &answer,
            first: Some(("9", Some(UnixMillis(arrived)))),
            last_arrival: None,
            ended: false,
        };
        let text = format!("{at} {read_to} {arrived}");
        assert_eq!(
            detector.depends_on_retention(&position(at), evidence),
            depends,
            "{text}"
        );
        if depends && at != "TRIM_HORIZON" {
            detector.update_window(window(168));
            assert!(!detector.rejects(&position(at), evidence), "{text}");
            detector.update_window(window(24));
            assert!(detector.rejects(&position(at), evidence), "{text}");
            assert_eq!(detector.seek(), Seek::LastRead);
        }
    }
}

#[test]
fn dead_ends_are_judged_by_the_present_retention() {
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    for (known, present, nowhere) in [(24, 24, true), (168, 30, true), (24, 168, false)] {
        let lag = if present == 168 { 30 } else { present };
        let mut detector = GapDetector::silent(window(known));
        let answer = answer(0, u64::try_from(hours(lag).as_millis()).unwrap());
        let evidence = PageEvidence {
            answer: &answer,
            first: None,
            last_arrival: None,
            ended: false,
        };
        for page in 1..=MAX_PINNED_PAGES {
            let depends = detector.depends_on_retention(&position("AFTER 7"), evidence);
            assert_eq!(
                depends,
                page == MAX_PINNED_PAGES,
                "{known} {present} {page}"
            );
            if depends {
                detector.update_window(window(present));
            }
            assert_eq!(detector.observe(&position("AFTER 7"), evidence), None);
        }
        let led = detector.seek() == Seek::Oldest;
        assert_eq!(led, nowhere, "{known} {present}");
    }
}

#[test]
fn records_expired_under_a_shorter_retention_stay_expired() {
    let now = UnixMillis(NOW.0 - HOUR);
    let grown = window(24).changed_to(Duration::from_secs(168 * 3_600), now);
    assert_eq!(grown.horizon(NOW), UnixMillis(now.0 - 24 * HOUR));
    let shrunk = grown.changed_to(Duration::from_secs(24 * 3_600), NOW);
    assert_eq!(shrunk.horizon(NOW), UnixMillis(NOW.0 - 24 * HOUR));
    assert_eq!(
        window(168).changed_to(window(24).retention, NOW),
        window(24)
    );
    let mut detector = GapDetector::new(grown, detector(Some(NOW.0 - 30 * HOUR)).history);
    assert!(detector.begin_request(&position("AFTER 7"), NOW));
    let gap = observe_page(&mut detector, "AFTER 7", Some("9"), 0).unwrap();
    let expected = format!(
        "retention of the stream is 168 hours; it was shorter before, so records that arrived before {} \
         may have expired then",
        UnixMillis(now.0 - 24 * HOUR)
    );
    assert!(gap.to_string().ends_with(&expected), "{gap}");
}
