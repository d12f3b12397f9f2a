//! Recognizes what a payload holds.

use std::borrow::Cow;
use std::fmt;

use super::framing::{self, Documents, JsonFraming};
use super::header::Header;
use crate::format::BYTE_ORDER_MARK;
use crate::format::documents::DocumentFailure;
use crate::format::header::unframed;
use crate::format::json::entries;
use crate::options::SchemaRegistryType;

/// The content of a record after decompression.
#[derive(Debug)]
pub(super) struct Payload<'a> {
    /// The number of the record, from 1.
    pub(super) number: usize,
    pub(super) bytes: Cow<'a, [u8]>,
    pub(super) kind: Kind,
    /// It with its document decompressed, if its header says that it is compressed.
    inflated: Option<Result<Vec<u8>, DocumentFailure>>,
}

/// What a payload holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    CloudWatchLogs,
    DynamoDb,
    Json(JsonFraming),
    /// With a header that names a schema.
    Framed(Header),
    Text,
    Binary,
}

impl<'a> Payload<'a> {
    /// `limit` is how many bytes it may have after decompression.
    pub(super) fn new(number: usize, bytes: Cow<'a, [u8]>, limit: usize) -> Self {
        let kind = kind_of(&bytes);
        Self {
            number,
            inflated: inflated(kind, &bytes, limit),
            kind,
            bytes,
        }
    }

    /// How many bytes it takes in memory.
    pub(super) fn size(&self) -> usize {
        let inflated = self.inflated.iter().flatten().map(Vec::len);
        self.bytes.len() + inflated.sum::<usize>()
    }

    /// The document behind the header, which is like `header`.
    ///
    /// # Errors
    /// There is no such header, or the document cannot be decompressed.
    pub(super) fn behind(&self, header: Header) -> Result<&[u8], String> {
        match (self.kind, &self.inflated) {
            (Kind::Framed(found), inflated) if found.is_like(&header) => match inflated {
                None => Ok(&self.bytes[found.bytes()..]),
                Some(Ok(bytes)) => Ok(&bytes[found.bytes()..]),
                Some(Err(failure)) => Err(failure.to_string()),
            },
            (kind, _) => Err(format!("is {kind}")),
        }
    }

    /// Whether there is nothing in it.
    pub(super) fn is_blank(&self) -> bool {
        self.bytes.trim_ascii().is_empty()
    }

    /// As text, without a byte order mark.
    pub(super) fn text(&self) -> Result<&str, std::str::Utf8Error> {
        text_of(&self.bytes)
    }

    /// Its lines that are not blank; none if it is not text.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        let lines = self.text().unwrap_or_default().lines();
        lines.filter(|line| !line.trim().is_empty())
    }
}

/// The payload with its document decompressed, if the header of AWS Glue's serializers says that it is compressed.
fn inflated(kind: Kind, bytes: &[u8], limit: usize) -> Option<Result<Vec<u8>, DocumentFailure>> {
    let Kind::Framed(Header::Glue(_)) = kind else {
        return None;
    };
    let option = "kinesis.json.header";
    match unframed(bytes, SchemaRegistryType::Glue, option, limit) {
        Ok(document) => match document.bytes {
            Cow::Owned(bytes) => Some(Ok(bytes)),
            Cow::Borrowed(_) => None,
        },
        Err(failure) => Some(Err(failure)),
    }
}

/// Whether most documents behind a header like `header` are JSON objects, which a registry also has schemas for.
pub(super) fn are_json_behind(header: Header, payloads: &[Payload<'_>]) -> bool {
    let (mut framed, mut json) = (0, 0);
    for document in payloads
        .iter()
        .filter_map(|payload| payload.behind(header).ok())
    {
        framed += 1;
        json += usize::from(text_of(document).is_ok_and(|text| entries(text).is_ok()));
    }
    json * 2 > framed
}

pub(super) fn text_of(bytes: &[u8]) -> Result<&str, std::str::Utf8Error> {
    std::str::from_utf8(bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes))
}

impl Kind {
    /// Whether both are the same format, with whatever schema or framing.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Json(_), Self::Json(_)) => true,
            (Self::Framed(one), Self::Framed(other)) => one.is_like(other),
            _ => self == other,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CloudWatchLogs => "log messages of CloudWatch",
            Self::DynamoDb => "a change of a DynamoDB item",
            Self::Json(_) => "JSON",
            Self::Framed(_) => "a document with the header of a schema",
            Self::Text => "text",
            Self::Binary => "binary",
        })
    }
}

fn kind_of(bytes: &[u8]) -> Kind {
    if let Some(header) = Header::of(bytes) {
        return Kind::Framed(header);
    }
    let Ok(text) = text_of(bytes) else {
        return Kind::Binary;
    };
    if text.trim_start().starts_with(['{', '[']) {
        match framing::documents(text) {
            Documents::Objects(framing, first) => {
                return preset_of(first).unwrap_or(Kind::Json(framing));
            }
            // A damaged object is JSON that will be reported as bad.
            Documents::Bad if text.trim_start().starts_with('{') => {
                return Kind::Json(JsonFraming::Record);
            }
            Documents::Bad | Documents::Other => {}
        }
    }
    let is_control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    match text.contains(is_control) {
        true => Kind::Binary,
        false => Kind::Text,
    }
}

/// The service whose messages have the form of the object `document`.
fn preset_of(document: &str) -> Option<Kind> {
    let fields = entries(document).ok()?;
    let starts = |name: &str, start: char| {
        let mut fields = fields.iter();
        fields.any(|(field, value)| field == name && value.get().starts_with(start))
    };
    if starts("messageType", '"') && starts("logEvents", '[') {
        return Some(Kind::CloudWatchLogs);
    }
    if starts("eventName", '"') && starts("dynamodb", '{') {
        return Some(Kind::DynamoDb);
    }
    None
}

/// What most of `payloads` hold; `None` if all are blank.
pub(super) fn most_frequent(payloads: &[Payload<'_>]) -> Option<Kind> {
    let mut counts: Vec<(Kind, usize)> = Vec::new();
    let filled = payloads.iter().filter(|payload| !payload.is_blank());
    for payload in filled.clone() {
        match counts
            .iter_mut()
            .find(|(kind, _)| kind.is_like(&payload.kind))
        {
            Some((_, count)) => *count += 1,
            None => counts.push((payload.kind, 1)),
        }
    }
    // The first of the most frequent ones.
    let most = counts.iter().map(|(_, count)| *count).max()?;
    let (kind, _) = counts.into_iter().find(|(_, count)| *count == most)?;
    Some(match kind {
        Kind::Framed(header) if !header.is_plausible(filled.map(|payload| &*payload.bytes)) => {
            Kind::Binary
        }
        kind => kind,
    })
}
