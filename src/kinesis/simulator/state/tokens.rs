//! Encoding of opaque tokens: shard iterators and page tokens.

use super::shard_filter::Filter;
use crate::model::{ConsumerName, StreamIdentity, UnixMillis};

/// A shard iterator: a read position and when it was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kinesis) struct IteratorToken {
    pub(in crate::kinesis) stream: StreamIdentity,
    pub(in crate::kinesis) stream_id: u64,
    pub(in crate::kinesis) shard_index: u32,
    pub(in crate::kinesis) index: u64,
    /// Whether it never returns records.
    pub(in crate::kinesis) pinned: bool,
    pub(in crate::kinesis) issued_at: UnixMillis,
}

/// The token after a page of shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kinesis) struct PageToken {
    pub(in crate::kinesis) stream: StreamIdentity,
    pub(in crate::kinesis) stream_id: u64,
    /// The index of the last shard of the page.
    pub(in crate::kinesis) after: u32,
    pub(in crate::kinesis) filter: Filter,
    pub(in crate::kinesis) issued_at: UnixMillis,
}

/// The token after a page of consumers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kinesis) struct ConsumersToken {
    pub(in crate::kinesis) stream: StreamIdentity,
    pub(in crate::kinesis) stream_id: u64,
    /// The last consumer of the page.
    pub(in crate::kinesis) after: ConsumerName,
    pub(in crate::kinesis) issued_at: UnixMillis,
}

/// The token after a page of streams.
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
const CONSUMERS: u8 = 4;

impl IteratorToken {
    pub(in crate::kinesis) fn encode(&self) -> String {
        let mut out = vec![ITERATOR];
        out.extend(self.stream_id.to_be_bytes());
        out.extend(self.shard_index.to_be_bytes());
        out.extend(self.index.to_be_bytes());
        out.push(u8::from(self.pinned));
        out.extend(self.issued_at.0.to_be_bytes());
        out.extend(arn_of(&self.stream));
        encode_bytes(out)
    }

    /// Decodes a token; `None` if this simulator did not issue it.
    pub(in crate::kinesis) fn decode(text: &str) -> Option<Self> {
        let bytes = decode_bytes(text)?;
        let mut fields = Fields(&bytes);
        (fields.byte()? == ITERATOR).then_some(())?;
        Some(Self {
            stream_id: fields.u64()?,
            shard_index: fields.u32()?,
            index: fields.u64()?,
            pinned: fields.byte()? == 1,
            issued_at: fields.time()?,
            stream: fields.stream()?,
        })
    }
}

impl PageToken {
    pub(in crate::kinesis) fn encode(&self) -> String {
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
        encode_bytes(out)
    }

    /// Decodes a token; `None` if this simulator did not issue it.
    pub(in crate::kinesis) fn decode(text: &str) -> Option<Self> {
        let bytes = decode_bytes(text)?;
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

impl ConsumersToken {
    pub(in crate::kinesis) fn encode(&self) -> String {
        let name = self.after.as_str().as_bytes();
        let mut out = vec![CONSUMERS];
        out.extend(self.stream_id.to_be_bytes());
        out.extend(self.issued_at.0.to_be_bytes());
        // A name has at most 128 characters, all of them ASCII.
        out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        out.extend(name);
        out.extend(arn_of(&self.stream));
        encode_bytes(out)
    }

    /// Decodes a token; `None` if this simulator did not issue it.
    pub(in crate::kinesis) fn decode(text: &str) -> Option<Self> {
        let bytes = decode_bytes(text)?;
        let mut fields = Fields(&bytes);
        (fields.byte()? == CONSUMERS).then_some(())?;
        Some(Self {
            stream_id: fields.u64()?,
            issued_at: fields.time()?,
            after: fields.consumer()?,
            stream: fields.stream()?,
        })
    }
}

#[cfg(feature = "simulator")]
impl StreamsToken {
    pub(in crate::kinesis) fn encode(&self) -> String {
        let mut out = vec![STREAMS];
        out.extend(self.issued_at.0.to_be_bytes());
        out.extend(arn_of(&self.after));
        encode_bytes(out)
    }

    /// Decodes a token; `None` if this simulator did not issue it.
    pub(in crate::kinesis) fn decode(text: &str) -> Option<Self> {
        let bytes = decode_bytes(text)?;
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

fn encode_bytes(mut bytes: Vec<u8>) -> String {
    let sum = checksum(&bytes);
    bytes.extend(sum.to_be_bytes());
    base64_simd::STANDARD.encode_to_string(bytes)
}

fn decode_bytes(text: &str) -> Option<Vec<u8>> {
    let mut bytes = base64_simd::STANDARD.decode_to_vec(text).ok()?;
    let body = bytes.len().checked_sub(size_of::<u32>())?;
    let sum = checksum(&bytes[..body]).to_be_bytes();
    (bytes[body..] == sum).then(|| bytes.truncate(body))?;
    Some(bytes)
}

/// FNV-1a, enough to detect tokens that were not issued by this simulator.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| {
        (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// Reads fixed-size fields from the front.
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

    /// The name of a consumer, behind its length.
    fn consumer(&mut self) -> Option<ConsumerName> {
        let length = self.byte()?;
        let (name, rest) = self.0.split_at_checked(length.into())?;
        self.0 = rest;
        ConsumerName::new(str::from_utf8(name).ok()?).ok()
    }

    /// The rest, as the ARN of a stream.
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
            index: 4_711,
            pinned: true,
            issued_at: UnixMillis(1_693_422_005_120),
        }
    }

    #[test]
    fn iterators_round_trip() {
        assert_eq!(
            IteratorToken::decode(&iterator().encode()),
            Some(iterator())
        );
    }

    #[test]
    fn page_tokens_round_trip_with_any_filter() {
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
            assert_eq!(PageToken::decode(&token.encode()), Some(token));
        }
    }

    #[test]
    fn page_tokens_of_consumers_round_trip() {
        let token = ConsumersToken {
            stream: clicks(),
            stream_id: 17,
            after: ConsumerName::new("sql.1").unwrap(),
            issued_at: UnixMillis(9),
        };
        assert_eq!(ConsumersToken::decode(&token.encode()), Some(token));
    }

    #[test]
    fn tokens_not_issued_here_are_rejected() {
        let encoded = iterator().encode();
        for text in [
            "",
            "garbage",
            "AAAA",
            &encoded[4..],
            &encoded.replace('A', "B"),
        ] {
            assert_eq!(IteratorToken::decode(text), None, "{text}");
        }
        assert_eq!(PageToken::decode(&encoded), None);
    }
}
