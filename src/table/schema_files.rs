//! Reads the files of schemas that options name.

use std::path::Path;
use std::{fs, io};

use crate::error::{Error, Result};
use crate::options::{AvroSchemaSource, DescriptorSource, Format};

/// Replaces the file of a schema by its content.
///
/// # Errors
/// [`InvalidOption`](crate::ErrorKind::InvalidOption) if the file cannot be read.
pub(super) fn read(format: &mut Format) -> Result<()> {
    match format {
        Format::Avro(avro) => {
            if let Some(AvroSchemaSource::File(path)) = &avro.schema {
                let text = fs::read_to_string(path);
                let text = text.map_err(|error| unreadable("kinesis.avro.schema", path, error))?;
                avro.schema = Some(AvroSchemaSource::Text(text));
            }
        }
        Format::Protobuf(protobuf) => {
            if let DescriptorSource::File(path) = &protobuf.descriptors {
                let option = "kinesis.protobuf.descriptorFile";
                let bytes = fs::read(path).map_err(|error| unreadable(option, path, error))?;
                protobuf.descriptors = DescriptorSource::Bytes(bytes);
            }
        }
        _ => {}
    }
    Ok(())
}

fn unreadable(option: &str, path: &Path, error: io::Error) -> Error {
    let path = path.display();
    let what = format!("option '{option}': file '{path}' cannot be read: {error}");
    Error::invalid_option(what).with_source(error)
}
