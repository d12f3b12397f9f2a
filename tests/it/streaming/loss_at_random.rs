//! Days in the life of a query, at random: up and down, records and reshards now and then, and
//! retention behind it. A loss is told where records are lost, and nowhere else.

mod days;
mod records;

use datafusion_kinesis::kinesis::{FaultPlan, FaultRates, Operation};

use self::days::Days;
use super::*;
use crate::support::say;

/// How many there are; `LOSS_SEED` picks one that failed.
const SEEDS: u64 = 30;

async fn days(seed: u64) -> (usize, usize) {
    let mut days = Days::new(seed).await;
    let query = days.query().start().await.unwrap();
    query.process_all_available().await.unwrap();
    days.put().await;
    days.settle(&query, 0).await;
    drop(query);
    if days.random.u32(..3) == 0 {
        let rates = FaultRates::default()
            .with_throttled(0.2)
            .with_expired_iterator(0.05);
        let plan = FaultPlan::default().with(Operation::GetRecords, rates);
        let rates = rates.with_expired_iterator(0.0);
        let plan = plan.with(Operation::GetShardIterator, rates);
        days.world.kinesis.set_faults(plan);
        days.tell("throttled");
    }
    for _ in 0..days.random.u32(4..10) {
        let hours = match days.random.u32(..6) {
            0..3 => days.random.f64() * 6.0,
            3 | 4 => days.random.f64() * 17.0,
            _ => 18.0 + days.random.f64() * 20.0,
        };
        days.pass(Duration::from_secs_f64(hours * 3_600.0)).await;
        if days.random.u32(..3) == 0 {
            days.killed().await;
        } else {
            let hours = days.random.f64() * [0.5, 8.0, 30.0][days.random.usize(..3)];
            days.runs(Duration::from_secs_f64(hours * 3_600.0)).await;
        }
    }
    days.runs(Duration::ZERO).await;
    (days.told.len(), days.records.arrived.len())
}

#[tokio::test(start_paused = true)]
async fn a_loss_is_told_where_there_is_one_and_nowhere_else() {
    let first = std::env::var("LOSS_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seeds = first.map_or(0..SEEDS, |seed| seed..seed + 1);
    let (mut lost, mut put) = (0, 0);
    for seed in seeds {
        say(&format!("loss_at_random: seed {seed}"));
        let (more_lost, more_put) = days(seed).await;
        lost += more_lost;
        put += more_put;
    }
    assert!(lost > 0 && lost < put, "{lost} of {put} lost");
}
