//! Finds the values of a checked message: one for each of its columns.

use datafusion::arrow::datatypes::TimeUnit;

use super::descriptor::{Descriptor, ScalarKind};
use super::plan::{FieldPlan, MessagePlan, Shape, ValuePlan};
use super::slots::{Budget, Findings, Slot};
use super::wire::{Raw, Reader, Span, WireError, WireType};
use crate::format::columns::Column;
use crate::format::documents::DocumentFailure;

/// Reads the columns of one record.
#[derive(Debug)]
pub(super) struct Extraction<'a> {
    pub(super) descriptor: &'a Descriptor,
    pub(super) record: &'a [u8],
    pub(super) epoch: Option<TimeUnit>,
    pub(super) findings: &'a mut Findings,
    /// How much text may still be added.
    pub(super) budget: Budget,
    /// The slots of the columns of each message that is being read, the outermost first.
    pub(super) slots: &'a mut Vec<Slot>,
}

pub(super) type Extracted = Result<(), DocumentFailure>;

impl From<WireError> for DocumentFailure {
    fn from(error: WireError) -> Self {
        Self::at(error.byte, error.reason)
    }
}

impl Extraction<'_> {
    /// Appends one value to each of `columns`, from the message that consists of `spans`.
    ///
    /// # Errors
    /// A value does not fit its column, and the statement fails.
    pub(super) fn message(
        &mut self,
        plan: &MessagePlan,
        spans: &[Span],
        columns: &mut [Column],
    ) -> Extracted {
        let base = self.slots.len();
        self.slots.resize(base + plan.fields.len(), Slot::Absent);
        for span in spans {
            self.scan(plan, *span, base, columns)?;
        }
        for (index, (field, column)) in plan.fields.iter().zip(columns).enumerate() {
            let slot = std::mem::take(&mut self.slots[base + index]);
            self.finish(field, slot, column)?;
        }
        self.slots.truncate(base);
        Ok(())
    }

    /// Finds the values of one part of a message. Those of lists are appended.
    fn scan(
        &mut self,
        plan: &MessagePlan,
        span: Span,
        base: usize,
        columns: &mut [Column],
    ) -> Extracted {
        let mut reader = Reader::new(self.record, span);
        while let Some(tag) = reader.tag()? {
            let raw = reader.value(tag, 0)?;
            let Some(target) = plan.target(tag.number) else {
                continue;
            };
            for other in target.oneof.map_or(&[][..], |oneof| &plan.oneofs[oneof]) {
                if Some(*other) != target.column {
                    self.slots[base + other] = Slot::Absent;
                }
            }
            let Some(index) = target.column else {
                continue;
            };
            let field = &plan.fields[index];
            match (&field.shape, raw) {
                (Shape::One(ValuePlan::Scalar(_)), raw) => {
                    self.slots[base + index] = Slot::Scalar(raw, tag.byte);
                }
                (Shape::List(ValuePlan::Scalar(kind)), raw) => {
                    let is_packed = tag.wire == WireType::Bytes && field.field.packable().is_some();
                    let Some(items) = columns[index].list_item() else {
                        continue;
                    };
                    match raw {
                        Raw::Bytes(span) if is_packed => self.packed(field, *kind, span, items)?,
                        raw => self.scalar(field, *kind, raw, tag.byte, items)?,
                    }
                }
                (Shape::List(value), Raw::Bytes(span)) => {
                    if let Some(items) = columns[index].list_item() {
                        self.value(field, value, &[span], items)?;
                    }
                }
                (_, Raw::Bytes(span)) => self.slots[base + index].add(span),
                _ => {}
            }
        }
        Ok(())
    }

    fn packed(
        &mut self,
        field: &FieldPlan,
        kind: ScalarKind,
        span: Span,
        items: &mut Column,
    ) -> Extracted {
        let mut reader = Reader::new(self.record, span);
        while !reader.is_at_end() {
            let raw = reader.packed(kind.wire_type())?;
            self.scalar(field, kind, raw, span.start, items)?;
        }
        Ok(())
    }
}
