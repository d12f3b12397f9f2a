use super::*;
use crate::source::retention::Wish;
use crate::source::retention::evidence::PINNED_PAGES;

const HOUR: i64 = 3_600_000;

/// When pages are asked for; the horizon lies a day before.
const NOW: UnixMillis = UnixMillis(100 * HOUR);

const HORIZON: i64 = 76 * HOUR;

fn kept(hours: u64) -> Kept {
    Kept::for_all(Duration::from_secs(hours * 3_600))
}

fn place(text: &str) -> ShardPosition {
    text.parse().unwrap()
}

fn watch(read_to: Option<i64>) -> Watch {
    let past = Past {
        read_to: read_to.map(UnixMillis),
        is_chosen: false,
    };
    Watch::new(kept(24), past)
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
fn show(watch: &mut Watch, at: &str, first: Option<&str>, behind: u64) -> Option<Gap> {
    see(
        watch,
        at,
        first,
        &answer(3 * usize::from(first.is_some()), behind),
    )
}

fn see(watch: &mut Watch, at: &str, first: Option<&str>, answer: &Answer) -> Option<Gap> {
    let arrived = Some(UnixMillis(99 * HOUR));
    let sight = Sight {
        answer,
        first: first.map(|number| (number, arrived)),
        last_arrival: first.and(arrived),
        ended: false,
    };
    watch.saw(&place(at), sight)
}

#[test]
fn a_record_is_asked_for_again_only_near_the_horizon() {
    let near = HORIZON + 60_000;
    for (at, read_to, tells, asks) in [
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
        let mut watch = Watch {
            tells,
            ..watch(read_to)
        };
        assert_eq!(watch.look(&place(at), NOW), asks, "{at} {read_to:?}");
        let aim = if asks { Aim::Record } else { Aim::Onward };
        assert_eq!(watch.aim(), aim, "{at} {read_to:?}");
        // The iterator of a proof that has begun is kept.
        assert!(!watch.look(&place(at), NOW));
    }
}

#[test]
fn what_comes_first_tells_whether_records_are_gone() {
    let edge = kept(24).edge(NOW).0;
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
        let mut watch = watch(read_to);
        watch.look(&place(at), NOW);
        let gap = show(&mut watch, at, Some(first), 0);
        assert_eq!(gap.is_some(), lost, "{at} {read_to:?} {first}");
        assert_eq!(watch.aim(), Aim::Onward);
        // Up to now all is read: nothing is told twice.
        assert_eq!(watch.read_to(), Some(NOW));
    }
}

#[test]
fn a_start_that_was_asked_for_so_loses_nothing() {
    let past = Past {
        read_to: Some(UnixMillis(HORIZON - HOUR)),
        is_chosen: true,
    };
    let mut watch = Watch::new(kept(24), past);
    assert_eq!(show(&mut watch, "TRIM_HORIZON", Some("7"), 0), None);
}

#[test]
fn empty_pages_decide_nothing_until_they_are_many() {
    for (at, behind, pages, aim) in [
        ("AFTER 7", 0, 3, Aim::Oldest),
        ("TRIM_HORIZON", 0, 3, Aim::Onward),
    ] {
        let mut watch = watch(Some(HORIZON - HOUR));
        watch.look(&place(at), NOW);
        for _ in 1..pages {
            assert_eq!(show(&mut watch, at, None, behind), None);
            assert!(watch.is_unsure());
            assert_eq!(watch.read_to(), Some(UnixMillis(HORIZON - HOUR)));
        }
        assert!(
            show(&mut watch, at, None, behind).is_some(),
            "{at} {behind}"
        );
        assert_eq!(watch.aim(), aim);
        assert!(!watch.is_unsure());
        assert_eq!(show(&mut watch, at, Some("9"), 0), None);
        assert_eq!(watch.aim(), Aim::Onward);
    }
}

#[test]
fn a_place_that_leads_nowhere_is_told_with_what_the_oldest_record_is() {
    let day = 24 * 3_600_000;
    for (behind, then, pages, found) in [
        (day, Some("9"), 1, "record there is now is 9"),
        (day - 60_000, None, 3, "holds no record"),
    ] {
        let mut watch = watch(Some(HORIZON - HOUR));
        watch.look(&place("AFTER 7"), NOW);
        for _ in 0..PINNED_PAGES {
            assert_eq!(watch.aim(), Aim::Record);
            assert_eq!(show(&mut watch, "AFTER 7", None, behind), None);
        }
        for page in 1..=pages {
            assert_eq!(watch.aim(), Aim::Oldest);
            assert!(watch.is_unsure());
            assert_eq!(watch.read_to(), Some(UnixMillis(HORIZON - HOUR)));
            let gap = show(&mut watch, "AFTER 7", then, 0);
            assert_eq!(gap.is_some(), page == pages, "{found}");
            let text = gap.map_or_else(String::new, |gap| gap.to_string());
            assert!(page < pages || text.contains(found), "{text}");
        }
        assert!(!watch.is_unsure());
        // It is told once.
        assert_eq!(show(&mut watch, "AFTER 7", Some("9"), 0), None);
        assert_eq!(watch.aim(), Aim::Onward);
    }
}

#[test]
fn a_gap_between_records_is_no_loss_however_long() {
    let mut watch = watch(Some(HORIZON - HOUR));
    watch.look(&place("AFTER 7"), NOW);
    for _ in 0..100 {
        assert_eq!(show(&mut watch, "AFTER 7", None, 5_000), None);
        assert_eq!(watch.aim(), Aim::Record);
    }
    assert_eq!(show(&mut watch, "AFTER 7", Some("7"), 0), None);
}

#[test]
fn a_place_that_leads_nowhere_is_left_without_a_loss_where_all_was_read() {
    for mut watch in [watch(Some(NOW.0 - 1)), Watch::silent(kept(24))] {
        for page in 1..=5 {
            assert!(!watch.look(&place("AFTER 7"), NOW));
            assert_eq!(watch.aim(), Aim::Onward, "{page}");
            assert_eq!(show(&mut watch, "AFTER 7", None, 24 * 3_600_000), None);
        }
        assert_eq!(watch.aim(), Aim::Oldest);
        // An idle shard is asked for its oldest record until there is one.
        for _ in 0..10 {
            show(&mut watch, "AFTER 7", None, 0);
            assert_eq!(watch.aim(), Aim::Oldest);
        }
    }
}

#[test]
fn the_end_of_a_shard_decides_at_once() {
    let answer = answer(0, 0);
    let sight = Sight {
        answer: &answer,
        first: None,
        last_arrival: None,
        ended: true,
    };
    let mut watch = watch(Some(HORIZON - HOUR));
    watch.look(&place("AFTER 7"), NOW);
    let gap = watch.saw(&place("AFTER 7"), sight).unwrap();
    // It tells when what follows it may begin, and not when it was looked at.
    assert_eq!(watch.read_to(), Some(UnixMillis(HORIZON)));
    assert_eq!(
        gap.to_string(),
        "what came after this position may be gone: all that had arrived by 1970-01-04T03:00:00Z was \
         read, the shard holds no record now, and the stream keeps records for 24 hours"
    );
}

#[test]
fn a_page_of_nothing_but_the_proof_is_followed_without_another() {
    let mut watch = watch(Some(HORIZON - 1));
    assert!(watch.look(&place("AFTER 7"), NOW));
    // So full that it says nothing of the time.
    let only = Answer {
        limit: 1,
        ..answer(1, 0)
    };
    let sight = Sight {
        answer: &only,
        first: Some(("7", None)),
        last_arrival: None,
        ended: false,
    };
    assert_eq!(watch.saw(&place("AFTER 7"), sight), None);
    assert!(!watch.look(&place("AFTER 7"), NOW));
    see(&mut watch, "AFTER 7", None, &answer(0, 24 * 3_600_000));
    assert!(watch.look(&place("AFTER 7"), NOW));
}

#[test]
fn full_pages_tell_by_their_lag_or_their_last_record_what_was_read() {
    for (behind, read_to) in [(5_000, NOW.0 - 5_001), (0, 99 * HOUR)] {
        let mut watch = watch(None);
        see(&mut watch, "TRIM_HORIZON", Some("7"), &answer(100, behind));
        assert_eq!(watch.read_to(), Some(UnixMillis(read_to)), "{behind}");
        // A clock that is set back takes nothing away.
        show(&mut watch, "AFTER 7", Some("8"), 2 * 3_600_000);
        assert_eq!(watch.read_to(), Some(UnixMillis(read_to)));
    }
}

#[test]
fn what_is_known_of_a_start_depends_on_who_asked_for_it() {
    let created_at = UnixMillis(NOW.0 - 2 * HOUR);
    let timestamp = |time: i64| ShardPosition::AtTimestamp(UnixMillis(time));
    let known = |past: Past| (past.read_to.map(|time| time.0), past.is_chosen);
    let asked = Wish {
        at: created_at,
        retention: Duration::from_secs(24 * 3_600),
    };
    let wish = |start: &ShardPosition| known(Past::of_wish(start, asked, NOW, kept(24)));
    let edge = Some(HORIZON + 60_000);
    assert_eq!(wish(&ShardPosition::TrimHorizon), (edge, true));
    // It was gone already, or was about to be.
    let before = created_at.0 - 24 * HOUR + 60_000;
    assert_eq!(wish(&timestamp(before - 1)), (edge, true));
    assert_eq!(wish(&timestamp(before)), (Some(before), false));
    assert_eq!(wish(&timestamp(NOW.0 + HOUR)), (Some(NOW.0), false));
    assert_eq!(wish(&place("AFTER 7")), (None, false));

    let log = |start: &ShardPosition, read_to: Option<i64>| {
        known(Past::of_log(start, read_to.map(UnixMillis)))
    };
    assert_eq!(log(&place("AFTER 7"), None), (None, false));
    assert_eq!(log(&place("AFTER 7"), Some(5)), (Some(5), false));
    assert_eq!(log(&timestamp(9), Some(5)), (Some(9), false));
    assert_eq!(log(&timestamp(9), None), (Some(9), false));
    assert_eq!(log(&ShardPosition::TrimHorizon, None), (None, false));
    let past = Past::of_log(&ShardPosition::TrimHorizon, Some(UnixMillis(5)));
    assert_eq!(past.not_before(UnixMillis(4)), past);
    assert_eq!(known(past.not_before(UnixMillis(6))), (Some(6), false));
}

#[test]
fn a_gap_says_all_that_is_known_of_it() {
    let mut watch = watch(None);
    watch.look(&place("AT 7"), NOW);
    let gap = show(&mut watch, "AT 7", Some("9"), 0).unwrap();
    assert_eq!(
        gap.to_string(),
        "what came after this position may be gone: up to which time all was read is not known, the \
         oldest record there is now is 9, which arrived at 1970-01-05T03:00:00Z, and the stream keeps \
         records for 24 hours"
    );
}

/// Shows an empty page at the tip that was asked for at this time.
fn idle(watch: &mut Watch, at: &str, asked_at: UnixMillis) {
    let answer = Answer {
        asked_at,
        ..answer(0, 0)
    };
    assert_eq!(see(watch, at, None, &answer), None);
}

#[test]
fn a_reader_that_has_looked_misses_what_goes_before_its_next_look_however_it_began() {
    let later = UnixMillis(NOW.0 + 25 * HOUR);
    let chosen = Past {
        read_to: Some(UnixMillis(HORIZON + 60_000)),
        is_chosen: true,
    };
    for (at, past) in [
        // It was asked for once, and was empty then.
        ("TRIM_HORIZON", chosen),
        ("AT_TIMESTAMP 1970-01-01T00:00:05Z", chosen),
        // Its last record was gone by right.
        ("AFTER 7", watch(Some(HORIZON + 60_000)).past),
    ] {
        let mut watch = Watch::new(kept(24), past);
        watch.look(&place(at), NOW);
        for _ in 0..3 {
            idle(&mut watch, at, NOW);
        }
        assert_eq!(watch.read_to(), Some(NOW));
        watch.look(&place(at), later);
        let answer = Answer {
            asked_at: later,
            ..answer(1, 0)
        };
        assert!(see(&mut watch, at, Some("9"), &answer).is_some(), "{at}");
        assert_eq!(watch.aim(), Aim::Onward);
    }
}

#[test]
fn pages_that_stay_empty_at_the_horizon_tell_a_loss_once_and_no_time() {
    let mut watch = watch(Some(HORIZON - HOUR));
    watch.look(&place("AFTER 7"), NOW);
    let mut gaps = 0;
    for page in 0..20 {
        let asked_at = UnixMillis(NOW.0 + 1_000 * page);
        let pinned = Answer {
            asked_at,
            ..answer(0, 24 * 3_600_000)
        };
        gaps += usize::from(see(&mut watch, "AFTER 7", None, &pinned).is_some());
    }
    assert_eq!(gaps, 1);
    let told = UnixMillis(HORIZON + 1_000 * 9);
    assert_eq!(watch.read_to(), Some(told));
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
        let past = Past {
            read_to: Some(UnixMillis(read_to)),
            is_chosen: false,
        };
        let mut watch = Watch::new(kept(168), past);
        assert!(!watch.look(&place(at), NOW));
        let deep = read_to < NOW.0 - 24 * HOUR + 60_000;
        assert_eq!(watch.needs_numbers(&place(at)), deep, "{at} {read_to}");
        let answer = answer(3, 5_000);
        let sight = Sight {
            answer: &answer,
            first: Some(("9", Some(UnixMillis(arrived)))),
            last_arrival: None,
            ended: false,
        };
        let text = format!("{at} {read_to} {arrived}");
        assert_eq!(
            watch.depends_on_retention(&place(at), sight),
            depends,
            "{text}"
        );
        if depends && at != "TRIM_HORIZON" {
            watch.knows(kept(168));
            assert!(!watch.rejects(&place(at), sight), "{text}");
            watch.knows(kept(24));
            assert!(watch.rejects(&place(at), sight), "{text}");
            assert_eq!(watch.aim(), Aim::Record);
        }
    }
}

#[test]
fn pages_that_stay_empty_are_judged_by_the_present_retention() {
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    for (known, present, nowhere) in [(24, 24, true), (168, 30, true), (24, 168, false)] {
        let lag = if present == 168 { 30 } else { present };
        let mut watch = Watch::silent(kept(known));
        let answer = answer(0, u64::try_from(hours(lag).as_millis()).unwrap());
        let sight = Sight {
            answer: &answer,
            first: None,
            last_arrival: None,
            ended: false,
        };
        for page in 1..=PINNED_PAGES {
            let depends = watch.depends_on_retention(&place("AFTER 7"), sight);
            assert_eq!(depends, page == PINNED_PAGES, "{known} {present} {page}");
            if depends {
                watch.knows(kept(present));
            }
            assert_eq!(watch.saw(&place("AFTER 7"), sight), None);
        }
        let led = watch.aim() == Aim::Oldest;
        assert_eq!(led, nowhere, "{known} {present}");
    }
}

#[test]
fn what_a_shorter_retention_took_stays_gone_when_it_grows() {
    let now = UnixMillis(NOW.0 - HOUR);
    let grown = kept(24).changed_to(Duration::from_secs(168 * 3_600), now);
    assert_eq!(grown.horizon(NOW), UnixMillis(now.0 - 24 * HOUR));
    let shrunk = grown.changed_to(Duration::from_secs(24 * 3_600), NOW);
    assert_eq!(shrunk.horizon(NOW), UnixMillis(NOW.0 - 24 * HOUR));
    assert_eq!(kept(168).changed_to(kept(24).retention, NOW), kept(24));
    let mut watch = Watch::new(grown, watch(Some(NOW.0 - 30 * HOUR)).past);
    assert!(watch.look(&place("AFTER 7"), NOW));
    let gap = show(&mut watch, "AFTER 7", Some("9"), 0).unwrap();
    let told = format!(
        "keeps records for 168 hours; it kept them for less time before, so what arrived \
                        before {} may have gone then",
        UnixMillis(now.0 - 24 * HOUR)
    );
    assert!(gap.to_string().ends_with(&told), "{gap}");
}
