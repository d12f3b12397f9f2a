//! The status page and its API, over real HTTP.

mod access;
mod browser;
mod client;
mod costs;
mod figures;
mod limits;
mod probes;
mod secrets;
mod state;
mod stopping;
mod troubles;
mod webdriver;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use datafusion_kinesis::monitor::StatusServer;
use datafusion_kinesis::query::StreamingQuery;

use self::client::Client;
use crate::streaming::{FROM_THE_START, Sink, words};
use crate::support::World;

/// A world with a stream `words` and its page.
struct Served {
    world: World,
    client: Client,
    _server: StatusServer,
}

impl Served {
    async fn new(options: &str) -> Self {
        let world = World::new();
        let options = match options {
            "" => FROM_THE_START.to_owned(),
            more => format!("{FROM_THE_START}, {more}"),
        };
        world.unbounded_table("words", 2, &options).await;
        let server = StatusServer::builder(&world.ctx)
            .bind("127.0.0.1:0")
            .unwrap();
        Self {
            client: Client::of(&server),
            world,
            _server: server,
        }
    }

    /// A query that has read some records.
    async fn query(&self, name: &str) -> StreamingQuery {
        let builder = Sink::default().of(words(&self.world)).with_name(name);
        let query = builder.start().await.unwrap();
        self.world.put_numbers("words", 20).await;
        query.process_all_available().await.unwrap();
        query
    }
}

/// All pages of a query and of the session.
fn pages(run_id: &str, batch: u64) -> Vec<String> {
    let of_query = ["", "?range=hour", "/batches", "/shards", "/state", "/sink"];
    let of_query = of_query.map(|part| format!("/queries/{run_id}{part}"));
    let mut pages = vec!["/".to_owned(), "/settings".to_owned()];
    pages.extend(of_query);
    pages.push(format!("/queries/{run_id}/batches/{batch}"));
    pages
}

/// All resources of the API that can be read.
fn resources(run_id: &str, batch: u64) -> Vec<String> {
    let of_query = ["", "/progress", "/shards", "/state"];
    let of_query = of_query.map(|part| format!("/api/v1/queries/{run_id}{part}"));
    let mut all = vec!["/api/v1/queries".to_owned(), "/api/v1/settings".to_owned()];
    all.extend(of_query);
    all.push(format!("/api/v1/queries/{run_id}/plan/{batch}"));
    all
}

/// Lets a batch wait until the test tells it to go on.
struct Gate {
    reached: Receiver<()>,
    open: Sender<()>,
}

impl Gate {
    fn new() -> (Self, impl Fn() + Send + Sync + 'static) {
        let (arrive, reached) = channel();
        let (open, opened) = channel::<()>();
        let opened = Arc::new(Mutex::new(opened));
        let wait = move || {
            arrive.send(()).unwrap();
            let _ = opened.lock().unwrap().recv_timeout(Duration::from_secs(60));
        };
        (Self { reached, open }, wait)
    }
}
