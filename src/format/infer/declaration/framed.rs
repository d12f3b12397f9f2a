//! What to do about documents with a header that names their schema.

use crate::format::infer::header::Header;
use crate::options::SchemaRegistryType;

/// What the reader has to know: what the documents are, and what to declare to read them.
pub(super) fn notes(header: &Header, is_compressed: bool) -> Vec<String> {
    let compressed = match is_compressed {
        true => ", of which some or all are compressed",
        false => "",
    };
    let content = match header {
        Header::SingleObject(_) => "Avro single objects",
        Header::Confluent(_) | Header::Glue(_) => "Avro",
    };
    let described = described(header);
    let mut notes = vec![format!(
        "The payloads{compressed} are {content}{described}."
    )];
    notes.push("To read their fields, declare them as columns, with these options:".to_owned());
    let mut options = vec![
        "'kinesis.format' 'avro',".to_owned(),
        format!("'kinesis.avro.framing' '{}',", framing(header)),
    ];
    if is_compressed {
        options.push("'kinesis.format.compression' 'auto',".to_owned());
    }
    options.push(
        "'kinesis.avro.schema' '…': the JSON of the schema, or the path of its file".to_owned(),
    );
    match header {
        Header::SingleObject(_) => {}
        Header::Confluent(_) => options.push(
            "or 'kinesis.schemaRegistry.type' 'confluent', 'kinesis.schemaRegistry.url' 'https://…'".to_owned(),
        ),
        Header::Glue(_) => options.push("or 'kinesis.schemaRegistry.type' 'glue'".to_owned()),
    }
    notes.extend(options.into_iter().map(|option| format!("  {option}")));
    if let Header::Confluent(_) = header {
        notes.push(
            "If they are Protobuf: 'kinesis.format' 'protobuf' with 'kinesis.protobuf.framing' 'confluent'.".to_owned(),
        );
    }
    notes.push(
        "kinesis-sql infer prints the columns if -o NAME=VALUE gives it the schema or the registry.".to_owned(),
    );
    notes.push("Until then, the table has the payloads as bytes:".to_owned());
    notes
}

/// The value of option `kinesis.avro.framing`.
fn framing(header: &Header) -> &'static str {
    header.registry().map_or("single_object", name)
}

/// The name of a registry in options.
pub(super) fn name(registry: SchemaRegistryType) -> &'static str {
    match registry {
        SchemaRegistryType::Confluent => "confluent",
        SchemaRegistryType::Glue => "glue",
    }
}

pub(super) fn described(header: &Header) -> String {
    match header {
        Header::SingleObject(fingerprint) => {
            let fingerprint = u64::from_le_bytes(*fingerprint);
            format!(", the first with the schema fingerprint {fingerprint:016x}")
        }
        Header::Confluent(id) => {
            format!(" with the header of a Confluent registry, the first with schema id {id}")
        }
        Header::Glue(version) => {
            let version = uuid::Uuid::from_bytes(*version);
            format!(" with the header of AWS Glue, the first with schema version {version}")
        }
    }
}
