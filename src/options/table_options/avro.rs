//! Setters of the Avro format.

use super::TableOptions;
use super::format::name_of;
use crate::options::AvroFraming;
use crate::options::catalog::AVRO_FRAMINGS;

impl TableOptions {
    /// Sets `kinesis.avro.schema` to the JSON of a schema, or to the path of a file that has it.
    #[must_use]
    pub fn with_avro_schema(self, schema: impl Into<String>) -> Self {
        self.with("kinesis.avro.schema", schema)
    }

    /// Sets `kinesis.avro.framing`.
    #[must_use]
    pub fn with_avro_framing(self, framing: AvroFraming) -> Self {
        self.with("kinesis.avro.framing", name_of(&AVRO_FRAMINGS, framing))
    }
}
