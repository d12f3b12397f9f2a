//! Infers the format and the columns of payloads from a sample, and prints the statement that declares them.
//!
//! [`infer`] recognizes how each record is compressed and what it holds ([`payload`], [`header`]), settles on what most of them
//! hold, and reads the documents of these: [`mod@json`] and [`delimited`] collect which values each field has
//! ([`observed`]). For Avro with known schemas, [`avro`] asks these instead. What the user knows about the payloads
//! ([`reading`]) is not inferred. [`decoded`] decodes the sample with the result, and [`declaration`] prints it. Nothing
//! here reads or writes anything.

mod avro;
mod declaration;
mod decoded;
mod delimited;
mod framing;
mod header;
mod json;
mod names;
mod numbers;
mod observed;
mod payload;
mod reading;

use self::avro::InferredAvro;
pub(crate) use self::avro::{SampleSchemas, infer_avro, schema_ids};
pub(crate) use self::declaration::{Declared, HIDDEN};
use self::delimited::{Delimiter, Division, LineSampler};
use self::framing::JsonFraming;
use self::header::Header;
use self::observed::Fields;
use self::payload::{Kind, Payload};
pub(crate) use self::reading::Reading;
use super::compression;
use crate::options::{Compression, Framing, SchemaRegistryType};

/// The sample ends when its payloads have this many bytes after decompression. Compressed records can be a thousand
/// times smaller.
pub(crate) const MAX_SAMPLE_BYTES: usize = 256 * 1024 * 1024;

/// What the payloads are taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestedFormat {
    /// What most of them look like.
    Auto,
    /// JSON objects.
    Json,
    /// Lines of delimited values.
    Csv,
    /// Plain text.
    Text,
    /// What CloudWatch Logs subscriptions deliver.
    CloudWatchLogs,
    /// What DynamoDB writes about changed items.
    DynamoDb,
}

/// What the sample shows.
#[derive(Debug)]
pub(crate) struct Inferred {
    format: InferredFormat,
    /// How records are compressed, if some are.
    compression: Option<Compression>,
    records: usize,
    documents: usize,
    bad_documents: usize,
    /// The first bad document, and why it is bad.
    first_bad: Option<String>,
    /// How many values do not fit their columns.
    mismatches: u64,
    columns: Fields,
}

/// The format of the sample.
#[derive(Debug, Clone, PartialEq, Eq)]
enum InferredFormat {
    /// There are no records, or only empty ones.
    Nothing,
    Json(JsonFraming),
    /// JSON behind the header of the serializers of a registry.
    JsonBehind {
        header: Header,
        registry: SchemaRegistryType,
    },
    Csv {
        delimiter: Delimiter,
        /// How many values a line has.
        values: usize,
        by_line: bool,
    },
    Text {
        by_line: bool,
    },
    CloudWatchLogs,
    DynamoDb,
    /// Avro documents with known schemas.
    Avro(InferredAvro),
    /// Documents with a header that names their schema, which has to be looked up.
    Framed(Header),
    Binary,
}

/// Infers the format and the columns of `records`, of the first of them whose payloads have `max_bytes`. `reading` says
/// what is known about them.
pub(crate) fn infer<'a>(
    records: impl Iterator<Item = &'a [u8]>,
    requested: RequestedFormat,
    reading: &Reading,
    max_bytes: usize,
) -> Inferred {
    let mut inferred = Inferred::new();
    let mut payloads = Vec::new();
    let mut payload_bytes = 0;
    for record in records {
        if payload_bytes >= max_bytes {
            break;
        }
        inferred.records += 1;
        let limit = reading.max_decompressed_bytes;
        let compression = reading.compression.unwrap_or(Compression::Auto);
        match compression::decompressed(record, compression, limit) {
            Ok(bytes) => {
                if let std::borrow::Cow::Owned(_) = &bytes {
                    inferred.compression = Some(Compression::Auto);
                }
                let payload = Payload::new(inferred.records, bytes, limit);
                payload_bytes += payload.size();
                payloads.push(payload);
            }
            Err(failure) => {
                inferred.compression = Some(Compression::Auto);
                inferred.bad(inferred.records, &failure.to_string());
            }
        }
    }
    inferred.settle(&payloads, requested, reading);
    inferred
}

impl Inferred {
    fn new() -> Self {
        Self {
            format: InferredFormat::Nothing,
            compression: None,
            records: 0,
            documents: 0,
            bad_documents: 0,
            first_bad: None,
            mismatches: 0,
            columns: Fields::default(),
        }
    }

    /// Settles on a format, and reads the documents of all payloads.
    fn settle(&mut self, payloads: &[Payload<'_>], requested: RequestedFormat, reading: &Reading) {
        self.format = match requested {
            RequestedFormat::Auto => match payload::most_frequent(payloads) {
                None => InferredFormat::Nothing,
                Some(Kind::CloudWatchLogs) => InferredFormat::CloudWatchLogs,
                Some(Kind::DynamoDb) => InferredFormat::DynamoDb,
                Some(Kind::Json(_)) => json(payloads, reading),
                Some(Kind::Framed(header)) => {
                    json_behind(header, payloads).unwrap_or(InferredFormat::Framed(header))
                }
                Some(Kind::Binary) => InferredFormat::Binary,
                Some(Kind::Text) => match delimited::detect(payloads, reading) {
                    Some(division) => csv(division, payloads, reading),
                    None => text(payloads, reading),
                },
            },
            RequestedFormat::Json => match payload::most_frequent(payloads) {
                Some(Kind::Framed(header)) => json_behind(header, payloads),
                _ => None,
            }
            .unwrap_or_else(|| json(payloads, reading)),
            RequestedFormat::Csv => {
                csv(delimited::most_likely(payloads, reading), payloads, reading)
            }
            RequestedFormat::Text => text(payloads, reading),
            RequestedFormat::CloudWatchLogs => InferredFormat::CloudWatchLogs,
            RequestedFormat::DynamoDb => InferredFormat::DynamoDb,
        };
        for payload in payloads.iter().filter(|payload| !payload.is_blank()) {
            match self.format.clone() {
                InferredFormat::Nothing => {}
                InferredFormat::Json(framing) => json::read(payload, framing, reading, self),
                InferredFormat::JsonBehind { header, .. } => {
                    json::read_behind(payload, header, reading, self);
                }
                InferredFormat::Csv {
                    delimiter,
                    values,
                    by_line,
                } => {
                    let mut lines = LineSampler::new(&reading.lines(delimiter.0), values);
                    lines.read(payload, by_line, self);
                }
                InferredFormat::Text { by_line } => delimited::read_text(payload, by_line, self),
                InferredFormat::CloudWatchLogs => self.expect(payload, &Kind::CloudWatchLogs),
                InferredFormat::DynamoDb => self.expect(payload, &Kind::DynamoDb),
                InferredFormat::Framed(header) => self.expect(payload, &Kind::Framed(header)),
                InferredFormat::Avro(_) | InferredFormat::Binary => self.documents += 1,
            }
        }
    }

    /// Counts a payload that should be of `kind`.
    fn expect(&mut self, payload: &Payload<'_>, kind: &Kind) {
        match payload.kind.is_like(kind) {
            true => self.documents += 1,
            false => self.bad(payload.number, &format!("is {}", payload.kind)),
        }
    }

    /// Counts a document of record `number` that cannot be read.
    fn bad(&mut self, number: usize, reason: &str) {
        self.bad_documents += 1;
        if self.first_bad.is_none() {
            self.first_bad = Some(format!("record {number} {reason}"));
        }
    }
}

/// JSON documents behind a header like `header`, if most are.
fn json_behind(header: Header, payloads: &[Payload<'_>]) -> Option<InferredFormat> {
    let registry = header.registry()?;
    let are_json = payload::are_json_behind(header, payloads);
    are_json.then_some(InferredFormat::JsonBehind { header, registry })
}

/// JSON in the given framing, or in the one that suits most.
fn json(payloads: &[Payload<'_>], reading: &Reading) -> InferredFormat {
    InferredFormat::Json(match reading.framing {
        Some(Framing::Record) => JsonFraming::Record,
        Some(Framing::Newline) => JsonFraming::Newline,
        Some(Framing::Concatenated) => JsonFraming::Concatenated,
        Some(Framing::Array) => JsonFraming::Array,
        None => json::framing(payloads),
    })
}

fn csv(division: Division, payloads: &[Payload<'_>], reading: &Reading) -> InferredFormat {
    InferredFormat::Csv {
        delimiter: division.delimiter,
        values: division.values,
        by_line: match reading.framing {
            Some(framing) => framing == Framing::Newline,
            None => payloads.iter().any(|payload| payload.lines().count() > 1),
        },
    }
}

/// Text, line by line if the records are batches of lines.
fn text(payloads: &[Payload<'_>], reading: &Reading) -> InferredFormat {
    if let Some(framing) = reading.framing {
        return InferredFormat::Text {
            by_line: framing == Framing::Newline,
        };
    }
    let batches = payloads
        .iter()
        .filter(|payload| payload.lines().count() > 1 && payload.bytes.ends_with(b"\n"));
    InferredFormat::Text {
        by_line: batches.count() * 2 > payloads.len(),
    }
}

#[cfg(test)]
mod tests;
