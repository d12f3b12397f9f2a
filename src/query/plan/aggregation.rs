//! Finds the aggregation of a streaming statement, and prepares the session that plans its batches.

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
use crate::checkpoint::AggregationMetadata;
use crate::error::{Error, Result, from_datafusion};
use crate::model::OutputMode;
use crate::sql::{StreamingSettings, Variables};
use crate::state::{
    Attached, ExpiryColumn, NamePatterns, StateRule, StateStore, Streams, attach, stateful_node,
    stateful_session,
};

/// An aggregate that panics in DataFusion 55.2 if the partial step is skipped because almost every row
/// forms a separate group.
const PANICS_WHEN_SKIPPED: &str = "percentile_cont(";

/// The default of `streaming.watermark_idle_timeout` if the event time is the arrival time. Such rows can
/// only be late by the difference between the clocks of this machine and the service. The retention proofs
/// of the source rely on the clocks to the same extent.
const ARRIVAL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A ratio of groups to rows that is never reached, so that the partial step is never skipped.
const NEVER_SKIPPED: f64 = 2.0;

/// The aggregation of a streaming statement, and when its groups are output.
#[derive(Debug)]
pub(in crate::query) struct AggregationPlan {
    mode: OutputMode,
    closing: Option<ExpiryColumn>,
    /// A description for the checkpoint.
    pub(in crate::query) description: AggregationMetadata,
    /// The description with patterns for names, so that renaming a column or table is not a change.
    pub(in crate::query) name_patterns: NamePatterns,
    /// Aggregates whose state grows with every row.
    pub(in crate::query) growing: Vec<String>,
    /// The watermark delay; `None` without a watermark.
    pub(in crate::query) delay: Option<Duration>,
    /// After how long without a record the watermark follows the clock; `None` if it never does.
    pub(in crate::query) idle_timeout: Option<Duration>,
}

impl AggregationPlan {
    /// The session that plans the batches.
    ///
    /// # Errors
    /// The version of DataFusion is not supported.
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

    /// Takes the values of variables out of the texts that are stored and shown.
    pub(super) fn hide_values(&mut self, variables: &Variables) {
        let description = &mut self.description;
        let groups = description.group_by.iter_mut();
        let texts = groups.chain(&mut description.aggregates);
        for text in texts.chain(&mut description.event_time) {
            *text = variables.identify_expression(text);
        }
    }
}

/// Finds the aggregation over the streams of `plan`, and adds the columns that it needs to the plan.
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
         delay such as '10 seconds', or neither"
    ))
    .into()
}

/// The scans of a statement, for the state module.
struct Scans<'a>(&'a mut [PlanSource]);

impl Streams for Scans<'_> {
    fn is_read_by(&self, plan: &LogicalPlan) -> DataFusionResult<bool> {
        Ok(stream_in(plan)?.is_some())
    }

    fn index_of(&self, scan: &TableScan) -> Option<usize> {
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
    /// An empty state store for the aggregation of the statement; `None` if it has no aggregation.
    ///
    /// # Errors
    /// Errors of planning a batch.
    pub(in crate::query) async fn new_state_store(&self) -> Result<Option<StateStore>> {
        if self.aggregation.is_none() {
            return Ok(None);
        }
        let reads = vec![Arc::default(); self.sources.len()];
        let batch = self.for_batch(&reads)?;
        let plan = self.session.create_physical_plan(&batch.plan).await;
        let plan = plan.map_err(from_datafusion)?;
        let node = stateful_node(&plan).map_err(from_datafusion)?;
        let pool = &self.session.runtime_env().memory_pool;
        let store = StateStore::new(Arc::clone(node.grouping()), node.partitions(), pool);
        Ok(Some(store))
    }
}
