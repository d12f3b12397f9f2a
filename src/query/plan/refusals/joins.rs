//! Decides which joins are supported: those with static tables that output the rows of the stream.

use datafusion::common::{JoinType, NullEquality, Result as DataFusionResult};
use datafusion::logical_expr::Join;

use super::Refusal;
use crate::query::plan::sources::stream_in;

/// Why `join`, which reads a stream, is unsupported.
pub(super) fn refusal(join: &Join) -> DataFusionResult<Option<Refusal>> {
    let left = stream_in(&join.left)?;
    let right = stream_in(&join.right)?;
    if let Some((name, way_out)) = set_operation(join) {
        let stream = left.or(right).unwrap_or_default();
        return Ok(Some(Refusal {
            message: format!(
                "{name} over the unbounded table '{stream}' would need the rows of all batches: {way_out}"
            ),
            includes_inputs: true,
        }));
    }
    let (stream, is_left) = match (left, right) {
        (Some(left), Some(right)) => {
            return Ok(Some(Refusal::from(format!(
                "a join of the unbounded tables '{left}' and '{right}' would have to keep the rows of \
                 both: use a table without UNBOUNDED for one of them, or collect its rows in a table"
            ))));
        }
        (Some(left), None) => (left, true),
        (None, Some(right)) => (right, false),
        (None, None) => return Ok(None),
    };
    let (name, keeps_stream) = match join.join_type {
        JoinType::Inner => return Ok(None),
        JoinType::Left => ("LEFT JOIN", is_left),
        JoinType::LeftSemi => ("LEFT SEMI JOIN", is_left),
        JoinType::LeftAnti => ("LEFT ANTI JOIN", is_left),
        JoinType::LeftMark => ("LEFT MARK JOIN", is_left),
        JoinType::Right => ("RIGHT JOIN", !is_left),
        JoinType::RightSemi => ("RIGHT SEMI JOIN", !is_left),
        JoinType::RightAnti => ("RIGHT ANTI JOIN", !is_left),
        JoinType::RightMark => ("RIGHT MARK JOIN", !is_left),
        JoinType::Full => ("FULL JOIN", false),
    };
    if keeps_stream {
        return Ok(None);
    }
    let side = if is_left { "left" } else { "right" };
    Ok(Some(Refusal::from(format!(
        "{name} with the unbounded table '{stream}' on the {side} outputs rows of the static side, and \
         which of them match is only known at the end of the stream: use an inner join, or the outer join \
         that keeps the rows of the stream"
    ))))
}

/// INTERSECT and EXCEPT, which are planned as joins that treat nulls as equal.
fn set_operation(join: &Join) -> Option<(&'static str, &'static str)> {
    match (join.null_equality, join.join_type) {
        (NullEquality::NullEqualsNull, JoinType::LeftSemi) => {
            Some(("INTERSECT", "use WHERE … IN (SELECT …) with a static table"))
        }
        (NullEquality::NullEqualsNull, JoinType::LeftAnti) => Some((
            "EXCEPT",
            "use WHERE … NOT IN (SELECT …) with a static table",
        )),
        _ => None,
    }
}
