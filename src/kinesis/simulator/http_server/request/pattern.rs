//! Patterns of names, ARNs and numbers in the API model.

/// A pattern that a whole string must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kinesis) enum Pattern {
    Any,
    /// Names of streams, shards and consumers.
    Name,
    StreamArn,
    /// The ARN of a stream or another resource that can have tags and a policy.
    ResourceArn,
    ConsumerArn,
    StreamId,
    HashKey,
    SequenceNumber,
}

impl Pattern {
    /// The regular expression in the API model.
    pub(in crate::kinesis) fn text(self) -> &'static str {
        match self {
            Self::Any => ".*",
            Self::Name => "[a-zA-Z0-9_.-]+",
            Self::StreamArn => r"arn:aws.*:kinesis:.*:\d{12}:stream/\S+",
            Self::ResourceArn => r"arn:aws.*:kinesis:.*:\d{12}:.*(stream|channel|queue)/\S+",
            Self::ConsumerArn => {
                r"^(arn):aws.*:kinesis:.*:\d{12}:.*stream\/[a-zA-Z0-9_.-]+\/consumer\/[a-zA-Z0-9_.-]+:[0-9]+"
            }
            Self::StreamId => "[a-z0-9]{20}-[a-z0-9]{3}",
            Self::HashKey => r"^(0|([1-9]\d{0,38}))$",
            Self::SequenceNumber => r"^(0|([1-9]\d{0,128}))$",
        }
    }

    pub(in crate::kinesis) fn matches(self, text: &str) -> bool {
        let is_name = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-');
        let is_id = |part: &str| {
            let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
            part.bytes().all(allowed)
        };
        match self {
            Self::Any => true,
            Self::Name => !text.is_empty() && text.bytes().all(is_name),
            Self::StreamArn => is_arn(text, |resource| resource.starts_with("stream/")),
            Self::ResourceArn => is_arn(text, |resource| {
                let kinds = ["stream/", "channel/", "queue/"];
                kinds.iter().any(|kind| resource.contains(kind))
            }),
            Self::ConsumerArn => is_arn(text, |resource| {
                let parts = resource
                    .strip_prefix("stream/")
                    .and_then(|rest| rest.split_once("/consumer/"));
                parts.is_some_and(|(stream, consumer)| {
                    let named = |name: &str| !name.is_empty() && name.bytes().all(is_name);
                    let is_time = |time: &str| {
                        !time.is_empty() && time.bytes().all(|digit| digit.is_ascii_digit())
                    };
                    let consumer = consumer.split_once(':');
                    named(stream)
                        && consumer.is_some_and(|(name, time)| named(name) && is_time(time))
                })
            }),
            Self::StreamId => text.split_once('-').is_some_and(|(id, end)| {
                (id.len(), end.len()) == (20, 3) && is_id(id) && is_id(end)
            }),
            Self::HashKey => is_decimal(text, 39),
            Self::SequenceNumber => is_decimal(text, 129),
        }
    }
}

/// Whether `text` is `arn:<partition>:kinesis:<region>:<account>:<resource>` in an AWS partition.
fn is_arn(text: &str, is_resource: impl Fn(&str) -> bool) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "kinesis", _, account, resource] = parts.as_slice() else {
        return false;
    };
    let named = resource
        .split_once('/')
        .is_some_and(|(_, name)| !name.is_empty());
    partition.starts_with("aws")
        && account.len() == 12
        && account.bytes().all(|digit| digit.is_ascii_digit())
        && named
        && !resource.contains(char::is_whitespace)
        && is_resource(resource)
}

/// Whether `text` is a decimal without leading zeros.
fn is_decimal(text: &str, most_digits: usize) -> bool {
    let digits = text.bytes().all(|digit| digit.is_ascii_digit());
    let first = text.bytes().next();
    digits && text.len() <= most_digits && (text == "0" || first.is_some_and(|digit| digit != b'0'))
}
