//! Decides when a start is killed, at any of its awaits.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use datafusion_kinesis::query::{Step, StepHook};
use futures::FutureExt;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::ground::Ground;
use super::schedule::{Ending, Side};

#[derive(Debug)]
pub(super) struct Killer {
    ground: Arc<Ground>,
    life: usize,
    ending: Ending,
    reached: Notify,
    /// How often the step was reached.
    times: Mutex<usize>,
}

impl Killer {
    pub(super) fn new(ground: &Arc<Ground>, life: usize, ending: Ending) -> Arc<Self> {
        Arc::new(Self {
            ground: Arc::clone(ground),
            life,
            ending,
            reached: Notify::new(),
            times: Mutex::default(),
        })
    }

    /// Resolves when the start is to be killed.
    pub(super) async fn strikes(&self) {
        self.reached.notified().await;
        if let Ending::Rounds(_, _, rounds) = self.ending {
            for _ in 0..rounds {
                tokio::task::yield_now().await;
            }
        }
    }

    pub(super) fn hook(self: &Arc<Self>) -> StepHook {
        let killer = Arc::clone(self);
        StepHook::new(move |step, batch| {
            let killer = Arc::clone(&killer);
            let batch = batch.map_or(String::new(), |batch| format!(" of batch {batch}"));
            async move {
                if step == Step::Purging {
                    // Deletions run in parallel to batches. Time advances only when no thread
                    // computes, so this orders them after the work of a snapshot at the same time,
                    // in every run of a seed.
                    sleep(Duration::from_millis(1)).await;
                }
                let life = killer.life;
                killer
                    .ground
                    .tell(format_args!("life {life}: {step:?}{batch}"));
                if killer.reached_step(step) {
                    std::future::pending::<()>().await;
                }
            }
            .boxed()
        })
    }

    /// Whether the start must not continue.
    fn reached_step(&self, step: Step) -> bool {
        let (at, nth) = match self.ending {
            Ending::Step(at, nth) | Ending::Rounds(at, nth, _) => (at, nth),
            _ => return false,
        };
        let mut times = self.times.lock().unwrap();
        *times += usize::from(step == at);
        if step != at || *times != nth {
            return false;
        }
        self.reached.notify_one();
        matches!(self.ending, Ending::Step(..))
    }

    /// Blocks forever if the start is to be killed in this call of its log.
    pub(super) async fn reached_call(&self, number: u64, side: Side) {
        if let Ending::Call(at, on) = self.ending
            && (at, on) == (number, side)
        {
            self.reached.notify_one();
            std::future::pending().await
        }
    }
}
