//! What the fuzz targets in `fuzz/` run: the readers of what comes from outside, and what must hold of
//! them. Each function takes any bytes and panics where something does not hold.

use md5::{Digest, Md5};
use serde_json::{Map, json};

use crate::aggregation::{
    AggregateBuilder, MAGIC, Opened, Push, UserRecord, looks_aggregated, open, open_checked,
};
use crate::checkpoint::entry;
use crate::error::{ErrorKind, Result};
use crate::model::{ShardId, ShardPosition, StartingPosition, StreamRanges, UnixMillis};
use crate::options::{OptionsBuilder, TableOptions, all};

/// The decoder of aggregated records. `bytes` are a record, and the message of one whose checksum is
/// right: what is opened is packed and opened again to the same user records.
pub fn aggregation(bytes: &[u8]) {
    expect_same_again(bytes);
    let digest = Md5::digest(bytes);
    expect_same_again(&[&MAGIC[..], bytes, &digest[..]].concat());
}

fn expect_same_again(record: &[u8]) {
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

/// The parser of `kinesis.startingPosition`: what is read is written and read again to the same
/// position, and what is refused says what was expected.
pub fn starting_position(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match read_position(text, "words") {
        Ok(position) => {
            if let Some(text) = written(&position) {
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

/// None where no shard has a place of its own, which is the same as LATEST and has another form.
fn written(position: &StartingPosition) -> Option<String> {
    match position {
        StartingPosition::Latest => Some("LATEST".to_owned()),
        StartingPosition::TrimHorizon => Some("TRIM_HORIZON".to_owned()),
        StartingPosition::AtTimestamp(time) => Some(format!("AT_TIMESTAMP {time}")),
        StartingPosition::PerShard(shards) if shards.is_empty() => None,
        StartingPosition::PerShard(shards) => {
            let place = |(shard, place): (&ShardId, &ShardPosition)| {
                (shard.as_str().to_owned(), json!(place.to_string()))
            };
            let shards: Map<_, _> = shards.iter().map(place).collect();
            Some(json!({ "sources": [{ "stream": "words", "shards": shards }] }).to_string())
        }
    }
}

/// The options of a table: nothing that is said or shown of them hangs on what a secret is.
///
/// `bytes` are pieces with a zero between them: LOCATION and how the table is made, then one option
/// each. An odd first byte of an option stands for its name in the table of options.
pub fn options(bytes: &[u8]) {
    let given = Given::read(bytes);
    let shown = given.shown(None);
    if given.options.iter().any(|(name, _)| is_secret(name)) {
        assert_eq!(given.shown(Some("another-secret")), shown);
    }
}

/// What a user has written about a table.
struct Given {
    unbounded: bool,
    location: Option<String>,
    location_first: bool,
    options: Vec<(String, String)>,
}

impl Given {
    fn read(bytes: &[u8]) -> Self {
        let mut pieces = bytes.split(|byte| *byte == 0);
        let (how, location) = match pieces.next() {
            Some([how, location @ ..]) => (*how, text(location)),
            _ => (0, String::new()),
        };
        Self {
            unbounded: how & 1 != 0,
            location: (!location.is_empty()).then_some(location),
            location_first: how & 2 != 0,
            options: pieces.filter_map(option).collect(),
        }
    }

    /// What a user gets to see of it; `secret` stands in for every secret.
    fn shown(&self, secret: Option<&str>) -> String {
        match self.options(secret) {
            Ok(options) => format!("{options:?}"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::InvalidOption, "{error}");
                error.to_string()
            }
        }
    }

    fn options(&self, secret: Option<&str>) -> Result<TableOptions> {
        let mut builder = OptionsBuilder::default();
        if self.unbounded {
            builder.unbounded();
        }
        let location = self.location.as_deref();
        if let Some(location) = location.filter(|_| self.location_first) {
            builder.set_location(location)?;
        }
        for (name, value) in &self.options {
            // One that is refused by itself, such as a blank one, may show that.
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

/// The name and the value of an option.
fn option(piece: &[u8]) -> Option<(String, String)> {
    let (first, rest) = piece.split_first()?;
    if first % 2 == 1 {
        let known: Vec<_> = all().map(|option| option.name).collect();
        let name = known[usize::from(first / 2) % known.len()];
        return Some((name.to_owned(), text(rest)));
    }
    let rest = text(rest);
    let (name, value) = rest.split_once('=').unwrap_or((&rest, ""));
    // An unknown one is held against each that is known: a long one takes long.
    let name = name.chars().take(LONGEST_NAME).collect();
    Some((name, value.to_owned()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn is_secret(name: &str) -> bool {
    let called = |known: &str| known.eq_ignore_ascii_case(name.trim());
    all().any(|option| option.secret && called(option.name))
}

/// The readers of the entries of a checkpoint: what is read is written and read again to the same
/// value, and an entry of `offsets` is a starting position, too.
///
/// `bytes` are an entry of any version, and one without its checksum.
pub fn offset_entry(bytes: &[u8]) {
    expect_same_entry(bytes);
    if let Some(entry) = entry::sealed(bytes.trim_ascii_end()) {
        expect_same_entry(&entry);
    }
}

fn expect_same_entry(bytes: &[u8]) {
    if let Ok((batch, writer)) = entry::read_offsets(bytes) {
        assert_eq!(entry::read_heading(bytes), Ok((batch.id, writer.clone())));
        let written = entry::offsets(&batch, &writer).expect("what was read can be written");
        let starts = batch.sources.iter().filter(|source| is_a_start(source));
        for source in starts {
            let twin = |other: &StreamRanges| other.stream == source.stream && other != source;
            if !batch.sources.iter().any(twin) {
                let position = read_position(&text(&written), source.stream.as_str());
                let ends = StartingPosition::PerShard(source.ends());
                assert_eq!(position.ok(), Some(ends), "{}", text(&written));
            }
        }
        assert_eq!(entry::read_offsets(&written), Ok((batch, writer)));
    }
    if let Ok((batch, mut left, writer)) = entry::read_commit(bytes) {
        assert_eq!(entry::read_heading(bytes), Ok((batch, writer.clone())));
        let written = entry::commit(batch, UnixMillis(0), &left, &writer);
        // Times of no shard at all are not written.
        if left.event_times.iter().all(|shards| shards.is_empty()) {
            left.event_times.clear();
        }
        let again = entry::read_commit(&written.expect("what was read can be written"));
        assert_eq!(again, Ok((batch, left, writer)));
    }
    if let Ok(metadata) = entry::read_metadata(bytes) {
        let written = entry::metadata(&metadata).expect("what was read can be written");
        assert_eq!(entry::read_metadata(&written), Ok(metadata));
    }
}

/// Whether a user may start there: some shard, and no time that is out of range for a start.
fn is_a_start(source: &StreamRanges) -> bool {
    let early = |place: &ShardPosition| match place {
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

    const TARGETS: [(&str, Target); 4] = [
        ("aggregation", aggregation),
        ("offset_entry", offset_entry),
        ("options", options),
        ("starting_position", starting_position),
    ];

    #[test]
    fn what_fuzzing_has_found_still_holds() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        if !fuzz.exists() {
            let why = "there is no folder 'fuzz'; a packaged crate has none";
            return skipped("what_fuzzing_has_found_still_holds", why);
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
