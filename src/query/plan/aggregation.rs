//! The aggregation of a streaming statement.

use std::sync::Arc;
use std::time::Duration;

use datafusion::common::Result as DataFusionResult;
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::logical_plan::{TableScan, TableScanBuilder};

use super::sources::stream_in;
use super::{PlanSource, StreamingPlan};
use crate::checkpoint::StateMetadata;
use crate::error::{Error, Result, failure};
use crate::model::OutputMode;
use crate::sql::StreamingSettings;
use crate::state::{
    Attached, ExpiryColumn, NamePatterns, StateRule, StateStore, Streams, attach, stateful_node,
    stateful_session,
};

/// An aggregate that panics in DataFusion 55.2 where its partial step gives up because nearly each row is a
/// group of its own.
const PANICS_WHEN_SKIPPED: &str = "percentile_cont(";

/// The default of `streaming.watermark_idle_timeout` where the event time is the time of arrival. Such rows
/// cannot be late, but for what the clocks of this machine and of the service differ by; the horizon of
/// retention trusts the clock as far.
const ARRIVAL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// No batch has more groups than rows.
const NEVER_SKIPPED: f64 = 2.0;

/// The aggregation of a streaming statement, and how its groups are given.
#[derive(Debug)]
pub(in crate::query) struct AggregationPlan {
    mode: OutputMode,
    closing: Option<ExpiryColumn>,
    /// What it is, in words.
    pub(in crate::query) description: StateMetadata,
    /// The same with names left open.
    pub(in crate::query) name_patterns: NamePatterns,
    /// Aggregates whose state grows with each row.
    pub(in crate::query) growing: Vec<String>,
    /// How much later than others a row may come; none without a watermark.
    pub(in crate::query) delay: Option<Duration>,
    /// After how long without a record the watermark follows the clock; none where it never does.
    pub(in crate::query) idle_timeout: Option<Duration>,
}

impl AggregationPlan {
    /// `state` as it plans the batches.
    ///
    /// # Errors
    /// An engine that is not the one that this crate knows.
    pub(super) fn session(&self, state: &SessionState) -> Result<SessionState> {
        let rule = StateRule {
            mode: self.mode,
            closing: self.closing.clone(),
        };
        let mut session = stateful_session(state, rule)?;
        if self
            .growing
            .iter()
            .any(|name| name.contains(PANICS_WHEN_SKIPPED))
        {
            let options = session.config_mut().options_mut();
            options
                .execution
                .skip_partial_aggregation_probe_ratio_threshold = NEVER_SKIPPED;
        }
        Ok(session)
    }
}

/// The aggregation over the streams of `plan`, and the plan with what it needs.
pub(super) fn find(
    plan: LogicalPlan,
    sources: &mut [PlanSource],
    settings: &StreamingSettings,
) -> DataFusionResult<(LogicalPlan, Option<AggregationPlan>)> {
    let (mode, delay) = (settings.output_mode, settings.watermark_delay);
    let column = settings.watermark_column.as_deref();
    if delay.is_none() && column.is_some() {
        return Err(without_delay("watermark_column"));
    }
    if delay.is_none() && settings.watermark_idle_timeout.is_some() {
        return Err(without_delay("watermark_idle_timeout"));
    }
    let mut streams = Scans(sources);
    let attached = attach(plan.clone(), mode, delay.map(|_| column), &mut streams)?;
    let Some(attached) = attached else {
        return Ok((plan, None));
    };
    let Attached {
        plan,
        closing,
        description,
        name_patterns,
        growing,
        by_arrival,
    } = attached;
    let by_arrival = by_arrival.then_some(ARRIVAL_IDLE_TIMEOUT);
    let stateful = AggregationPlan {
        mode,
        closing,
        description,
        name_patterns,
        growing,
        delay,
        idle_timeout: settings.watermark_idle_timeout.or(by_arrival),
    };
    Ok((plan, Some(stateful)))
}

fn without_delay(setting: &str) -> DataFusionError {
    Error::invalid_option(format!(
        "setting 'streaming.{setting}' is set without 'streaming.watermark_delay': expected both, with a \
         delay such as '10 seconds', or none"
    ))
    .into()
}

/// The scans of a statement.
struct Scans<'a>(&'a mut [PlanSource]);

impl Streams for Scans<'_> {
    fn is_read_by(&self, plan: &LogicalPlan) -> DataFusionResult<bool> {
        Ok(stream_in(plan)?.is_some())
    }

    fn place_of(&self, scan: &TableScan) -> Option<usize> {
        let found = source_as_provider(&scan.source).ok()?;
        let mut sources = self.0.iter();
        sources.position(|source| Arc::ptr_eq(&source.provider, &found))
    }

    fn numbered(&mut self, scan: &TableScan) -> DataFusionResult<Option<LogicalPlan>> {
        let Ok(found) = source_as_provider(&scan.source) else {
            return Ok(None);
        };
        let mut sources = self.0.iter_mut();
        let Some(source) = sources.find(|source| Arc::ptr_eq(&source.provider, &found)) else {
            return Ok(None);
        };
        if !source.numbered {
            source.numbered = true;
            source.scanned = Arc::new(source.batch_table(Arc::default()));
        }
        let number = scan.source.schema().fields().len();
        let projection = scan.projection.clone().map(|mut columns| {
            columns.push(number);
            columns
        });
        let table = provider_as_source(Arc::clone(&source.scanned));
        let scan = TableScanBuilder::new(scan.table_name.clone(), table)
            .with_projection(projection)
            .with_filters(scan.filters.clone())
            .with_fetch(scan.fetch)
            .build()?;
        Ok(Some(LogicalPlan::TableScan(scan)))
    }
}

impl StreamingPlan {
    /// A state without groups, for the aggregation of the statement; `None` where it has none.
    ///
    /// # Errors
    /// Those of planning a batch.
    pub(in crate::query) async fn new_state_store(&self) -> Result<Option<StateStore>> {
        if self.aggregation.is_none() {
            return Ok(None);
        }
        let reads = vec![Arc::default(); self.sources.len()];
        let batch = self.for_batch(&reads)?;
        let plan = self.session.create_physical_plan(&batch.plan).await;
        let plan = plan.map_err(failure)?;
        let node = stateful_node(&plan).map_err(failure)?;
        let pool = &self.session.runtime_env().memory_pool;
        let store = StateStore::new(Arc::clone(node.grouping()), node.partitions(), pool);
        Ok(Some(store))
    }
}
