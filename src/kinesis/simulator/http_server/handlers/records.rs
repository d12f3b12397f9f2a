//! GetRecords, PutRecord and PutRecords, without building a JSON tree per record.

use std::io::Write;
use std::time::Duration;

use super::json;
use crate::kinesis::limits::MAX_RECORDS_PER_FETCH;
use crate::kinesis::simulator::http_server::error_response::ErrorResponse;
use crate::kinesis::simulator::http_server::request::{ApiRequest, Members};
use crate::kinesis::simulator::operations::get_records::PageSink;
use crate::kinesis::simulator::operations::put_records::{Incoming, failure_code};
use crate::kinesis::{ChildShard, InMemoryKinesis, Operation, PutOutcome, ShardIterator};
use crate::model::{HashKey, StreamIdentity, UnixMillis};

/// GetRecords.
pub(in crate::kinesis) async fn get_records(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<Vec<u8>, ErrorResponse> {
    let members = &request.members;
    let iterator = ShardIterator::new(members.required_text("ShardIterator")?);
    let limit = members.count("Limit", MAX_RECORDS_PER_FETCH)?;
    let stream = request.stream_if_named()?;
    let mut page = JsonPage::default();
    let end = kinesis
        .read_page(stream.as_ref(), &iterator, limit, &mut page)
        .await?;
    let next = end.next.as_ref().map(ShardIterator::as_str);
    Ok(page.finish("NextShardIterator", next, end.behind_latest, &end.children))
}

/// Writes records as JSON, as GetRecords and the events of SubscribeToShard have them.
#[derive(Debug, Default)]
pub(in crate::kinesis) struct JsonPage(Vec<u8>);

impl JsonPage {
    /// The JSON. `next` is the member `name`, from where the reader continues.
    pub(in crate::kinesis) fn finish(
        self,
        name: &str,
        next: Option<&str>,
        behind_latest: Duration,
        children: &[ChildShard],
    ) -> Vec<u8> {
        let mut out = self.0;
        if out.last() == Some(&b',') {
            out.pop();
        }
        out.push(b']');
        if let Some(next) = next {
            write_plain(&mut out, format_args!(",\"{name}\":"));
            write_text(&mut out, next);
        }
        let millis = behind_latest.as_millis();
        write_plain(&mut out, format_args!(",\"MillisBehindLatest\":{millis}"));
        if !children.is_empty() {
            let children: Vec<_> = children.iter().map(json::child).collect();
            let children = serde_json::Value::from(children);
            write_plain(&mut out, format_args!(",\"ChildShards\":{children}"));
        }
        out.push(b'}');
        out
    }
}

impl PageSink for JsonPage {
    fn begin(&mut self, records: usize, size_bytes: usize) {
        /// Member names, sequence number and time of one record.
        const AROUND_RECORD: usize = 192;
        /// The end of the response.
        const AROUND_PAGE: usize = 1_024;
        let size = size_bytes.div_ceil(3) * 4 + records * AROUND_RECORD + AROUND_PAGE;
        self.0.reserve(size);
        self.0.extend_from_slice(b"{\"Records\":[");
    }

    fn record(
        &mut self,
        data: &[u8],
        partition_key: Option<&str>,
        sequence_number: &str,
        arrival: UnixMillis,
        encrypted: bool,
    ) {
        let out = &mut self.0;
        out.extend_from_slice(b"{\"SequenceNumber\":\"");
        out.extend_from_slice(sequence_number.as_bytes());
        let (second, milli) = (arrival.0.div_euclid(1_000), arrival.0.rem_euclid(1_000));
        write_plain(
            out,
            format_args!("\",\"ApproximateArrivalTimestamp\":{second}.{milli:03},\"Data\":\""),
        );
        // Room for the page is already reserved; an exact reservation would reallocate for every
        // record.
        out.reserve(base64_simd::STANDARD.encoded_length(data.len()));
        base64_simd::STANDARD.encode_append(data, out);
        out.push(b'"');
        if let Some(key) = partition_key {
            out.extend_from_slice(b",\"PartitionKey\":");
            write_text(out, key);
        }
        let end = if encrypted { KMS } else { b"}".as_slice() };
        out.extend_from_slice(end);
        out.push(b',');
    }
}

/// PutRecords.
pub(in crate::kinesis) async fn put_records(
    kinesis: &InMemoryKinesis,
    mut request: ApiRequest,
) -> Result<Vec<u8>, ErrorResponse> {
    let stream = request.stream()?;
    let entries = request.members.take_list("Records")?;
    let entries: Vec<_> = entries
        .into_iter()
        .map(OwnedEntry::read)
        .collect::<Result<_, _>>()?;
    let entries: Vec<_> = entries.iter().map(OwnedEntry::borrowed).collect();
    let outcomes = kinesis
        .put(Operation::PutRecords, &stream, &entries)
        .await?;
    let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    let mut out = Vec::with_capacity(outcomes.len() * 128 + 64);
    write_plain(
        &mut out,
        format_args!("{{\"FailedRecordCount\":{failed},\"Records\":["),
    );
    for (number, outcome) in outcomes.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        write_outcome(&mut out, outcome);
    }
    out.extend_from_slice(b"]}");
    write_encryption(kinesis, &stream, &mut out);
    Ok(out)
}

/// PutRecord.
pub(in crate::kinesis) async fn put_record(
    kinesis: &InMemoryKinesis,
    request: ApiRequest,
) -> Result<Vec<u8>, ErrorResponse> {
    let stream = request.stream()?;
    let entry = OwnedEntry::read(request.members)?;
    let written = kinesis.put_one(&stream, entry.borrowed()).await?;
    let mut out = Vec::new();
    write_outcome(&mut out, &Ok(written));
    write_encryption(kinesis, &stream, &mut out);
    Ok(out)
}

/// Appends the encryption type to the response of a put to an encrypted stream.
fn write_encryption(kinesis: &InMemoryKinesis, stream: &StreamIdentity, out: &mut Vec<u8>) {
    if kinesis.is_encrypted(stream) {
        out.pop();
        out.extend_from_slice(KMS);
    }
}

const KMS: &[u8] = b",\"EncryptionType\":\"KMS\"}";

/// A record from a request.
struct OwnedEntry {
    data: Vec<u8>,
    partition_key: Option<String>,
    explicit_hash_key: Option<HashKey>,
}

impl OwnedEntry {
    fn read(mut members: Members) -> Result<Self, ErrorResponse> {
        Ok(Self {
            data: members.take_blob("Data")?,
            partition_key: members.text("PartitionKey")?.map(str::to_owned),
            explicit_hash_key: members.hash_key("ExplicitHashKey")?,
        })
    }

    fn borrowed(&self) -> Incoming<'_> {
        Incoming {
            data: &self.data,
            partition_key: self.partition_key.as_deref(),
            explicit_hash_key: self.explicit_hash_key,
        }
    }
}

fn write_outcome(out: &mut Vec<u8>, outcome: &PutOutcome) {
    match outcome {
        Ok(written) => write_plain(
            out,
            format_args!(
                "{{\"ShardId\":\"{}\",\"SequenceNumber\":\"{}\"}}",
                written.shard, written.sequence
            ),
        ),
        Err(failure) => {
            let code = failure_code(failure);
            write_plain(
                out,
                format_args!("{{\"ErrorCode\":\"{code}\",\"ErrorMessage\":"),
            );
            write_text(out, &failure.message);
            out.push(b'}');
        }
    }
}

/// Writes a JSON string.
fn write_text(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text)
        .expect("a string is always valid JSON, and writing to a Vec cannot fail");
}

/// Writes text that needs no escapes.
fn write_plain(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a Vec cannot fail");
}
