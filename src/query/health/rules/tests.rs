use super::*;
use crate::model::{ShardId, StreamName};

const LIMITS: Limits = Limits {
    lag: Some(minutes(5)),
    stuck: Some(minutes(10)),
    error_rate: Some(0.05),
};

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// The rules of a query, and what is observed next.
struct Watched {
    rules: HealthRules,
    next: Observation,
}

impl Watched {
    fn new(limits: Limits) -> Self {
        let now = Instant::now();
        let mut next = Observation::at(now);
        next.reader_lag = Some(Duration::ZERO);
        Self {
            rules: HealthRules::new(limits, now),
            next,
        }
    }

    /// Observes once per second for `span`. Returns the alarms after each change.
    fn pass(&mut self, span: Duration) -> Vec<Vec<Alarm>> {
        let mut changes = Vec::new();
        for _ in 0..span.as_secs() {
            self.next.at += seconds(1);
            if self.rules.evaluate(self.next.clone()).is_some() {
                changes.push(self.alarms());
            }
        }
        changes
    }

    fn alarms(&self) -> Vec<Alarm> {
        let reasons = self.rules.health().reasons;
        reasons.iter().map(|reason| reason.alarm).collect()
    }

    fn reason(&self) -> String {
        self.rules.health().reasons[0].message.clone()
    }
}

#[test]
fn a_lag_raises_an_alarm_once_and_clears_it_after_a_calm_minute() {
    let mut query = Watched::new(LIMITS);
    assert_eq!(query.pass(minutes(30)), [] as [Vec<Alarm>; 0]);
    query.next.reader_lag = Some(minutes(5));
    let (words, shard) = (StreamName::new("words").unwrap(), ShardId::new("shard-7"));
    query.next.laggard = Some((words, shard));
    assert_eq!(query.pass(minutes(10)), [[Alarm::Lag]]);
    assert_eq!(
        query.reason(),
        "the lag is 5 minutes in shard-7 of stream 'words' (streaming.alarm_lag = '5 minutes')"
    );
    // Neither over the limit nor calm.
    query.next.reader_lag = Some(seconds(250));
    assert_eq!(query.pass(minutes(10)).len(), 0);
    assert_eq!(
        query.reason(),
        "the lag was above the limit within the last minutes, and is now 4 minutes in shard-7 of stream 'words' \
         (streaming.alarm_lag = '5 minutes')"
    );
    // Not calm for long enough.
    for lag in [0, 300, 0, 299, 0] {
        query.next.reader_lag = Some(seconds(lag));
        assert_eq!(query.pass(seconds(59)).len(), 0);
    }
    assert_eq!(query.pass(minutes(1)), [[] as [Alarm; 0]]);
    assert_eq!(query.rules.health().state, HealthState::Healthy);
}

#[test]
fn an_unknown_lag_neither_raises_nor_clears_an_alarm() {
    let mut query = Watched::new(LIMITS);
    query.next.reader_lag = None;
    assert_eq!(query.pass(minutes(30)).len(), 0);
    query.next.reader_lag = Some(minutes(6));
    assert_eq!(query.pass(minutes(1)).len(), 1);
    query.next.reader_lag = None;
    assert_eq!(query.pass(minutes(30)).len(), 0);
}

#[test]
fn the_rows_of_a_hanging_batch_lag_although_the_streams_are_read() {
    let mut query = Watched::new(LIMITS);
    query.next.reader_lag = Some(minutes(2));
    query.pass(seconds(1));
    query.next.reader_lag = Some(Duration::ZERO);
    query.next.batch = Some(BatchId(7));
    assert_eq!(query.pass(seconds(179)).len(), 0);
    assert_eq!(query.pass(minutes(1)), [[Alarm::Lag]]);
    assert!(query.reason().contains("in batch 7, which is running"));
    query.next.batch = Some(BatchId(8));
    assert_eq!(query.pass(minutes(2)), [[] as [Alarm; 0]]);
    let lag = query.rules.health().rates.processing_lag;
    assert_eq!(lag, Some(minutes(2)));
}

#[test]
fn a_query_is_stuck_if_rows_wait_without_a_commit() {
    let mut query = Watched::new(LIMITS);
    query.next.rows_wait = true;
    for _ in 0..5 {
        assert_eq!(query.pass(minutes(9)).len(), 0);
        query.next.commits += 1;
    }
    query.next.activity = "Processing batch 5".to_owned();
    assert_eq!(query.pass(minutes(20)), [[Alarm::Stuck]]);
    assert_eq!(
        query.reason(),
        "no batch was committed for 19 minutes, although rows wait (Processing batch 5) \
         (streaming.alarm_stuck = '10 minutes')"
    );
    query.next.commits += 1;
    assert_eq!(query.pass(seconds(60)).len(), 0);
    assert_eq!(query.pass(minutes(1)).len(), 1);
    // Nothing waits.
    query.next.rows_wait = false;
    assert_eq!(query.pass(minutes(60)).len(), 0);
}

#[test]
fn failed_and_throttled_requests_are_counted_within_a_minute() {
    let mut query = Watched::new(LIMITS);
    let mut pass = |span: Duration, answered, throttled, failed| {
        let mut changes = Vec::new();
        for _ in 0..span.as_secs() {
            query.next.requests.answered += answered;
            query.next.requests.throttled += throttled;
            query.next.requests.failed += failed;
            changes.extend(query.pass(seconds(1)));
        }
        (changes, query.rules.health().rates)
    };
    let (changes, rates) = pass(minutes(10), 19, 1, 0);
    assert_eq!(changes.len(), 0);
    assert_eq!(
        (rates.error_rate, rates.throttle_rate),
        (Some(0.05), Some(0.05))
    );
    let (changes, rates) = pass(minutes(2), 6, 1, 1);
    assert_eq!(changes, [[Alarm::ErrorRate]]);
    assert_eq!(
        (rates.error_rate, rates.throttle_rate),
        (Some(0.25), Some(0.125))
    );
    // Failures of the last minute count until they are out of it.
    let (changes, rates) = pass(seconds(100), 10, 0, 0);
    assert_eq!((changes.len(), rates.error_rate), (0, Some(0.0)));
    assert_eq!(pass(seconds(15), 10, 0, 0).0.len(), 1);
}

#[test]
fn a_single_failure_is_no_error_rate() {
    let mut query = Watched::new(LIMITS);
    query.next.requests.checkpoint_failed = 2;
    assert_eq!(query.pass(seconds(10)).len(), 0);
    query.next.requests.checkpoint_failed = 3;
    query.next.requests.checkpoint_answered = 1;
    query.next.checkpoint_error = Some("it is away".to_owned());
    assert_eq!(query.pass(seconds(1)), [[Alarm::ErrorRate]]);
    assert_eq!(
        query.reason(),
        "3 of 4 requests failed or were throttled in the last minute (streaming.alarm_error_rate = '0.05'); \
         the last one: it is away"
    );
    let rates = query.rules.health().rates;
    assert_eq!(rates.checkpoint_success_rate, Some(0.25));
    assert_eq!(rates.throttle_rate, None);
}

#[test]
fn readers_that_start_again_count_from_zero() {
    let mut query = Watched::new(LIMITS);
    query.next.requests.answered = 1_000;
    query.pass(seconds(1));
    query.next.requests.answered = 10;
    query.next.requests.failed = 10;
    query.pass(seconds(1));
    assert_eq!(query.rules.health().rates.error_rate, Some(0.5));
}

#[test]
fn alarms_that_are_off_are_never_raised() {
    let mut query = Watched::new(Limits::default());
    assert!(!query.rules.watches());
    query.next.reader_lag = Some(minutes(600));
    query.next.rows_wait = true;
    query.next.requests.failed = 100;
    assert_eq!(query.pass(minutes(60)).len(), 0);
    let rates = query.rules.health().rates;
    assert_eq!(rates.processing_lag, Some(minutes(600)));
}

#[test]
fn a_failed_query_stays_unhealthy_and_says_why() {
    let mut query = Watched::new(Limits::default());
    let before = query.rules.fail("access is denied".to_owned());
    assert_eq!(before, Some(HealthState::Healthy));
    assert_eq!(query.rules.fail("again".to_owned()), None);
    let health = query.rules.health();
    assert!(!health.is_healthy());
    assert_eq!(health.to_string(), "unhealthy (failed: access is denied)");
}

#[test]
fn a_run_after_a_failed_one_keeps_its_alarms_until_it_has_done_some_work() {
    let mut query = Watched::new(LIMITS);
    query.next.rows_wait = true;
    query.next.batch = Some(BatchId(7));
    assert_eq!(query.pass(minutes(4)).len(), 0);
    query.rules.fail("the target is full".to_owned());
    assert_eq!(query.alarms(), [Alarm::Failed]);
    // It fails again and again, before it has been one minute at work.
    for attempt in 1..=10 {
        let now = query.next.at + seconds(30);
        let failed = query.rules.health_of_failed(now).rates.processing_lag;
        assert_eq!(failed, Some(seconds(240 + 60 * (attempt - 1) + 30)));
        let rules = HealthRules::after_failed(&query.rules, LIMITS, now);
        query = Watched {
            rules,
            next: Observation::at(now),
        };
        assert!(query.rules.watches());
        query.pass(seconds(15));
        query.next.batch = Some(BatchId(7));
        query.next.rows_wait = true;
        query.pass(seconds(15));
        let lag = query.rules.health().rates.processing_lag;
        assert_eq!(lag, Some(seconds(240 + 60 * attempt)));
        query.rules.fail(format!("attempt {attempt}"));
    }
    assert_eq!(query.alarms(), [Alarm::Lag, Alarm::Stuck, Alarm::Failed]);
    let now = query.next.at;
    query.rules = HealthRules::after_failed(&query.rules, LIMITS, now);
    let reason = query.rules.health().reasons.pop().unwrap().message;
    assert!(
        reason.ends_with("before, it failed: attempt 10"),
        "{reason}"
    );
    query.next = Observation::at(now);
    query.next.reader_lag = Some(Duration::ZERO);
    query.next.commits = 1;
    query.next.is_settled = true;
    assert_eq!(
        query.pass(minutes(2)),
        [vec![Alarm::Lag, Alarm::Stuck], vec![]]
    );
}

#[test]
fn a_query_that_ends_has_no_alarms() {
    let mut query = Watched::new(LIMITS);
    query.next.reader_lag = Some(minutes(6));
    query.next.rows_wait = true;
    query.pass(minutes(12));
    assert_eq!(query.alarms(), [Alarm::Lag, Alarm::Stuck]);
    assert_eq!(query.rules.end(), Some(HealthState::Unhealthy));
    assert_eq!(query.rules.end(), None);
    assert_eq!(query.rules.health().to_string(), "healthy");
}

#[test]
fn rejected_writes_count_as_failed_requests() {
    let mut query = Watched::new(LIMITS);
    let requests = &mut query.next.requests;
    requests.answered = 80;
    requests.written = 14;
    requests.write_throttled = 4;
    requests.write_failed = 2;
    query.next.read_error = Some("an old failure".to_owned());
    query.next.write_error = Some("stream 'out': Rate exceeded".to_owned());
    assert_eq!(query.pass(seconds(1)), [[Alarm::ErrorRate]]);
    assert_eq!(
        query.reason(),
        "6 of 100 requests failed or were throttled in the last minute (streaming.alarm_error_rate = '0.05'); the last \
         one: stream 'out': Rate exceeded"
    );
    let rates = query.rules.health().rates;
    assert_eq!(
        (rates.error_rate, rates.throttle_rate),
        (Some(0.06), Some(0.04))
    );
}

#[test]
fn recoveries_are_counted_per_hour() {
    let mut query = Watched::new(LIMITS);
    query.next.recoveries = 3;
    query.pass(minutes(1));
    assert_eq!(query.rules.health().rates.recoveries_per_hour, 3.0);
    query.pass(minutes(119));
    let rates = query.rules.health().rates;
    assert_eq!((rates.recoveries, rates.recoveries_per_hour), (3, 1.5));
}
