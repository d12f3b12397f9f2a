//! Protobuf: a message to one value in each column.
//!
//! A record is first checked completely against the descriptor; then the values of the columns are read, and the
//! rest is skipped. A value of a scalar field replaces an earlier one, and messages are merged, so nothing is
//! appended before the whole message was seen, except to lists.

mod append;
mod check;
mod confluent;
mod descriptor;
mod descriptor_set;
mod encode;
mod extract;
mod json;
mod parts;
mod plan;
mod planner;
mod scalar;
mod slots;
mod times;
mod wire;

use std::sync::Arc;

use datafusion::arrow::datatypes::{Fields, TimeUnit};

pub(super) use self::descriptor::Descriptor;
pub(super) use self::encode::MessageEncoder;
use self::extract::Extraction;
use self::plan::MessagePlan;
use self::planner::Planner;
use self::slots::{Budget, Findings, Slot};
use self::wire::Span;
use super::documents::{DocumentError, DocumentFailure, Documents};
use crate::error::Result;
use crate::options::{Format, FormatOptions, OnMismatch, ProtobufFraming, TimestampFormat};

/// Decodes each record to one value in each column.
#[derive(Debug)]
pub(super) struct ProtobufDecoder {
    descriptor: Arc<Descriptor>,
    plan: MessagePlan,
    framing: ProtobufFraming,
    epoch: Option<TimeUnit>,
    findings: Findings,
    slots: Vec<Slot>,
}

/// The message of a table with these options and columns, if it is the format.
///
/// # Errors
/// [`InvalidOption`](crate::ErrorKind::InvalidOption) if the descriptors have no such message, and for the first
/// column that does not suit it.
pub(super) fn descriptor(
    options: &FormatOptions,
    columns: &Fields,
) -> Result<Option<Arc<Descriptor>>> {
    let Format::Protobuf(protobuf) = &options.format else {
        return Ok(None);
    };
    let descriptor = Descriptor::new(protobuf)?;
    plan(&descriptor, options, columns)?;
    Ok(Some(Arc::new(descriptor)))
}

fn plan(descriptor: &Descriptor, options: &FormatOptions, columns: &Fields) -> Result<MessagePlan> {
    let epoch = epoch(options);
    let planner = Planner { descriptor, epoch };
    planner.message(descriptor.root(), columns.iter(), "")
}

fn epoch(options: &FormatOptions) -> Option<TimeUnit> {
    match options.timestamps {
        TimestampFormat::Rfc3339 => None,
        TimestampFormat::Epoch(unit) => Some(unit),
    }
}

impl ProtobufDecoder {
    /// A decoder of `columns`.
    ///
    /// # Errors
    /// As [`descriptor()`].
    pub(super) fn new(
        descriptor: &Arc<Descriptor>,
        options: &FormatOptions,
        framing: ProtobufFraming,
        columns: &Fields,
    ) -> Result<Self> {
        Ok(Self {
            plan: plan(descriptor, options, columns)?,
            descriptor: Arc::clone(descriptor),
            framing,
            epoch: epoch(options),
            findings: Findings {
                fail_on_mismatch: options.on_mismatch == OnMismatch::Fail,
                ..Findings::default()
            },
            slots: Vec::new(),
        })
    }

    /// Decodes the message of one record.
    pub(super) fn decode(&mut self, record: &[u8], out: &mut Documents<'_>) {
        let span = match self.checked(record) {
            Ok(span) => span,
            Err(failure) => return out.bad(record, failure),
        };
        let rows = out.rows();
        self.findings.first = None;
        self.slots.clear();
        let mut extraction = Extraction {
            descriptor: &self.descriptor,
            record,
            epoch: self.epoch,
            findings: &mut self.findings,
            budget: Budget::default(),
            slots: &mut self.slots,
        };
        let extracted = extraction.message(&self.plan, &[span], out.columns);
        out.mismatches += std::mem::take(&mut self.findings.count);
        match (extracted, self.findings.first.take()) {
            (Ok(()), None) => out.finish_row(None),
            (Ok(()), Some(mismatch)) => out.finish_row(Some(&mismatch.to_string())),
            (Err(mismatch), _) => {
                out.truncate(rows);
                out.bad(record, DocumentError::Unfit(mismatch));
            }
        }
    }

    /// The message in `record`, if it is valid.
    fn checked(&self, record: &[u8]) -> std::result::Result<Span, DocumentFailure> {
        let start = match self.framing {
            ProtobufFraming::None => 0,
            ProtobufFraming::Confluent => confluent::payload_start(record, &self.descriptor)?,
        };
        let end = record.len();
        let span = Span { start, end };
        check::check(&self.descriptor, record, span)?;
        Ok(span)
    }
}

#[cfg(test)]
mod tests;
