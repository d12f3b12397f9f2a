//! Receives pages in CBOR and does nothing with them: the least that reading a stream can cost.

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The bytes of all pages of a shard, from `iterator` up to the tip.
pub(crate) async fn receive_shard(url: &str, mut iterator: String, limit: i32) -> usize {
    let address = url.trim_start_matches("http://").to_owned();
    let connection = TcpStream::connect(&address).await.expect("a connection");
    let (mut sender, serving) = handshake(TokioIo::new(connection))
        .await
        .expect("a connection");
    let serving = tokio::spawn(serving);
    let mut bytes = 0;
    loop {
        let body = page(&mut sender, &address, &iterator, limit).await;
        bytes += body.len();
        if integer_after(&body, b"MillisBehindLatest") == Some(0) {
            break;
        }
        iterator = text_after(&body, b"NextShardIterator").expect("the shard is open");
    }
    drop(sender);
    serving.abort();
    bytes
}

async fn page(
    sender: &mut SendRequest<Full<Bytes>>,
    address: &str,
    iterator: &str,
    limit: i32,
) -> Bytes {
    let length = u16::try_from(iterator.len()).expect("an iterator is short");
    let request = [
        &b"\xa2\x65Limit\x1a"[..],
        &limit.to_be_bytes(),
        b"\x6dShardIterator\x79",
        &length.to_be_bytes(),
        iterator.as_bytes(),
    ];
    let request = Request::post("/")
        .header("host", address)
        .header("content-type", "application/x-amz-cbor-1.1")
        .header("x-amz-target", "Kinesis_20131202.GetRecords")
        .body(Full::from(request.concat()))
        .expect("a valid request");
    let answer = sender.send_request(request).await.expect("an answer");
    assert!(answer.status().is_success(), "{answer:?}");
    answer
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes()
}

/// The bytes after the last `name`, which is near the end of an answer.
fn after<'a>(body: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let start = body
        .windows(name.len())
        .rposition(|window| window == name)?;
    body.get(start + name.len()..)
}

fn text_after(body: &[u8], name: &[u8]) -> Option<String> {
    let rest = after(body, name)?;
    let (length, rest) = match rest {
        [head @ 0x60..=0x77, rest @ ..] => (usize::from(head - 0x60), rest),
        [0x78, length, rest @ ..] => (usize::from(*length), rest),
        [0x79, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        _ => return None,
    };
    String::from_utf8(rest.get(..length)?.to_vec()).ok()
}

/// A small number; larger ones have several bytes.
fn integer_after(body: &[u8], name: &[u8]) -> Option<u8> {
    after(body, name)?
        .first()
        .copied()
        .filter(|head| *head < 0x18)
}
