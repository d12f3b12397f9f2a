//! What the options of the table say about how the sample is read.

use crate::options::{Compression, CsvOptions, Format, FormatOptions, Framing};

/// How the sample is read, as far as the user said so. What is `None` is inferred.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(super) compression: Option<Compression>,
    /// The most bytes that one record may decompress to.
    pub(super) max_decompressed_bytes: usize,
    pub(super) framing: Option<Framing>,
    /// The array whose elements are rows; the names of the fields that lead to it.
    pub(super) explode: Option<Vec<String>>,
    /// The options of lines, besides the delimiter.
    pub(super) csv: CsvOptions,
    pub(super) delimiter: Option<u8>,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            compression: None,
            // The default of option `kinesis.format.maxDecompressedBytes`.
            max_decompressed_bytes: 64 * 1024 * 1024,
            framing: None,
            explode: None,
            csv: CsvOptions {
                delimiter: b',',
                quote: b'"',
                escape: None,
                null_literal: None,
            },
            delimiter: None,
        }
    }
}

impl Reading {
    /// What `options` say, of which `is_given` returns whether the user set the one with this name.
    pub(crate) fn new(options: &FormatOptions, is_given: impl Fn(&str) -> bool) -> Self {
        let given = |name: &str| is_given(name).then_some(());
        let mut reading = Self {
            compression: given("kinesis.format.compression").map(|()| options.compression),
            max_decompressed_bytes: options.max_decompressed_bytes,
            framing: given("kinesis.format.framing").map(|()| options.framing),
            ..Self::default()
        };
        match &options.format {
            Format::Json(json) => reading.explode.clone_from(&json.explode),
            Format::Csv(csv) => {
                reading.delimiter = given("kinesis.csv.delimiter").map(|()| csv.delimiter);
                reading.csv = csv.clone();
            }
            _ => {}
        }
        reading
    }

    /// How lines are read whose values have `delimiter` between them.
    pub(super) fn lines(&self, delimiter: u8) -> CsvOptions {
        CsvOptions {
            delimiter,
            ..self.csv.clone()
        }
    }
}
