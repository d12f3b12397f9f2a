//! The bodies of answers.

use std::convert::Infallible;
use std::fmt;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};

/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, ConnectionLost>;

/// Ends the connection without a response, or in the middle of one.
#[derive(Debug)]
pub(super) struct ConnectionLost;

impl fmt::Display for ConnectionLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault closed the connection")
    }
}

impl std::error::Error for ConnectionLost {}

/// A body that is complete.
pub(super) fn complete(body: Vec<u8>) -> Body {
    let body = Full::new(Bytes::from(body));
    body.map_err(|never: Infallible| match never {})
        .boxed_unsync()
}
