//! The service behind its HTTP server, called with the AWS SDK.
//!
//! Server and client run in a runtime of their own, in real time. A simulation blocks while it waits for an answer, so
//! a request takes no simulated time, and runs the same way every time.

use std::future::Future;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use datafusion_kinesis::kinesis::{
    ApiResult, EmbeddedServer, InMemoryKinesis, IteratorPosition, Kinesis, ListShardsFrom,
    PutEntry, PutOutcome, RecordColumns, RecordsPage, SdkKinesis, ShardIterator, ShardsPage,
    StreamSummary, TokioClock,
};
use datafusion_kinesis::model::{
    Clock, ConnectionSettings, CredentialSettings, Secret, ShardId, StaticCredentials,
    StreamIdentity, StreamName, UnixMillis, WireFormat,
};
use tokio::runtime::Runtime;
use tokio::time::sleep;

static NETWORK: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// Runs a future in the runtime of servers and clients, and blocks until it ends.
fn at_once<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let (sender, answer) = sync_channel(1);
    NETWORK.spawn(async move { sender.send(future.await) });
    answer.recv().unwrap()
}

/// The clock of a simulation, which threads of the server can read while the simulation waits for them.
#[derive(Debug)]
pub(super) struct SharedClock {
    simulation: TokioClock,
    held: Mutex<Option<UnixMillis>>,
}

impl SharedClock {
    pub(super) fn starting_at(time: UnixMillis) -> Self {
        Self {
            simulation: TokioClock::starting_at(time),
            held: Mutex::default(),
        }
    }
}

impl Clock for SharedClock {
    fn now(&self) -> UnixMillis {
        let held = *self.held.lock().unwrap();
        held.unwrap_or_else(|| self.simulation.now())
    }
}

/// A client of a server of its own.
#[derive(Debug)]
pub(super) struct OverHttp {
    client: Arc<SdkKinesis>,
    server: EmbeddedServer,
    clock: Arc<SharedClock>,
    latency: Mutex<(Duration, Duration)>,
    random: Mutex<fastrand::Rng>,
}

impl OverHttp {
    pub(super) fn new(
        kinesis: Arc<InMemoryKinesis>,
        clock: Arc<SharedClock>,
        format: WireFormat,
        seed: u64,
    ) -> Self {
        let (client, server) = at_once(async move {
            let server = EmbeddedServer::bind("127.0.0.1:0", kinesis).await.unwrap();
            let keys = StaticCredentials {
                access_key_id: Secret::new("key"),
                secret_key: Secret::new("secret"),
                session_token: None,
            };
            let settings = ConnectionSettings::default()
                .with_endpoint_url(server.endpoint_url())
                .with_region("us-east-1")
                .with_credentials(CredentialSettings::keys(keys))
                .with_wire_format(format);
            (SdkKinesis::connect(&settings).await.unwrap(), server)
        });
        Self {
            client: Arc::new(client),
            server,
            clock,
            latency: Mutex::default(),
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
        }
    }

    /// `text` without the address and the request ids, which differ from run to run.
    pub(super) fn without_names(&self, text: &str) -> String {
        const REQUEST: &str = " (request ";
        let text = text.replace(&self.server.endpoint_url(), "the server");
        let mut parts = text.split(REQUEST);
        let first = parts.next().unwrap_or_default().to_owned();
        let behind_id = |part: &str| part.split_once(')').unwrap().1.to_owned();
        parts.fold(first, |text, part| text + &behind_id(part))
    }

    /// Sets the shortest and the longest latency. The simulator's own would pass in real time.
    pub(super) fn set_latency(&self, least: Duration, most: Duration) {
        *self.latency.lock().unwrap() = (least, most);
    }

    /// Sends a request. Half of its latency passes before the service sees it, and half before the answer is there.
    async fn send<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        request: impl FnOnce(Arc<SdkKinesis>) -> F + Send,
    ) -> T {
        let latency = {
            let (least, most) = *self.latency.lock().unwrap();
            least + (most - least).mul_f64(self.random.lock().unwrap().f64())
        };
        sleep(latency / 2).await;
        let now = self.clock.now();
        *self.clock.held.lock().unwrap() = Some(now);
        let answer = at_once(request(Arc::clone(&self.client)));
        *self.clock.held.lock().unwrap() = None;
        sleep(latency / 2).await;
        answer
    }
}

#[async_trait]
impl Kinesis for OverHttp {
    async fn describe_stream(&self, stream: &StreamIdentity) -> ApiResult<StreamSummary> {
        let stream = stream.clone();
        self.send(|client| async move { client.describe_stream(&stream).await })
            .await
    }

    async fn list_shards(&self, from: ListShardsFrom<'_>) -> ApiResult<ShardsPage> {
        match from {
            ListShardsFrom::Start { stream, filter } => {
                let stream = stream.clone();
                self.send(|client| async move {
                    let stream = &stream;
                    let from = ListShardsFrom::Start { stream, filter };
                    client.list_shards(from).await
                })
                .await
            }
            ListShardsFrom::Page { stream, token } => {
                let (stream, token) = (stream.clone(), token.clone());
                self.send(|client| async move {
                    let (stream, token) = (&stream, &token);
                    let from = ListShardsFrom::Page { stream, token };
                    client.list_shards(from).await
                })
                .await
            }
        }
    }

    async fn get_shard_iterator(
        &self,
        stream: &StreamIdentity,
        shard: &ShardId,
        position: &IteratorPosition,
    ) -> ApiResult<ShardIterator> {
        let (stream, shard, position) = (stream.clone(), shard.clone(), position.clone());
        self.send(
            |client| async move { client.get_shard_iterator(&stream, &shard, &position).await },
        )
        .await
    }

    async fn get_records(
        &self,
        stream: &StreamIdentity,
        iterator: &ShardIterator,
        limit: usize,
        columns: RecordColumns,
    ) -> ApiResult<RecordsPage> {
        let (stream, iterator) = (stream.clone(), iterator.clone());
        self.send(
            |client| async move { client.get_records(&stream, &iterator, limit, columns).await },
        )
        .await
    }

    async fn put_records(
        &self,
        stream: &StreamIdentity,
        entries: &[PutEntry],
    ) -> ApiResult<Vec<PutOutcome>> {
        let (stream, entries) = (stream.clone(), entries.to_vec());
        self.send(|client| async move { client.put_records(&stream, &entries).await })
            .await
    }

    async fn create_stream(&self, name: &StreamName, shard_count: u32) -> ApiResult<()> {
        let name = name.clone();
        self.send(|client| async move { client.create_stream(&name, shard_count).await })
            .await
    }
}
