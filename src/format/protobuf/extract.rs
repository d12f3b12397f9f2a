//! A checked message to one value in each of its columns.

use datafusion::arrow::datatypes::{DataType, TimeUnit};

use super::descriptor::{Descriptor, ScalarKind};
use super::json::{self, Unrepresentable};
use super::parts::{last, last_entries, last_integer};
use super::plan::{AbsentPlan, FieldPlan, MessagePlan, Shape, ValuePlan};
use super::scalar::{self, Scalar};
use super::times;
use super::wire::{Raw, Reader, Span, WireError, WireType};
use crate::format::columns::{Column, Mismatch, type_name};
use crate::format::documents::DocumentFailure;

/// The most bytes of text of one record that are not in the record: names of enums, defaults and JSON. It keeps
/// offsets into a column within 32 bits.
const MAX_ADDED_BYTES: usize = 256 * 1024 * 1024;

/// Values that do not fit their columns.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) fail_on_mismatch: bool,
    pub(super) count: u64,
    /// The first of the document.
    pub(super) first: Option<DocumentFailure>,
}

/// What the values so far say about a column.
#[derive(Debug, Clone, Default)]
pub(super) enum Slot {
    #[default]
    Absent,
    /// The last value of a scalar, and the byte of its tag.
    Scalar(Raw, usize),
    /// The parts of a message, or the entries of a map.
    Spans(Span, Vec<Span>),
}

impl Slot {
    fn add(&mut self, span: Span) {
        match self {
            Self::Spans(_, more) => more.push(span),
            _ => *self = Self::Spans(span, Vec::new()),
        }
    }

    fn spans(self) -> Vec<Span> {
        match self {
            Self::Spans(first, mut more) => {
                more.insert(0, first);
                more
            }
            _ => Vec::new(),
        }
    }
}

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

/// How many bytes of text that are not in the record may still be added.
#[derive(Debug)]
pub(super) struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(MAX_ADDED_BYTES)
    }
}

impl Budget {
    fn take(&mut self, bytes: usize) -> Result<(), Mismatch> {
        self.0 = self.0.checked_sub(bytes).ok_or(Mismatch::Range)?;
        Ok(())
    }
}

type Extracted = Result<(), DocumentFailure>;

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

    fn scalar(
        &mut self,
        field: &FieldPlan,
        kind: ScalarKind,
        raw: Raw,
        byte: usize,
        column: &mut Column,
    ) -> Extracted {
        let value = scalar::decoded(kind, raw, self.record);
        self.push(field, value, Some(byte), column)
    }

    fn push(
        &mut self,
        field: &FieldPlan,
        value: Scalar<'_>,
        byte: Option<usize>,
        column: &mut Column,
    ) -> Extracted {
        let added = match (value, byte) {
            (Scalar::Enum(..), _) => scalar::added_bytes(value, self.descriptor),
            (_, None) => scalar::added_bytes(value, self.descriptor),
            _ => 0,
        };
        let pushed = self.budget.take(added);
        let pushed = pushed.and_then(|()| scalar::push(value, column, self.descriptor, self.epoch));
        self.settle(field, pushed, byte, column)
    }

    /// Replaces a value that does not fit with NULL.
    fn settle(
        &mut self,
        field: &FieldPlan,
        pushed: Result<(), Mismatch>,
        byte: Option<usize>,
        column: &mut Column,
    ) -> Extracted {
        let Err(mismatch) = pushed else {
            return Ok(());
        };
        let data_type = type_name(column.data_type());
        let failure = || DocumentFailure {
            byte,
            field: Some(field.path.clone()),
            reason: match mismatch {
                Mismatch::Type => format!("is no {data_type}"),
                Mismatch::Range => format!("is not exactly a {data_type}"),
            },
        };
        self.findings.count += 1;
        if self.findings.fail_on_mismatch {
            return Err(failure());
        }
        self.findings.first.get_or_insert_with(failure);
        column.push_null();
        Ok(())
    }

    /// Appends the value of a column, after all values of the message were found.
    fn finish(&mut self, field: &FieldPlan, slot: Slot, column: &mut Column) -> Extracted {
        match (&field.shape, slot) {
            (Shape::List(_), _) => {
                column.finish_list();
                Ok(())
            }
            (Shape::Entries(entry, plan), slot) => {
                let spans = last_entries(self.descriptor, *entry, self.record, slot.spans())?;
                self.entries(plan, &spans, column)
            }
            (Shape::JsonObject(entry), slot) => {
                let spans = slot.spans();
                let byte = spans.first().map(|span| span.start);
                let limit = self.budget.0;
                let text = json::object(self.descriptor, self.record, limit, *entry, spans);
                let pushed = self.push_json(text, column);
                self.settle(field, pushed, byte, column)
            }
            (Shape::One(ValuePlan::Scalar(kind)), Slot::Scalar(raw, byte)) => {
                self.scalar(field, *kind, raw, byte, column)
            }
            (Shape::One(value), Slot::Spans(first, more)) if more.is_empty() => {
                self.value(field, value, &[first], column)
            }
            (Shape::One(value), slot @ Slot::Spans(..)) => {
                self.value(field, value, &slot.spans(), column)
            }
            (Shape::One(value), _) => match (&field.absent, value) {
                (AbsentPlan::Null, _) => {
                    column.push_null();
                    Ok(())
                }
                (AbsentPlan::Stated(default), ValuePlan::Scalar(kind)) => {
                    self.push(field, scalar::stated(*kind, default), None, column)
                }
                (_, ValuePlan::Scalar(kind)) => {
                    self.push(field, scalar::zero(*kind, self.descriptor), None, column)
                }
                (_, value) => self.value(field, value, &[], column),
            },
        }
    }

    /// Appends the value of a message that consists of `spans`.
    fn value(
        &mut self,
        field: &FieldPlan,
        value: &ValuePlan,
        spans: &[Span],
        column: &mut Column,
    ) -> Extracted {
        let byte = spans.first().map(|span| span.start);
        let pushed = match value {
            ValuePlan::Struct(plan) => {
                if let Some(columns) = column.struct_fields() {
                    self.message(plan, spans, columns)?;
                }
                column.finish_struct();
                return Ok(());
            }
            ValuePlan::Wrapped(kind) => {
                let value = match last(self.record, spans, 1)? {
                    Some(raw) => scalar::decoded(*kind, raw, self.record),
                    None => scalar::zero(*kind, self.descriptor),
                };
                return self.push(field, value, byte, column);
            }
            ValuePlan::Timestamp | ValuePlan::Duration => {
                let seconds = last_integer(self.record, spans, 1)?;
                // Both parts of the message are signed; the second has 32 bits.
                let nanos = last_integer(self.record, spans, 2)? as i32;
                match (value, column.data_type()) {
                    (ValuePlan::Timestamp, DataType::Timestamp(_, _)) => {
                        times::push_timestamp(column, seconds, nanos)
                    }
                    (ValuePlan::Timestamp, _) => match times::timestamp_text(seconds, nanos) {
                        Some(text) => column.push_str(&text),
                        None => Err(Mismatch::Range),
                    },
                    (_, DataType::Int64) => match times::duration_nanos(seconds, nanos) {
                        Some(nanos) => column.push_integer(nanos.into()),
                        None => Err(Mismatch::Range),
                    },
                    _ => match times::duration_text(seconds, nanos) {
                        Some(text) => column.push_str(&text),
                        None => Err(Mismatch::Range),
                    },
                }
            }
            ValuePlan::Json(id) => {
                let limit = self.budget.0;
                let text = json::message(self.descriptor, self.record, limit, *id, spans);
                self.push_json(text, column)
            }
            // A scalar is no message.
            ValuePlan::Scalar(_) => Err(Mismatch::Type),
        };
        self.settle(field, pushed, byte, column)
    }

    fn push_json(
        &mut self,
        text: Result<Vec<u8>, Unrepresentable>,
        column: &mut Column,
    ) -> Result<(), Mismatch> {
        let text = text.map_err(|_| Mismatch::Range)?;
        self.budget.take(text.len())?;
        column.push_bytes(&text)
    }

    /// Appends the entries of a map as a list.
    fn entries(&mut self, plan: &MessagePlan, spans: &[Span], column: &mut Column) -> Extracted {
        if let Some(item) = column.list_item() {
            for span in spans {
                if let Some(columns) = item.struct_fields() {
                    self.message(plan, &[*span], columns)?;
                }
                item.finish_struct();
            }
        }
        column.finish_list();
        Ok(())
    }
}
