//! Refuses statements that a streaming query cannot run, naming the operator and an alternative.
//!
//! A batch sees only the rows of its own ranges. An operator is therefore correct over the stream if its
//! result for the stream is the concatenation of its results for the batches. One aggregation is allowed in
//! addition, because its state is kept between batches. Everything else is refused rather than computed
//! wrongly.

mod aggregates;
mod joins;

use datafusion::common::Result as DataFusionResult;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison};
use datafusion::logical_expr::{
    DdlStatement, Distinct, Expr, FetchType, Limit, LogicalPlan, Union, WriteOp,
};

use self::aggregates::{aggregation_in, order_dependent, stacked};
use super::sources::stream_in;
use crate::error::Error;
use crate::model::OutputMode;

const NEEDS_ALL_ROWS: &str = "would need the rows of all batches: use foreach_batch to run it on each \
    batch, or a table without UNBOUNDED to run it on all rows";

const EACH_BATCH: &str = "use foreach_batch to run one on the rows of each batch";

/// Refuses a statement that is not a query, or whose result is not the concatenation of the results of its
/// batches.
///
/// # Errors
/// [`Unsupported`](crate::ErrorKind::Unsupported), with the innermost unsupported operator.
pub(super) fn refuse(plan: &LogicalPlan, mode: OutputMode) -> DataFusionResult<()> {
    let mut refusal = statement(plan);
    if refusal.is_none() {
        plan.apply(|node| {
            let Some(stream) = stream_in(node)? else {
                return Ok(TreeNodeRecursion::Jump);
            };
            let found = match subquery(node)? {
                Some(found) => Some(found),
                None => operator(node, &stream, mode)?,
            };
            if let Some(found) = found {
                refusal = Some(found.message);
                if found.includes_inputs {
                    return Ok(TreeNodeRecursion::Jump);
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    if refusal.is_none() && mode == OutputMode::Complete && aggregation_in(plan)?.is_none() {
        refusal = Some(
            "output mode 'complete' outputs the whole result of an aggregation after each batch, but the \
             statement has no aggregation: expected 'append' or 'update'"
                .to_owned(),
        );
    }
    refusal.map_or(Ok(()), |refusal| Err(Error::unsupported(refusal).into()))
}

/// An unsupported operator.
struct Refusal {
    message: String,
    /// Whether the operator is planned as several nodes, so that the nodes below it must not be reported.
    includes_inputs: bool,
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self {
            message,
            includes_inputs: false,
        }
    }
}

/// Why the kind of a statement is unsupported.
fn statement(plan: &LogicalPlan) -> Option<String> {
    let (name, way_out) = match plan {
        LogicalPlan::Dml(dml) => match &dml.op {
            WriteOp::Insert(InsertOp::Append) => return None,
            WriteOp::Insert(InsertOp::Overwrite) => ("INSERT OVERWRITE", "use INSERT INTO"),
            WriteOp::Insert(InsertOp::Replace) => ("REPLACE INTO", "use INSERT INTO"),
            WriteOp::Ctas => return create_table_as(),
            WriteOp::Delete => ("DELETE", EACH_BATCH),
            WriteOp::Update => ("UPDATE", EACH_BATCH),
            WriteOp::MergeInto(_) => ("MERGE INTO", EACH_BATCH),
            operation => (operation.name(), EACH_BATCH),
        },
        LogicalPlan::Copy(_) => (
            "COPY TO",
            "use foreach_batch to write a file for each batch, or copy a table without UNBOUNDED",
        ),
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(_)) => return create_table_as(),
        LogicalPlan::Ddl(_)
        | LogicalPlan::Statement(_)
        | LogicalPlan::DescribeTable(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_) => ("the statement", "run it without StreamingQuery"),
        _ => return None,
    };
    Some(format!(
        "{name} is not a streaming query, expected SELECT or INSERT INTO … SELECT: {way_out}"
    ))
}

fn create_table_as() -> Option<String> {
    let message = "CREATE TABLE AS over an unbounded table would never end: create the table, then \
                   INSERT INTO it";
    Some(message.to_owned())
}

/// Why a node that reads `stream` is unsupported.
fn operator(
    node: &LogicalPlan,
    stream: &str,
    mode: OutputMode,
) -> DataFusionResult<Option<Refusal>> {
    let over = format!("over the unbounded table '{stream}'");
    let message = match node {
        LogicalPlan::Aggregate(aggregate) => {
            let refusal = match stacked("GROUP BY", &aggregate.input, stream)? {
                Some(stacked) => Some(stacked),
                None => order_dependent(aggregate, &over),
            };
            return Ok(refusal.map(Refusal::from));
        }
        LogicalPlan::Distinct(Distinct::On(_)) => format!("DISTINCT ON {over} {NEEDS_ALL_ROWS}"),
        LogicalPlan::Distinct(Distinct::All(input)) => {
            return Ok(stacked("DISTINCT", input, stream)?.map(Refusal::from));
        }
        LogicalPlan::Window(_) => format!("a window function (OVER) {over} {NEEDS_ALL_ROWS}"),
        LogicalPlan::Sort(sort) => match (mode, aggregation_in(&sort.input)?) {
            (OutputMode::Complete, Some(_)) => return Ok(None),
            (_, Some(_)) => format!(
                "ORDER BY over groups of the unbounded table '{stream}' sorts the whole result, which \
                 only output mode 'complete' outputs: leave it out, or SET streaming.output_mode = \
                 'complete'"
            ),
            (_, None) => format!(
                "ORDER BY {over} would never end: leave it out, sort each batch with foreach_batch, or use \
                 a table without UNBOUNDED"
            ),
        },
        LogicalPlan::Limit(limit) if mode == OutputMode::Complete => {
            match (aggregation_in(&limit.input)?, is_sorted(&limit.input)) {
                (Some(_), true)
                    if matches!(limit.get_fetch_type()?, FetchType::Literal(Some(0))) =>
                {
                    format!("LIMIT 0 {over} returns no rows: expected at least 1, or leave it out")
                }
                (Some(_), true) => return Ok(None),
                (Some(_), false) => format!(
                    "{} without ORDER BY over groups of the unbounded table '{stream}' would return \
                     arbitrary groups: add ORDER BY, or leave it out",
                    clauses(limit)
                ),
                (None, _) => limited(limit, &over),
            }
        }
        LogicalPlan::Limit(limit) => limited(limit, &over),
        LogicalPlan::RecursiveQuery(_) => format!(
            "WITH RECURSIVE {over} would start over with each batch: use a table without UNBOUNDED"
        ),
        LogicalPlan::Extension(extension) => format!(
            "'{}' {over} is not known to be correct batch by batch: use foreach_batch to run it on the \
             rows of each batch",
            extension.node.name()
        ),
        LogicalPlan::Union(union) => return Ok(repeated(union, stream)?.map(Refusal::from)),
        LogicalPlan::Join(join) => return joins::refusal(join),
        _ => return Ok(None),
    };
    Ok(Some(message.into()))
}

/// Whether the statement defines the order of the rows.
fn is_sorted(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(_) => true,
        LogicalPlan::Projection(projection) => is_sorted(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => is_sorted(&alias.input),
        _ => false,
    }
}

fn limited(limit: &Limit, over: &str) -> String {
    format!(
        "{} {over} would count rows across batches: leave it out, end the query at the tip with trigger \
         'available now', or use a table without UNBOUNDED",
        clauses(limit)
    )
}

fn clauses(limit: &Limit) -> &'static str {
    match (&limit.fetch, &limit.skip) {
        (Some(_), Some(_)) => "LIMIT … OFFSET",
        (None, Some(_)) => "OFFSET",
        _ => "LIMIT",
    }
}

/// Why a union is unsupported. An input that is not a stream would be repeated by each batch.
fn repeated(union: &Union, stream: &str) -> DataFusionResult<Option<String>> {
    for input in &union.inputs {
        if aggregation_in(input)?.is_some() {
            return Ok(Some(format!(
                "UNION ALL with groups of the unbounded table '{stream}' would mix results of several \
                 aggregations: put the UNION ALL below the GROUP BY, or run a separate statement for each"
            )));
        }
        if stream_in(input)?.is_none() {
            return Ok(Some(format!(
                "UNION ALL of the unbounded table '{stream}' and rows that are not from a stream would \
                 repeat those rows with each batch: write them with a separate statement"
            )));
        }
    }
    Ok(None)
}

/// Why a subquery in an expression is unsupported: it would need the whole stream.
fn subquery(node: &LogicalPlan) -> DataFusionResult<Option<Refusal>> {
    let mut refusal = None;
    node.apply_expressions(|expr| {
        expr.apply(|expr| {
            let (name, subquery) = match expr {
                Expr::Exists(Exists { subquery, .. }) => ("EXISTS (…)", subquery),
                Expr::InSubquery(InSubquery { subquery, .. }) => ("IN (…)", subquery),
                Expr::SetComparison(SetComparison { subquery, .. }) => ("ANY or ALL (…)", subquery),
                Expr::ScalarSubquery(subquery) => ("a scalar subquery", subquery),
                _ => return Ok(TreeNodeRecursion::Continue),
            };
            let Some(stream) = stream_in(&subquery.subquery)? else {
                return Ok(TreeNodeRecursion::Continue);
            };
            refusal = Some(Refusal::from(format!(
                "{name} that reads the unbounded table '{stream}' would see only the rows of one batch: use \
                 a table without UNBOUNDED in it, or move the stream into FROM"
            )));
            Ok(TreeNodeRecursion::Stop)
        })
    })?;
    Ok(refusal)
}
