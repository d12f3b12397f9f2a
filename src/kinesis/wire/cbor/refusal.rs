//! Refused requests.

use super::reading::{Malformed, Reader};

/// Why a server refused a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kinesis) struct Refusal {
    /// The error code, without its namespace.
    pub(in crate::kinesis) code: String,
    pub(in crate::kinesis) message: String,
}

/// The refusal in an answer.
///
/// # Errors
/// The answer is no CBOR, or has no error code.
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
    let code = code.ok_or_else(|| Malformed::missing("__type"))?;
    Ok(Refusal {
        code: code.rsplit('#').next().unwrap_or_default().to_owned(),
        message: message.unwrap_or_default().into_owned(),
    })
}
