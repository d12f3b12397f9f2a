//! Integer operators that fail on overflow.

use datafusion::arrow::compute::kernels::numeric::{add, mul, neg, sub};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::arrow::error::ArrowError;
use datafusion::common::{Result, ScalarValue, exec_err, internal_err, plan_err};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::interval_arithmetic::{Interval, apply_operator};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion::physical_expr_common::datum::apply;

use crate::error::Error;

/// `+`, `-` or `*` of two integers of the same type, or the negation of one.
///
/// It is a function because a logical plan cannot ask for the checked mode of DataFusion's own operators. Its
/// column has the same name as that of the operator.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct CheckedOperator {
    kind: Kind,
    signature: Signature,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Add,
    Subtract,
    Multiply,
    Negate,
}

impl CheckedOperator {
    /// The checked version of `operator`, if it can overflow.
    pub(super) fn binary(operator: Operator) -> Option<Self> {
        let kind = match operator {
            Operator::Plus => Kind::Add,
            Operator::Minus => Kind::Subtract,
            Operator::Multiply => Kind::Multiply,
            _ => return None,
        };
        Some(Self::new(kind, 2))
    }

    pub(super) fn negation() -> Self {
        Self::new(Kind::Negate, 1)
    }

    fn new(kind: Kind, operands: usize) -> Self {
        let signature = Signature::any(operands, Volatility::Immutable);
        Self { kind, signature }
    }

    fn operator(&self) -> Option<Operator> {
        match self.kind {
            Kind::Add => Some(Operator::Plus),
            Kind::Subtract => Some(Operator::Minus),
            Kind::Multiply => Some(Operator::Multiply),
            Kind::Negate => None,
        }
    }
}

impl ScalarUDFImpl for CheckedOperator {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Add => "checked_add",
            Kind::Subtract => "checked_subtract",
            Kind::Multiply => "checked_multiply",
            Kind::Negate => "checked_negate",
        }
    }

    fn schema_name(&self, operands: &[Expr]) -> Result<String> {
        let expr = match (self.operator(), operands) {
            (Some(operator), [left, right]) => {
                let (left, right) = (Box::new(left.clone()), Box::new(right.clone()));
                Expr::BinaryExpr(BinaryExpr::new(left, operator, right))
            }
            (None, [operand]) => Expr::Negative(Box::new(operand.clone())),
            _ => return plan_err!("{} with {} operands", self.name(), operands.len()),
        };
        Ok(expr.schema_name().to_string())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types.first() {
            Some(found) if found.is_integer() && types.iter().all(|other| other == found) => {
                Ok(found.clone())
            }
            _ => plan_err!("{} of {types:?}", self.name()),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types = args
            .arg_fields
            .iter()
            .map(|field| field.data_type().clone());
        let types: Vec<DataType> = types.collect();
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        let field = Field::new(self.name(), self.return_type(&types)?, nullable);
        Ok(field.into())
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let computed = match (self.kind, args.args.as_slice()) {
            (Kind::Add, [left, right]) => apply(left, right, add),
            (Kind::Subtract, [left, right]) => apply(left, right, sub),
            (Kind::Multiply, [left, right]) => apply(left, right, mul),
            (Kind::Negate, [operand]) => negated(operand),
            (_, operands) => internal_err!("{} with {} operands", self.name(), operands.len()),
        };
        let data_type = args.return_field.data_type();
        computed.map_err(|error| match error.find_root() {
            DataFusionError::ArrowError(cause, _) => match &**cause {
                ArrowError::ArithmeticOverflow(what) => out_of_range(what, data_type).into(),
                _ => error,
            },
            _ => error,
        })
    }

    fn evaluate_bounds(&self, operands: &[&Interval]) -> Result<Interval> {
        match (self.operator(), operands) {
            (Some(operator), [left, right]) => apply_operator(&operator, left, right),
            (None, [operand]) => operand.arithmetic_negate(),
            _ => exec_err!("{} with {} operands", self.name(), operands.len()),
        }
    }

    fn output_ordering(&self, operands: &[ExprProperties]) -> Result<SortProperties> {
        Ok(match (self.kind, operands) {
            (Kind::Add, [left, right]) => left.sort_properties.add(&right.sort_properties),
            (Kind::Subtract, [left, right]) => left.sort_properties.sub(&right.sort_properties),
            (Kind::Negate, [operand]) => -operand.sort_properties,
            _ => SortProperties::Unordered,
        })
    }
}

fn negated(operand: &ColumnarValue) -> Result<ColumnarValue> {
    Ok(match operand {
        ColumnarValue::Array(array) => ColumnarValue::Array(neg(array)?),
        ColumnarValue::Scalar(scalar) => {
            let negated = neg(&scalar.to_array()?)?;
            ColumnarValue::Scalar(ScalarValue::try_from_array(&negated, 0)?)
        }
    })
}

/// `what` is the kernel's message, which holds the operands.
fn out_of_range(what: &str, data_type: &DataType) -> Error {
    let numbers = what.strip_prefix("Overflow happened on: ").unwrap_or(what);
    Error::invalid_row(format!(
        "integer overflow: {numbers} does not fit in {data_type}: CAST an operand to a wider type, such as \
         DECIMAL(38, 0)"
    ))
}
