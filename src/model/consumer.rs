//! Consumers of enhanced fan-out: names and ARNs.

use std::fmt;
use std::sync::Arc;

use super::stream::{StreamIdentity, checked_name};
use crate::error::{Error, Result};

/// A consumer name: 1 to 128 of the characters `a-z A-Z 0-9 _ . -` (API reference, RegisterStreamConsumer).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerName(Arc<str>);

impl ConsumerName {
    /// Validates characters and length.
    pub fn new(name: &str) -> Result<Self> {
        checked_name("consumer", name).map(Self)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConsumerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The ARN of a consumer: `<ARN of the stream>/consumer/<name>:<time of creation>`. A consumer that is registered
/// again under the same name has another ARN.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerArn(Arc<str>);

impl ConsumerArn {
    /// Checks the form.
    pub fn new(arn: &str) -> Result<Self> {
        Self::parts(arn).map(|_| Self(arn.into())).ok_or_else(|| {
            Error::invalid_option(format!(
                "consumer ARN '{arn}': expected \
                 arn:<partition>:kinesis:<region>:<account>:stream/<stream>/consumer/<name>:<time of creation>"
            ))
        })
    }

    /// The ARN as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ARN of the stream.
    pub fn stream_arn(&self) -> &str {
        let (stream, _) = Self::parts(&self.0).expect("the form was checked");
        stream
    }

    /// The name of the consumer.
    pub fn name(&self) -> ConsumerName {
        let (_, name) = Self::parts(&self.0).expect("the form was checked");
        name
    }

    /// The ARN of the stream, and the name of the consumer.
    fn parts(arn: &str) -> Option<(&str, ConsumerName)> {
        let (stream, consumer) = arn.split_once("/consumer/")?;
        let (name, created) = consumer.split_once(':')?;
        let is_time = !created.is_empty() && created.bytes().all(|byte| byte.is_ascii_digit());
        StreamIdentity::parse(stream).ok()?.arn()?;
        is_time
            .then(|| ConsumerName::new(name).ok())?
            .map(|name| (stream, name))
    }
}

impl fmt::Display for ConsumerArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who registers and deregisters a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ConsumerLifecycle {
    /// A query registers it unless it exists, and deregisters at its end what it has registered.
    #[default]
    Managed,
    /// A query registers it unless it exists, and never deregisters it.
    Reuse,
    /// It must exist.
    External,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_names_its_stream() {
        let arn = "arn:aws:kinesis:eu-west-1:111122223333:stream/words/consumer/sql:1525898737";
        let arn = ConsumerArn::new(arn).unwrap();
        assert_eq!(
            arn.stream_arn(),
            "arn:aws:kinesis:eu-west-1:111122223333:stream/words"
        );
    }

    #[test]
    fn invalid_names_and_arns_are_refused_with_the_expected_form() {
        for text in [
            "arn:aws:kinesis:eu-west-1:111122223333:stream/words",
            "arn:aws:kinesis:eu-west-1:111122223333:stream/words/consumer/sql",
            "arn:aws:kinesis:eu-west-1:111122223333:stream/words/consumer/sql:",
            "arn:aws:kinesis:eu-west-1:111122223333:stream/words/consumer/s q l:1",
            "words/consumer/sql:1",
        ] {
            let message = ConsumerArn::new(text).unwrap_err().to_string();
            assert!(
                message.contains(text) && message.contains("expected"),
                "{message}"
            );
        }
        assert!(ConsumerName::new("").is_err() && ConsumerName::new("a b").is_err());
        assert!(ConsumerName::new(&"x".repeat(128)).is_ok());
        assert!(ConsumerName::new(&"x".repeat(129)).is_err());
    }
}
