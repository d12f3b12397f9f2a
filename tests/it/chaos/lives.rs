//! The starts of the query, one after another and sometimes overlapping.

mod life;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use self::life::Life;
use super::ground::Ground;
use super::schedule::{Ending, LastPlan, LifePlan, SinkPlan, Start, StorePlan};

/// How long the last start has to catch up.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often the last start may be fenced by an earlier one.
const LAST_TRIES: usize = 3;

/// All starts of one simulation.
pub(super) struct Lives {
    ground: Arc<Ground>,
    start: Start,
    count: usize,
    older: Vec<JoinHandle<()>>,
    /// Tells older starts to stop.
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

    /// Runs one start after another until `until`.
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

    /// Runs the query until it is caught up, disturbed only by older starts.
    pub(super) async fn finish(mut self, plan: &LastPlan) {
        if let Some(retention) = plan.retention {
            self.ground.outlive(retention, self.start).await;
        }
        for _ in 0..LAST_TRIES {
            let last = Life {
                ground: Arc::clone(&self.ground),
                number: self.count,
                start: self.start,
                plan: life_of(plan, &self.ground),
            };
            self.count += 1;
            if last.catches_up(plan).await {
                break;
            }
        }
        self.over.send_replace(true);
        for life in self.older {
            match timeout(PATIENCE, life).await {
                Ok(ended) => ended.unwrap(),
                Err(_) => self.ground.fault("a fenced start did not end"),
            }
        }
    }
}

/// A start without faults.
fn life_of(last: &LastPlan, ground: &Ground) -> LifePlan {
    let fails = last.retention.is_some_and(|retention| retention.fails);
    let fails = fails && !ground.loss_told.load(Ordering::SeqCst);
    LifePlan {
        wait: Duration::ZERO,
        overlap: None,
        ending: Ending::Limit,
        limit: PATIENCE,
        trigger: last.trigger,
        options: vec![("kinesis.failOnDataLoss", fails.to_string())],
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
