//! Planned fates of the store calls of one start, which may be killed within a call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::ground::Ground;
use super::super::killer::Killer;
use super::super::schedule::{Side, StorePlan};
use super::super::tally::Met;

/// The calls of one start, counted over its log and its state.
#[derive(Debug)]
pub(in super::super) struct Calls {
    ground: Arc<Ground>,
    life: usize,
    plan: StorePlan,
    killer: Arc<Killer>,
    calls: AtomicU64,
    random: Mutex<fastrand::Rng>,
}

/// The fate of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Works,
    Fails,
    Throttled,
    LosesAnswer,
}

impl Calls {
    pub(in super::super) fn new(
        ground: &Arc<Ground>,
        life: usize,
        plan: StorePlan,
        killer: &Arc<Killer>,
        seed: u64,
    ) -> Arc<Self> {
        Arc::new(Self {
            ground: Arc::clone(ground),
            life,
            plan,
            killer: Arc::clone(killer),
            calls: AtomicU64::new(0),
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
        })
    }

    fn draw(&self, call: u64) -> (Fate, Duration) {
        let mut random = self.random.lock().unwrap();
        let latency = self.plan.latency.mul_f64(random.f64());
        let mut point = random.f64();
        let mut strikes = |share: f64| {
            point -= share;
            point < 0.0
        };
        let away = self.plan.outage;
        let away = away.is_some_and(|(first, count)| (first..first + count).contains(&call));
        let fate = if away || strikes(self.plan.fails) {
            Fate::Fails
        } else if strikes(self.plan.throttles) {
            Fate::Throttled
        } else if strikes(self.plan.loses) {
            Fate::LosesAnswer
        } else {
            Fate::Works
        };
        (fate, latency)
    }

    /// A call with its planned fate; `note` records its effect, `passing` makes a transient error.
    pub(super) async fn make<T, E>(
        &self,
        name: &str,
        inner: impl Future<Output = Result<T, E>> + Send,
        note: impl FnOnce(&T) -> Result<(), String> + Send,
        passing: impl Fn(&'static str) -> E + Send,
    ) -> Result<T, E> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let (fate, latency) = self.draw(number);
        self.killer.reached_call(number, Side::Before).await;
        tokio::time::sleep(latency / 2).await;
        let life = self.life;
        self.ground
            .tell(format_args!("life {life}: {name} {fate:?}"));
        match fate {
            Fate::Fails => return Err(passing("the store is unavailable")),
            Fate::Throttled => {
                let mut tally = self.ground.tally.lock().unwrap();
                tally.add(Met::StoreThrottles, 1);
                return Err(passing("the store is throttled"));
            }
            Fate::Works | Fate::LosesAnswer => {}
        }
        let answer = inner.await;
        if let Ok(answer) = &answer
            && let Err(wrong) = note(answer)
        {
            self.ground.fault(wrong);
        }
        self.killer.reached_call(number, Side::Behind).await;
        tokio::time::sleep(latency / 2).await;
        match fate {
            Fate::LosesAnswer => Err(passing("the response of the store is lost")),
            _ => answer,
        }
    }
}
