//! Stream names and ARNs.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};

/// A stream name: 1 to 128 of the characters `a-z A-Z 0-9 _ . -` (API reference, CreateStream).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName(Arc<str>);

impl StreamName {
    /// Validates characters and length.
    pub fn new(name: &str) -> Result<Self> {
        checked_name("stream", name).map(Self)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name of a stream or of a consumer, which is what `kind` says.
pub(super) fn checked_name(kind: &str, name: &str) -> Result<Arc<str>> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if (1..=128).contains(&name.len()) && name.chars().all(allowed) {
        Ok(name.into())
    } else {
        Err(Error::invalid_option(format!(
            "{kind} name '{name}': expected 1 to 128 of the characters a-z A-Z 0-9 _ . -"
        )))
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A stream by name, and by ARN if known. Requests name the stream by its ARN if it is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamIdentity {
    name: StreamName,
    arn: Option<Arc<str>>,
}

impl StreamIdentity {
    /// A stream in the caller's account and region.
    pub fn named(name: StreamName) -> Self {
        Self { name, arn: None }
    }

    /// Parses a name or an ARN `arn:<partition>:kinesis:<region>:<account>:stream/<name>`.
    pub fn parse(text: &str) -> Result<Self> {
        if !text.starts_with("arn:") {
            return StreamName::new(text).map(Self::named);
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let name = match parts.as_slice() {
            ["arn", _, "kinesis", region, account, resource]
                if !region.is_empty() && !account.is_empty() =>
            {
                resource.strip_prefix("stream/")
            }
            _ => None,
        };
        let name = name.ok_or_else(|| {
            Error::invalid_option(format!(
                "stream ARN '{text}': expected arn:<partition>:kinesis:<region>:<account>:stream/<name>"
            ))
        })?;
        Ok(Self {
            name: StreamName::new(name)?,
            arn: Some(text.into()),
        })
    }

    /// The name, which is part of the ARN if there is one.
    pub fn name(&self) -> &StreamName {
        &self.name
    }

    /// The ARN, if known.
    pub fn arn(&self) -> Option<&str> {
        self.arn.as_deref()
    }

    /// The region in the ARN, if there is one.
    pub fn arn_region(&self) -> Option<&str> {
        self.arn()?.split(':').nth(3)
    }

    /// The account in the ARN, if there is one.
    pub fn arn_account(&self) -> Option<&str> {
        self.arn()?.split(':').nth(4)
    }
}

impl fmt::Display for StreamIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_region_and_account_are_parsed_from_an_arn() {
        let arn = "arn:aws-cn:kinesis:cn-north-1:111122223333:stream/clicks";
        let stream = StreamIdentity::parse(arn).unwrap();
        assert_eq!(stream.name().as_str(), "clicks");
        assert_eq!(stream.arn(), Some(arn));
        assert_eq!(stream.arn_region(), Some("cn-north-1"));
        assert_eq!(stream.arn_account(), Some("111122223333"));
    }

    #[test]
    fn an_invalid_name_or_arn_is_rejected_with_the_expected_form() {
        for text in [
            "arn:aws:s3:::bucket",
            "arn:aws:kinesis:eu-west-1:111122223333:consumer/x",
            "arn:aws:kinesis::111122223333:stream/x",
        ] {
            let message = StreamIdentity::parse(text).unwrap_err().to_string();
            assert!(
                message.contains(text) && message.contains("expected"),
                "{message}"
            );
        }
        assert!(StreamIdentity::parse("two words").is_err());
        assert!(StreamIdentity::parse("").is_err());
        assert!(StreamIdentity::parse(&"x".repeat(129)).is_err());
    }
}
