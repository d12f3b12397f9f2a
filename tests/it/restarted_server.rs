//! A server that breaks all connections, takes none for a while, and comes back with its data, while a query reads from
//! it.

mod on_failure;

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use datafusion_kinesis::kinesis::{EmbeddedServer, InMemoryKinesis, InMemoryOptions, Kinesis};
use datafusion_kinesis::model::{HashKey, ShardId, StreamIdentity, StreamName, SystemClock};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use crate::process::{Running, client};
use crate::support::entry;

struct Restarted {
    runtime: Runtime,
    kinesis: Arc<InMemoryKinesis>,
    words: StreamIdentity,
    url: String,
    is_up: watch::Sender<bool>,
    /// One message for each connection that was turned away.
    turned_away: mpsc::UnboundedReceiver<()>,
    _server: EmbeddedServer,
}

impl Restarted {
    /// A server with a stream of two shards.
    fn start() -> Self {
        let clock = Arc::new(SystemClock);
        let kinesis = Arc::new(InMemoryKinesis::new(clock, InMemoryOptions::default()));
        let served = Arc::clone(&kinesis);
        let runtime = Runtime::new().unwrap();
        let (is_up, up) = watch::channel(true);
        let (turns_away, turned_away) = mpsc::unbounded_channel();
        let starting = async {
            let words = StreamName::new("words").unwrap();
            served.create_stream(&words, 2).await.unwrap();
            let server = EmbeddedServer::bind("127.0.0.1:0", served).await.unwrap();
            let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", front.local_addr().unwrap());
            tokio::spawn(forward(front, server.local_addr(), up, turns_away));
            (server, url)
        };
        let (server, url) = runtime.block_on(starting);
        Self {
            runtime,
            kinesis,
            words: StreamIdentity::parse("words").unwrap(),
            url,
            is_up,
            turned_away,
            _server: server,
        }
    }

    /// Breaks all connections.
    fn stop(&self) {
        self.is_up.send(false).unwrap();
    }

    /// Takes connections again, after this many were turned away.
    fn come_back_after(&mut self, turned_away: usize) {
        for _ in 0..turned_away {
            self.turned_away.blocking_recv().unwrap();
        }
        self.is_up.send(true).unwrap();
        while self.turned_away.try_recv().is_ok() {}
    }

    fn split(&self, shard: &str) {
        let shard = ShardId::new(shard);
        let split = self
            .kinesis
            .split_shard(&self.words, &shard, HashKey(1 << 126));
        self.runtime.block_on(split).unwrap();
    }

    fn put(&self, numbers: Range<u32>) {
        let entries = numbers.map(|number| {
            let number = number.to_string();
            entry(&number, number.clone(), None)
        });
        let entries = entries.collect::<Vec<_>>();
        let put = self.kinesis.put_records(&self.words, &entries);
        let outcomes = self.runtime.block_on(put).unwrap();
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    }
}

/// Forwards connections while the server is up. While it is down the port stays taken, because another process could get
/// it.
async fn forward(
    front: TcpListener,
    server: SocketAddr,
    up: watch::Receiver<bool>,
    turns_away: mpsc::UnboundedSender<()>,
) {
    while let Ok((mut connection, _)) = front.accept().await {
        let mut up = up.clone();
        if !*up.borrow() {
            // Sending fails only at the end of the test.
            let _ = turns_away.send(());
            continue;
        }
        tokio::spawn(async move {
            let mut server = TcpStream::connect(server).await.unwrap();
            tokio::select! {
                _ = copy_bidirectional(&mut connection, &mut server) => {}
                _ = up.wait_for(|is_up| !is_up) => {}
            }
        });
    }
}

/// The lines of the log while a server is restarted twice, once with a reshard in between.
fn log_of_a_query_that_reads_on(options: &str) -> String {
    let mut server = Restarted::start();
    let query = format!(
        "CREATE UNBOUNDED EXTERNAL TABLE live STORED AS \"aws-kinesis\" LOCATION 'words'
           OPTIONS ('kinesis.startingPosition' 'TRIM_HORIZON', 'kinesis.clientNumRetries' '2',
                    'kinesis.clientRetryIntervalsMs' '100'{options});
         SET streaming.checkpoint_location = 'memory://restarted-server';
         SELECT CAST(data AS VARCHAR) AS number FROM live;"
    );
    let arguments = ["--output", "csv", "-c", &query];
    let running = Running::spawn(client(&server.url).args(arguments));
    server.put(0..100);
    let mut read = running.lines(101).split_off(1);
    for (begin, has_reshard) in [(100, false), (200, true)] {
        server.stop();
        server.put(begin..begin + 50);
        if has_reshard {
            server.split("shardId-000000000000");
        }
        server.come_back_after(12);
        server.put(begin + 50..begin + 100);
        read.extend(running.lines(100));
    }
    running.signal("-TERM");
    let ended = running.wait();
    read.extend(ended.stdout);
    let mut numbers: Vec<u32> = read.iter().map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    let log = ended.stderr.join("\n");
    assert_eq!(numbers, (0..300).collect::<Vec<_>>(), "{log}");
    log
}

/// All that the log warns of is requests that are sent again.
fn warns_only_of_retries(log: &str) {
    assert!(!log.contains(" ERROR "), "{log}");
    let warnings: Vec<_> = log.lines().filter(|line| line.contains(" WARN ")).collect();
    let are_retries = warnings.iter().all(|line| line.contains(", retrying"));
    assert!(are_retries && !warnings.is_empty(), "{warnings:#?}");
}

#[test]
fn a_query_that_polls_reads_each_record_once() {
    warns_only_of_retries(&log_of_a_query_that_reads_on(""));
}

/// Subscribing again takes five seconds after a subscription.
#[test]
fn a_query_that_subscribes_reads_each_record_once() {
    let options = ", 'kinesis.consumerType' 'fan-out', 'kinesis.consumerName' 'sql'";
    warns_only_of_retries(&log_of_a_query_that_reads_on(options));
}
