//! What operators are called for: each trouble is on the page, in the API, in metrics, in probes and in the alarms.

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::kinesis::{ApiError, FaultPlan, FaultRates, Operation};
use datafusion_kinesis::model::{HashKey, OutputMode, ShardId, StreamIdentity};
use datafusion_kinesis::query::{
    Step, StreamingQueries, StreamingQueryBuilder, StreamingQueryHealthChange,
    StreamingQueryListener,
};
use serde_json::Value;

use super::*;
use crate::streaming::Freeze;
use crate::streaming::metrics::exposition::Exposition;

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// Records which alarms are raised after each change.
#[derive(Debug, Default)]
struct Alarms(Mutex<Vec<String>>);

impl StreamingQueryListener for Alarms {
    fn on_health(&self, event: &StreamingQueryHealthChange) {
        let alarms = event.health.reasons.iter();
        let alarms: Vec<String> = alarms.map(|reason| reason.alarm.to_string()).collect();
        self.0.lock().unwrap().push(alarms.join(", "));
    }
}

/// A served world, and a query with all alarms whose name is `watched`.
struct Ward {
    served: Served,
    alarms: Arc<Alarms>,
}

impl Ward {
    async fn new() -> Self {
        Self {
            served: Served::new("").await,
            alarms: Arc::default(),
        }
    }

    fn watch(&self, builder: StreamingQueryBuilder) -> StreamingQueryBuilder {
        builder
            .with_name("watched")
            .with_alarm_lag(minutes(5))
            .with_alarm_stuck(minutes(20))
            .with_alarm_error_rate(0.2)
            .with_listener(Arc::<Alarms>::clone(&self.alarms))
    }

    fn client(&self) -> Client {
        self.served.client
    }

    fn page(&self, tab: &str) -> String {
        self.client().page(&format!("/queries/watched{tab}"))
    }

    fn set_faults(&self, operation: Operation, rates: FaultRates) {
        let faults = FaultPlan::default().with(operation, rates);
        self.served.world.kinesis.set_faults(faults);
    }

    /// The value of a metric of the query, by its name and its labels without `query`.
    fn metric(&self, name: &str, labels: &str) -> f64 {
        let value = self.metric_if_known(name, labels);
        value.unwrap_or_else(|| panic!("{name} {labels}"))
    }

    fn metric_if_known(&self, name: &str, labels: &str) -> Option<f64> {
        let exposition = Exposition::of(&self.client().page("/metrics"));
        let separator = if labels.is_empty() { "" } else { "," };
        exposition.value(&format!("{name}{{query=\"watched\"{separator}{labels}}}"))
    }

    /// Waits for a metric that a listener counts, which has a thread of its own.
    async fn counted(&self, name: &str, labels: &str, expected: f64) {
        while self.metric_if_known(name, labels) != Some(expected) {
            tokio::task::yield_now().await;
        }
    }

    /// Waits for the changes of health that the listener has seen.
    async fn heard(&self, expected: &[&str]) {
        while *self.alarms.0.lock().unwrap() != expected {
            tokio::task::yield_now().await;
        }
    }

    /// These alarms are raised, and no other: wherever somebody looks. Returns the message of the first.
    fn shows(&self, raised: &[&str]) -> String {
        let client = self.client();
        let shown = client.json("/api/v1/queries/watched");
        let health = &shown["health"];
        let reasons = health["reasons"].as_array().unwrap();
        let alarms: Vec<&str> = reasons
            .iter()
            .map(|reason| reason["alarm"].as_str().unwrap())
            .collect();
        assert_eq!(alarms, raised);
        let state = if raised.is_empty() {
            "healthy"
        } else {
            "unhealthy"
        };
        assert_eq!(health["state"], state);
        let value = |is_raised: bool| f64::from(u8::from(is_raised));
        assert_eq!(self.metric("query_healthy", ""), value(raised.is_empty()));
        for alarm in ["lag", "stuck", "errorRate", "failed"] {
            let labels = format!("alarm=\"{alarm}\"");
            let expected = value(raised.contains(&alarm));
            assert_eq!(self.metric("alarm_raised", &labels), expected, "{alarm}");
        }
        for path in ["/", "/queries/watched"] {
            let page = client.page(path);
            let is_running = shown["isActive"] == true;
            let is_marked = page.contains("⚠ unhealthy");
            assert_eq!(is_marked, is_running && !raised.is_empty(), "{path}");
            for alarm in raised.iter().filter(|_| is_running) {
                let named = format!("<strong>{alarm}</strong>: ");
                assert!(page.contains(&named), "{path}: {page}");
            }
        }
        let ready = client.get("/health/ready");
        assert_eq!(ready.status, if raised.is_empty() { 200 } else { 503 });
        let ready: Value = serde_json::from_str(&ready.body).unwrap();
        let live = client.get("/health/live").status;
        assert_eq!(live, if raised.contains(&"stuck") { 503 } else { 200 });
        let message = |reason: &Value| reason["message"].as_str().unwrap_or_default().to_owned();
        let first = reasons.first().map(message).unwrap_or_default();
        let probed = ready["queries"][0]["reasons"].as_array().unwrap();
        assert_eq!(probed.first().map(message).unwrap_or_default(), first);
        first
    }
}

#[tokio::test(start_paused = true)]
async fn throttled_reads() {
    let ward = Ward::new().await;
    let query = ward.watch(Sink::default().of(words(&ward.served.world)));
    let query = query.start().await.unwrap();
    ward.served.world.put_numbers("words", 4).await;
    query.process_all_available().await.unwrap();
    ward.shows(&[]);
    let throttled = FaultRates::default().with_throttled(0.5);
    ward.set_faults(Operation::GetRecords, throttled);
    tokio::time::sleep(minutes(4)).await;
    let message = ward.shows(&["errorRate"]);
    assert!(message.contains("Rate exceeded"), "{message}");
    let shards = ward.client().json("/api/v1/queries/watched/shards");
    let shards = shards["sources"][0]["shards"].as_array().unwrap().clone();
    let calls = |shard: &Value| shard["throttledCalls"].as_f64().unwrap();
    assert!(shards.iter().all(|shard| calls(shard) > 0.0), "{shards:?}");
    let counted = ward.metric("throttled_calls_total", "stream=\"words\"");
    assert_eq!(counted, shards.iter().map(calls).sum::<f64>());
    let page = ward.page("/shards");
    assert!(page.contains("Rate exceeded"), "{page}");
    ward.served.world.kinesis.set_faults(FaultPlan::default());
    tokio::time::sleep(minutes(3)).await;
    ward.shows(&[]);
    ward.heard(&["errorRate", ""]).await;
    query.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_reshard_raises_no_alarm() {
    let ward = Ward::new().await;
    let world = &ward.served.world;
    let query = ward.watch(Sink::default().of(words(world)));
    let query = query.start().await.unwrap();
    world.put("words", "0", "1").await;
    query.process_all_available().await.unwrap();
    let stream = StreamIdentity::parse("words").unwrap();
    let split = ShardId::new("shardId-000000000000");
    let split = world
        .kinesis
        .split_shard(&stream, &split, HashKey(1 << 126));
    split.await.unwrap();
    let open = || ward.metric("open_shards", "stream=\"words\"");
    while open() != 3.0 {
        world.put("words", "0", "1").await;
        query.process_all_available().await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::sleep(minutes(10)).await;
    ward.shows(&[]);
    let page = ward.page("/shards");
    assert!(page.contains("Splits and merges"), "{page}");
    for child in ["shardId-000000000002", "shardId-000000000003"] {
        let labels = format!("stream=\"words\",shard=\"{child}\"");
        assert_eq!(ward.metric("shard_lag_seconds", &labels), 0.0);
    }
    query.stop().await.unwrap();
    ward.heard(&[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_sink() {
    let ward = Ward::new().await;
    let world = &ward.served.world;
    world.table("out", 1, "").await;
    let slow = FaultRates::default()
        .with_min_latency(minutes(12))
        .with_max_latency(minutes(12));
    ward.set_faults(Operation::PutRecords, slow);
    let insert = "INSERT INTO out (partitionKey, data) SELECT partitionKey, data FROM words";
    let query = ward.watch(StreamingQuery::builder(&world.ctx, insert));
    let query = query.with_checkpoint_location("memory://slow-sink");
    let query = query.start().await.unwrap();
    world.put_numbers("words", 7).await;
    tokio::time::sleep(minutes(6)).await;
    let message = ward.shows(&["lag"]);
    assert!(
        message.starts_with("the lag is 6 minutes in batch 0, which is running")
            || message.starts_with("the lag is 5 minutes in batch 0, which is running"),
        "{message}"
    );
    let sink = &ward.client().json("/api/v1/queries/watched")["sinkStatus"];
    let records = sink["recordsInFlight"].as_f64();
    assert!(records > Some(0.0), "{sink}");
    assert_eq!(records, Some(ward.metric("sink_records_in_flight", "")));
    // The page has a clock of its own, which is not paused.
    let observed = StreamingQueries::of(&world.ctx).observed();
    let oldest = observed[0].sink().unwrap().oldest_in_flight;
    assert!(oldest > Some(minutes(5)), "{oldest:?}");
    let page = ward.page("/sink");
    assert!(
        page.contains("<dt>Calls in flight</dt><dd>1</dd>"),
        "{page}"
    );
    ward.heard(&["lag"]).await;
    world.kinesis.set_faults(FaultPlan::default());
    query.process_all_available().await.unwrap();
    tokio::time::sleep(minutes(2)).await;
    ward.shows(&[]);
    query.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn rejected_writes() {
    let ward = Ward::new().await;
    let world = &ward.served.world;
    world.table("out", 1, "").await;
    world.put_numbers("words", 7).await;
    let throttled = FaultRates::default().with_throttled(1.0);
    ward.set_faults(Operation::PutRecords, throttled);
    let insert = "INSERT INTO out (partitionKey, data) SELECT partitionKey, data FROM words";
    let query = ward.watch(StreamingQuery::builder(&world.ctx, insert));
    let query = query.with_checkpoint_location("memory://rejected-writes");
    let query = query.start().await.unwrap();
    while ward.client().json("/api/v1/queries/watched")["health"]["state"] == "healthy" {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let message = ward.shows(&["errorRate"]);
    assert!(
        message.contains("; the last one: stream 'out': "),
        "{message}"
    );
    world.kinesis.set_faults(FaultPlan::default());
    query.process_all_available().await.unwrap();
    let metrics = query.last_progress().unwrap().sink.metrics.clone().unwrap();
    ward.counted(
        "sink_throttled_records_total",
        "",
        metrics.throttled_records as f64,
    )
    .await;
    assert!(metrics.throttled_records > 0);
    query.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn late_rows_are_counted_and_raise_no_alarm() {
    let ward = Ward::new().await;
    let world = &ward.served.world;
    let sql = "SELECT window_start, count(*) FROM
        (SELECT to_timestamp_millis(CAST(CAST(data AS VARCHAR) AS BIGINT)) AS ts FROM words)
        GROUP BY tumble(ts, INTERVAL '10 milliseconds')";
    let query = StreamingQuery::builder(&world.ctx, sql)
        .with_output_mode(OutputMode::Append)
        .with_watermark(Duration::from_millis(5), None)
        .foreach_batch(|_, _| async { Ok(()) });
    let query = ward.watch(query).start().await.unwrap();
    for time in ["1", "40", "80", "3", "4"] {
        world.put("words", "k", time).await;
        query.process_all_available().await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    ward.counted("late_rows_total", "", 2.0).await;
    ward.shows(&[]);
    let page = ward.page("/state");
    let batches = query.recent_progress().len();
    let expected = format!("dropped in the last {batches} batches: <strong>2</strong>");
    assert!(page.contains(&expected), "{page}");
    query.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stuck_batch() {
    let ward = Ward::new().await;
    let world = &ward.served.world;
    let freeze = Freeze::at(Step::Running, 2);
    let query = Sink::default().of(words(world));
    let query = ward.watch(query.with_step_hook(freeze.hook.clone()));
    let query = query.start().await.unwrap();
    world.put("words", "k", "1").await;
    query.process_all_available().await.unwrap();
    world.put("words", "k", "2").await;
    freeze.reached().await;
    tokio::time::sleep(minutes(22)).await;
    ward.shows(&["lag", "stuck"]);
    let page = ward.page("");
    assert!(
        page.contains("although rows wait (Processing batch 1)"),
        "{page}"
    );
    ward.heard(&["lag", "lag, stuck"]).await;
    drop(query);
}

#[tokio::test(start_paused = true)]
async fn a_denied_access() {
    let ward = Ward::new().await;
    let query = ward.watch(Sink::default().of(words(&ward.served.world)));
    let query = query.start().await.unwrap();
    tokio::time::sleep(minutes(1)).await;
    ward.shows(&[]);
    let denied = ApiError::from_code(Operation::GetRecords, "AccessDeniedException", "no");
    let kinesis = &ward.served.world.kinesis;
    kinesis.fail_next(Operation::GetRecords, denied);
    let error = query.await_termination().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
    assert_eq!(ward.shows(&["failed"]), error.to_string());
    ward.heard(&["failed"]).await;
    ward.counted("query_ends_total", "end=\"failed\"", 1.0)
        .await;
    let shown = ward.client().json("/api/v1/queries/watched");
    assert_eq!(shown["exception"], error.to_string());
    let page = ward.page("");
    assert!(
        page.contains("✕ failed") && page.contains("AccessDenied"),
        "{page}"
    );
}
