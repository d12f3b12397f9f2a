//! Options of the payload format that have no effect together with others.

use crate::error::{Error, Result};
use crate::options::format::FormatOptions;

/// Refuses options that have no effect. `given` lists the names of the options that were set.
///
/// # Errors
/// [`InvalidOption`](crate::ErrorKind::InvalidOption) with the option and the one that makes it useless.
pub(super) fn refuse(options: &FormatOptions, given: &[&'static str]) -> Result<()> {
    const FOR_WRITING: [&str; 3] = [
        "kinesis.sink.partitionKey",
        "kinesis.sink.explicitHashKey",
        "kinesis.sink.nullFields",
    ];
    const LIMIT: &str = "kinesis.format.maxDecompressedBytes";
    let written = given.iter().find(|name| FOR_WRITING.contains(name));
    if let (Some(name), Some(cause)) = (written, options.read_only_by()) {
        return Err(Error::invalid_option(format!(
            "option '{name}': expected only for a table that can be written, but a table with {cause} can only be \
             read: remove the option, or set it for another table of the stream, without {cause}"
        )));
    }
    if given.contains(&LIMIT) && !options.can_be_compressed() {
        return Err(Error::invalid_option(format!(
            "option '{LIMIT}': expected only for records that can be compressed: set 'kinesis.format.compression' to \
             'gzip', 'zstd' or 'auto', or remove the option"
        )));
    }
    Ok(())
}
