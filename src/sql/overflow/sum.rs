//! `sum` that fails on overflow.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, ArrowNumericType, AsArray, BooleanArray, PrimitiveArray,
};
use datafusion::arrow::compute::sum_checked;
use datafusion::arrow::datatypes::{
    DataType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    FieldRef, Int64Type, TimeUnit, UInt64Type,
};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::sum::Sum;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, Documentation, EmitTo, GroupsAccumulator, ReversedUDAF,
    SetMonotonicity, Signature,
};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::prim_op::PrimitiveGroupsAccumulator;

use crate::error::Error;

/// DataFusion's `sum` with the same name, types and state, but it fails if a sum does not fit its type.
///
/// The state is one number of the sum's type, as in DataFusion, so stored state stays valid. Every
/// intermediate sum has to fit: those of the rows of a batch, and those of merged states.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct CheckedSum {
    plain: Sum,
}

/// `$make!(type)` for types that can overflow, `$plain` for others.
macro_rules! checked_type {
    ($data_type:expr, $make:ident, $plain:expr) => {
        match $data_type {
            DataType::Int64 => $make!(Int64Type),
            DataType::UInt64 => $make!(UInt64Type),
            DataType::Decimal32(..) => $make!(Decimal32Type),
            DataType::Decimal64(..) => $make!(Decimal64Type),
            DataType::Decimal128(..) => $make!(Decimal128Type),
            DataType::Decimal256(..) => $make!(Decimal256Type),
            DataType::Duration(TimeUnit::Second) => $make!(DurationSecondType),
            DataType::Duration(TimeUnit::Millisecond) => $make!(DurationMillisecondType),
            DataType::Duration(TimeUnit::Microsecond) => $make!(DurationMicrosecondType),
            DataType::Duration(TimeUnit::Nanosecond) => $make!(DurationNanosecondType),
            _ => $plain,
        }
    };
}

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        self.plain.name()
    }

    fn signature(&self) -> &Signature {
        self.plain.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.plain.return_type(types)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let data_type = args.return_field.data_type().clone();
        if args.is_distinct {
            let values = self.plain.accumulator(args)?;
            return Ok(Box::new(DistinctSum { values, data_type }));
        }
        macro_rules! make {
            ($kind:ty) => {
                Ok(Box::new(RunningSum::<$kind>::new(data_type)))
            };
        }
        checked_type!(data_type, make, self.plain.accumulator(args))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.plain.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.plain.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let data_type = args.return_field.data_type().clone();
        macro_rules! make {
            ($kind:ty) => {
                Ok(Box::new(GroupSums::new::<$kind>(data_type)))
            };
        }
        checked_type!(data_type, make, self.plain.create_groups_accumulator(args))
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        let data_type = args.return_field.data_type().clone();
        if args.is_distinct {
            let values = self.plain.create_sliding_accumulator(args)?;
            return Ok(Box::new(DistinctSum { values, data_type }));
        }
        match data_type {
            DataType::Int64 => Ok(Box::new(SlidingSum::<Int64Type>::new(data_type))),
            DataType::UInt64 => Ok(Box::new(SlidingSum::<UInt64Type>::new(data_type))),
            _ => self.plain.create_sliding_accumulator(args),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.plain.reverse_expr()
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.plain.order_sensitivity()
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.plain.documentation()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.plain.set_monotonicity(data_type)
    }
}

fn out_of_range(data_type: &DataType) -> Error {
    let hint = match data_type {
        DataType::Int64 | DataType::UInt64 => "; use sum(CAST(… AS DECIMAL(38, 0)))",
        _ => "",
    };
    Error::invalid_row(format!(
        "overflow in sum: the running sum does not fit in {data_type}{hint}"
    ))
}

/// The sum of all rows, without GROUP BY.
pub(super) struct RunningSum<T: ArrowNumericType> {
    sum: Option<T::Native>,
    data_type: DataType,
}

impl<T: ArrowNumericType> RunningSum<T> {
    pub(super) fn new(data_type: DataType) -> Self {
        Self {
            sum: None,
            data_type,
        }
    }

    /// The sum so far; `None` before the first value.
    pub(super) fn sum(&self) -> Option<T::Native> {
        self.sum
    }
}

impl<T: ArrowNumericType> fmt::Debug for RunningSum<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunningSum({}, {:?})", self.data_type, self.sum)
    }
}

impl<T: ArrowNumericType> Accumulator for RunningSum<T> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let added = sum_checked(values[0].as_primitive::<T>());
        let sum = added.and_then(|added| match (self.sum, added) {
            (Some(sum), Some(added)) => sum.add_checked(added).map(Some),
            (sum, added) => Ok(sum.or(added)),
        });
        self.sum = sum.map_err(|_| out_of_range(&self.data_type))?;
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::new_primitive::<T>(self.sum, &self.data_type)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// The sum of each group. The function that adds two numbers cannot fail, so an overflow sets a flag that
/// is checked once per batch.
pub(super) struct GroupSums {
    sums: Box<dyn GroupsAccumulator>,
    overflowed: Arc<AtomicBool>,
    data_type: DataType,
}

impl GroupSums {
    pub(super) fn new<T: ArrowNumericType + Send>(data_type: DataType) -> Self {
        let overflowed = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&overflowed);
        let add = move |sum: &mut T::Native, value: T::Native| match sum.add_checked(value) {
            Ok(added) => *sum = added,
            Err(_) => flag.store(true, Ordering::Relaxed),
        };
        Self {
            sums: Box::new(PrimitiveGroupsAccumulator::<T, _>::new(&data_type, add)),
            overflowed,
            data_type,
        }
    }

    fn check_overflow(&self) -> Result<()> {
        match self.overflowed.load(Ordering::Relaxed) {
            true => Err(out_of_range(&self.data_type).into()),
            false => Ok(()),
        }
    }
}

impl GroupsAccumulator for GroupSums {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.sums
            .update_batch(values, groups, filter, total_groups)?;
        self.check_overflow()
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        total_groups: usize,
    ) -> Result<()> {
        self.sums.merge_batch(states, groups, total_groups)?;
        self.check_overflow()
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.sums.evaluate(emit_to)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.sums.state(emit_to)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        self.sums.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        self.sums.size() + size_of_val(self)
    }
}

/// The sum of distinct values. DataFusion collects the values; this adds them with overflow checks.
#[derive(Debug)]
struct DistinctSum {
    values: Box<dyn Accumulator>,
    data_type: DataType,
}

impl Accumulator for DistinctSum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.values.update_batch(values)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.values.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.values.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.values.supports_retract_batch()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        // The state is one list of the values.
        let state = self.values.state()?;
        let [ScalarValue::List(values)] = state.as_slice() else {
            return self.values.evaluate();
        };
        let mut sum = match &self.data_type {
            data_type if data_type.is_floating() => return self.values.evaluate(),
            data_type => sum_of(data_type),
        };
        match &mut sum {
            Some(sum) => {
                sum.update_batch(&[Arc::clone(values.values())])?;
                sum.evaluate()
            }
            None => self.values.evaluate(),
        }
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.values.state()
    }

    fn size(&self) -> usize {
        self.values.size() + size_of_val(self)
    }
}

fn sum_of(data_type: &DataType) -> Option<Box<dyn Accumulator>> {
    macro_rules! make {
        ($kind:ty) => {
            Some(Box::new(RunningSum::<$kind>::new(data_type.clone())))
        };
    }
    checked_type!(data_type, make, None)
}

/// The sum over a sliding window frame. It is wider than its values, because DataFusion adds the rows that
/// enter the frame before it retracts those that leave, so the sum may exceed that of any frame.
struct SlidingSum<T: ArrowNumericType> {
    sum: i128,
    count: usize,
    data_type: DataType,
    values: PhantomData<fn() -> T>,
}

impl<T> SlidingSum<T>
where
    T: ArrowNumericType,
    T::Native: Into<i128> + TryFrom<i128>,
{
    fn new(data_type: DataType) -> Self {
        Self {
            sum: 0,
            count: 0,
            data_type,
            values: PhantomData,
        }
    }

    /// The sum and the number of `values`; i128 holds the sum of 2^63 of them.
    fn total(values: &ArrayRef) -> (i128, usize) {
        let values: &PrimitiveArray<T> = values.as_primitive();
        let sum = values.iter().flatten().map(Into::<i128>::into).sum();
        (sum, values.len() - values.null_count())
    }
}

impl<T: ArrowNumericType> fmt::Debug for SlidingSum<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SlidingSum({}, {})", self.data_type, self.sum)
    }
}

impl<T> Accumulator for SlidingSum<T>
where
    T: ArrowNumericType,
    T::Native: Into<i128> + TryFrom<i128>,
{
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, count) = Self::total(&values[0]);
        self.sum += sum;
        self.count += count;
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, count) = Self::total(&values[0]);
        self.sum -= sum;
        self.count -= count;
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = T::Native::try_from(self.sum).map_err(|_| out_of_range(&self.data_type))?;
        let sum = (self.count > 0).then_some(sum);
        ScalarValue::new_primitive::<T>(sum, &self.data_type)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}
