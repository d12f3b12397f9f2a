//! The starts of the query, one after the other and sometimes one beside the other.

use std::sync::Arc;
use std::time::Duration;

use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_kinesis::query::StreamingQuery;
use datafusion_kinesis::{Error, ErrorKind, KinesisTable, Services};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::ground::{Ground, STREAM};
use super::killer::Killer;
use super::schedule::{Ending, LastPlan, LifePlan, SinkPlan, Start, StorePlan};
use super::sink::{AWAY, SELECT, Way};
use super::store::Store;
use super::tally::Met;

/// How long the last start has to come to the end of the stream.
const PATIENCE: Duration = Duration::from_secs(300);

/// When the clock of the last start is set back, from its start on.
const LATER: Duration = Duration::from_millis(700);

/// How often the last start may be fenced by one that began before it.
const LAST_TRIES: usize = 3;

/// All starts of one simulation.
pub(super) struct Lives {
    ground: Arc<Ground>,
    start: Start,
    count: usize,
    older: Vec<JoinHandle<()>>,
    /// Tells the older ones to stop.
    over: watch::Sender<bool>,
}

impl Lives {
    pub(super) fn new(ground: &Arc<Ground>, start: Start) -> Self {
        Self {
            ground: Arc::clone(ground),
            start,
            count: 0,
            older: Vec::new(),
            over: watch::Sender::new(false),
        }
    }

    /// Lets one life after the other pass until `until`.
    pub(super) async fn pass(&mut self, plans: &[LifePlan], until: Instant) {
        for plan in plans {
            sleep(plan.wait).await;
            if Instant::now() >= until {
                return;
            }
            let mut life = self.begin(plan.clone());
            let Some(overlap) = plan.overlap else {
                life.await.unwrap();
                continue;
            };
            match timeout(overlap, &mut life).await {
                Ok(ended) => ended.unwrap(),
                Err(_) => self.older.push(life),
            }
        }
    }

    fn begin(&mut self, plan: LifePlan) -> JoinHandle<()> {
        let life = Life {
            ground: Arc::clone(&self.ground),
            number: self.count,
            start: self.start,
            plan,
        };
        self.count += 1;
        tokio::spawn(life.live(self.over.subscribe()))
    }

    /// Runs the query to the end of the stream, with nothing in its way but older starts.
    pub(super) async fn finish(mut self, plan: &LastPlan) {
        for _ in 0..LAST_TRIES {
            let last = Life {
                ground: Arc::clone(&self.ground),
                number: self.count,
                start: self.start,
                plan: life_of(plan),
            };
            self.count += 1;
            if last.catches_up(plan.set_back).await {
                break;
            }
        }
        self.over.send_replace(true);
        for life in self.older {
            match timeout(PATIENCE, life).await {
                Ok(ended) => ended.unwrap(),
                Err(_) => self.ground.fault("a fenced start does not end"),
            }
        }
    }
}

/// A start that nothing befalls.
fn life_of(last: &LastPlan) -> LifePlan {
    LifePlan {
        wait: Duration::ZERO,
        overlap: None,
        ending: Ending::Limit,
        limit: PATIENCE,
        trigger: last.trigger,
        options: Vec::new(),
        partitions: last.partitions,
        store: StorePlan {
            fails: 0.0,
            loses: 0.0,
            throttles: 0.0,
            latency: Duration::ZERO,
            outage: None,
        },
        sink: SinkPlan {
            fails: 0.0,
            latency: Duration::ZERO,
        },
        seed: 0,
    }
}

/// One start.
struct Life {
    ground: Arc<Ground>,
    number: usize,
    start: Start,
    plan: LifePlan,
}

impl Life {
    /// Lives until it ends, is killed, or is told to stop.
    async fn live(self, mut over: watch::Receiver<bool>) {
        let killer = Killer::new(&self.ground, self.number, self.plan.ending);
        let way = self.way();
        let run = async {
            let query = self.query(&killer, &way).await?;
            let stop = async {
                match self.plan.ending {
                    Ending::Stop(time) => sleep(time).await,
                    _ => std::future::pending().await,
                }
            };
            let over = async {
                // Who could tell is there as long as this life.
                let _ = over.wait_for(|over| *over).await;
            };
            tokio::select! {
                biased;
                () = over => query.stop().await,
                () = stop => query.stop().await,
                ended = query.await_termination() => ended,
            }
        };
        let result = tokio::select! {
            biased;
            () = killer.strikes() => None,
            () = sleep(self.plan.limit) => None,
            result = run => Some(result),
        };
        match result {
            None => self.killed(),
            Some(result) => {
                way.close();
                self.ended(result.map_err(|error| (error.kind(), error.to_string())));
            }
        }
    }

    /// Whether it has come to the end of the stream; not where a start before it took over so late.
    async fn catches_up(self, set_back: Option<(i64, Duration)>) -> bool {
        let killer = Killer::new(&self.ground, self.number, Ending::Limit);
        let way = self.way();
        let run = async {
            let query = self.query(&killer, &way).await?;
            if let Some((millis, before)) = set_back {
                sleep(LATER).await;
                self.ground
                    .tell(format_args!("clock set back by {millis} ms"));
                self.ground.query_clock.set_back(millis);
                sleep(before).await;
            }
            query.process_all_available().await?;
            query.stop().await
        };
        let Ok(result) = timeout(PATIENCE, run).await else {
            self.ground.fault("the last start does not catch up");
            return true;
        };
        let caught_up = result.is_ok();
        let fenced = self.ground.book.lock().unwrap().is_fenced(self.number);
        if !caught_up && !fenced {
            self.ground
                .fault(format!("the last start fails: {result:?}"));
        }
        self.ground
            .tell(format_args!("life {}: {result:?}", self.number));
        caught_up || !fenced
    }

    fn way(&self) -> Arc<Way> {
        let sink = self.plan.sink.clone();
        Way::new(&self.ground, self.number, sink, self.plan.seed ^ 1)
    }

    async fn query(&self, killer: &Arc<Killer>, way: &Arc<Way>) -> Result<StreamingQuery, Error> {
        let Self { ground, plan, .. } = self;
        ground.tell(format_args!("life {}: starts", self.number));
        ground.tally.lock().unwrap().add(Met::Starts, 1);
        let config = SessionConfig::new().with_target_partitions(plan.partitions);
        let ctx = SessionContext::new_with_config(config);
        let table = self.table().await?;
        ctx.register_table(STREAM, Arc::new(table)).unwrap();
        let store = plan.store.clone();
        let store = Store::new(ground, self.number, store, killer, plan.seed ^ 2);
        let way = Arc::clone(way);
        let query = StreamingQuery::builder(&ctx, SELECT)
            .as_in_another_process()
            .with_committer(store)
            .with_trigger(plan.trigger)
            .with_seed(plan.seed ^ 3)
            .with_step_hook(killer.hook())
            .foreach_batch(move |batch, rows| Arc::clone(&way).take(batch, rows));
        query.start().await
    }

    async fn table(&self) -> Result<KinesisTable, Error> {
        let ground = &self.ground;
        let services = Services::fixed(Arc::clone(&ground.kinesis) as _)
            .with_clock(Arc::clone(&ground.query_clock) as _);
        let start = match self.start {
            Start::TrimHorizon => "TRIM_HORIZON".to_owned(),
            Start::AtTimestamp => format!("AT_TIMESTAMP {}", crate::support::EPOCH),
            Start::Latest => "LATEST".to_owned(),
        };
        let mut table = KinesisTable::builder(STREAM)
            .with_services(Arc::new(services))
            .with_seed(self.plan.seed)
            .with_option("kinesis.startingPosition", start)
            .with_option("kinesis.extraColumns", "shardId,subSequenceNumber")
            .unbounded();
        for (name, value) in &self.plan.options {
            table = table.with_option(*name, value);
        }
        table.build().await
    }

    fn killed(&self) {
        let begun = self.ground.book.lock().unwrap().begun();
        let Self { ground, number, .. } = self;
        ground.tell(format_args!(
            "life {number}: killed, batch in flight {begun:?}"
        ));
        let mut tally = ground.tally.lock().unwrap();
        tally.add(Met::Kills, 1);
        tally.add(Met::KillsBeforeCommit, u64::from(begun.is_some()));
    }

    fn ended(&self, result: Result<(), (ErrorKind, String)>) {
        let Self { ground, number, .. } = self;
        ground.tell(format_args!("life {number}: ends with {result:?}"));
        let fenced = ground.book.lock().unwrap().is_fenced(*number);
        let met = match result {
            Ok(()) => return,
            Err((_, text)) if text.contains(AWAY) => Met::SinkFailures,
            Err((ErrorKind::Unavailable, _)) => Met::Outages,
            Err((ErrorKind::Fenced, _)) if fenced => Met::Fencings,
            Err(error) => return ground.fault(format!("life {number} ends with {error:?}")),
        };
        ground.tally.lock().unwrap().add(met, 1);
    }
}
