//! Reads the files of schemas that options name.

use std::fs;

use crate::error::{Error, Result};
use crate::options::{AvroSchemaSource, Format};

/// Replaces the file of a schema by its text.
///
/// # Errors
/// [`InvalidOption`](crate::ErrorKind::InvalidOption) if the file cannot be read.
pub(super) fn read(format: &mut Format) -> Result<()> {
    let Format::Avro(avro) = format else {
        return Ok(());
    };
    if let AvroSchemaSource::File(path) = &avro.schema {
        let text = fs::read_to_string(path).map_err(|error| {
            let what = format!(
                "option 'kinesis.avro.schema': file '{}' cannot be read: {error}",
                path.display()
            );
            Error::invalid_option(what).with_source(error)
        })?;
        avro.schema = AvroSchemaSource::Text(text);
    }
    Ok(())
}
