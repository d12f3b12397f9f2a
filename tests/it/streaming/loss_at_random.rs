//! Random histories of a query with downtime, records, reshards and retention. A data loss is
//! reported exactly where records are lost.

mod history;
mod records;

use datafusion_kinesis::kinesis::{FaultPlan, FaultRates, Operation};

use self::history::History;
use super::*;
use crate::support::say;

/// Number of seeds; `LOSS_SEED` selects a failed one.
const SEEDS: u64 = 30;

async fn history(seed: u64) -> (usize, usize) {
    let mut history = History::new(seed).await;
    let query = history.query().start().await.unwrap();
    query.process_all_available().await.unwrap();
    history.put().await;
    history.settle(&query, 0).await;
    drop(query);
    if history.random.u32(..3) == 0 {
        let rates = FaultRates::default()
            .with_throttled(0.2)
            .with_expired_iterator(0.05);
        let plan = FaultPlan::default().with(Operation::GetRecords, rates);
        let rates = rates.with_expired_iterator(0.0);
        let plan = plan.with(Operation::GetShardIterator, rates);
        history.world.kinesis.set_faults(plan);
        history.log("throttled");
    }
    for _ in 0..history.random.u32(4..10) {
        let hours = match history.random.u32(..6) {
            0..3 => history.random.f64() * 6.0,
            3 | 4 => history.random.f64() * 17.0,
            _ => 18.0 + history.random.f64() * 20.0,
        };
        history.pass(Duration::from_secs_f64(hours * 3_600.0)).await;
        if history.random.u32(..3) == 0 {
            history.killed().await;
        } else {
            let hours = history.random.f64() * [0.5, 8.0, 30.0][history.random.usize(..3)];
            history.runs(Duration::from_secs_f64(hours * 3_600.0)).await;
        }
    }
    history.runs(Duration::ZERO).await;
    (history.reported.len(), history.records.arrived.len())
}

#[tokio::test(start_paused = true)]
async fn a_data_loss_is_reported_exactly_where_records_are_lost() {
    let first = std::env::var("LOSS_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seeds = first.map_or(0..SEEDS, |seed| seed..seed + 1);
    let (mut lost, mut put) = (0, 0);
    for seed in seeds {
        say(&format!("loss_at_random: seed {seed}"));
        let (more_lost, more_put) = history(seed).await;
        lost += more_lost;
        put += more_put;
    }
    assert!(lost > 0 && lost < put, "{lost} of {put} lost");
}
