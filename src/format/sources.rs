//! Where the columns of a payload come from, for people.

use super::schema::{PayloadColumn, PayloadSchema};
use crate::options::Format;

impl PayloadSchema {
    /// Where the column with this index comes from, such as `json field 'userId'`.
    pub(crate) fn source(&self, index: usize) -> String {
        let format = self.options.format.name();
        let PayloadColumn::Field(index) = self.column(index) else {
            return match self.column(index) {
                PayloadColumn::Rescued => format!("{format} fields without a column"),
                _ => "why the payload could not be decoded".to_owned(),
            };
        };
        match &self.options.format {
            Format::Text => "payload as text".to_owned(),
            Format::Csv(_) => format!("{format} value {}", index + 1),
            #[cfg(feature = "protobuf")]
            Format::Protobuf(_) => {
                let column = self.fields[index].name();
                let message = self.protobuf().ok();
                let field = message.and_then(|message| message.field_name(column));
                format!("{format} field '{}'", field.unwrap_or(column))
            }
            _ => format!("{format} field '{}'", self.fields[index].name()),
        }
    }
}
