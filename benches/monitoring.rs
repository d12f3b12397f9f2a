//! What does it cost a streaming query to be monitored?
//!
//! `cargo bench --no-default-features --features ui --bench monitoring` reads streams of 16 shards, which are in memory,
//! in batches of 160 and of 160,000 rows of 100 bytes. It prints the CPU of this process with nothing attached, and the
//! ratio to it: with metrics, a listener and three alarms, and with these while plans are kept, because somebody has
//! looked at the status page. What the page itself costs is in `status_page`. Each ratio is the median of those of many
//! rounds, which alternate, with the 95 % confidence interval of this median. `-- small` or `-- large` measures only
//! these batches.

#[path = "support/cpu.rs"]
mod cpu;
#[path = "support/in_memory.rs"]
mod in_memory;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cpu::cpu_seconds;
use datafusion::prelude::SessionContext;
use datafusion_kinesis::kinesis::{InMemoryKinesis, InMemoryOptions};
use datafusion_kinesis::model::{SystemClock, Trigger};
use datafusion_kinesis::monitor::{Metrics, ShardMetrics, StatusServer};
use datafusion_kinesis::query::{
    StreamingQueries, StreamingQuery, StreamingQueryListener, StreamingQueryProgress,
};
use futures::StreamExt;
use in_memory::{create, put_evenly, session, unbounded_table};

const SHARDS: u32 = 16;
const ROW_BYTES: usize = 100;

/// A stream, and how it is read.
struct Case {
    name: &'static str,
    rows_per_batch: usize,
    batches: usize,
    rounds: usize,
}

const CASES: [Case; 2] = [
    Case {
        name: "small",
        rows_per_batch: 160,
        batches: 1_000,
        rounds: 60,
    },
    Case {
        name: "large",
        rows_per_batch: 160_000,
        batches: 20,
        rounds: 60,
    },
];

/// What is attached to the queries of a session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Attached {
    Nothing,
    Metrics,
    Page,
}

const ALL: [(Attached, &str); 3] = [
    (Attached::Nothing, "nothing attached"),
    (Attached::Metrics, "metrics, listener, alarms"),
    (Attached::Page, "and plans are kept"),
];

/// A session whose queries are monitored, or not.
struct Monitored {
    ctx: SessionContext,
    attached: Attached,
    heard: Arc<Batches>,
    _server: Option<StatusServer>,
}

/// Counts the batches that it hears of.
#[derive(Default)]
struct Batches(AtomicU64);

impl StreamingQueryListener for Batches {
    fn on_progress(&self, _: &StreamingQueryProgress) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let names = CASES.each_ref().map(|case| case.name);
    let chosen: Vec<String> = std::env::args()
        .filter(|argument| names.contains(&&**argument))
        .collect();
    for case in &CASES {
        if chosen.is_empty() || chosen.iter().any(|name| name == case.name) {
            runtime.block_on(compare(case));
        }
    }
}

async fn compare(case: &Case) {
    let clock = Arc::new(SystemClock);
    let kinesis = InMemoryKinesis::new(clock, InMemoryOptions::default());
    let kinesis = Arc::new(kinesis);
    create(&kinesis, "records", SHARDS).await;
    let rows_per_shard = case.rows_per_batch / SHARDS as usize;
    let all_rows_per_shard = rows_per_shard * case.batches;
    put_evenly(&kinesis, "records", SHARDS, all_rows_per_shard, ROW_BYTES).await;
    let mut sessions = Vec::new();
    for (attached, _) in ALL {
        sessions.push(Monitored::new(&kinesis, attached, rows_per_shard).await);
    }
    let mut costs = ALL.map(|_| Vec::new());
    for round in 0..=case.rounds {
        for turn in 0..ALL.len() {
            let place = (round + turn) % ALL.len();
            let cost = sessions[place].read(case).await;
            // The first round warms up memory.
            if round > 0 {
                costs[place].push(cost);
            }
        }
    }
    for session in &sessions {
        session.expect_attached(case);
    }
    println!(
        "{} batches of {} rows, CPU:",
        case.batches, case.rows_per_batch
    );
    for ((_, name), cost) in ALL.iter().zip(&costs) {
        report(name, cost, &costs[0], case);
    }
}

fn report(name: &str, cost: &[f64], floor: &[f64], case: &Case) {
    let per_batch = |mut seconds: Vec<f64>| middle(&mut seconds).0 / case.batches as f64 * 1e6;
    let ratios = cost.iter().zip(floor).map(|(cost, floor)| cost / floor);
    let (ratio, from, to) = middle(&mut ratios.collect::<Vec<_>>());
    let more = cost.iter().zip(floor).map(|(cost, floor)| cost - floor);
    println!(
        "  {name:<26} {:>9.1} µs per batch, {:>+7.1} µs, ratio {ratio:.4} ({from:.4} to {to:.4})",
        per_batch(cost.to_vec()),
        per_batch(more.collect()),
    );
}

/// The median, and its 95 % confidence interval.
fn middle(values: &mut [f64]) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let count = values.len() as f64;
    let value = |place: f64| values[(place.max(0.0) as usize).min(values.len() - 1)];
    let (half, distance) = (count / 2.0, 1.96 * count.sqrt() / 2.0);
    (value(half), value(half - distance), value(half + distance))
}

impl Monitored {
    async fn new(
        kinesis: &Arc<InMemoryKinesis>,
        attached: Attached,
        rows_per_shard: usize,
    ) -> Self {
        let ctx = session(kinesis, Arc::new(SystemClock));
        let options = format!(
            "'kinesis.getRecords.fetchIntervalMs' '0', 'kinesis.maxFetchTimePerShardSec' '60',
             'kinesis.maxFetchRecordsPerShard' '{rows_per_shard}'"
        );
        unbounded_table(&ctx, "records", &options).await;
        let heard = Arc::<Batches>::default();
        if attached >= Attached::Metrics {
            Metrics::of(&ctx);
            StreamingQueries::of(&ctx).add_listener(Arc::<Batches>::clone(&heard));
        }
        let server = (attached == Attached::Page).then(|| {
            let server = StatusServer::builder(&ctx).bind("127.0.0.1:0");
            let server = server.expect("the page is served");
            look(&server);
            server
        });
        Self {
            ctx,
            attached,
            heard,
            _server: server,
        }
    }

    /// The CPU seconds of a query from its start to its end.
    async fn read(&self, case: &Case) -> f64 {
        let before = cpu_seconds();
        let mut query = StreamingQuery::builder(&self.ctx, "SELECT data FROM records")
            .with_trigger(Trigger::AvailableNow)
            .foreach_batch(|_, mut rows| async move {
                while let Some(rows) = rows.next().await {
                    rows?;
                }
                Ok(())
            });
        if self.attached >= Attached::Metrics {
            const NEVER: Duration = Duration::from_secs(3_600);
            query = query
                .with_alarm_lag(NEVER)
                .with_alarm_stuck(NEVER)
                .with_alarm_error_rate(0.9);
        }
        let query = query.start().await.expect("the query starts");
        query.await_termination().await.expect("the query ends");
        let cost = cpu_seconds() - before;
        let last = query.last_progress().expect("batches have run");
        assert_eq!(last.batch_id.0 + 1, case.batches as u64);
        assert_eq!(last.num_input_rows, case.rows_per_batch as u64);
        cost
    }

    /// Checks that what is measured was there.
    fn expect_attached(&self, case: &Case) {
        let all = (case.batches * (case.rounds + 1)) as u64;
        let is_monitored = self.attached >= Attached::Metrics;
        let heard = self.heard.0.load(Ordering::Relaxed);
        assert_eq!(heard, if is_monitored { all } else { 0 });
        if is_monitored {
            let text = Metrics::of(&self.ctx).prometheus_text(ShardMetrics::All);
            assert!(text.contains("datafusion_kinesis_batches_total"), "{text}");
        }
        let runs = StreamingQueries::of(&self.ctx).observed();
        let last = runs.last().expect("queries have run");
        let batch = last.last_progress().expect("batches have run").batch_id;
        assert_eq!(last.plan(batch).is_some(), self.attached == Attached::Page);
    }
}

/// Loads the page once.
fn look(server: &StatusServer) {
    let address = server.local_addr();
    let mut connection = TcpStream::connect(address).expect("a connection");
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let sent = connection.write_all(request.as_bytes());
    sent.expect("the request is sent");
    let mut answer = String::new();
    let received = connection.read_to_string(&mut answer);
    received.expect("the answer is received");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
