//! Appends the values that were found in a message to its columns.

use datafusion::arrow::datatypes::DataType;

use super::descriptor::ScalarKind;
use super::extract::{Extracted, Extraction};
use super::json::{self, Unrepresentable};
use super::parts::{last, last_entries, last_integer};
use super::plan::{AbsentPlan, FieldPlan, MessagePlan, Shape, ValuePlan};
use super::scalar::{self, Scalar};
use super::slots::Slot;
use super::times;
use super::wire::{Raw, Span};
use crate::format::columns::{Column, Mismatch, type_name};
use crate::format::documents::DocumentFailure;

impl Extraction<'_> {
    pub(super) fn scalar(
        &mut self,
        field: &FieldPlan,
        kind: ScalarKind,
        raw: Raw,
        byte: usize,
        column: &mut Column,
    ) -> Extracted {
        let value = scalar::decoded(kind, raw, self.record);
        self.push(field, (value, kind), Some(byte), column)
    }

    fn push(
        &mut self,
        field: &FieldPlan,
        (value, kind): (Scalar<'_>, ScalarKind),
        byte: Option<usize>,
        column: &mut Column,
    ) -> Extracted {
        let added = match (value, byte) {
            // Their bytes are in the record.
            (Scalar::Text(_) | Scalar::Bytes(_), Some(_)) => 0,
            _ if !column.data_type().is_string() && !column.data_type().is_binary() => 0,
            _ => scalar::added_bytes(value, self.descriptor),
        };
        let pushed = self.budget.take(added);
        let pushed =
            pushed.and_then(|()| scalar::push(value, kind, column, self.descriptor, self.epoch));
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
    pub(super) fn finish(
        &mut self,
        field: &FieldPlan,
        slot: Slot,
        column: &mut Column,
    ) -> Extracted {
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
                let limit = self.budget.left();
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
                    self.push(field, (scalar::stated(*kind, default), *kind), None, column)
                }
                (_, ValuePlan::Scalar(kind)) => self.push(
                    field,
                    (scalar::zero(*kind, self.descriptor), *kind),
                    None,
                    column,
                ),
                (_, value) => self.value(field, value, &[], column),
            },
        }
    }

    /// Appends the value of a message that consists of `spans`.
    pub(super) fn value(
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
                return self.push(field, (value, *kind), byte, column);
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
                let limit = self.budget.left();
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
