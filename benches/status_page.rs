//! How long do the status page and its API take, and what does an open page cost?
//!
//! `cargo bench --no-default-features --features ui --bench status_page` runs ten queries in one session, one of them
//! over 1,000 shards, until 100 batches are kept and the charts reach back an hour. For each page and resource of that
//! query it prints the time of a request on loopback, the CPU of the thread that serves it, and the size of the answer.
//! Then batches go on while each page that loads itself again is open. It prints the CPU of that thread, and of the whole
//! process with the page open and closed: the process is also the client, the simulator and the queries, so only the
//! difference is of the page. `-- requests` or `-- open` measures only these.

#[path = "support/cpu.rs"]
mod cpu;
#[path = "support/in_memory.rs"]
mod in_memory;
#[path = "support/thread_cpu.rs"]
mod thread_cpu;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use cpu::cpu_seconds;
use datafusion::prelude::SessionContext;
use datafusion_kinesis::kinesis::{InMemoryKinesis, InMemoryOptions};
use datafusion_kinesis::model::{Clock, OutputMode, SystemClock, UnixMillis};
use datafusion_kinesis::monitor::StatusServer;
use datafusion_kinesis::query::{
    StreamingQueries, StreamingQuery, StreamingQueryListener, StreamingQueryProgress,
};
use datafusion_kinesis::sql;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use in_memory::{create, put_evenly, session, unbounded_table};
use thread_cpu::Thread;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, interval, timeout};

/// The shards of the stream of each query.
const SHARDS: [u32; 10] = [1_000, 4, 4, 4, 4, 4, 4, 4, 4, 4];

/// The points of the charts of an hour, and the time that each stands for.
const POINTS: u64 = 1_800;
const POINT: Duration = Duration::from_secs(2);

const REQUESTS: usize = 51;

/// How often a page loads itself again.
const REFRESH: Duration = Duration::from_secs(2);

/// How often batches run while a page is open.
const BATCH_INTERVAL: Duration = Duration::from_millis(500);

/// How long a page is open, and then closed.
const OPEN_TIME: Duration = Duration::from_secs(20);

/// The system clock, put forward so that an hour passes in less time.
#[derive(Debug, Default)]
struct FastClock {
    ahead_millis: AtomicI64,
}

impl Clock for FastClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(SystemClock.now().0 + self.ahead_millis.load(Ordering::Relaxed))
    }
}

impl FastClock {
    fn advance(&self, span: Duration) {
        let millis = span.as_millis() as i64;
        self.ahead_millis.fetch_add(millis, Ordering::Relaxed);
    }
}

/// Counts the rows of committed batches.
#[derive(Default)]
struct Rows {
    committed: AtomicU64,
    has_risen: Notify,
}

impl StreamingQueryListener for Rows {
    fn on_progress(&self, batch: &StreamingQueryProgress) {
        self.committed
            .fetch_add(batch.num_input_rows, Ordering::Relaxed);
        self.has_risen.notify_one();
    }
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(async {
        let world = World::start().await;
        world.fill_charts().await;
        let is_named = |part: &str| std::env::args().any(|argument| argument == part);
        if is_named("requests") || !is_named("open") {
            world.measure_requests().await;
        }
        if is_named("open") || !is_named("requests") {
            world.measure_open_pages().await;
        }
        world.stop().await;
    });
}

/// Ten queries and their page.
struct World {
    clock: Arc<FastClock>,
    kinesis: Arc<InMemoryKinesis>,
    queries: Vec<StreamingQuery>,
    rows: Arc<Rows>,
    server: StatusServer,
}

impl World {
    async fn start() -> Self {
        let clock = Arc::<FastClock>::default();
        let shared: Arc<dyn Clock> = Arc::<FastClock>::clone(&clock);
        let kinesis = InMemoryKinesis::new(Arc::clone(&shared), InMemoryOptions::default());
        let kinesis = Arc::new(kinesis);
        let ctx = session(&kinesis, shared);
        let rows = Arc::<Rows>::default();
        StreamingQueries::of(&ctx).add_listener(Arc::<Rows>::clone(&rows));
        let server = StatusServer::builder(&ctx).bind("127.0.0.1:0");
        let server = server.expect("the page is served");
        let mut queries = Vec::new();
        for (number, shards) in SHARDS.into_iter().enumerate() {
            queries.push(start_query(&kinesis, &ctx, number, shards).await);
        }
        Self {
            clock,
            kinesis,
            queries,
            rows,
            server,
        }
    }

    /// Puts a record into each shard, and waits until all are committed.
    async fn run_batches(&self) {
        let before = self.rows.committed.load(Ordering::Relaxed);
        for (number, shards) in SHARDS.into_iter().enumerate() {
            put_evenly(&self.kinesis, &format!("words{number}"), shards, 1, 100).await;
        }
        let all = u64::from(SHARDS.iter().sum::<u32>());
        while self.rows.committed.load(Ordering::Relaxed) < before + all {
            self.rows.has_risen.notified().await;
        }
    }

    async fn fill_charts(&self) {
        let began = Instant::now();
        let mut client = Client::connect(self.server.local_addr()).await;
        client.get("/").await;
        for point in 0..POINTS {
            self.clock.advance(POINT);
            self.run_batches().await;
            // The charts take the batches that are kept when somebody looks.
            if point % 20 == 19 {
                client = Client::connect(self.server.local_addr()).await;
                client.get("/").await;
            }
        }
        let last = self.queries[0].last_progress().expect("batches have run");
        println!(
            "{} batches of the query over {} shards in {:.1?}",
            last.batch_id.0 + 1,
            SHARDS[0],
            began.elapsed()
        );
    }

    async fn measure_requests(&self) {
        let thread = Thread::named("status-page");
        println!(
            "request                        median       max  (at most 50 ms)  CPU         kB"
        );
        for (name, path) in self.pages().into_iter().chain(self.resources()) {
            let mut client = Client::connect(self.server.local_addr()).await;
            let bytes = client.get(&path).await;
            let (cpu, mut times) = (thread.cpu(), Vec::new());
            for _ in 0..REQUESTS {
                let began = Instant::now();
                client.get(&path).await;
                times.push(began.elapsed());
            }
            let cpu = (thread.cpu() - cpu) / REQUESTS as u32;
            times.sort();
            println!(
                "{name:<26} {:>7.2} ms {:>6.2} ms                {:>7.2} ms {:>7}",
                millis(times[REQUESTS / 2]),
                millis(times[REQUESTS - 1]),
                millis(cpu),
                bytes / 1_000,
            );
        }
    }

    async fn measure_open_pages(&self) {
        let thread = Thread::named("status-page");
        println!("open page (at most 1 % of a core)     its thread      process: closed    open");
        for (name, path) in self.pages() {
            // These do not load themselves again.
            if matches!(name, "batch" | "settings") {
                continue;
            }
            let (mut shares, mut processes) = ([0.0; 2], [0.0; 2]);
            for is_open in [false, true] {
                let (before, process) = (thread.cpu(), cpu_seconds());
                let batches = self.go_on();
                let refreshed = self.refresh(is_open.then_some(&path));
                tokio::join!(batches, refreshed);
                let place = usize::from(is_open);
                let share = |seconds: f64| seconds / OPEN_TIME.as_secs_f64() * 100.0;
                shares[place] = share((thread.cpu() - before).as_secs_f64());
                processes[place] = share(cpu_seconds() - process);
            }
            println!(
                "{name:<26} closed {:.2} %, open {:.2} %             {:>5.1} % {:>5.1} %",
                shares[0], shares[1], processes[0], processes[1]
            );
        }
    }

    /// Lets batches run.
    async fn go_on(&self) {
        let batches = async {
            let mut ticks = interval(BATCH_INTERVAL);
            loop {
                ticks.tick().await;
                self.run_batches().await;
            }
        };
        // They never end by themselves.
        let _ = timeout(OPEN_TIME, batches).await;
    }

    /// Does what the script of an open page does.
    async fn refresh(&self, path: Option<&String>) {
        let Some(path) = path else {
            return;
        };
        let mut client = Client::connect(self.server.local_addr()).await;
        let mut ticks = interval(REFRESH);
        for _ in 0..OPEN_TIME.div_duration_f64(REFRESH) as u32 {
            ticks.tick().await;
            client.get(path).await;
        }
    }

    /// The pages of the session and of the query over 1,000 shards.
    fn pages(&self) -> Vec<(&'static str, String)> {
        let (run, batch) = self.shown();
        vec![
            ("queries", "/".to_owned()),
            ("overview", format!("/queries/{run}")),
            ("overview, last hour", format!("/queries/{run}?range=hour")),
            ("batches", format!("/queries/{run}/batches")),
            ("batch", format!("/queries/{run}/batches/{batch}")),
            ("shards", format!("/queries/{run}/shards")),
            ("state", format!("/queries/{run}/state")),
            ("sink", format!("/queries/{run}/sink")),
            ("settings", "/settings".to_owned()),
        ]
    }

    /// The same of the API, and the metrics.
    fn resources(&self) -> Vec<(&'static str, String)> {
        let (run, batch) = self.shown();
        let query = format!("/api/v1/queries/{run}");
        vec![
            ("API: queries", "/api/v1/queries".to_owned()),
            ("API: query", query.clone()),
            ("API: progress", format!("{query}/progress")),
            ("API: shards", format!("{query}/shards")),
            ("API: plan", format!("{query}/plan/{batch}")),
            ("API: settings", "/api/v1/settings".to_owned()),
            ("metrics", "/metrics".to_owned()),
            ("metrics of all shards", "/metrics?shards=all".to_owned()),
            ("probe", "/health/ready".to_owned()),
        ]
    }

    fn shown(&self) -> (&str, u64) {
        let query = &self.queries[0];
        let last = query.last_progress().expect("batches have run");
        (query.run_id(), last.batch_id.0)
    }

    async fn stop(&self) {
        for query in &self.queries {
            query.stop().await.expect("the query stops");
        }
    }
}

/// Counts the records of a stream by shard, and writes the counts to another stream.
async fn start_query(
    kinesis: &InMemoryKinesis,
    ctx: &SessionContext,
    number: usize,
    shards: u32,
) -> StreamingQuery {
    let (source, target) = (format!("words{number}"), format!("counts{number}"));
    create(kinesis, &source, shards).await;
    create(kinesis, &target, 4).await;
    // Records are pushed, so that reading costs little.
    let options = "'kinesis.consumerType' 'SubscribeToShard', 'kinesis.consumerName' 'bench',
                   'kinesis.awsAccessKeyId' 'an-access-key', 'kinesis.awsSecretKey' 'a-secret-key'";
    unbounded_table(ctx, &source, options).await;
    let table =
        format!("CREATE EXTERNAL TABLE {target} STORED AS \"aws-kinesis\" LOCATION '{target}'");
    sql(ctx, &table).await.expect("the table is made");
    let statement = format!(
        "INSERT INTO {target} (partitionKey, data)
         SELECT partitionKey, CAST(count(*) AS VARCHAR) FROM {source} GROUP BY partitionKey"
    );
    let query = StreamingQuery::builder(ctx, statement)
        .with_name(&source)
        .with_output_mode(OutputMode::Update)
        .with_checkpoint_location(format!("memory://bench/{source}"));
    query.start().await.expect("the query starts")
}

/// A connection that is kept, as browsers do.
struct Client {
    host: String,
    sender: SendRequest<Empty<Bytes>>,
}

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        let connection = TcpStream::connect(address).await.expect("a connection");
        let made = handshake(TokioIo::new(connection)).await;
        let (sender, serving) = made.expect("a connection");
        tokio::spawn(serving);
        Self {
            host: address.to_string(),
            sender,
        }
    }

    /// The size of a page.
    async fn get(&mut self, path: &str) -> usize {
        let request = Request::get(path).header("host", &self.host);
        let request = request.body(Empty::new()).expect("a valid request");
        // The connection may still be busy with the end of the last answer.
        self.sender.ready().await.expect("a kept connection");
        let answer = self.sender.send_request(request).await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {answer:?}");
        let body = answer.into_body().collect().await.expect("a body");
        body.to_bytes().len()
    }
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}
