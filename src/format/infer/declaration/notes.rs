//! What the reader of a statement has to know.

use super::{Declared, avro, framed};
use crate::format::infer::{Inferred, InferredFormat};

impl Inferred {
    /// What the reader has to know, without line ends.
    pub(super) fn notes(&self, declared: &Declared<'_>) -> Vec<String> {
        let mut notes = Vec::new();
        let compressed = match self.compression.is_some() {
            true => ", of which some or all are compressed",
            false => "",
        };
        match &self.format {
            InferredFormat::Nothing => {
                notes.push("There is nothing to infer columns from.".to_owned());
            }
            InferredFormat::Binary => notes.push(format!(
                "The payloads{compressed} are binary in no known format, or Protobuf, which cannot be recognized."
            )),
            InferredFormat::Avro(avro) => notes.extend(avro::notes(avro, compressed, self.all_bad().is_none())),
            InferredFormat::Framed(header) => {
                notes.extend(framed::notes(header, self.compression.is_some()));
            }
            InferredFormat::JsonBehind { header, .. } => notes.push(format!(
                "The payloads{compressed} are JSON{}; it is not looked up.",
                framed::described(header)
            )),
            _ => {}
        }
        let is_decoded = !matches!(
            self.format,
            InferredFormat::Nothing | InferredFormat::Framed(_) | InferredFormat::Binary
        );
        if self.bad_documents > 0 && is_decoded {
            notes.push(
                "A bad document is a row of NULLs here; see option 'kinesis.format.onError'."
                    .to_owned(),
            );
        }
        if self.has_columns() && !matches!(self.format, InferredFormat::Avro(_)) {
            notes.push("The types fit this sample; later documents may have others.".to_owned());
        }
        let epoch = |(name, value): &(&'static str, String)| {
            *name == "kinesis.json.timestampFormat" && value.starts_with("epoch")
        };
        if self.has_columns() && declared.given.iter().any(epoch) {
            notes.push(
                "Numbers that count time cannot be told from others: declare their columns as TIMESTAMP.".to_owned(),
            );
        }
        match self.mismatches {
            0 => {}
            1 => notes.push(
                "1 value does not fit its column; 'kinesis.format.errorColumn' says why."
                    .to_owned(),
            ),
            count => notes.push(format!(
                "{count} values do not fit their columns; 'kinesis.format.errorColumn' says why."
            )),
        }
        if self.columns.left_out() {
            notes.push(
                "Some fields are left out: there are too many, or they have no printable name."
                    .to_owned(),
            );
        }
        notes
    }
}
