//! The analyzer rule that replaces integer arithmetic and `sum` with checked versions.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::functions_aggregate::average::Avg;
use datafusion::functions_aggregate::sum::Sum;
use datafusion::logical_expr::expr::{ScalarFunction, WindowFunctionDefinition};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    AggregateUDF, BinaryExpr, Expr, ExprSchemable, LogicalPlan, ScalarUDF,
};
use datafusion::optimizer::AnalyzerRule;

use super::avg::CheckedAvg;
use super::checked_operator::CheckedOperator;
use super::sum::CheckedSum;

/// Replaces integer arithmetic, `sum`, and `avg` of durations with versions that fail on overflow. It must
/// run after type coercion, which gives both operands of an operator the same type.
#[derive(Debug)]
pub(super) struct CheckOverflow {
    sum: Arc<AggregateUDF>,
    avg: Arc<AggregateUDF>,
}

impl Default for CheckOverflow {
    fn default() -> Self {
        Self {
            sum: Arc::new(AggregateUDF::from(CheckedSum::default())),
            avg: Arc::new(AggregateUDF::from(CheckedAvg::default())),
        }
    }
}

impl AnalyzerRule for CheckOverflow {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| self.checked_plan(plan))
            .data()
    }
}

impl CheckOverflow {
    pub(super) const NAME: &str = "kinesis_check_overflow";

    fn checked_plan(&self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        // The planner expects literals in a LIMIT, and they cannot overflow.
        if matches!(plan, LogicalPlan::Limit(_)) {
            return Ok(Transformed::no(plan));
        }
        let inputs = plan.inputs();
        let schema = match inputs.is_empty() {
            true => DFSchema::clone(plan.schema()),
            false => merge_schema(&inputs),
        };
        let names = NamePreserver::new(&plan);
        let checked = plan.map_expressions(|expr| {
            let name = names.save(&expr);
            let checked = expr.transform_up(|expr| Ok(self.checked(expr, &schema)))?;
            Ok(checked.update_data(|expr| name.restore(expr)))
        })?;
        match checked.transformed {
            true => checked.map_data(LogicalPlan::recompute_schema),
            false => Ok(checked),
        }
    }

    /// The checked version of `expr`, whose parts are checked already.
    fn checked(&self, expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                match CheckedOperator::binary(op).filter(|_| is_integer(&left, schema)) {
                    Some(operator) if is_integer(&right, schema) => {
                        Transformed::yes(call(operator, vec![*left, *right]))
                    }
                    _ => Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })),
                }
            }
            Expr::Negative(operand) if is_integer(&operand, schema) => {
                Transformed::yes(call(CheckedOperator::negation(), vec![*operand]))
            }
            Expr::AggregateFunction(mut aggregate) => {
                match self.aggregate(&aggregate.func, &aggregate.params.args, schema) {
                    Some(checked) => {
                        aggregate.func = checked;
                        Transformed::yes(Expr::AggregateFunction(aggregate))
                    }
                    None => Transformed::no(Expr::AggregateFunction(aggregate)),
                }
            }
            Expr::WindowFunction(mut window) => {
                let checked = match &window.fun {
                    WindowFunctionDefinition::AggregateUDF(function) => {
                        self.aggregate(function, &window.params.args, schema)
                    }
                    WindowFunctionDefinition::WindowUDF(_) => None,
                };
                match checked {
                    Some(checked) => {
                        window.fun = WindowFunctionDefinition::AggregateUDF(checked);
                        Transformed::yes(Expr::WindowFunction(window))
                    }
                    None => Transformed::no(Expr::WindowFunction(window)),
                }
            }
            other => Transformed::no(other),
        }
    }

    /// The checked version of `function`, if its sum can overflow.
    fn aggregate(
        &self,
        function: &AggregateUDF,
        args: &[Expr],
        schema: &DFSchema,
    ) -> Option<Arc<AggregateUDF>> {
        let of_durations = |arg: &Expr| matches!(arg.get_type(schema), Ok(DataType::Duration(_)));
        if function.inner().is::<Sum>() {
            return Some(Arc::clone(&self.sum));
        }
        let averages = function.inner().is::<Avg>() && args.iter().all(of_durations);
        averages.then(|| Arc::clone(&self.avg))
    }
}

fn call(operator: CheckedOperator, operands: Vec<Expr>) -> Expr {
    let function = Arc::new(ScalarUDF::from(operator));
    Expr::ScalarFunction(ScalarFunction::new_udf(function, operands))
}

fn is_integer(expr: &Expr, schema: &DFSchema) -> bool {
    let found = expr.get_type(schema);
    found.as_ref().is_ok_and(DataType::is_integer)
}
