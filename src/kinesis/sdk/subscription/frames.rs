//! Cuts the body of an event stream into frames.
//!
//! A frame is its length and that of its headers, a CRC-32 of both, the headers, the payload, and a CRC-32 of all
//! that (Amazon Event Stream specification, "Message encoding"). The decoder of the SDK copies each payload twice,
//! into fresh memory; here it stays where it was received, or is collected once in pooled memory.

use bytes::Bytes;

use crate::kinesis::buffer_pool::BufferPool;
use crate::kinesis::wire::Undecodable;

/// The two lengths and their CRC.
const PRELUDE_BYTES: usize = 12;

const CRC_BYTES: usize = 4;

/// The largest frame (Amazon Event Stream specification, "Message": 16 MiB of payload and 128 KiB of headers).
pub(super) const MAX_FRAME_BYTES: usize = (16 << 20) + (128 << 10) + PRELUDE_BYTES + CRC_BYTES;

/// The frames in a body that arrives in chunks.
#[derive(Debug)]
pub(super) struct Frames {
    pool: BufferPool,
    /// The last chunk, without the frames that it began with.
    received: Bytes,
    /// The beginning of a frame from the chunks before.
    begun: Vec<u8>,
}

impl Frames {
    /// The frames of an empty body. Those that arrive in several chunks are collected in memory of `pool`.
    pub(super) fn new(pool: BufferPool) -> Self {
        Self {
            pool,
            received: Bytes::new(),
            begun: Vec::new(),
        }
    }

    /// Adds the next chunk of the body, after [`next`](Self::next) has found no frame.
    pub(super) fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.received.is_empty(), "frames are taken before a chunk");
        self.received = chunk;
    }

    /// The next frame; `None` until more of the body arrives.
    ///
    /// # Errors
    /// The frame is malformed, too large, or damaged. What follows it cannot be found.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, Undecodable> {
        if self.begun.is_empty()
            && let Some(lengths) = Lengths::of(&self.received)?
            && self.received.len() >= lengths.frame
        {
            let frame = self.received.split_to(lengths.frame);
            return Frame::checked(Memory::Received(frame), lengths).map(Some);
        }
        self.collect(PRELUDE_BYTES);
        let Some(lengths) = Lengths::of(&self.begun)? else {
            return Ok(None);
        };
        if self.begun.capacity() < lengths.frame {
            let mut whole = self.pool.take(lengths.frame);
            whole.extend_from_slice(&self.begun);
            self.begun = whole;
        }
        self.collect(lengths.frame);
        if self.begun.len() < lengths.frame {
            return Ok(None);
        }
        let frame = std::mem::take(&mut self.begun);
        Frame::checked(Memory::Collected(frame), lengths).map(Some)
    }

    /// Whether the body so far ends in the middle of a frame.
    pub(super) fn is_inside_frame(&self) -> bool {
        !self.begun.is_empty() || !self.received.is_empty()
    }

    /// Moves received bytes to those begun, until there are `bytes` of them.
    fn collect(&mut self, bytes: usize) {
        let missing = bytes.saturating_sub(self.begun.len());
        let part = self.received.split_to(missing.min(self.received.len()));
        self.begun.extend_from_slice(&part);
    }
}

/// The lengths at the beginning of a frame.
#[derive(Debug, Clone, Copy)]
struct Lengths {
    frame: usize,
    headers: usize,
}

impl Lengths {
    /// The lengths in the prelude with which `bytes` begin, once it is there.
    ///
    /// # Errors
    /// It is damaged, or the frame would be too large.
    fn of(bytes: &[u8]) -> Result<Option<Self>, Undecodable> {
        let Some((lengths, rest)) = bytes.split_first_chunk::<8>() else {
            return Ok(None);
        };
        let Some(crc) = rest.first_chunk() else {
            return Ok(None);
        };
        check_crc("the lengths of an event", lengths, *crc)?;
        let [a, b, c, d, e, f, g, h] = *lengths;
        let length = |bytes| usize::try_from(u32::from_be_bytes(bytes)).unwrap_or(usize::MAX);
        let (frame, headers) = (length([a, b, c, d]), length([e, f, g, h]));
        if frame > MAX_FRAME_BYTES {
            return Err(
                format!("an event has {frame} bytes, expected at most {MAX_FRAME_BYTES}").into(),
            );
        }
        let content = frame.checked_sub(PRELUDE_BYTES + CRC_BYTES);
        match content.is_some_and(|content| headers <= content) {
            true => Ok(Some(Self { frame, headers })),
            false => {
                let message =
                    format!("an event has {frame} bytes, too few for its {headers} of headers");
                Err(message.into())
            }
        }
    }
}

/// A frame: a message of the event stream.
#[derive(Debug)]
pub(super) struct Frame {
    memory: Memory,
    lengths: Lengths,
}

/// Where a frame is.
#[derive(Debug)]
enum Memory {
    /// In the chunk that has all of it.
    Received(Bytes),
    /// In pooled memory.
    Collected(Vec<u8>),
}

impl Frame {
    /// The frame in `memory`, all of which it fills.
    ///
    /// # Errors
    /// It is damaged, or its headers are malformed.
    fn checked(memory: Memory, lengths: Lengths) -> Result<Self, Undecodable> {
        let frame = Self { memory, lengths };
        let (content, crc) = frame
            .bytes()
            .split_last_chunk()
            .ok_or("an event has no checksum")?;
        check_crc("an event", content, *crc)?;
        match frame.headers().all(|header| header.is_some()) {
            true => Ok(frame),
            false => Err("the headers of an event are malformed".into()),
        }
    }

    pub(super) fn payload(&self) -> &[u8] {
        let bytes = self.bytes();
        &bytes[PRELUDE_BYTES + self.lengths.headers..bytes.len() - CRC_BYTES]
    }

    /// The header of this name, if it is a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers().flatten();
        let (_, value) = headers.find(|(found, _)| *found == name)?;
        match value {
            HeaderValue::Text(text) => Some(text),
            HeaderValue::Other => None,
        }
    }

    /// Gives the memory back to `pool`.
    pub(super) fn give_back(self, pool: &BufferPool) {
        if let Memory::Collected(bytes) = self.memory {
            pool.give_back(bytes);
        }
    }

    fn headers(&self) -> Headers<'_> {
        Headers(&self.bytes()[PRELUDE_BYTES..PRELUDE_BYTES + self.lengths.headers])
    }

    fn bytes(&self) -> &[u8] {
        match &self.memory {
            Memory::Received(bytes) => bytes,
            Memory::Collected(bytes) => bytes,
        }
    }
}

/// The value of a header. Kinesis sends texts only.
#[derive(Debug, Clone, Copy)]
enum HeaderValue<'a> {
    Text(&'a str),
    Other,
}

/// Iterates over headers. Gives `None` for a malformed one, after which no further one is found.
struct Headers<'a>(&'a [u8]);

impl<'a> Iterator for Headers<'a> {
    type Item = Option<(&'a str, HeaderValue<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let header = header(&mut self.0);
        if header.is_none() {
            self.0 = &[];
        }
        Some(header)
    }
}

/// Takes a header from the beginning of `headers`.
fn header<'a>(headers: &mut &'a [u8]) -> Option<(&'a str, HeaderValue<'a>)> {
    let name_bytes = *headers.split_off_first()?;
    let name = headers.split_off(..name_bytes.into())?;
    let name = str::from_utf8(name).ok()?;
    let value_bytes = match *headers.split_off_first()? {
        // True and false.
        0 | 1 => 0,
        // Integers.
        2 => 1,
        3 => 2,
        4 => 4,
        5 => 8,
        // A byte array.
        6 => length(headers)?,
        7 => {
            let length = length(headers)?;
            let text = str::from_utf8(headers.split_off(..length)?).ok()?;
            return Some((name, HeaderValue::Text(text)));
        }
        // A time in milliseconds.
        8 => 8,
        // A UUID.
        9 => 16,
        _ => return None,
    };
    headers.split_off(..value_bytes)?;
    Some((name, HeaderValue::Other))
}

/// Takes the length of a byte array or text from the beginning of `headers`.
fn length(headers: &mut &[u8]) -> Option<usize> {
    let (length, rest) = headers.split_first_chunk()?;
    *headers = rest;
    Some(u16::from_be_bytes(*length).into())
}

/// Checks `bytes`, which are `what`.
///
/// # Errors
/// They do not have this CRC.
fn check_crc(what: &str, bytes: &[u8], expected: [u8; CRC_BYTES]) -> Result<(), Undecodable> {
    let (expected, found) = (u32::from_be_bytes(expected), crc32fast::hash(bytes));
    match found == expected {
        true => Ok(()),
        false => Err(format!("{what} is damaged: CRC {found:08x}, expected {expected:08x}").into()),
    }
}

#[cfg(test)]
mod tests;
