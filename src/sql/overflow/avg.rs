//! `avg` of durations that fails if their sum overflows.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowNumericType, AsArray, BooleanArray, UInt64Array,
};
use datafusion::arrow::compute::binary;
use datafusion::arrow::datatypes::{
    DataType, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, FieldRef, TimeUnit, UInt64Type,
};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::average::Avg;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, Documentation, EmitTo, GroupsAccumulator, ReversedUDAF,
    Signature,
};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::prim_op::PrimitiveGroupsAccumulator;

use super::sum::{GroupSums, RunningSum};

/// DataFusion's `avg` with the same name, types and state, but it fails if the sum of durations does not fit
/// 64 bits. In nanoseconds that is 292 years, which a million rows can reach. DataFusion sums other types in
/// a wider type.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct CheckedAvg {
    plain: Avg,
}

/// `$make!(type)` for a duration, `$plain` for others.
macro_rules! duration_type {
    ($data_type:expr, $make:ident, $plain:expr) => {
        match $data_type {
            DataType::Duration(TimeUnit::Second) => $make!(DurationSecondType),
            DataType::Duration(TimeUnit::Millisecond) => $make!(DurationMillisecondType),
            DataType::Duration(TimeUnit::Microsecond) => $make!(DurationMicrosecondType),
            DataType::Duration(TimeUnit::Nanosecond) => $make!(DurationNanosecondType),
            _ => $plain,
        }
    };
}

impl AggregateUDFImpl for CheckedAvg {
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
        if args.is_distinct {
            return self.plain.accumulator(args);
        }
        let data_type = args.return_field.data_type().clone();
        macro_rules! make {
            ($kind:ty) => {
                Ok(Box::new(RunningAverage::<$kind> {
                    sum: RunningSum::new(data_type.clone()),
                    count: 0,
                    data_type,
                }))
            };
        }
        duration_type!(data_type, make, self.plain.accumulator(args))
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
                Ok(Box::new(GroupAverages {
                    sums: GroupSums::new::<$kind>(data_type),
                    counts: Box::new(PrimitiveGroupsAccumulator::<UInt64Type, _>::new(
                        &DataType::UInt64,
                        |count, more| *count += more,
                    )),
                    divide: quotients::<$kind>,
                }))
            };
        }
        duration_type!(data_type, make, self.plain.create_groups_accumulator(args))
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        self.plain.create_sliding_accumulator(args)
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.plain.reverse_expr()
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.plain.documentation()
    }
}

/// The average of all rows, without GROUP BY.
struct RunningAverage<T: ArrowNumericType> {
    sum: RunningSum<T>,
    count: u64,
    data_type: DataType,
}

impl<T: ArrowNumericType> fmt::Debug for RunningAverage<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunningAverage({:?}, {})", self.sum, self.count)
    }
}

impl<T: ArrowNumericType<Native = i64>> Accumulator for RunningAverage<T> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count += (values[0].len() - values[0].null_count()) as u64;
        self.sum.update_batch(values)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let counts = states[0].as_primitive::<UInt64Type>();
        self.count += counts.iter().flatten().sum::<u64>();
        self.sum.merge_batch(&states[1..])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let average = self.sum.sum().map(|sum| quotient(sum, self.count));
        ScalarValue::new_primitive::<T>(average, &self.data_type)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::from(self.count), self.sum.evaluate()?])
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// The average of each group.
struct GroupAverages {
    sums: GroupSums,
    counts: Box<dyn GroupsAccumulator>,
    divide: fn(&ArrayRef, &ArrayRef) -> Result<ArrayRef>,
}

impl GroupsAccumulator for GroupAverages {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        let ones = [ones(&values[0])];
        self.counts
            .update_batch(&ones, groups, filter, total_groups)?;
        self.sums.update_batch(values, groups, filter, total_groups)
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        total_groups: usize,
    ) -> Result<()> {
        self.counts
            .merge_batch(&states[..1], groups, total_groups)?;
        self.sums.merge_batch(&states[1..], groups, total_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let counts = self.counts.evaluate(emit_to)?;
        (self.divide)(&self.sums.evaluate(emit_to)?, &counts)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let mut state = self.counts.state(emit_to)?;
        state.extend(self.sums.state(emit_to)?);
        Ok(state)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let ones = [ones(&values[0])];
        let mut state = self.counts.convert_to_state(&ones, filter)?;
        state.extend(self.sums.convert_to_state(values, filter)?);
        Ok(state)
    }

    fn size(&self) -> usize {
        self.counts.size() + self.sums.size()
    }
}

/// A 1 for each value that is not null.
fn ones(values: &ArrayRef) -> ArrayRef {
    let ones = UInt64Array::new(vec![1; values.len()].into(), values.nulls().cloned());
    Arc::new(ones)
}

fn quotients<T: ArrowNumericType<Native = i64>>(
    sums: &ArrayRef,
    counts: &ArrayRef,
) -> Result<ArrayRef> {
    let (sums, counts) = (
        sums.as_primitive::<T>(),
        counts.as_primitive::<UInt64Type>(),
    );
    Ok(Arc::new(binary::<_, _, _, T>(sums, counts, quotient)?))
}

/// The value below a null has count 0.
fn quotient(sum: i64, count: u64) -> i64 {
    sum / i64::try_from(count.max(1)).unwrap_or(i64::MAX)
}
