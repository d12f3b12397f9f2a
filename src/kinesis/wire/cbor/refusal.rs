//! Refused requests.

use std::borrow::Cow;

use super::reading::{Malformed, Reader};
use crate::kinesis::wire::Refusal;

/// The refusal in an answer.
///
/// # Errors
/// The answer is no CBOR.
pub(in crate::kinesis) fn refusal(body: &[u8]) -> Result<Refusal, Malformed> {
    let (mut code, mut message) = (None, None);
    let mut reader = Reader::new(body);
    reader.map(|reader, member| {
        match member {
            b"__type" => code = reader.optional_text()?,
            b"message" | b"Message" => message = reader.optional_text()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    reader.finish()?;
    Ok(Refusal {
        code: code.as_deref().map(Refusal::code),
        message: message.map(Cow::into_owned),
    })
}
