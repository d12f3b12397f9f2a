use super::*;
use crate::source::retention::StartRequest;
use crate::source::retention::evidence::MAX_PINNED_PAGES;

const HOUR: i64 = 3_600_000;

/// When pages are asked for; the horizon lies a day before.
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

/// An answer of `records` out of 100 that ends `behind` milliseconds before the tip.
fn answer(records: usize, behind: u64) -> Answer {
    Answer {
        asked_at: NOW,
        behind_latest: Some(Duration::from_millis(behind)),
        limit: 100,
        records,
        bytes: 0,
        max_record_bytes: 1024 * 1024,
        confirmed: None,
    }
}

/// Shows a page with this first record, which arrived an hour ago.
fn show(detector: &mut GapDetector, at: &str, first: Option<&str>, behind: u64) -> Option<Gap> {
    see(
        detector,
        at,
        first,
        &answer(3 * usize::from(first.is_some()), behind),
    )
}

fn see(detector: &mut GapDetector, at: &str, first: Option<&str>, answer: &Answer) -> Option<Gap> {
    let arrived = Some(UnixMillis(99 * HOUR));
    let evidence = PageEvidence {
        answer,
        first: first.map(|number| (number, arrived)),
        last_arrival: first.and(arrived),
        ended: false,
    };
    detector.observe(&position(at), evidence)
}

#[test]
fn a_record_is_asked_for_again_only_near_the_horizon() {
    let near = HORIZON + 60_000;
    for (at, read_to, reports_gaps, asks) in [
        ("AFTER 7", Some(near - 1), true, true),
        ("AFTER 7", Some(near), true, false),
        ("AFTER 7.2", Some(HORIZON - HOUR), true, true),
        ("AT 7", None, true, true),
        ("AT 7", None, false, false),
        // No record of its own that could prove anything.
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
        // The iterator of a proof that has begun is kept.
        assert!(!detector.begin_request(&position(at), NOW));
    }
}

#[test]
fn what_comes_first_tells_whether_records_are_gone() {
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
        let gap = show(&mut detector, at, Some(first), 0);
        assert_eq!(gap.is_some(), lost, "{at} {read_to:?} {first}");
        assert_eq!(detector.seek(), Seek::Next);
        // Up to now all is read: nothing is told twice.
        assert_eq!(detector.read_to(), Some(NOW));
    }
}

#[test]
fn a_start_that_was_asked_for_so_loses_nothing() {
    let history = ReadHistory {
        read_to: Some(UnixMillis(HORIZON - HOUR)),
        accepts_any_first: true,
    };
    let mut detector = GapDetector::new(window(24), history);
    assert_eq!(show(&mut detector, "TRIM_HORIZON", Some("7"), 0), None);
}

#[test]
fn empty_pages_decide_nothing_until_they_are_many() {
    for (at, behind, pages, seek) in [
        ("AFTER 7", 0, 3, Seek::Oldest),
        ("TRIM_HORIZON", 0, 3, Seek::Next),
    ] {
        let mut detector = detector(Some(HORIZON - HOUR));
        detector.begin_request(&position(at), NOW);
        for _ in 1..pages {
            assert_eq!(show(&mut detector, at, None, behind), None);
            assert!(detector.is_undecided());
            assert_eq!(detector.read_to(), Some(UnixMillis(HORIZON - HOUR)));
        }
        assert!(
            show(&mut detector, at, None, behind).is_some(),
            "{at} {behind}"
        );
        assert_eq!(detector.seek(), seek);
        assert!(!detector.is_undecided());
        assert_eq!(show(&mut detector, at, Some("9"), 0), None);
        assert_eq!(detector.seek(), Seek::Next);
    }
}

#[test]
fn a_place_that_leads_nowhere_is_told_with_what_the_oldest_record_is() {
    let day = 24 * 3_600_000;
    for (behind, then, pages, found) in [
        (day, Some("9"), 1, "oldest record now is 9"),
        (day - 60_000, None, 3, "holds no record"),
    ] {
        let mut detector = detector(Some(HORIZON - HOUR));
        detector.begin_request(&position("AFTER 7"), NOW);
        for _ in 0..MAX_PINNED_PAGES {
            assert_eq!(detector.seek(), Seek::LastRead);
            assert_eq!(show(&mut detector, "AFTER 7", None, behind), None);
        }
        for page in 1..=pages {
            assert_eq!(detector.seek(), Seek::Oldest);
            assert!(detector.is_undecided());
            assert_eq!(detector.read_to(), Some(UnixMillis(HORIZON - HOUR)));
            let gap = show(&mut detector, "AFTER 7", then, 0);
            assert_eq!(gap.is_some(), page == pages, "{found}");
            let text = gap.map_or_else(String::new, |gap| gap.to_string());
            assert!(page < pages || text.contains(found), "{text}");
        }
        assert!(!detector.is_undecided());
        // It is told once.
        assert_eq!(show(&mut detector, "AFTER 7", Some("9"), 0), None);
        assert_eq!(detector.seek(), Seek::Next);
    }
}

#[test]
fn a_gap_between_records_is_no_loss_however_long() {
    let mut detector = detector(Some(HORIZON - HOUR));
    detector.begin_request(&position("AFTER 7"), NOW);
    for _ in 0..100 {
        assert_eq!(show(&mut detector, "AFTER 7", None, 5_000), None);
        assert_eq!(detector.seek(), Seek::LastRead);
    }
    assert_eq!(show(&mut detector, "AFTER 7", Some("7"), 0), None);
}

#[test]
fn a_place_that_leads_nowhere_is_left_without_a_loss_where_all_was_read() {
    for mut detector in [detector(Some(NOW.0 - 1)), GapDetector::silent(window(24))] {
        for page in 1..=5 {
            assert!(!detector.begin_request(&position("AFTER 7"), NOW));
            assert_eq!(detector.seek(), Seek::Next, "{page}");
            assert_eq!(show(&mut detector, "AFTER 7", None, 24 * 3_600_000), None);
        }
        assert_eq!(detector.seek(), Seek::Oldest);
        // An idle shard is asked for its oldest record until there is one.
        for _ in 0..10 {
            show(&mut detector, "AFTER 7", None, 0);
            assert_eq!(detector.seek(), Seek::Oldest);
        }
    }
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
    // It reports_gaps when what follows it may begin, and not when it was looked at.
    assert_eq!(detector.read_to(), Some(UnixMillis(HORIZON)));
    assert_eq!(
        gap.to_string(),
        "records after this position may have expired: all records that arrived by 1970-01-04T03:00:00Z were \
         read, the shard holds no record now, and the retention of the stream is 24 hours"
    );
}

#[test]
fn a_page_of_nothing_but_the_proof_is_followed_without_another() {
    let mut detector = detector(Some(HORIZON - 1));
    assert!(detector.begin_request(&position("AFTER 7"), NOW));
    // So full that it says nothing of the time.
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
    see(&mut detector, "AFTER 7", None, &answer(0, 24 * 3_600_000));
    assert!(detector.begin_request(&position("AFTER 7"), NOW));
}

#[test]
fn full_pages_tell_by_their_lag_or_their_last_record_what_was_read() {
    for (behind, read_to) in [(5_000, NOW.0 - 5_001), (0, 99 * HOUR)] {
        let mut detector = detector(None);
        see(
            &mut detector,
            "TRIM_HORIZON",
            Some("7"),
            &answer(100, behind),
        );
        assert_eq!(detector.read_to(), Some(UnixMillis(read_to)), "{behind}");
        // A clock that is set back takes nothing away.
        show(&mut detector, "AFTER 7", Some("8"), 2 * 3_600_000);
        assert_eq!(detector.read_to(), Some(UnixMillis(read_to)));
    }
}

#[test]
fn what_is_known_of_a_start_depends_on_who_asked_for_it() {
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
    // It was gone already, or was about to be.
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

#[test]
fn a_gap_says_all_that_is_known_of_it() {
    let mut detector = detector(None);
    detector.begin_request(&position("AT 7"), NOW);
    let gap = show(&mut detector, "AT 7", Some("9"), 0).unwrap();
    assert_eq!(
        gap.to_string(),
        "records after this position may have expired: it is not known up to which time all records were \
         read, the oldest record now is 9, which arrived at 1970-01-05T03:00:00Z, and the retention of the \
         stream is 24 hours"
    );
}

/// Shows an empty page at the tip that was asked for at this time.
fn idle(detector: &mut GapDetector, at: &str, asked_at: UnixMillis) {
    let answer = Answer {
        asked_at,
        ..answer(0, 0)
    };
    assert_eq!(see(detector, at, None, &answer), None);
}

#[test]
fn a_reader_that_has_looked_misses_what_goes_before_its_next_look_however_it_began() {
    let later = UnixMillis(NOW.0 + 25 * HOUR);
    let chosen = ReadHistory {
        read_to: Some(UnixMillis(HORIZON + 60_000)),
        accepts_any_first: true,
    };
    for (at, history) in [
        // It was asked for once, and was empty then.
        ("TRIM_HORIZON", chosen),
        ("AT_TIMESTAMP 1970-01-01T00:00:05Z", chosen),
        // Its last record was gone by right.
        ("AFTER 7", detector(Some(HORIZON + 60_000)).history),
    ] {
        let mut detector = GapDetector::new(window(24), history);
        detector.begin_request(&position(at), NOW);
        for _ in 0..3 {
            idle(&mut detector, at, NOW);
        }
        assert_eq!(detector.read_to(), Some(NOW));
        detector.begin_request(&position(at), later);
        let answer = Answer {
            asked_at: later,
            ..answer(1, 0)
        };
        assert!(see(&mut detector, at, Some("9"), &answer).is_some(), "{at}");
        assert_eq!(detector.seek(), Seek::Next);
    }
}

#[test]
fn pages_that_stay_empty_at_the_horizon_tell_a_loss_once_and_no_time() {
    let mut detector = detector(Some(HORIZON - HOUR));
    detector.begin_request(&position("AFTER 7"), NOW);
    let mut gaps = 0;
    for page in 0..20 {
        let asked_at = UnixMillis(NOW.0 + 1_000 * page);
        let pinned = Answer {
            asked_at,
            ..answer(0, 24 * 3_600_000)
        };
        gaps += usize::from(see(&mut detector, "AFTER 7", None, &pinned).is_some());
    }
    assert_eq!(gaps, 1);
    let told = UnixMillis(HORIZON + 1_000 * 9);
    assert_eq!(detector.read_to(), Some(told));
}

#[test]
fn a_page_that_passes_whole_hours_depends_on_the_present_retention() {
    // The stream kept records for a week when it was looked at last.
    for (at, read_to, arrived, depends) in [
        // Nothing can be gone that is younger than a day.
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
fn pages_that_stay_empty_are_judged_by_the_present_retention() {
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
fn what_a_shorter_retention_took_stays_gone_when_it_grows() {
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
    let gap = show(&mut detector, "AFTER 7", Some("9"), 0).unwrap();
    let expected = format!(
        "retention of the stream is 168 hours; it was shorter before, so records that arrived before {} \
         may have expired then",
        UnixMillis(now.0 - 24 * HOUR)
    );
    assert!(gap.to_string().ends_with(&expected), "{gap}");
}
