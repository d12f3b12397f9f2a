//! `-0.0` and `0.0` are one value to a DISTINCT aggregate, as they are to GROUP BY and to `=`.
//!
//! The engine tells them apart in an aggregate that keeps the values it has seen, and not where it makes
//! GROUP BY of the aggregate, which it does in bounded reads with one DISTINCT aggregate and never in
//! streams. So the values are made alike before they are aggregated, everywhere. NaNs are told apart by
//! their bits in keys and in aggregates alike.

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

/// Makes zeros alike below DISTINCT aggregates of floating-point numbers.
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
            let alike = with_zeros_alike(expr, aggregate.input.schema())?;
            changed |= alike.is_some();
            exprs.push(match alike {
                Some(alike) => names.save(expr).restore(alike),
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

/// `expr`, a DISTINCT aggregate, with its numbers made alike; `None` where there is nothing to do.
fn with_zeros_alike(expr: &Expr, input: &DFSchema) -> Result<Option<Expr>> {
    let Expr::AggregateFunction(AggregateFunction { func, mut params }) = expr.clone().unalias()
    else {
        return Ok(None);
    };
    if !params.distinct {
        return Ok(None);
    }
    let mut changed = false;
    for place in 0..params.args.len() {
        let argument = params.args[place].clone();
        let is_alike = matches!(&argument, Expr::ScalarFunction(call)
            if call.func.inner().is::<ZerosAlike>());
        if is_alike || !argument.get_type(input)?.is_floating() {
            continue;
        }
        let alike = ScalarUDF::from(ZerosAlike::default()).call(vec![argument.clone()]);
        // An order of distinct values is one of the argument.
        for sort in &mut params.order_by {
            if sort.expr == argument {
                sort.expr = alike.clone();
            }
        }
        params.args[place] = alike;
        changed = true;
    }
    Ok(changed.then_some(Expr::AggregateFunction(AggregateFunction { func, params })))
}

/// The function that makes `0.0` of `-0.0`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ZerosAlike {
    signature: Signature,
}

impl Default for ZerosAlike {
    fn default() -> Self {
        Self {
            signature: Signature::any(1, Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for ZerosAlike {
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
