//! Entry points of the fuzz targets in `fuzz/`: the parsers of external input and their invariants.
//! Each function accepts any bytes and panics if an invariant does not hold.

mod avro;
mod payloads;
#[cfg(feature = "protobuf")]
mod protobuf;
mod tables;
mod wire;

use md5::{Digest, Md5};
use serde_json::{Map, json};

use crate::aggregation::{
    AggregateBuilder, MAGIC, Opened, Push, UserRecord, looks_aggregated, open, open_checked,
};
use crate::checkpoint::entry;
use crate::error::{ErrorKind, Result};
use crate::model::{ShardId, ShardPosition, StartingPosition, StreamRanges, UnixMillis};
use crate::options::{CheckedOptions, OptionsBuilder, all};

pub use self::avro::avro;
pub use self::payloads::{compression, csv, json, presets, text};
#[cfg(feature = "protobuf")]
pub use self::protobuf::protobuf;
pub use self::wire::wire;

/// Fuzzes the decoder of aggregated records. `bytes` are used as a record, and as the message of a
/// record with a valid checksum. Decoded records must survive encoding and decoding unchanged.
pub fn aggregation(bytes: &[u8]) {
    expect_aggregate_round_trip(bytes);
    let digest = Md5::digest(bytes);
    expect_aggregate_round_trip(&[&MAGIC[..], bytes, &digest[..]].concat());
}

fn expect_aggregate_round_trip(record: &[u8]) {
    let Some(users) = user_records(open(record)) else {
        return;
    };
    assert!(looks_aggregated(record));
    assert_eq!(user_records(open_checked(record)).as_ref(), Some(&users));
    let mut builder = AggregateBuilder::new(usize::MAX);
    for user in &users {
        assert_eq!(builder.try_push(user), Push::Added);
    }
    assert_eq!(builder.first(), users.first().copied());
    let size_bytes = builder.size_bytes();
    let packed = builder.finish();
    assert_eq!(packed.len(), size_bytes);
    if !users.is_empty() {
        assert_eq!(user_records(open(&packed)), Some(users));
    }
}

fn user_records(opened: Opened<'_>) -> Option<Vec<UserRecord<'_>>> {
    let Opened::Aggregate(records) = opened else {
        return None;
    };
    let len = records.len();
    let records: Vec<_> = records.collect();
    assert_eq!(records.len(), len);
    Some(records)
}

/// Fuzzes the parser of `kinesis.startingPosition`: a valid position must survive formatting and
/// parsing unchanged, and an error must say what was expected.
pub fn starting_position(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match read_position(text, "words") {
        Ok(position) => {
            if let Some(text) = format_position(&position) {
                assert_eq!(read_position(&text, "words").ok(), Some(position), "{text}");
            }
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidOption);
            assert!(error.to_string().contains("expected"), "{error}");
        }
    }
}

fn read_position(text: &str, stream: &str) -> Result<StartingPosition> {
    let mut builder = OptionsBuilder::default();
    builder.set_location(stream)?;
    builder.set("kinesis.startingPosition", text)?;
    Ok(builder.finish()?.source.starting_position)
}

/// Returns `None` if no shard has a position, which means LATEST but has no JSON form.
fn format_position(position: &StartingPosition) -> Option<String> {
    match position {
        StartingPosition::Latest => Some("LATEST".to_owned()),
        StartingPosition::TrimHorizon => Some("TRIM_HORIZON".to_owned()),
        StartingPosition::AtTimestamp(time) => Some(format!("AT_TIMESTAMP {time}")),
        StartingPosition::PerShard(shards) if shards.is_empty() => None,
        StartingPosition::PerShard(shards) => {
            let entry = |(shard, position): (&ShardId, &ShardPosition)| {
                (shard.as_str().to_owned(), json!(position.to_string()))
            };
            let shards: Map<_, _> = shards.iter().map(entry).collect();
            Some(json!({ "sources": [{ "stream": "words", "shards": shards }] }).to_string())
        }
    }
}

/// Fuzzes table options: neither messages nor debug output may depend on the value of a secret.
///
/// `bytes` are parts separated by zero bytes: flags and LOCATION first, then one option each. An
/// option whose first byte is odd uses it as an index into the known option names.
pub fn options(bytes: &[u8]) {
    let given = WrittenOptions::read(bytes);
    let shown = given.shown(None);
    if given.options.iter().any(|(name, _)| is_secret(name)) {
        assert_eq!(given.shown(Some("another-secret")), shown);
    }
}

/// The options of a table as a user wrote them.
struct WrittenOptions {
    unbounded: bool,
    location: Option<String>,
    location_first: bool,
    options: Vec<(String, String)>,
}

impl WrittenOptions {
    fn read(bytes: &[u8]) -> Self {
        let mut pieces = bytes.split(|byte| *byte == 0);
        let (how, location) = match pieces.next() {
            Some([how, location @ ..]) => (*how, lossy(location)),
            _ => (0, String::new()),
        };
        Self {
            unbounded: how & 1 != 0,
            location: (!location.is_empty()).then_some(location),
            location_first: how & 2 != 0,
            options: pieces.filter_map(option).collect(),
        }
    }

    /// What a user sees of the options or their error; `secret` replaces the value of every secret.
    fn shown(&self, secret: Option<&str>) -> String {
        match self.options(secret) {
            Ok(options) => format!("{options:?}"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::InvalidOption, "{error}");
                error.to_string()
            }
        }
    }

    fn options(&self, secret: Option<&str>) -> Result<CheckedOptions> {
        let mut builder = OptionsBuilder::default();
        if self.unbounded {
            builder.unbounded();
        }
        let location = self.location.as_deref();
        if let Some(location) = location.filter(|_| self.location_first) {
            builder.set_location(location)?;
        }
        for (name, value) in &self.options {
            // A value that is invalid on its own, such as a blank one, may show that.
            let taken = || OptionsBuilder::default().set(name, value).is_ok();
            let secret = secret.filter(|_| is_secret(name) && taken());
            builder.set(name, secret.unwrap_or(value))?;
        }
        if let Some(location) = location.filter(|_| !self.location_first) {
            builder.set_location(location)?;
        }
        builder.finish()
    }
}

const LONGEST_NAME: usize = 64;

/// The name and value of an option.
fn option(piece: &[u8]) -> Option<(String, String)> {
    let (first, rest) = piece.split_first()?;
    if first % 2 == 1 {
        let known: Vec<_> = all().map(|option| option.name).collect();
        let name = known[usize::from(first / 2) % known.len()];
        return Some((name.to_owned(), lossy(rest)));
    }
    let rest = lossy(rest);
    let (name, value) = rest.split_once('=').unwrap_or((&rest, ""));
    // An unknown name is compared with every known one, which is slow for a long name.
    let name = name.chars().take(LONGEST_NAME).collect();
    Some((name, value.to_owned()))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn is_secret(name: &str) -> bool {
    let called = |known: &str| known.eq_ignore_ascii_case(name.trim());
    all().any(|option| option.secret && called(option.name))
}

/// Fuzzes the parsers of checkpoint entries: a valid entry must survive formatting and parsing
/// unchanged, and an entry of `offsets` must be a valid starting position, too.
///
/// `bytes` are used as an entry of any version, and as one without its checksum.
pub fn offset_entry(bytes: &[u8]) {
    expect_entry_round_trip(bytes);
    if let Some(entry) = entry::sealed(bytes.trim_ascii_end()) {
        expect_entry_round_trip(&entry);
    }
}

fn expect_entry_round_trip(bytes: &[u8]) {
    if let Ok((batch, writer)) = entry::read_offsets(bytes) {
        assert_eq!(entry::read_heading(bytes), Ok((batch.id, writer.clone())));
        let written = entry::offsets(&batch, &writer).expect("a parsed entry can be formatted");
        let starts = batch
            .sources
            .iter()
            .filter(|source| is_starting_position(source));
        for source in starts {
            let is_duplicate =
                |other: &StreamRanges| other.stream == source.stream && other != source;
            if !batch.sources.iter().any(is_duplicate) {
                let position = read_position(&lossy(&written), source.stream.as_str());
                let ends = StartingPosition::PerShard(source.ends());
                assert_eq!(position.ok(), Some(ends), "{}", lossy(&written));
            }
        }
        assert_eq!(entry::read_offsets(&written), Ok((batch, writer)));
    }
    if let Ok((batch, mut left, writer)) = entry::read_commit(bytes) {
        assert_eq!(entry::read_heading(bytes), Ok((batch, writer.clone())));
        let written = entry::commit(batch, UnixMillis(0), &left, &writer);
        // Empty event times are not written.
        let operators = left.operators.iter_mut();
        for input in operators.flat_map(|operator| &mut operator.inputs) {
            if input.event_times.iter().all(|shards| shards.is_empty()) {
                input.event_times.clear();
            }
        }
        let again = entry::read_commit(&written.expect("a parsed entry can be formatted"));
        assert_eq!(again, Ok((batch, left, writer)));
    }
    if let Ok(metadata) = entry::read_metadata(bytes) {
        let written = entry::metadata(&metadata).expect("a parsed entry can be formatted");
        assert_eq!(entry::read_metadata(&written), Ok(metadata));
    }
}

/// Whether it is a valid starting position: it has a shard, and no time before 1970.
fn is_starting_position(source: &StreamRanges) -> bool {
    let early = |position: &ShardPosition| match position {
        ShardPosition::AtTimestamp(time) => *time < UnixMillis(0),
        _ => false,
    };
    !source.shards.is_empty() && !source.ends().values().any(early)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::checkpoint::tests::skipped;

    type Target = fn(&[u8]);

    const TARGETS: &[(&str, Target)] = &[
        ("aggregation", aggregation),
        ("avro", avro),
        ("compression", compression),
        ("csv", csv),
        ("json", json),
        ("offset_entry", offset_entry),
        ("options", options),
        ("presets", presets),
        #[cfg(feature = "protobuf")]
        ("protobuf", protobuf),
        ("starting_position", starting_position),
        ("text", text),
        ("wire", wire),
    ];

    #[test]
    fn the_corpus_still_passes() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        if !fuzz.exists() {
            let why = "the folder 'fuzz' does not exist; a packaged crate does not contain it";
            return skipped("the_corpus_still_passes", why);
        }
        for (target, run) in TARGETS {
            let inputs = fs::read_dir(fuzz.join("corpus").join(target)).unwrap();
            let inputs: Vec<_> = inputs.collect();
            assert!(!inputs.is_empty(), "no input for {target}");
            for input in inputs {
                run(&fs::read(input.unwrap().path()).unwrap());
            }
        }
    }
}
