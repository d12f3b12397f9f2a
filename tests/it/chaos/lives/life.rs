//! One start of the query, from its session to its end.

use std::sync::Arc;
use std::time::Duration;

use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_kinesis::checkpoint::set_memory;
use datafusion_kinesis::model::OutputMode;
use datafusion_kinesis::query::{StreamingQuery, StreamingQueryBuilder};
use datafusion_kinesis::{Error, ErrorKind, KinesisTable, Services};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::super::ground::{Ground, STREAM};
use super::super::groups::GROUPS;
use super::super::killer::Killer;
use super::super::schedule::{Ending, LastPlan, LifePlan, Query, Start};
use super::super::sink::{AWAY, SELECT, Way};
use super::super::store::{Calls, StateStore, Store};
use super::super::tally::Met;
use super::super::writers::write;
use super::PATIENCE;
use crate::support::EPOCH;

/// Time between the disturbances of the last start.
const LATER: Duration = Duration::from_millis(700);

/// How long before the creation of the stream a starting time still covers all of it.
const BEFORE_ALL: Duration = Duration::from_secs(600);

/// Number of the first writer that runs during a last start.
const LATE_WRITERS: usize = 100;

/// One start.
pub(super) struct Life {
    pub(super) ground: Arc<Ground>,
    pub(super) number: usize,
    pub(super) start: Start,
    pub(super) plan: LifePlan,
}

impl Life {
    /// Runs until it ends, is killed, or is told to stop.
    pub(super) async fn live(self, mut over: watch::Receiver<bool>) {
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
                // The sender lives as long as this start.
                let _ = over.wait_for(|over| *over).await;
            };
            tokio::select! {
                biased;
                () = over => query.stop().await,
                () = stop => query.stop().await,
                ended = query.await_termination() => ended,
            }
            .inspect(|()| self.ground.told(self.number, losses(&query)))
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

    /// Whether it caught up. It did not if an earlier start took over late.
    pub(super) async fn catches_up(self, last: &LastPlan) -> bool {
        let killer = Killer::new(&self.ground, self.number, Ending::Limit);
        let way = self.way();
        let run = async {
            let query = self.query(&killer, &way).await?;
            self.disturb(last).await;
            query.process_all_available().await?;
            if last.retention.is_some() {
                // A batch after the loss reports it.
                self.write_late(last, LATE_WRITERS + self.number).await;
            }
            query.process_all_available().await?;
            let losses = losses(&query);
            self.ground.told(self.number, losses);
            if losses > 0 && self.plan.fails_on_loss() {
                self.ground.fault("the last start continued after a loss");
            }
            query.stop().await
        };
        let Ok(result) = timeout(PATIENCE, run).await else {
            self.ground.fault("the last start did not catch up");
            return true;
        };
        let lost = result.as_ref().err().map(Error::kind) == Some(ErrorKind::DataLoss);
        if lost {
            self.ground.told(self.number, 1);
            way.close();
            return false;
        }
        let caught_up = result.is_ok();
        let fenced = self.ground.book.lock().unwrap().is_fenced(self.number);
        if !caught_up && !fenced {
            self.ground
                .fault(format!("the last start failed: {result:?}"));
        }
        self.ground
            .tell(format_args!("life {}: {result:?}", self.number));
        caught_up || !fenced
    }

    /// Disturbs the last start before it must have caught up.
    async fn disturb(&self, last: &LastPlan) {
        let ground = &self.ground;
        if let Some((millis, before)) = last.set_back {
            sleep(LATER).await;
            ground.tell(format_args!("clock set back by {millis} ms"));
            ground.query_clock.set_back(millis);
            sleep(before).await;
        }
        if let Some(event) = last.reshard {
            sleep(LATER).await;
            // Unique keys for each try.
            let writer = self.write_late(last, self.number);
            tokio::join!(writer, ground.reshard(event));
        }
    }

    async fn write_late(&self, last: &LastPlan, number: usize) {
        let number = LATE_WRITERS + number;
        let until = Instant::now() + LATER;
        write(Arc::clone(&self.ground), number, last.writer.clone(), until).await;
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
        let calls = Calls::new(ground, self.number, store, killer, plan.seed ^ 2);
        let way = Arc::clone(way);
        let query = match ground.query {
            Query::Copies => StreamingQuery::builder(&ctx, SELECT),
            Query::Groups => self.grouping(&ctx, &calls),
        };
        let query = query
            .as_in_another_process()
            .with_committer(Store::new(ground, self.number, &calls))
            .with_trigger(plan.trigger)
            .with_seed(plan.seed ^ 3)
            .with_step_hook(killer.hook())
            .foreach_batch(move |batch, rows| Arc::clone(&way).take(batch, rows));
        query.start().await
    }

    /// The query with groups. Each start accesses its state under its own URL.
    fn grouping(&self, ctx: &SessionContext, calls: &Arc<Calls>) -> StreamingQueryBuilder {
        let location = self.ground.state_location(self.number);
        let name = location.strip_prefix("memory://").unwrap();
        let store = StateStore::new(&self.ground, calls);
        set_memory(name, Some(Arc::new(store)));
        StreamingQuery::builder(ctx, GROUPS)
            .with_output_mode(OutputMode::Update)
            .with_checkpoint_location(location)
    }

    async fn table(&self) -> Result<KinesisTable, Error> {
        let ground = &self.ground;
        let services =
            Services::fixed(ground.service()).with_clock(Arc::clone(&ground.query_clock) as _);
        let start = match self.start {
            Start::TrimHorizon => "TRIM_HORIZON".to_owned(),
            // A clock that was set back must not turn it into a future time.
            Start::AtTimestamp => format!("AT_TIMESTAMP {}", EPOCH.minus(BEFORE_ALL)),
            Start::Latest => "LATEST".to_owned(),
        };
        let mut table = KinesisTable::builder(STREAM)
            .with_services(Arc::new(services))
            .with_seed(self.plan.seed)
            .with_option("kinesis.startingPosition", start)
            .with_option("kinesis.extraColumns", "shardId,subSequenceNumber")
            .unbounded();
        if self.subscribes() {
            // Starts that overlap take each other's subscriptions.
            table = table
                .with_option("kinesis.consumerType", "SubscribeToShard")
                .with_option("kinesis.consumerName", "chaos")
                .with_option("kinesis.subscribeToShard.maxRetries", "1000000");
            ground.tally.lock().unwrap().add(Met::Subscribing, 1);
        }
        for (name, value) in &self.plan.options {
            table = table.with_option(*name, value);
        }
        table.build().await
    }

    /// A third of the starts subscribe to shards, so that most queries change between that and polling.
    fn subscribes(&self) -> bool {
        let service = self.ground.service();
        let draw = self.plan.seed.wrapping_add(self.number as u64);
        service.fan_out().is_some() && draw.is_multiple_of(3)
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

/// The number of losses that a query has reported.
fn losses(query: &StreamingQuery) -> u64 {
    let progress = query.last_progress();
    let sources = progress.iter().flat_map(|progress| &progress.sources);
    sources.map(|source| source.metrics.losses).sum()
}
