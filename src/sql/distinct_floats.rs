//! Makes `-0.0` and `0.0` one value in DISTINCT aggregates, as they are in GROUP BY and to `=`.
//!
//! DataFusion distinguishes them in an aggregate that stores the values it has seen, but not where it
//! rewrites the aggregate to a GROUP BY. It does that for bounded reads with a single DISTINCT aggregate
//! and never for streams, so the same query would give two results. This rule normalizes the zeros before
//! every DISTINCT aggregation. NaNs are distinguished by their bits in keys and in aggregates alike.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::utils::{normalize_float_zero, normalize_float_zero_scalar};
use datafusion::common::{DFSchema, Result, internal_err};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    Aggregate, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// Normalizes zeros in the arguments of DISTINCT aggregates over floating-point numbers.
#[derive(Debug)]
pub(super) struct DistinctFloats;

impl OptimizerRule for DistinctFloats {
    fn name(&self) -> &'static str {
        "kinesis_distinct_floats"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let names = NamePreserver::new(&plan);
        let LogicalPlan::Aggregate(aggregate) = plan else {
            return Ok(Transformed::no(plan));
        };
        let mut changed = false;
        let mut exprs = Vec::with_capacity(aggregate.aggr_expr.len());
        for expr in &aggregate.aggr_expr {
            let normalized = with_normalized_zeros(expr, aggregate.input.schema())?;
            changed |= normalized.is_some();
            exprs.push(match normalized {
                Some(normalized) => names.save(expr).restore(normalized),
                None => expr.clone(),
            });
        }
        if !changed {
            return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
        }
        let rewritten = Aggregate::try_new(aggregate.input, aggregate.group_expr, exprs)?;
        Ok(Transformed::yes(LogicalPlan::Aggregate(rewritten)))
    }
}

/// `expr`, a DISTINCT aggregate, with normalized arguments; `None` if nothing changes.
fn with_normalized_zeros(expr: &Expr, input: &DFSchema) -> Result<Option<Expr>> {
    let Expr::AggregateFunction(AggregateFunction { func, mut params }) = expr.clone().unalias()
    else {
        return Ok(None);
    };
    if !params.distinct {
        return Ok(None);
    }
    let mut changed = false;
    for index in 0..params.args.len() {
        let argument = params.args[index].clone();
        let is_normalized = matches!(&argument, Expr::ScalarFunction(call)
            if call.func.inner().is::<NormalizeZero>());
        if is_normalized || !argument.get_type(input)?.is_floating() {
            continue;
        }
        let normalized = ScalarUDF::from(NormalizeZero::default()).call(vec![argument.clone()]);
        // An ordered DISTINCT aggregate orders by its argument.
        for sort in &mut params.order_by {
            if sort.expr == argument {
                sort.expr = normalized.clone();
            }
        }
        params.args[index] = normalized;
        changed = true;
    }
    Ok(changed.then_some(Expr::AggregateFunction(AggregateFunction { func, params })))
}

/// The function that returns `0.0` for `-0.0`, and every other number unchanged.
#[derive(Debug, PartialEq, Eq, Hash)]
struct NormalizeZero {
    signature: Signature,
}

impl Default for NormalizeZero {
    fn default() -> Self {
        Self {
            signature: Signature::any(1, Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for NormalizeZero {
    fn name(&self) -> &'static str {
        "zeros_alike"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [number] => Ok(number.clone()),
            _ => internal_err!("zeros_alike takes one number"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match arguments.args.into_iter().next() {
            Some(ColumnarValue::Array(numbers)) => {
                Ok(ColumnarValue::Array(normalize_float_zero(&numbers)))
            }
            Some(ColumnarValue::Scalar(number)) => {
                Ok(ColumnarValue::Scalar(normalize_float_zero_scalar(number)))
            }
            None => internal_err!("zeros_alike takes one number"),
        }
    }
}
