//! `tumble(ts, size[, origin])` as a function, for statements whose text this crate does not rewrite.
//!
//! [`sql`](fn@crate::sql) expands `tumble` to `date_bin` before planning. The function makes it known to
//! [`SessionContext::sql`](datafusion::prelude::SessionContext::sql) and to data frames, and
//! [`expand_tumble`] replaces it with the same `date_bin` in the plan, and DataFusion's `date_bin` with ours.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::functions::datetime::date_bin::DateBinFunc;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use super::date_bin::date_bin;
use crate::error::Error;

const SIGNATURE: &str = "tumble(timestamp, INTERVAL size[, origin])";

/// The function `tumble`.
pub(super) fn tumble() -> Arc<ScalarUDF> {
    let counts = [TypeSignature::Any(2), TypeSignature::Any(3)];
    let signature = Signature::one_of(counts.to_vec(), Volatility::Immutable);
    Arc::new(ScalarUDF::from(Tumble { signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Tumble {
    signature: Signature,
}

impl ScalarUDFImpl for Tumble {
    fn name(&self) -> &'static str {
        "tumble"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [time @ DataType::Timestamp(..), DataType::Interval(_), ..] => Ok(time.clone()),
            _ => {
                let types: Vec<String> = arguments.iter().map(ToString::to_string).collect();
                Err(Error::invalid_option(format!(
                    "tumble({}): expected {SIGNATURE}; CAST converts a string to a timestamp",
                    types.join(", ")
                ))
                .into())
            }
        }
    }

    fn invoke_with_args(&self, _arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(Error::unsupported(format!(
            "{SIGNATURE} was not expanded: the session has to run its analyzer rules, of which \
             '{}' is the first; or write date_bin(size, timestamp)",
            TumbleRule.name()
        ))
        .into())
    }
}

/// Replaces `tumble(ts, size[, origin])` in `plan` with `date_bin(size, ts[, origin])`, and DataFusion's
/// `date_bin` with [`date_bin`]. Columns keep their names.
pub(crate) fn expand_tumble(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|plan| {
        let names = NamePreserver::new(&plan);
        let expanded = plan.map_expressions(|expr| {
            let name = names.save(&expr);
            let expanded = expr.transform_up(|expr| Ok(expand(expr)))?;
            Ok(expanded.update_data(|expr| name.restore(expr)))
        })?;
        match expanded.transformed {
            true => expanded.map_data(LogicalPlan::recompute_schema),
            false => Ok(expanded),
        }
    })
    .data()
}

fn expand(expr: Expr) -> Transformed<Expr> {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, mut args }) if func.inner().is::<Tumble>() => {
            args.swap(0, 1);
            Transformed::yes(date_bin().call(args))
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.inner().is::<DateBinFunc>() => {
            Transformed::yes(date_bin().call(args))
        }
        other => Transformed::no(other),
    }
}

/// Expands `tumble` before the rule that coerces types, which `date_bin` needs.
#[derive(Debug)]
pub(in crate::sql) struct TumbleRule;

impl AnalyzerRule for TumbleRule {
    fn name(&self) -> &'static str {
        "kinesis_tumble"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        expand_tumble(plan)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;

    #[tokio::test]
    async fn groups_expand_to_date_bin_under_the_same_names() {
        let ctx = SessionContext::new();
        ctx.register_udf(ScalarUDF::clone(&tumble()));
        let minute = "tumble(ts, INTERVAL '1 minute')";
        let statement = format!(
            "SELECT {minute}, count(*) FROM (SELECT TIMESTAMP '2026-01-01T00:00:07' AS ts) GROUP BY {minute}"
        );
        let plan = ctx.state().create_logical_plan(&statement).await.unwrap();
        let expanded = expand_tumble(plan.clone()).unwrap();
        assert_eq!(expanded.schema().field_names(), plan.schema().field_names());
        let text = expanded.display_indent().to_string();
        assert!(text.contains("groupBy=[[date_bin("), "{text}");
        let rows = ctx.execute_logical_plan(expanded).await.unwrap();
        assert_eq!(rows.count().await.unwrap(), 1);
    }
}
