//! Alarms, rates and probes of running queries.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use datafusion::error::DataFusionError;
use datafusion_kinesis::kinesis::{ApiError, FaultPlan, FaultRates, Operation};
use datafusion_kinesis::query::{
    Alarm, HealthState, StreamingQueries, StreamingQueryHealthChange, StreamingQueryListener,
    StreamingQueryTerminated,
};
use datafusion_kinesis::{Error, ErrorKind};
use serde_json::Value;

use crate::peers::heard::Heard;

/// Records the changes of health, and the end.
#[derive(Debug, Default)]
struct Nurse(Mutex<Vec<String>>);

impl Nurse {
    fn notes(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl StreamingQueryListener for Nurse {
    fn on_health(&self, event: &StreamingQueryHealthChange) {
        let alarms: Vec<String> = event
            .health
            .reasons
            .iter()
            .map(|reason| reason.alarm.to_string())
            .collect();
        let (before, now) = (event.previous, event.health.state);
        let note = format!("{before} -> {now} [{}]", alarms.join(", "));
        self.0.lock().unwrap().push(note);
    }

    fn on_terminated(&self, _event: &StreamingQueryTerminated) {
        self.0.lock().unwrap().push("ended".to_owned());
    }
}

/// A query with all alarms.
fn watched(world: &World, nurse: &Arc<Nurse>) -> StreamingQueryBuilder {
    words(world)
        .with_name("watched")
        .with_alarm_lag(minutes(5))
        .with_alarm_stuck(minutes(10))
        .with_alarm_error_rate(0.05)
        .with_listener(Arc::<Nurse>::clone(nurse))
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// The only reason why the query is unhealthy.
fn reason(query: &StreamingQuery) -> (Alarm, String) {
    let health = query.health();
    assert_eq!(health.state, HealthState::Unhealthy);
    assert_eq!(query.status().health, HealthState::Unhealthy);
    let [reason] = &health.reasons[..] else {
        panic!("one reason: {health:?}");
    };
    (reason.alarm, reason.message.clone())
}

fn ready(world: &World) -> Value {
    let report = StreamingQueries::of(&world.ctx).readiness();
    assert_eq!(report.status_code(), if report.is_ok { 200 } else { 503 });
    serde_json::from_str(&report.to_json()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_hanging_batch_is_found_while_it_hangs() {
    let (heard, _guard) = Heard::listen_to(tracing::Level::WARN);
    let world = world(1).await;
    let nurse = Arc::new(Nurse::default());
    let freeze = Freeze::at(Step::Running, 2);
    let query = watched(&world, &nurse).with_step_hook(freeze.hook.clone());
    let query = Sink::default().of(query).start().await.unwrap();
    world.put("words", "k", "1").await;
    query.process_all_available().await.unwrap();
    tokio::time::sleep(minutes(30)).await;
    assert!(query.health().is_healthy());
    world.put("words", "k", "2").await;
    freeze.reached().await;
    tokio::time::sleep(minutes(4)).await;
    assert!(query.health().is_healthy());
    tokio::time::sleep(minutes(2)).await;
    let (alarm, message) = reason(&query);
    assert_eq!(alarm, Alarm::Lag);
    assert!(
        message.starts_with("the lag is 5 minutes in batch 1, which is running"),
        "{message}"
    );
    let queries = StreamingQueries::of(&world.ctx);
    assert!(queries.liveness().is_ok && !queries.readiness().is_ok);
    tokio::time::sleep(minutes(5)).await;
    let health = query.health();
    let stuck = health
        .reasons
        .iter()
        .find(|reason| reason.alarm == Alarm::Stuck)
        .unwrap();
    assert!(stuck.message.contains("(Processing batch 1)"), "{stuck}");
    assert!(!queries.liveness().is_ok);
    assert_eq!(
        nurse.notes(),
        [
            "healthy -> unhealthy [lag]",
            "unhealthy -> unhealthy [lag, stuck]"
        ]
    );
    let warnings = heard.with(&["query 'watched'", "the query is unhealthy (lag: "]);
    assert_eq!(warnings.len(), 2, "{warnings:#?}");
    drop(query);
}

#[tokio::test(start_paused = true)]
async fn shards_that_cannot_be_read_lag_and_recover() {
    let world = world(2).await;
    let nurse = Arc::new(Nurse::default());
    let query = words(&world)
        .with_alarm_lag(minutes(5))
        .with_listener(Arc::<Nurse>::clone(&nurse));
    let query = Sink::default().of(query).start().await.unwrap();
    world.put_numbers("words", 10).await;
    query.process_all_available().await.unwrap();
    let away = FaultRates::default().with_connection_lost(1.0);
    world
        .kinesis
        .set_faults(FaultPlan::default().with(Operation::GetRecords, away));
    tokio::time::sleep(minutes(7)).await;
    let (alarm, message) = reason(&query);
    assert_eq!(alarm, Alarm::Lag);
    assert!(message.contains(" in shardId-00000000000"), "{message}");
    assert!(
        message.contains(" of stream 'words' (streaming.alarm_lag = '5 minutes')"),
        "{message}"
    );
    assert_eq!(query.health().rates.error_rate, Some(1.0));
    world.kinesis.set_faults(FaultPlan::default());
    tokio::time::sleep(minutes(3)).await;
    assert!(query.health().is_healthy());
    query.stop().await.unwrap();
    assert_eq!(
        nurse.notes(),
        [
            "healthy -> unhealthy [lag]",
            "unhealthy -> healthy []",
            "ended"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn throttled_requests_raise_an_alarm_with_their_reason() {
    let world = world(1).await;
    world.run("SET streaming.alarm_error_rate = '0.2'").await;
    let query = Sink::default().of(words(&world)).start().await.unwrap();
    let throttled = FaultRates::default().with_throttled(0.5);
    world
        .kinesis
        .set_faults(FaultPlan::default().with(Operation::GetRecords, throttled));
    tokio::time::sleep(minutes(5)).await;
    let (alarm, message) = reason(&query);
    assert_eq!(alarm, Alarm::ErrorRate);
    assert!(
        message.contains("streaming.alarm_error_rate = '0.2'"),
        "{message}"
    );
    assert!(
        message.contains("shardId-000000000000 of stream 'words': "),
        "{message}"
    );
    assert!(message.contains("Rate exceeded"), "{message}");
    let rates = query.health().rates;
    assert_eq!(rates.error_rate, rates.throttle_rate);
    assert!(rates.throttle_rate > Some(0.2), "{rates:?}");
    // Progress has the same figures.
    world.put("words", "k", "1").await;
    query.process_all_available().await.unwrap();
    let json = query.last_progress().unwrap().to_json();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["health"]["state"], "unhealthy");
    assert_eq!(json["health"]["reasons"][0]["alarm"], "errorRate");
    assert_eq!(json["health"]["checkpointSuccessRate"], 1.0);
    assert!(json["health"]["throttleRate"].as_f64().unwrap() > 0.1);
    query.stop().await.unwrap();
    assert!(query.health().is_healthy());
}

#[tokio::test(start_paused = true)]
async fn a_denied_access_makes_the_query_unhealthy_and_not_ready() {
    let world = world(1).await;
    let nurse = Arc::new(Nurse::default());
    let query = words(&world).with_listener(Arc::<Nurse>::clone(&nurse));
    let query = Sink::default().of(query).start().await.unwrap();
    tokio::time::sleep(minutes(1)).await;
    assert_eq!(ready(&world)["ok"], true);
    let denied = ApiError::from_code(Operation::GetRecords, "AccessDeniedException", "no");
    world.kinesis.fail_next(Operation::GetRecords, denied);
    let error = query.await_termination().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
    let (alarm, message) = reason(&query);
    assert_eq!((alarm, message), (Alarm::Failed, error.to_string()));
    assert_eq!(nurse.notes(), ["healthy -> unhealthy [failed]", "ended"]);
    let probe = ready(&world);
    assert_eq!(probe["ok"], false);
    assert_eq!(probe["queries"][0]["reasons"][0]["reason"], "failed");
    assert!(StreamingQueries::of(&world.ctx).liveness().is_ok);
}

#[tokio::test(start_paused = true)]
async fn a_query_is_ready_once_it_has_committed_or_found_nothing() {
    let world = world(1).await;
    let slow = FaultRates::default()
        .with_min_latency(minutes(1))
        .with_max_latency(minutes(1));
    let slow = FaultPlan::default().with(Operation::GetRecords, slow);
    assert_eq!(ready(&world)["ok"], true, "there is no query");
    for has_rows in [false, true] {
        if has_rows {
            world.put("words", "k", "1").await;
        }
        world.kinesis.set_faults(slow.clone());
        let query = Sink::default().of(words(&world)).with_name("slow");
        let query = query.start().await.unwrap();
        let probe = ready(&world);
        assert_eq!(probe["ok"], false);
        assert_eq!(probe["queries"][0]["name"], "slow");
        assert_eq!(probe["queries"][0]["state"], "healthy");
        assert_eq!(probe["queries"][0]["reasons"][0]["reason"], "starting");
        tokio::time::sleep(minutes(2)).await;
        assert_eq!(ready(&world)["ok"], true);
        query.stop().await.unwrap();
        assert_eq!(ready(&world)["queries"].as_array().unwrap().len(), 0);
        world.kinesis.set_faults(FaultPlan::default());
    }
}

#[tokio::test(start_paused = true)]
async fn a_rerun_counts_as_a_recovery() {
    let world = world(1).await;
    let start = || words(&world).with_checkpoint_location("memory://health-recoveries");
    let sink = Sink::default();
    let freeze = Freeze::at(Step::Running, 1);
    let query = sink.of(start()).with_step_hook(freeze.hook.clone());
    let query = query.start().await.unwrap();
    world.put("words", "k", "1").await;
    freeze.reached().await;
    assert_eq!(query.health().rates.recoveries, 0);
    drop(query);
    let query = sink
        .of(start())
        .with_restart_count(2)
        .start()
        .await
        .unwrap();
    query.process_all_available().await.unwrap();
    // The restart, and the batch that the first run left.
    let rates = query.health().rates;
    assert_eq!((rates.recoveries, rates.recoveries_per_hour), (2, 2.0));
    let observed = StreamingQueries::of(&world.ctx).observed().pop().unwrap();
    assert_eq!(observed.description().restarts, 2);
    assert!(observed.description().is_resumable);
    query.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_query_that_fails_again_and_again_stays_unhealthy_until_it_works() {
    let world = world(1).await;
    let nurse = Arc::new(Nurse::default());
    let is_full = Arc::new(AtomicBool::new(true));
    let start = async || {
        let is_full = Arc::clone(&is_full);
        let query = words(&world)
            .with_name("again")
            .with_checkpoint_location("memory://health-again")
            .with_listener(Arc::<Nurse>::clone(&nurse));
        let query = query.foreach_batch(move |_, _| {
            let is_full = is_full.load(Ordering::SeqCst);
            async move {
                match is_full {
                    true => Err(DataFusionError::Execution("the target is full".to_owned())),
                    false => Ok(()),
                }
            }
        });
        query.start().await.unwrap()
    };
    world.put("words", "k", "1").await;
    for attempt in 1..=3 {
        let query = start().await;
        query.await_termination().await.unwrap_err();
        assert_eq!(reason(&query).0, Alarm::Failed);
        tokio::time::sleep(minutes(1)).await;
        let lag = query.health().rates.processing_lag;
        assert!(lag >= Some(minutes(attempt)), "{lag:?}");
        assert!(!StreamingQueries::of(&world.ctx).readiness().is_ok);
    }
    is_full.store(false, Ordering::SeqCst);
    let query = start().await;
    let (alarm, message) = reason(&query);
    assert_eq!(alarm, Alarm::Failed);
    assert!(message.contains("before, it failed: "), "{message}");
    query.process_all_available().await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(query.health().is_healthy());
    assert!(StreamingQueries::of(&world.ctx).readiness().is_ok);
    query.stop().await.unwrap();
    assert_eq!(
        nurse.notes(),
        [
            "healthy -> unhealthy [failed]",
            "ended",
            "ended",
            "ended",
            "unhealthy -> healthy []",
            "ended"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn useless_limits_are_refused() {
    let world = world(1).await;
    let builder = || Sink::default().of(words(&world));
    let refusal = async |builder: StreamingQueryBuilder| -> Error {
        let error = builder.start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        error
    };
    for (builder, expected) in [
        (
            builder().with_alarm_lag(Duration::ZERO),
            "'streaming.alarm_lag' = '0 milliseconds': expected a duration",
        ),
        (
            builder().with_alarm_stuck(Duration::ZERO),
            "streaming.alarm_stuck",
        ),
        (
            builder().with_alarm_error_rate(5.0),
            "'streaming.alarm_error_rate' = '5': expected a number above 0 and below 1",
        ),
        (builder().with_alarm_error_rate(f64::NAN), "'NaN'"),
        (
            builder().with_alarm_webhook("http://example.com/canary"),
            "'streaming.alarm_webhook' = '***': expected an https:// URL",
        ),
    ] {
        let error = refusal(builder).await.to_string();
        assert!(error.contains(expected), "{error}");
    }
}
