use super::*;
use crate::error::ErrorKind;

const SECOND: Duration = Duration::from_secs(1);

/// A scheduler with a settable time and settable facts.
struct Fixture {
    scheduler: Scheduler,
    now: Now,
    facts: FixedFacts,
}

struct FixedFacts {
    is_stop_requested: bool,
    has_catch_up_waiters: bool,
    readiness: Vec<SourceReadiness>,
    fails: bool,
    is_exhausted: bool,
    has_taken_all: bool,
    needs_empty_batch: bool,
    closes_groups_by_clock: bool,
}

impl Facts for FixedFacts {
    fn is_stop_requested(&self) -> bool {
        self.is_stop_requested
    }

    fn has_catch_up_waiters(&self) -> bool {
        self.has_catch_up_waiters
    }

    fn readiness(&self, _fired_at: Instant) -> Result<Vec<SourceReadiness>> {
        match self.fails {
            true => Err(crate::Error::new(ErrorKind::NotFound, "no stream")),
            false => Ok(self.readiness.clone()),
        }
    }

    fn is_exhausted(&self) -> bool {
        self.is_exhausted
    }

    fn has_taken_all_before(&self, _time: UnixMillis) -> bool {
        self.has_taken_all
    }

    fn needs_empty_batch(&self, _now: UnixMillis) -> bool {
        self.needs_empty_batch
    }

    fn closes_groups_by_clock(&self) -> bool {
        self.closes_groups_by_clock
    }
}

fn source(readiness: Readiness) -> SourceReadiness {
    SourceReadiness {
        readiness,
        is_exhausted: false,
    }
}

impl Fixture {
    /// A query without a stop lock over an empty stream, at 10:00:00.250.
    fn new(trigger: Trigger) -> Self {
        Self::with_stop_lock(trigger, false)
    }

    fn with_stop_lock(trigger: Trigger, has_stop_lock: bool) -> Self {
        let now = Now {
            instant: Instant::now(),
            clock: UnixMillis(36_000_250),
        };
        Self {
            scheduler: Scheduler::new(trigger, has_stop_lock, now),
            now,
            facts: FixedFacts {
                is_stop_requested: false,
                has_catch_up_waiters: false,
                readiness: vec![source(Readiness::NoData)],
                fails: false,
                is_exhausted: false,
                has_taken_all: true,
                needs_empty_batch: false,
                closes_groups_by_clock: false,
            },
        }
    }

    fn next(&mut self) -> Action {
        self.scheduler.next(self.now, &self.facts).unwrap()
    }

    /// The next action, which is to wait: what for, and for how many milliseconds.
    fn waits(&mut self) -> (WaitReason, u128) {
        let action = self.next();
        let Action::Wait(wait) = action else {
            panic!("expected a wait, not {action:?}");
        };
        (wait.reason, (wait.until - self.now.instant).as_millis())
    }

    fn pass(&mut self, time: Duration) {
        self.now.instant += time;
        self.now.clock = self.now.clock.plus(time);
    }

    fn batch_done(&mut self) -> Option<Duration> {
        self.scheduler.batch_done(self.now)
    }
}

#[test]
fn without_data_it_waits_for_data_until_the_idle_event() {
    let mut query = Fixture::new(Trigger::AsFastAsPossible);
    assert_eq!(query.waits(), (WaitReason::Data, 10_000));
    query.pass(SECOND * 4);
    assert_eq!(query.waits(), (WaitReason::Data, 6_000));
    query.pass(SECOND * 6);
    assert_eq!(query.next(), Action::NotifyIdle);
    assert_eq!(query.waits(), (WaitReason::Data, 10_000));
}

#[test]
fn a_batch_restarts_the_idle_interval() {
    let mut query = Fixture::new(Trigger::AsFastAsPossible);
    query.pass(SECOND * 9);
    query.facts.readiness = vec![source(Readiness::Ready)];
    assert_eq!(query.next(), Action::RunBatch);
    query.batch_done();
    query.facts.readiness = vec![source(Readiness::NoData)];
    query.pass(SECOND);
    assert_eq!(query.waits(), (WaitReason::Data, 9_000));
}

#[test]
fn idleness_is_logged_every_five_minutes() {
    let mut query = Fixture::new(Trigger::AsFastAsPossible);
    query.pass(SECOND * 300);
    assert_eq!(query.next(), Action::LogIdle(SECOND * 300));
    assert_eq!(query.next(), Action::NotifyIdle);
    query.pass(SECOND * 299);
    assert_eq!(query.next(), Action::NotifyIdle);
    query.pass(SECOND);
    assert_eq!(query.next(), Action::LogIdle(SECOND * 600));
}

#[test]
fn a_stop_request_ends_the_query_before_anything_else() {
    let mut query = Fixture::with_stop_lock(Trigger::AsFastAsPossible, true);
    query.facts.readiness = vec![source(Readiness::Ready)];
    query.facts.is_stop_requested = true;
    assert_eq!(query.next(), Action::End(QueryEnd::Stopped));
}

#[test]
fn the_stop_lock_is_checked_twice_a_second() {
    let mut query = Fixture::with_stop_lock(Trigger::AsFastAsPossible, true);
    assert_eq!(query.next(), Action::CheckStopLock);
    assert_eq!(query.waits(), (WaitReason::Data, 500));
    query.pass(SECOND / 4);
    assert_eq!(query.waits(), (WaitReason::Data, 250));
    query.pass(SECOND / 4);
    assert_eq!(query.next(), Action::CheckStopLock);
}

#[test]
fn a_slow_stop_lock_check_does_not_starve_batches() {
    let mut query = Fixture::with_stop_lock(Trigger::AsFastAsPossible, true);
    query.facts.readiness = vec![source(Readiness::Ready)];
    assert_eq!(query.next(), Action::CheckStopLock);
    query.pass(SECOND);
    assert_eq!(query.next(), Action::RunBatch);
    query.batch_done();
    assert_eq!(query.next(), Action::CheckStopLock);
}

#[test]
fn an_interval_trigger_waits_for_its_next_tick() {
    let mut query = Fixture::new(Trigger::ProcessingTime(SECOND));
    query.facts.readiness = vec![source(Readiness::Ready)];
    assert_eq!(query.next(), Action::RunBatch);
    assert_eq!(query.batch_done(), None);
    assert_eq!(query.waits(), (WaitReason::Trigger, 750));
    query.pass(SECOND * 3 / 4);
    assert_eq!(query.next(), Action::RunBatch);
    assert_eq!(query.scheduler.due(), UnixMillis(36_001_000));
}

#[test]
fn a_caller_that_waits_for_the_query_to_catch_up_shortens_the_wait_for_a_tick() {
    let mut query = Fixture::new(Trigger::ProcessingTime(SECOND));
    query.facts.has_catch_up_waiters = true;
    assert_eq!(query.waits(), (WaitReason::Trigger, 20));
}

#[test]
fn a_tick_without_data_is_skipped_but_the_first_tick_waits_for_the_first_pages() {
    let mut query = Fixture::new(Trigger::ProcessingTime(SECOND));
    query.facts.has_taken_all = false;
    assert_eq!(query.waits(), (WaitReason::Data, 10_000));
    query.facts.has_taken_all = true;
    assert_eq!(query.waits(), (WaitReason::Trigger, 750));
    query.pass(SECOND);
    query.facts.has_taken_all = false;
    assert_eq!(query.waits(), (WaitReason::Trigger, 750));
}

#[test]
fn a_clock_that_is_set_back_delays_a_tick_by_at_most_one_interval() {
    let mut query = Fixture::new(Trigger::ProcessingTime(SECOND));
    assert_eq!(query.waits(), (WaitReason::Trigger, 750));
    query.now.clock = UnixMillis(1_700);
    assert_eq!(query.waits(), (WaitReason::Trigger, 1_000));
    assert_eq!(query.scheduler.due(), UnixMillis(2_700));
}

#[test]
fn slow_batches_are_reported_at_most_once_a_minute() {
    let mut query = Fixture::new(Trigger::ProcessingTime(SECOND));
    query.facts.readiness = vec![source(Readiness::Ready)];
    let mut reported = 0;
    for _ in 0..60 {
        assert_eq!(query.next(), Action::RunBatch);
        query.pass(SECOND * 2);
        let took = query.batch_done();
        assert!(took.is_none_or(|took| took >= SECOND * 2), "{took:?}");
        reported += u32::from(took.is_some());
    }
    assert_eq!(reported, 2);
}

#[test]
fn a_shard_that_is_catching_up_holds_up_the_batch() {
    let mut query = Fixture::new(Trigger::AsFastAsPossible);
    let until = |millis| Readiness::WaitUntil(query.now.instant + Duration::from_millis(millis));
    query.facts.readiness = [until(30), Readiness::Ready, until(70), Readiness::NoData]
        .map(source)
        .to_vec();
    assert_eq!(query.waits(), (WaitReason::CatchingUp, 70));
    query.facts.readiness[0] = source(Readiness::Ready);
    query.facts.readiness[2] = source(Readiness::NoData);
    assert_eq!(query.next(), Action::RunBatch);
}

#[test]
fn once_waits_until_every_source_has_data_or_is_exhausted() {
    let mut query = Fixture::new(Trigger::Once);
    query.facts.readiness = vec![source(Readiness::Ready), source(Readiness::NoData)];
    assert_eq!(query.waits().0, WaitReason::Data);
    query.facts.readiness[1].is_exhausted = true;
    assert_eq!(query.next(), Action::RunBatch);
}

#[test]
fn triggers_that_end_by_themselves_end_once_the_sources_are_exhausted() {
    for (trigger, ends) in [
        (Trigger::Once, true),
        (Trigger::AvailableNow, true),
        (Trigger::AsFastAsPossible, false),
    ] {
        let mut query = Fixture::new(trigger);
        assert_eq!(query.waits().0, WaitReason::Data);
        query.facts.is_exhausted = true;
        let ended = query.next() == Action::End(QueryEnd::Finished);
        assert_eq!(ended, ends, "{trigger}");
    }
}

#[test]
fn an_empty_batch_runs_before_the_query_ends() {
    let mut query = Fixture::new(Trigger::AvailableNow);
    query.facts.is_exhausted = true;
    query.facts.needs_empty_batch = true;
    assert_eq!(query.next(), Action::RunEmptyBatch);
    query.batch_done();
    query.facts.needs_empty_batch = false;
    assert_eq!(query.next(), Action::End(QueryEnd::Finished));
}

#[test]
fn a_watermark_that_follows_the_clock_is_checked_every_second() {
    let mut query = Fixture::new(Trigger::AsFastAsPossible);
    query.facts.closes_groups_by_clock = true;
    assert_eq!(query.waits(), (WaitReason::Data, 1_000));
}

#[test]
fn after_a_wait_for_data_the_batch_is_due_when_the_data_arrives() {
    let mut query = Fixture::new(Trigger::AsFastAsPossible);
    query.waits();
    query.pass(SECOND * 5);
    query.facts.readiness = vec![source(Readiness::Ready)];
    assert_eq!(query.next(), Action::RunBatch);
    assert_eq!(query.scheduler.due(), query.now.clock);
}

#[test]
fn an_error_of_a_reader_ends_the_query() {
    let mut query = Fixture::new(Trigger::AsFastAsPossible);
    query.facts.fails = true;
    let error = query.scheduler.next(query.now, &query.facts).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
