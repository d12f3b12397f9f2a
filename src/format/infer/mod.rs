//! Infers the format and the columns of payloads from a sample, and prints the statement that declares them.
//!
//! [`infer`] recognizes how each record is compressed and what it holds ([`payload`], [`header`]), settles on what most of them
//! hold, and reads the documents of these: [`json`] and [`delimited`] collect which values each field has
//! ([`observed`]). For Avro with known schemas, [`avro`] asks these instead. [`declaration`] prints the result. Nothing
//! here reads or writes anything.

mod avro;
mod declaration;
mod delimited;
mod framing;
mod header;
mod json;
mod names;
mod numbers;
mod observed;
mod payload;

use self::avro::InferredAvro;
pub(crate) use self::avro::{SampleSchemas, infer_avro, schema_ids};
pub(crate) use self::declaration::{Declared, HIDDEN};
use self::delimited::{Delimiter, Division, LineSampler};
use self::framing::JsonFraming;
use self::header::Header;
use self::observed::Fields;
use self::payload::{Kind, Payload};
use super::compression;
use crate::options::{Compression, SchemaRegistryType};

/// The most bytes that one record may decompress to, the default of `kinesis.format.maxDecompressedBytes`.
const MAX_DECOMPRESSED_BYTES: usize = 64 * 1024 * 1024;

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

/// Infers the format and the columns of `records`, of the first of them whose payloads have `max_bytes`.
pub(crate) fn infer<'a>(
    records: impl Iterator<Item = &'a [u8]>,
    requested: RequestedFormat,
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
        match compression::decompressed(record, Compression::Auto, MAX_DECOMPRESSED_BYTES) {
            Ok(bytes) => {
                if let std::borrow::Cow::Owned(_) = &bytes {
                    inferred.compression = Some(Compression::Auto);
                }
                let payload = Payload::new(inferred.records, bytes);
                payload_bytes += payload.size();
                payloads.push(payload);
            }
            Err(failure) => {
                inferred.compression = Some(Compression::Auto);
                inferred.bad(inferred.records, &failure.to_string());
            }
        }
    }
    inferred.settle(&payloads, requested);
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
            columns: Fields::default(),
        }
    }

    /// Settles on a format, and reads the documents of all payloads.
    fn settle(&mut self, payloads: &[Payload<'_>], requested: RequestedFormat) {
        self.format = match requested {
            RequestedFormat::Auto => match payload::most_frequent(payloads) {
                None => InferredFormat::Nothing,
                Some(Kind::CloudWatchLogs) => InferredFormat::CloudWatchLogs,
                Some(Kind::DynamoDb) => InferredFormat::DynamoDb,
                Some(Kind::Json(_)) => InferredFormat::Json(json::framing(payloads)),
                Some(Kind::Framed(header)) => {
                    json_behind(header, payloads).unwrap_or(InferredFormat::Framed(header))
                }
                Some(Kind::Binary) => InferredFormat::Binary,
                Some(Kind::Text) => match delimited::detect(payloads) {
                    Some(division) => csv(division, payloads),
                    None => text(payloads),
                },
            },
            RequestedFormat::Json => match payload::most_frequent(payloads) {
                Some(Kind::Framed(header)) => json_behind(header, payloads),
                _ => None,
            }
            .unwrap_or_else(|| InferredFormat::Json(json::framing(payloads))),
            RequestedFormat::Csv => csv(delimited::most_likely(payloads), payloads),
            RequestedFormat::Text => text(payloads),
            RequestedFormat::CloudWatchLogs => InferredFormat::CloudWatchLogs,
            RequestedFormat::DynamoDb => InferredFormat::DynamoDb,
        };
        for payload in payloads.iter().filter(|payload| !payload.is_blank()) {
            match self.format.clone() {
                InferredFormat::Nothing => {}
                InferredFormat::Json(framing) => json::read(payload, framing, self),
                InferredFormat::JsonBehind { header, .. } => {
                    json::read_behind(payload, header, self);
                }
                InferredFormat::Csv {
                    delimiter,
                    values,
                    by_line,
                } => LineSampler::new(delimiter, values).read(payload, by_line, self),
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

fn csv(division: Division, payloads: &[Payload<'_>]) -> InferredFormat {
    InferredFormat::Csv {
        delimiter: division.delimiter,
        values: division.values,
        by_line: payloads.iter().any(|payload| payload.lines().count() > 1),
    }
}

/// Text, line by line if the records are batches of lines.
fn text(payloads: &[Payload<'_>]) -> InferredFormat {
    let batches = payloads
        .iter()
        .filter(|payload| payload.lines().count() > 1 && payload.bytes.ends_with(b"\n"));
    InferredFormat::Text {
        by_line: batches.count() * 2 > payloads.len(),
    }
}

#[cfg(test)]
mod tests;
