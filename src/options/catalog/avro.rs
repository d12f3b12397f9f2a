//! Options of the Avro format.

use super::put;
use crate::options::format::AvroFraming;
use crate::options::spec::{OptionSpec, Role};
use crate::options::value;

pub(in crate::options) const AVRO_FRAMINGS: [(&str, AvroFraming); 4] = [
    ("none", AvroFraming::None),
    ("single_object", AvroFraming::SingleObject),
    ("confluent", AvroFraming::Confluent),
    ("glue", AvroFraming::Glue),
];

pub(super) const ROWS: &[OptionSpec] = &[
    OptionSpec::new(
        "kinesis.avro.schema",
        Role::Table,
        None,
        "Schema of Avro documents: its JSON, or the path or `file://` URL of a file that has it, which is read when the table is made. Without it, INSERT derives a schema from the columns, whose fields can all be null, and only documents with `single_object` headers of that schema can be read. Not with a schema registry.",
        |draft, text| {
            put(
                &mut draft.format.avro_schema,
                value::avro_schema(text).map(Some),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.avro.framing",
        Role::Table,
        None,
        "Header before an Avro document: `none` (the default), `single_object` (`C3 01` and the fingerprint of the schema, which is checked), `confluent` (`00` and a schema id of 4 bytes) or `glue` (`03`, the compression and a schema version of 16 bytes). Only `none` and `single_object` can be written.",
        |draft, text| {
            put(
                &mut draft.format.avro_framing,
                value::choice(text, &AVRO_FRAMINGS).map(Some),
            )
        },
    ),
];
