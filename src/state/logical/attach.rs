//! Finds the aggregation of a streaming statement, and inserts the node below it that observes event time.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, Extension, LogicalPlan, LogicalPlanBuilder, Projection, Union,
};

use super::barrier::OptimizerBarrier;
use super::column_lineage::{ColumnLineage, NamePattern};
use super::compatibility::NamePatterns;
use super::event_time_node::EventTimeNode;
use super::row_time::{ExpiryColumn, RowTime, never_closed, row_time};
use super::streams::Streams;
use crate::checkpoint::AggregationMetadata;
use crate::error::Error;
use crate::model::OutputMode;
use crate::source::RowColumn;
use crate::table::KinesisTable;

/// A statement with an aggregation over streams, ready for state.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) plan: LogicalPlan,
    pub(crate) closing: Option<ExpiryColumn>,
    /// What the aggregation computes, for the checkpoint.
    pub(crate) description: AggregationMetadata,
    /// The same, with placeholders for table names.
    pub(crate) name_patterns: NamePatterns,
    /// The aggregates whose state grows with each row.
    pub(crate) growing: Vec<String>,
    /// Whether the event time is the arrival time of records.
    pub(crate) by_arrival: bool,
}

/// Finds the aggregation over streams of `plan`; `None` if there is none. `watermark` is `Some` if the query has a
/// watermark, with its column if the user has set it.
///
/// # Errors
/// [`Unsupported`](crate::ErrorKind::Unsupported) if the aggregation does not support `mode`;
/// [`InvalidOption`](crate::ErrorKind::InvalidOption) if the column of the watermark does not exist.
pub(crate) fn attach(
    plan: LogicalPlan,
    mode: OutputMode,
    watermark: Option<Option<&str>>,
    streams: &mut dyn Streams,
) -> Result<Option<Attached>> {
    let mut found = None;
    let plan = plan.transform_down(|node| {
        if found.is_some() || !streams.is_read_by(&node)? {
            return Ok(Transformed::new(node, false, TreeNodeRecursion::Jump));
        }
        let aggregate = match node {
            LogicalPlan::Aggregate(aggregate) => aggregate,
            LogicalPlan::Distinct(Distinct::All(input)) => distinct(input)?,
            other => return Ok(Transformed::no(other)),
        };
        let growing = growing(&aggregate);
        let time = match watermark {
            None => None,
            Some(column) => Some(time_of(&aggregate, column)?),
        };
        let by_arrival = match &time {
            None => false,
            Some(time) => is_arrival(&time.time, &aggregate.input, streams)?,
        };
        let (plan, rest) = attached(aggregate, mode, time, streams)?;
        found = Some((rest, growing, by_arrival));
        let plan = LogicalPlan::Extension(Extension {
            node: Arc::new(OptimizerBarrier { input: plan }),
        });
        Ok(Transformed::new(plan, true, TreeNodeRecursion::Jump))
    });
    let plan = plan.data()?;
    Ok(found.map(|(rest, growing, by_arrival)| Attached {
        plan,
        closing: rest.closing,
        description: rest.description,
        name_patterns: rest.name_patterns,
        growing,
        by_arrival,
    }))
}

/// The properties of an aggregation that its plan does not contain.
struct Properties {
    closing: Option<ExpiryColumn>,
    description: AggregationMetadata,
    name_patterns: NamePatterns,
}

/// The aggregates that keep all values.
fn growing(aggregate: &Aggregate) -> Vec<String> {
    const KEEP_ALL: [&str; 4] = ["median", "percentile_cont", "array_agg", "string_agg"];
    let grows = |expr: &&Expr| match (*expr).clone().unalias() {
        Expr::AggregateFunction(function) => {
            let is_extreme = matches!(function.func.name(), "min" | "max");
            KEEP_ALL.contains(&function.func.name()) || (function.params.distinct && !is_extreme)
        }
        _ => false,
    };
    let found = aggregate.aggr_expr.iter().filter(grows);
    found.map(|expr| expr.schema_name().to_string()).collect()
}

/// Converts DISTINCT into groups without aggregates.
fn distinct(input: Arc<LogicalPlan>) -> Result<Aggregate> {
    let columns = input.schema().columns();
    Aggregate::try_new(
        input,
        columns.into_iter().map(Expr::Column).collect(),
        vec![],
    )
}

fn attached(
    aggregate: Aggregate,
    mode: OutputMode,
    time: Option<RowTime>,
    streams: &mut dyn Streams,
) -> Result<(LogicalPlan, Properties)> {
    let exprs = || aggregate.group_expr.iter().chain(&aggregate.aggr_expr);
    // The name of a column would omit casts.
    let text = |expr: &Expr| expr.to_string();
    let mut description = AggregationMetadata {
        group_by: aggregate.group_expr.iter().map(text).collect(),
        aggregates: aggregate.aggr_expr.iter().map(text).collect(),
        event_time: None,
        origin: Some(ColumnLineage::new(streams).of_all(exprs(), &aggregate.input)?),
        event_time_origin: None,
    };
    let mut name_patterns = NamePatterns {
        aggregation: NamePattern::of(exprs(), &aggregate.input)?,
        event_time: None,
    };
    let is_distinct = aggregate.aggr_expr.is_empty();
    let closing = time.as_ref().and_then(|time| time.closing.clone());
    if mode == OutputMode::Append && !is_distinct && closing.is_none() {
        never_closed(time.is_some())?;
    }
    let Some(RowTime { time, end, .. }) = time else {
        let known = Properties {
            closing: None,
            description,
            name_patterns,
        };
        return Ok((LogicalPlan::Aggregate(aggregate), known));
    };
    // Output mode complete never closes groups, so it cannot resume from a state some of whose groups are
    // closed.
    if mode != OutputMode::Complete {
        let origin = ColumnLineage::new(streams).of_all([&time], &aggregate.input)?;
        description.event_time = Some(text(&time));
        description.event_time_origin = Some(origin);
        name_patterns.event_time = NamePattern::of([&time], &aggregate.input)?;
    }
    let input = carry(Arc::unwrap_or_clone(aggregate.input), streams)?;
    let node = EventTimeNode {
        shard: Expr::Column(number_of(&input)?),
        time,
        // Output mode complete does not drop late rows.
        end: end.filter(|_| mode != OutputMode::Complete),
        input,
    };
    let node = LogicalPlan::Extension(Extension {
        node: Arc::new(node),
    });
    let (groups, aggregates) = (aggregate.group_expr, aggregate.aggr_expr);
    let aggregate = Aggregate::try_new(Arc::new(node), groups, aggregates)?;
    let known = Properties {
        closing,
        description,
        name_patterns,
    };
    Ok((LogicalPlan::Aggregate(aggregate), known))
}

/// The event time of the rows of `aggregate`.
fn time_of(aggregate: &Aggregate, column: Option<&str>) -> Result<RowTime> {
    let schema = aggregate.input.schema();
    let named = |name: &str| {
        let mut fields = schema.iter();
        let found = fields.find(|(_, field)| field.name().eq_ignore_ascii_case(name));
        found.map(|(qualifier, field)| Column::new(qualifier.cloned(), field.name()))
    };
    let chosen = match column {
        None => None,
        Some(name) => Some(named(name).ok_or_else(|| {
            let names: Vec<&str> = schema.fields().iter().map(|field| &**field.name()).collect();
            Error::invalid_option(format!(
                "setting 'streaming.watermark_column' = '{name}': expected a column of the input of \
                 the GROUP BY: {}",
                names.join(", ")
            ))
        })?),
    };
    if let Some(found) = row_time(&aggregate.group_expr, chosen.as_ref())? {
        return Ok(found);
    }
    // Without a window the event time is the arrival time, if the input of the GROUP BY has it.
    let arrival = named(RowColumn::ArrivalTimestamp.name());
    let arrival = match arrival {
        Some(arrival) => row_time(&aggregate.group_expr, Some(&arrival))?,
        None => None,
    };
    arrival.ok_or_else(|| {
        Error::invalid_option(
            "setting 'streaming.watermark_delay': the GROUP BY has no window to take the event time \
             from: expected streaming.watermark_column with the name of a timestamp column",
        )
        .into()
    })
}

/// Whether `time`, over the rows of `plan`, is the arrival time of a stream's records.
fn is_arrival(time: &Expr, plan: &LogicalPlan, streams: &dyn Streams) -> Result<bool> {
    let column = match time {
        Expr::Column(column) => column,
        Expr::Alias(alias) => return is_arrival(&alias.expr, plan, streams),
        Expr::Cast(cast) if cast.field.data_type().is_temporal() => {
            return is_arrival(&cast.expr, plan, streams);
        }
        _ => return Ok(false),
    };
    let Some(index) = plan.schema().maybe_index_of_column(column) else {
        return Ok(false);
    };
    let nth = |input: &LogicalPlan| Expr::Column(input.schema().columns().swap_remove(index));
    match plan {
        LogicalPlan::TableScan(scan) => {
            let provider = source_as_provider(&scan.source)?;
            let read = match provider.downcast_ref::<KinesisTable>() {
                Some(table) => table.read_column(&column.name),
                None => None,
            };
            Ok(read == Some(RowColumn::ArrivalTimestamp) && streams.is_read_by(plan)?)
        }
        LogicalPlan::Projection(projection) => {
            is_arrival(&projection.expr[index], &projection.input, streams)
        }
        LogicalPlan::SubqueryAlias(alias) => is_arrival(&nth(&alias.input), &alias.input, streams),
        LogicalPlan::Union(union) => {
            for input in &union.inputs {
                if !is_arrival(&nth(input), input, streams)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        other => {
            let mut inputs = other.inputs().into_iter();
            let input = inputs.find(|input| input.schema().has_column(column));
            input.map_or(Ok(false), |input| is_arrival(time, input, streams))
        }
    }
}

/// Adds the number of the shard to each row of `plan`.
fn carry(plan: LogicalPlan, streams: &mut dyn Streams) -> Result<LogicalPlan> {
    if let LogicalPlan::TableScan(scan) = &plan
        && let Some(numbered) = streams.numbered(scan)?
    {
        return Ok(numbered);
    }
    if !streams.is_read_by(&plan)? {
        return Ok(plan);
    }
    let inputs = plan.inputs().into_iter().cloned();
    let inputs = inputs.map(|input| carry(input, streams));
    let mut inputs = inputs.collect::<Result<Vec<_>>>()?;
    match plan {
        LogicalPlan::Projection(projection) => {
            let input = Arc::new(inputs.remove(0));
            let mut exprs = projection.expr;
            exprs.push(Expr::Column(number_of(&input)?));
            Ok(LogicalPlan::Projection(Projection::try_new(exprs, input)?))
        }
        LogicalPlan::Union(_) => {
            let inputs = inputs
                .into_iter()
                .map(|input| Ok(Arc::new(number_last(input)?)));
            let inputs = inputs.collect::<Result<Vec<_>>>()?;
            Ok(LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?))
        }
        other => other
            .with_new_exprs(other.expressions(), inputs)?
            .recompute_schema(),
    }
}

/// The column with the number of the shard.
fn number_of(plan: &LogicalPlan) -> Result<Column> {
    let name = RowColumn::ShardNumber.name();
    let mut fields = plan.schema().iter();
    let found = fields.find(|(_, field)| field.name() == name);
    let found = found.map(|(qualifier, field)| Column::new(qualifier.cloned(), field.name()));
    found.ok_or_else(|| {
        Error::unsupported(format!(
            "a watermark is not supported over '{}', which hides the shards of its rows: remove \
             streaming.watermark_delay, or use the stream in FROM directly",
            plan.display()
        ))
        .into()
    })
}

/// Moves the number of the shard to the last column, where the inputs of a union have it.
fn number_last(plan: LogicalPlan) -> Result<LogicalPlan> {
    let number = number_of(&plan)?;
    let columns = plan.schema().columns();
    if columns.last() == Some(&number) {
        return Ok(plan);
    }
    let mut ordered: Vec<Column> = columns
        .into_iter()
        .filter(|column| *column != number)
        .collect();
    ordered.push(number);
    let exprs = ordered.into_iter().map(Expr::Column);
    LogicalPlanBuilder::from(plan).project(exprs)?.build()
}
