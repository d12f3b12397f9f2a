//! The opaque texts a client carries for us: shard iterators and page tokens.

use super::shard_filter::Filter;
use crate::model::{StreamIdentity, UnixMillis};

/// A place in a shard, and when the handle on it was given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kinesis) struct IteratorToken {
    pub(in crate::kinesis) stream: StreamIdentity,
    pub(in crate::kinesis) stream_id: u64,
    pub(in crate::kinesis) shard_index: u32,
    pub(in crate::kinesis) place: u64,
    /// Whether it never leads to a record.
    pub(in crate::kinesis) pinned: bool,
    pub(in crate::kinesis) issued_at: UnixMillis,
}

/// The end of a page of shards, and when it was given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kinesis) struct PageToken {
    pub(in crate::kinesis) stream: StreamIdentity,
    pub(in crate::kinesis) stream_id: u64,
    /// The last shard of the page.
    pub(in crate::kinesis) after: u32,
    pub(in crate::kinesis) filter: Filter,
    pub(in crate::kinesis) issued_at: UnixMillis,
}

/// The end of a page of streams, and when it was given out.
#[cfg(feature = "simulator")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kinesis) struct StreamsToken {
    /// The last stream of the page.
    pub(in crate::kinesis) after: StreamIdentity,
    pub(in crate::kinesis) issued_at: UnixMillis,
}

const ITERATOR: u8 = 1;
const PAGE: u8 = 2;
#[cfg(feature = "simulator")]
const STREAMS: u8 = 3;

impl IteratorToken {
    pub(in crate::kinesis) fn seal(&self) -> String {
        let mut out = vec![ITERATOR];
        out.extend(self.stream_id.to_be_bytes());
        out.extend(self.shard_index.to_be_bytes());
        out.extend(self.place.to_be_bytes());
        out.push(u8::from(self.pinned));
        out.extend(self.issued_at.0.to_be_bytes());
        out.extend(arn_of(&self.stream));
        seal(out)
    }

    /// `None` for a text that was not given out here.
    pub(in crate::kinesis) fn open(text: &str) -> Option<Self> {
        let bytes = open(text)?;
        let mut fields = Fields(&bytes);
        (fields.byte()? == ITERATOR).then_some(())?;
        Some(Self {
            stream_id: fields.u64()?,
            shard_index: fields.u32()?,
            place: fields.u64()?,
            pinned: fields.byte()? == 1,
            issued_at: fields.time()?,
            stream: fields.stream()?,
        })
    }
}

impl PageToken {
    pub(in crate::kinesis) fn seal(&self) -> String {
        let (kind, argument) = match self.filter {
            Filter::FromTrimHorizon => (0, 0),
            Filter::AtTrimHorizon => (1, 0),
            Filter::AtLatest => (2, 0),
            Filter::AtTimestamp(time) => (3, time.0),
            Filter::FromTimestamp(time) => (4, time.0),
            Filter::AfterShard(index) => (5, i64::from(index)),
        };
        let mut out = vec![PAGE, kind];
        out.extend(argument.to_be_bytes());
        out.extend(self.stream_id.to_be_bytes());
        out.extend(self.after.to_be_bytes());
        out.extend(self.issued_at.0.to_be_bytes());
        out.extend(arn_of(&self.stream));
        seal(out)
    }

    /// `None` for a text that was not given out here.
    pub(in crate::kinesis) fn open(text: &str) -> Option<Self> {
        let bytes = open(text)?;
        let mut fields = Fields(&bytes);
        (fields.byte()? == PAGE).then_some(())?;
        let (kind, argument) = (fields.byte()?, fields.time()?);
        let filter = match kind {
            0 => Filter::FromTrimHorizon,
            1 => Filter::AtTrimHorizon,
            2 => Filter::AtLatest,
            3 => Filter::AtTimestamp(argument),
            4 => Filter::FromTimestamp(argument),
            5 => Filter::AfterShard(u32::try_from(argument.0).ok()?),
            _ => return None,
        };
        Some(Self {
            filter,
            stream_id: fields.u64()?,
            after: fields.u32()?,
            issued_at: fields.time()?,
            stream: fields.stream()?,
        })
    }
}

#[cfg(feature = "simulator")]
impl StreamsToken {
    pub(in crate::kinesis) fn seal(&self) -> String {
        let mut out = vec![STREAMS];
        out.extend(self.issued_at.0.to_be_bytes());
        out.extend(arn_of(&self.after));
        seal(out)
    }

    /// `None` for a text that was not given out here.
    pub(in crate::kinesis) fn open(text: &str) -> Option<Self> {
        let bytes = open(text)?;
        let mut fields = Fields(&bytes);
        (fields.byte()? == STREAMS).then_some(())?;
        Some(Self {
            issued_at: fields.time()?,
            after: fields.stream()?,
        })
    }
}

fn arn_of(stream: &StreamIdentity) -> &[u8] {
    stream.arn().unwrap_or_default().as_bytes()
}

fn seal(mut bytes: Vec<u8>) -> String {
    let sum = checksum(&bytes);
    bytes.extend(sum.to_be_bytes());
    base64_simd::STANDARD.encode_to_string(bytes)
}

fn open(text: &str) -> Option<Vec<u8>> {
    let mut bytes = base64_simd::STANDARD.decode_to_vec(text).ok()?;
    let body = bytes.len().checked_sub(size_of::<u32>())?;
    let sum = checksum(&bytes[..body]).to_be_bytes();
    (bytes[body..] == sum).then(|| bytes.truncate(body))?;
    Some(bytes)
}

/// FNV-1a: enough to tell a text of ours from garbage.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| {
        (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// Reads fixed-size fields off the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    fn time(&mut self) -> Option<UnixMillis> {
        self.take().map(i64::from_be_bytes).map(UnixMillis)
    }

    /// The ARN of a stream takes what is left.
    fn stream(&mut self) -> Option<StreamIdentity> {
        StreamIdentity::parse(str::from_utf8(self.0).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clicks() -> StreamIdentity {
        StreamIdentity::parse("arn:aws:kinesis:eu-west-1:111122223333:stream/clicks").unwrap()
    }

    fn iterator() -> IteratorToken {
        IteratorToken {
            stream: clicks(),
            stream_id: 17,
            shard_index: 3,
            place: 4_711,
            pinned: true,
            issued_at: UnixMillis(1_693_422_005_120),
        }
    }

    #[test]
    fn an_iterator_survives_the_round_trip() {
        assert_eq!(IteratorToken::open(&iterator().seal()), Some(iterator()));
    }

    #[test]
    fn a_page_token_survives_the_round_trip_with_any_filter() {
        for filter in [
            Filter::FromTrimHorizon,
            Filter::AtTrimHorizon,
            Filter::AtLatest,
            Filter::AtTimestamp(UnixMillis(5)),
            Filter::FromTimestamp(UnixMillis(6)),
            Filter::AfterShard(7),
        ] {
            let token = PageToken {
                stream: clicks(),
                stream_id: 17,
                after: 3,
                filter,
                issued_at: UnixMillis(9),
            };
            assert_eq!(PageToken::open(&token.seal()), Some(token));
        }
    }

    #[test]
    fn a_text_that_was_not_given_out_is_not_opened() {
        let sealed = iterator().seal();
        for text in [
            "",
            "garbage",
            "AAAA",
            &sealed[4..],
            &sealed.replace('A', "B"),
        ] {
            assert_eq!(IteratorToken::open(text), None, "{text}");
        }
        assert_eq!(PageToken::open(&sealed), None);
    }
}
