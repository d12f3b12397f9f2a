//! A session's own query planner is used for stateful queries.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use datafusion::prelude::SessionContext;
use datafusion_kinesis::kinesis::TokioClock;
use datafusion_kinesis::{Services, register_with};

use super::*;
use crate::support::EPOCH;

/// Plans like DataFusion and counts the plans. It knows only DataFusion's nodes.
#[derive(Debug, Default)]
struct CountingPlanner(AtomicUsize);

#[async_trait]
impl QueryPlanner for CountingPlanner {
    async fn create_physical_plan(
        &self,
        logical_plan: &LogicalPlan,
        session: &dyn Session,
    ) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let planner = DefaultPhysicalPlanner::default();
        planner.create_physical_plan(logical_plan, session).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_custom_planner_plans_the_batches_of_a_stateful_query() {
    let planner = Arc::new(CountingPlanner::default());
    let mut world = World::new();
    let state = SessionStateBuilder::new()
        .with_default_features()
        .with_query_planner(Arc::clone(&planner) as _)
        .build();
    world.ctx = SessionContext::new_with_state(state);
    let services = Services::fixed(Arc::clone(&world.kinesis) as _);
    let clock = Arc::new(TokioClock::starting_at(EPOCH));
    register_with(&world.ctx, services.with_clock(clock));
    world.unbounded_table("words", 2, FROM_THE_START).await;
    let sql = "SELECT arrow_cast(window_start, 'Int64'), count(*) FROM
        (SELECT to_timestamp_millis(CAST(CAST(data AS VARCHAR) AS BIGINT)) AS ts FROM words)
        GROUP BY tumble(ts, INTERVAL '10 milliseconds')";
    let lines = Lines::default();
    let query = lines.of(grouped(&world, sql, OutputMode::Append));
    let query = query.with_watermark(Duration::ZERO, None);
    let before = planner.0.load(Ordering::Relaxed);
    let query = query.start().await.unwrap();
    for time in ["1", "5", "12", "3", "30"] {
        world.put("words", "a", time).await;
        query.process_all_available().await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    query.stop().await.unwrap();
    // The row with time 3 is behind the watermark.
    assert_eq!(lines.given().concat(), ["0 2", "10 1"]);
    let planned = planner.0.load(Ordering::Relaxed) - before;
    assert!(planned >= 5, "{planned} plans");
}
