//! What a streaming query cannot do, refused by name and with a way out.
//!
//! A batch sees the rows of its ranges only. What is right for each batch by itself is right for the
//! stream, and so is one aggregation, whose state is kept from batch to batch; everything else is refused
//! rather than done wrong.

mod aggregates;
mod joins;

use datafusion::common::Result as DataFusionResult;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison};
use datafusion::logical_expr::{
    DdlStatement, Distinct, Expr, FetchType, Limit, LogicalPlan, Union, WriteOp,
};

use self::aggregates::{aggregation_in, order_of_rows, stacked};
use super::sources::stream_in;
use crate::error::Error;
use crate::model::OutputMode;

const STATE: &str = "would need the rows of all batches: foreach_batch can do it for each batch by \
    itself, and a table without UNBOUNDED as a whole";

const EACH_BATCH: &str = "foreach_batch can run one for the rows of each batch";

/// Refuses a statement that is no query over streams which each batch can answer by itself.
///
/// # Errors
/// [`Unsupported`](crate::ErrorKind::Unsupported), with the innermost operator that is in the way.
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
                if found.is_whole {
                    return Ok(TreeNodeRecursion::Jump);
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    if refusal.is_none() && mode == OutputMode::Complete && aggregation_in(plan)?.is_none() {
        refusal = Some(
            "output mode 'complete' gives the whole result of an aggregation after each batch, and \
             the statement has none: expected 'append' or 'update'"
                .to_owned(),
        );
    }
    refusal.map_or(Ok(()), |refusal| Err(Error::unsupported(refusal).into()))
}

/// An operator in the way.
struct Refusal {
    message: String,
    /// It is planned as several nodes: those below it are not to be named.
    is_whole: bool,
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self {
            message,
            is_whole: false,
        }
    }
}

/// What is against the kind of a statement.
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
            "foreach_batch can write a file for each batch, and a table without UNBOUNDED can be \
             copied",
        ),
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(_)) => return create_table_as(),
        LogicalPlan::Ddl(_)
        | LogicalPlan::Statement(_)
        | LogicalPlan::DescribeTable(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_) => ("the statement", "run it as it is, without StreamingQuery"),
        _ => return None,
    };
    Some(format!(
        "{name} is no streaming query, expected SELECT or INSERT INTO … SELECT: {way_out}"
    ))
}

fn create_table_as() -> Option<String> {
    let message = "CREATE TABLE AS over an unbounded table would never be done: create the table, \
                   then INSERT INTO it";
    Some(message.to_owned())
}

/// What is against a node that reads `stream`.
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
                None => order_of_rows(aggregate, &over),
            };
            return Ok(refusal.map(Refusal::from));
        }
        LogicalPlan::Distinct(Distinct::On(_)) => format!("DISTINCT ON {over} {STATE}"),
        LogicalPlan::Distinct(Distinct::All(input)) => {
            return Ok(stacked("DISTINCT", input, stream)?.map(Refusal::from));
        }
        LogicalPlan::Window(_) => format!("a window function (OVER) {over} {STATE}"),
        LogicalPlan::Sort(sort) => match (mode, aggregation_in(&sort.input)?) {
            (OutputMode::Complete, Some(_)) => return Ok(None),
            (_, Some(_)) => format!(
                "ORDER BY over groups of the unbounded table '{stream}' sorts the whole result, which \
                 only output mode 'complete' gives: leave it out, or SET streaming.output_mode = \
                 'complete'"
            ),
            (_, None) => format!(
                "ORDER BY {over} has no end to sort up to: leave it out; foreach_batch can sort each \
                 batch, and a table without UNBOUNDED ends"
            ),
        },
        LogicalPlan::Limit(limit) if mode == OutputMode::Complete => {
            match (aggregation_in(&limit.input)?, is_sorted(&limit.input)) {
                (Some(_), true)
                    if matches!(limit.get_fetch_type()?, FetchType::Literal(Some(0))) =>
                {
                    format!("LIMIT 0 {over} gives no rows: expected 1 at least, or leave it out")
                }
                (Some(_), true) => return Ok(None),
                (Some(_), false) => format!(
                    "{} without ORDER BY over groups of the unbounded table '{stream}' would give any of \
                     them: add ORDER BY, or leave it out",
                    clauses(limit)
                ),
                (None, _) => limited(limit, &over),
            }
        }
        LogicalPlan::Limit(limit) => limited(limit, &over),
        LogicalPlan::RecursiveQuery(_) => format!(
            "WITH RECURSIVE {over} would start anew with each batch: read a table without UNBOUNDED"
        ),
        LogicalPlan::Extension(extension) => format!(
            "'{}' {over} is not known to be right batch by batch: foreach_batch can run it on the \
             rows of each batch",
            extension.node.name()
        ),
        LogicalPlan::Union(union) => return Ok(repeated(union, stream)?.map(Refusal::from)),
        LogicalPlan::Join(join) => return joins::refusal(join),
        _ => return Ok(None),
    };
    Ok(Some(message.into()))
}

/// Whether the rows come in an order that the statement says.
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
        "{} {over} would count rows across batches: leave it out; trigger 'available now' ends at the \
         tip, and a table without UNBOUNDED takes it",
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

/// Rows that come from no stream would be given again with each batch.
fn repeated(union: &Union, stream: &str) -> DataFusionResult<Option<String>> {
    for input in &union.inputs {
        if aggregation_in(input)?.is_some() {
            return Ok(Some(format!(
                "UNION ALL with groups of the unbounded table '{stream}' would mix results of several \
                 aggregations: put the UNION ALL below the GROUP BY, or run a statement for each"
            )));
        }
        if stream_in(input)?.is_none() {
            return Ok(Some(format!(
                "UNION ALL of the unbounded table '{stream}' and rows that are no stream would give \
                 those again with each batch: write them by a statement of their own"
            )));
        }
    }
    Ok(None)
}

/// A stream is never there as a whole, which a subquery in an expression would need.
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
                "{name} that reads the unbounded table '{stream}' would see the rows of one batch \
                 only: let it read a table without UNBOUNDED, or put the stream into FROM"
            )));
            Ok(TreeNodeRecursion::Stop)
        })
    })?;
    Ok(refusal)
}
