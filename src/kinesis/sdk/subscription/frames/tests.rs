use aws_smithy_eventstream::frame::{read_message_from, write_message_to};
use aws_smithy_types::DateTime;
use aws_smithy_types::event_stream::{Header, HeaderValue as SdkValue, Message};
use fastrand::Rng;

use super::*;

fn encoded(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_message_to(message, &mut bytes).unwrap();
    bytes
}

fn random_text(random: &mut Rng, most_characters: usize) -> String {
    let characters = random.usize(0..=most_characters);
    (0..characters).map(|_| random.char(..)).collect()
}

fn random_bytes(random: &mut Rng, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|_| random.u8(..)).collect()
}

fn random_value(random: &mut Rng) -> SdkValue {
    match random.u8(0..10) {
        0 => SdkValue::Bool(random.bool()),
        1 => SdkValue::Byte(random.i8(..)),
        2 => SdkValue::Int16(random.i16(..)),
        3 => SdkValue::Int32(random.i32(..)),
        4 => SdkValue::Int64(random.i64(..)),
        5 => {
            let bytes = random.usize(0..300);
            SdkValue::ByteArray(random_bytes(random, bytes).into())
        }
        6 => SdkValue::Timestamp(DateTime::from_millis(random.i64(0..1 << 48))),
        7 => SdkValue::Uuid(random.u128(..)),
        _ => SdkValue::String(random_text(random, 70).into()),
    }
}

/// A message with headers of any type and a payload of any size, mostly a small one.
fn random_message(random: &mut Rng) -> Message {
    let most_bytes = *random.choice(&[0, 1, 30, 2_000, 400_000]).unwrap();
    let payload_bytes = random.usize(0..=most_bytes);
    let payload = random_bytes(random, payload_bytes);
    let mut message = Message::new(payload);
    for number in 0..random.usize(0..6) {
        let name = format!("{number}{}", random_text(random, 50));
        message = message.add_header(Header::new(name, random_value(random)));
    }
    message
}

/// Expects a frame to be what the decoder of the SDK sees in it.
fn expect_same(frame: &Frame, message: &Message) {
    assert_eq!(frame.payload(), message.payload());
    for header in message.headers() {
        let text = header.value().as_string().ok();
        let found = frame.text(header.name().as_str());
        assert_eq!(found, text.map(|text| text.as_str()));
    }
    assert_eq!(frame.headers().count(), message.headers().len());
    assert_eq!(frame.text("none"), None);
}

/// The frames in a body that arrives in these chunks.
fn frames_in<'a>(
    chunks: impl IntoIterator<Item = &'a [u8]>,
    pool: &BufferPool,
) -> Result<(Vec<Frame>, bool), Undecodable> {
    let (mut frames, mut found) = (Frames::new(pool.clone()), Vec::new());
    for chunk in chunks {
        frames.push(Bytes::copy_from_slice(chunk));
        while let Some(frame) = frames.next()? {
            found.push(frame);
        }
    }
    Ok((found, frames.is_inside_frame()))
}

/// Cuts bytes into chunks of random sizes.
fn chunks<'a>(mut bytes: &'a [u8], random: &mut Rng) -> Vec<&'a [u8]> {
    let most_bytes = *random.choice(&[1, 12, 100, 16 << 10, 1 << 20]).unwrap();
    let mut chunks = Vec::new();
    while !bytes.is_empty() {
        let length = random.usize(0..=most_bytes).min(bytes.len());
        let (chunk, rest) = bytes.split_at(length);
        chunks.push(chunk);
        bytes = rest;
    }
    chunks
}

#[test]
fn frames_are_what_the_sdk_encodes_however_they_are_cut() {
    let mut random = Rng::with_seed(4);
    for _ in 0..200 {
        let messages: Vec<_> = (0..random.usize(1..6))
            .map(|_| random_message(&mut random))
            .collect();
        let body: Vec<u8> = messages.iter().flat_map(encoded).collect();
        let pool = BufferPool::default();
        let (frames, is_inside) = frames_in(chunks(&body, &mut random), &pool).unwrap();
        assert_eq!((frames.len(), is_inside), (messages.len(), false));
        for (frame, message) in frames.into_iter().zip(&messages) {
            expect_same(&frame, message);
            frame.give_back(&pool);
        }
        // Where the body ends early, the frames before the last are found.
        let end = random.usize(1..body.len());
        let (frames, is_inside) = frames_in(chunks(&body[..end], &mut random), &pool).unwrap();
        let mut found = 0;
        for (frame, message) in frames.iter().zip(&messages) {
            expect_same(frame, message);
            found += frame.bytes().len();
        }
        assert_eq!(is_inside, found < end);
        assert!(frames.len() <= messages.len());
    }
}

#[test]
fn damaged_frames_are_never_found() {
    let mut random = Rng::with_seed(5);
    for _ in 0..2_000 {
        let message = random_message(&mut random);
        let mut damaged = encoded(&message);
        let (byte, bit) = (random.usize(0..damaged.len()), random.u8(0..8));
        damaged[byte] ^= 1 << bit;
        let pool = BufferPool::default();
        let error = frames_in(chunks(&damaged, &mut random), &pool).unwrap_err();
        assert!(error.to_string().contains("is damaged"), "{error}");
    }
}

/// A frame with valid CRCs around any content.
fn sealed(frame_bytes: u32, headers_bytes: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(frame_bytes.to_be_bytes());
    bytes.extend(headers_bytes.to_be_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend(content);
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

/// Headers are mostly malformed here.
#[test]
fn the_same_frames_are_refused_as_by_the_sdk() {
    let mut random = Rng::with_seed(6);
    let mut accepted = 0;
    for _ in 0..100_000 {
        let content_bytes = random.usize(0..20);
        let mut content = random_bytes(&mut random, content_bytes);
        if let Some(name_bytes) = content.first_mut() {
            *name_bytes &= 3;
        }
        let kind = content.first().map_or(0, |bytes| usize::from(*bytes) + 1);
        if let Some(kind) = content.get_mut(kind) {
            *kind %= 11;
        }
        let frame_bytes = u32::try_from(content.len() + PRELUDE_BYTES + CRC_BYTES).unwrap();
        let headers_bytes = random.u32(0..22);
        let bytes = sealed(frame_bytes, headers_bytes, &content);
        let found = frames_in([&bytes[..]], &BufferPool::default());
        match (read_message_from(&bytes[..]), found) {
            (Ok(message), Ok((frames, false))) => {
                expect_same(&frames[0], &message);
                accepted += 1;
            }
            (Err(_), Err(_)) => {}
            (theirs, ours) => panic!("{bytes:?}: {theirs:?}, {ours:?}"),
        }
    }
    assert!(accepted > 2_000, "{accepted}");
}

#[test]
fn lengths_that_cannot_be_are_refused_before_the_rest_arrives() {
    let largest = u32::try_from(MAX_FRAME_BYTES).unwrap();
    for (frame, headers, expected) in [
        (largest + 1, 0, "at most"),
        (u32::MAX, 0, "at most"),
        (15, 0, "too few"),
        (0, 0, "too few"),
        (20, 5, "too few"),
        (20, u32::MAX, "too few"),
    ] {
        let bytes = sealed(frame, headers, b"");
        let found = frames_in(bytes[..12].chunks(5), &BufferPool::default());
        let error = found.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let waits = sealed(largest, 0, b"");
    let (frames, is_inside) = frames_in([&waits[..]], &BufferPool::default()).unwrap();
    assert!(frames.is_empty() && is_inside);
}

#[test]
fn frames_in_several_chunks_are_collected_in_pooled_memory() {
    let pool = BufferPool::default();
    let body = encoded(&Message::new(vec![7; 300_000]));
    let collect = || {
        let (mut frames, _) = frames_in(body.chunks(16 << 10), &pool).unwrap();
        frames.remove(0)
    };
    let first = collect();
    let start = first.bytes().as_ptr();
    first.give_back(&pool);
    let second = collect();
    assert_eq!(second.bytes().as_ptr(), start);
    assert_eq!(second.payload(), [7; 300_000]);
    // Nothing is copied out of a chunk that has all of a frame.
    let mut frames = Frames::new(pool);
    let chunk = Bytes::from([&body[..], &body[..]].concat());
    frames.push(chunk.clone());
    for start in [0, body.len()] {
        let frame = frames.next().unwrap().unwrap();
        assert_eq!(frame.bytes().as_ptr(), chunk[start..].as_ptr());
    }
    assert!(frames.next().unwrap().is_none());
}
