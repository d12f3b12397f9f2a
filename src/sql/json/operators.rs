//! Plans the operators `->`, `->>`, `#>`, `#>>` and `?`.

use std::fmt;
use std::sync::Arc;

use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::expr::{Alias, ScalarFunction};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, ScalarUDF};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use datafusion_functions_json::udfs;

use super::function::JsonFunction;

/// An operator on JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JsonOperator {
    /// The JSON text of a field or an item.
    Json,
    /// A field or an item as text.
    Text,
    /// The JSON text at a path.
    JsonAt,
    /// The text at a path.
    TextAt,
    /// Whether a field exists.
    Contains,
}

impl JsonOperator {
    /// The operator that is written `operator`.
    pub(super) fn of(operator: &BinaryOperator) -> Option<Self> {
        Some(match operator {
            BinaryOperator::Arrow => Self::Json,
            BinaryOperator::LongArrow => Self::Text,
            BinaryOperator::HashArrow => Self::JsonAt,
            BinaryOperator::HashLongArrow => Self::TextAt,
            BinaryOperator::Question => Self::Contains,
            _ => return None,
        })
    }

    fn function(self) -> Arc<ScalarUDF> {
        JsonFunction::over(match self {
            Self::Json | Self::JsonAt => udfs::json_get_json_udf(),
            Self::Text | Self::TextAt => udfs::json_as_text_udf(),
            Self::Contains => udfs::json_contains_udf(),
        })
    }
}

impl fmt::Display for JsonOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "->",
            Self::Text => "->>",
            Self::JsonAt => "#>",
            Self::TextAt => "#>>",
            Self::Contains => "?",
        })
    }
}

/// Plans the operators as calls of functions. It comes before the planner of `datafusion-functions-json`, whose
/// `->` gives a union, which cannot be printed as JSON, grouped by or written to a stream.
#[derive(Debug)]
pub(super) struct JsonOperators;

impl ExprPlanner for JsonOperators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        _schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        Ok(match JsonOperator::of(&expr.op) {
            Some(operator) => PlannerResult::Planned(planned(operator, expr.left, expr.right)),
            None => PlannerResult::Original(expr),
        })
    }
}

/// `json operator key`.
///
/// The parser reads `data ->> 'a' = 'x'` as `data ->> ('a' = 'x')`. [`group_operators`](super::group_operators)
/// corrects the text of a statement. `SessionContext::sql` plans the text as it was parsed, so a condition as the
/// key, or as the JSON, is regrouped here too: a condition can be neither.
fn planned(operator: JsonOperator, json: Expr, key: Expr) -> Expr {
    match key {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_condition(op) => {
            Expr::BinaryExpr(BinaryExpr {
                left: Box::new(planned(operator, json, *left)),
                op,
                right,
            })
        }
        Expr::Like(mut like) => {
            *like.expr = planned(operator, json, *like.expr);
            Expr::Like(like)
        }
        Expr::SimilarTo(mut like) => {
            *like.expr = planned(operator, json, *like.expr);
            Expr::SimilarTo(like)
        }
        Expr::InList(mut list) => {
            *list.expr = planned(operator, json, *list.expr);
            Expr::InList(list)
        }
        Expr::Between(mut between) => {
            *between.expr = planned(operator, json, *between.expr);
            Expr::Between(between)
        }
        Expr::IsNull(key) => Expr::IsNull(Box::new(planned(operator, json, *key))),
        Expr::IsNotNull(key) => Expr::IsNotNull(Box::new(planned(operator, json, *key))),
        key => planned_in(operator, json, key),
    }
}

/// `json operator key`, where `json` may be a condition that ends with the JSON.
fn planned_in(operator: JsonOperator, json: Expr, key: Expr) -> Expr {
    match json {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_condition(op) => {
            Expr::BinaryExpr(BinaryExpr {
                left,
                op,
                right: Box::new(planned_in(operator, *right, key)),
            })
        }
        Expr::Like(mut like) if like.escape_char.is_none() => {
            *like.pattern = planned_in(operator, *like.pattern, key);
            Expr::Like(like)
        }
        Expr::Between(mut between) => {
            *between.high = planned_in(operator, *between.high, key);
            Expr::Between(between)
        }
        json => call(operator, json, key),
    }
}

/// Whether `operator` gives a boolean.
fn is_condition(operator: Operator) -> bool {
    let is_like = matches!(
        operator,
        Operator::LikeMatch
            | Operator::ILikeMatch
            | Operator::NotLikeMatch
            | Operator::NotILikeMatch
    );
    // The operators that propagate intervals are the comparisons and the regular expressions.
    is_like || operator.supports_propagation()
}

/// The call of the operator's function, with the column name that the operator's text gives.
fn call(operator: JsonOperator, json: Expr, key: Expr) -> Expr {
    let name = format!("{} {operator} {}", shown(&json), shown(&key));
    let mut arguments = match is_literal(&key) {
        true => path_of(json),
        false => vec![json],
    };
    arguments.push(key);
    let call = Expr::ScalarFunction(ScalarFunction::new_udf(operator.function(), arguments));
    Expr::Alias(Alias::new(call, None::<&str>, name))
}

/// The arguments of `json` if it is itself `… -> 'literal'`, so that `a -> 'b' ->> 'c'` is one call with a path.
fn path_of(json: Expr) -> Vec<Expr> {
    let Expr::Alias(alias) = &json else {
        return vec![json];
    };
    match &*alias.expr {
        Expr::ScalarFunction(ScalarFunction { func, args })
            if *func == JsonOperator::Json.function() && args[1..].iter().all(is_literal) =>
        {
            args.clone()
        }
        _ => vec![json],
    }
}

fn is_literal(key: &Expr) -> bool {
    matches!(key, Expr::Literal(..))
}

/// An operand in the name of a column.
fn shown(operand: &Expr) -> String {
    match operand {
        Expr::Column(Column { name, .. }) => name.clone(),
        Expr::Alias(alias) => alias.name.clone(),
        Expr::Literal(value, _) => match value.try_as_str() {
            Some(Some(text)) => format!("'{text}'"),
            _ => value.to_string(),
        },
        Expr::Cast(cast) => shown(&cast.expr),
        other => other.to_string(),
    }
}
