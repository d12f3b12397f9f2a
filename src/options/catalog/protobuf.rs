//! Options of the Protobuf format.

use super::put;
use crate::options::format::{DescriptorSource, ProtobufFraming};
use crate::options::spec::{OptionSpec, Role};
use crate::options::value;

pub(in crate::options) const PROTOBUF_FRAMINGS: [(&str, ProtobufFraming); 2] = [
    ("none", ProtobufFraming::None),
    ("confluent", ProtobufFraming::Confluent),
];

pub(super) const ROWS: &[OptionSpec] = &[
    OptionSpec::new(
        "kinesis.protobuf.descriptorFile",
        Role::Table,
        None,
        "Path of a file with the descriptors of Protobuf messages, as written by `protoc --include_imports --descriptor_set_out=FILE`. It is read when the table is made.",
        |draft, text| {
            let source = value::text(text).map(|path| DescriptorSource::File(path.into()));
            put(&mut draft.format.descriptors, source.map(Some))
        },
    ),
    OptionSpec::new(
        "kinesis.protobuf.message",
        Role::Table,
        None,
        "Name of the Protobuf message of a document, with its package, such as `shop.Order`.",
        |draft, text| put(&mut draft.format.message, value::text(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.protobuf.framing",
        Role::Table,
        None,
        "Header before a Protobuf message: `none` (the default) or `confluent` (`00`, a schema id of 4 bytes, which is not looked up, and the indexes of the message, which must select `kinesis.protobuf.message`).",
        |draft, text| {
            put(
                &mut draft.format.protobuf_framing,
                value::choice(text, &PROTOBUF_FRAMINGS).map(Some),
            )
        },
    ),
];
