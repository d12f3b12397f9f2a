//! Setters of the Protobuf format.

use super::TableOptions;
use super::format::name_of;
use crate::options::ProtobufFraming;
use crate::options::catalog::PROTOBUF_FRAMINGS;

impl TableOptions {
    /// Sets `kinesis.protobuf.descriptorFile` to the path of a descriptor set.
    #[must_use]
    pub fn with_protobuf_descriptor_file(self, path: impl Into<String>) -> Self {
        self.with("kinesis.protobuf.descriptorFile", path)
    }

    /// Sets `kinesis.protobuf.message`.
    #[must_use]
    pub fn with_protobuf_message(self, name: impl Into<String>) -> Self {
        self.with("kinesis.protobuf.message", name)
    }

    /// Sets `kinesis.protobuf.framing`.
    #[must_use]
    pub fn with_protobuf_framing(self, framing: ProtobufFraming) -> Self {
        let name = name_of(&PROTOBUF_FRAMINGS, framing);
        self.with("kinesis.protobuf.framing", name)
    }
}
