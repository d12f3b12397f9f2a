//! Which stream is meant: by name, or by ARN where it is known.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};

/// The name of a stream: 1 to 128 of `a-z A-Z 0-9 _ . -` (API reference of CreateStream).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName(Arc<str>);

impl StreamName {
    /// Checks the characters and the length.
    pub fn new(name: &str) -> Result<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if (1..=128).contains(&name.len()) && name.chars().all(allowed) {
            Ok(Self(name.into()))
        } else {
            Err(Error::invalid_option(format!(
                "stream name '{name}': expected 1 to 128 of the characters a-z A-Z 0-9 _ . -"
            )))
        }
    }

    /// The text of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A stream as a user or the service names it; the ARN is sent to the service whenever it is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamIdentity {
    name: StreamName,
    arn: Option<Arc<str>>,
}

impl StreamIdentity {
    /// A stream of the caller's own account and region.
    pub fn named(name: StreamName) -> Self {
        Self { name, arn: None }
    }

    /// Reads a bare name or `arn:<partition>:kinesis:<region>:<account>:stream/<name>`.
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

    /// The name, also out of an ARN.
    pub fn name(&self) -> &StreamName {
        &self.name
    }

    /// The ARN, where it is known.
    pub fn arn(&self) -> Option<&str> {
        self.arn.as_deref()
    }

    /// The region of the ARN, where there is one.
    pub fn arn_region(&self) -> Option<&str> {
        self.arn()?.split(':').nth(3)
    }

    /// The account of the ARN, where there is one.
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
    fn an_arn_gives_name_and_region() {
        let arn = "arn:aws-cn:kinesis:cn-north-1:111122223333:stream/clicks";
        let stream = StreamIdentity::parse(arn).unwrap();
        assert_eq!(stream.name().as_str(), "clicks");
        assert_eq!(stream.arn(), Some(arn));
        assert_eq!(stream.arn_region(), Some("cn-north-1"));
        assert_eq!(stream.arn_account(), Some("111122223333"));
    }

    #[test]
    fn a_wrong_arn_or_name_says_what_was_expected() {
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
