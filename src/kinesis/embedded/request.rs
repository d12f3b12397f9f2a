//! The members of a request, by name and type.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::failure::Failure;
use super::schema::{self, Member};
use crate::kinesis::in_memory::home::Home;
use crate::model::{HashKey, SequenceNumber, ShardId, StreamIdentity, StreamName, UnixMillis};

/// A request, and where its caller is at home.
#[derive(Debug)]
pub(super) struct ApiRequest {
    pub(super) members: Members,
    pub(super) home: Home,
}

impl ApiRequest {
    /// The stream, by `StreamARN`, by `StreamName` or by both.
    pub(super) fn stream(&self) -> Result<StreamIdentity, Failure> {
        self.stream_if_named()?.ok_or_else(|| {
            Failure::invalid("Either StreamName or StreamARN must be given, and neither is.")
        })
    }

    pub(super) fn stream_if_named(&self) -> Result<Option<StreamIdentity>, Failure> {
        let name = self.members.text("StreamName")?;
        let Some(arn) = self.members.text("StreamARN")? else {
            return match name {
                None => Ok(None),
                Some(_) => Ok(Some(self.home.stream(&self.stream_name()?))),
            };
        };
        let stream = StreamIdentity::parse(arn).map_err(|_| names_nothing("StreamARN", arn))?;
        match name.filter(|name| *name != stream.name().as_str()) {
            None => Ok(Some(stream)),
            Some(name) => Err(Failure::invalid(format!(
                "StreamName {name} is not the stream of StreamARN {arn}."
            ))),
        }
    }

    pub(super) fn stream_name(&self) -> Result<StreamName, Failure> {
        let name = self.members.required_text("StreamName")?;
        StreamName::new(name).map_err(|_| names_nothing("StreamName", name))
    }

    /// The stream that `ResourceARN` names; there are no other resources here.
    pub(super) fn resource(&self) -> Result<StreamIdentity, Failure> {
        let arn = self.members.required_text("ResourceARN")?;
        let missing = || Failure::not_found(format!("Resource {arn} not found."));
        StreamIdentity::parse(arn).map_err(|_| missing())
    }
}

/// The JSON object of a request or of a part of it.
#[derive(Debug)]
pub(super) struct Members(Map<String, Value>);

impl Members {
    /// Reads a request body whose members are `of`. Later reads find the members to be of the right
    /// type and within their limits.
    pub(super) fn parse(body: &[u8], of: &[Member]) -> Result<Self, Failure> {
        let members = match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => members,
            Ok(_) => return Err(Failure::serialization("Expected a JSON object.")),
            Err(error) => return Err(Failure::serialization(error.to_string())),
        };
        schema::check(&members, of)?;
        Ok(Self(members))
    }

    /// A member that may be absent or null.
    fn member(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.member(name).is_some()
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Failure> {
        match self.member(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_type(name, "a string", other)),
        }
    }

    pub(super) fn required_text(&self, name: &str) -> Result<&str, Failure> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Failure> {
        let Some(value) = self.member(name) else {
            return Ok(None);
        };
        let integer = value.as_i64();
        match integer {
            Some(_) => Ok(integer),
            None => Err(wrong_type(name, "an integer", value)),
        }
    }

    pub(super) fn required_integer(&self, name: &str) -> Result<i64, Failure> {
        self.integer(name)?.ok_or_else(|| missing(name))
    }

    /// A count, `default` if it is absent.
    pub(super) fn count(&self, name: &str, default: usize) -> Result<usize, Failure> {
        let count = self.integer(name)?.map(usize::try_from);
        Ok(count.and_then(Result::ok).unwrap_or(default))
    }

    /// A switch that is off where it is absent.
    pub(super) fn switch(&self, name: &str) -> Result<bool, Failure> {
        match self.member(name) {
            None => Ok(false),
            Some(Value::Bool(on)) => Ok(*on),
            Some(other) => Err(wrong_type(name, "a boolean", other)),
        }
    }

    /// Seconds since 1970 with a fraction, to the nearest millisecond.
    pub(super) fn time(&self, name: &str) -> Result<Option<UnixMillis>, Failure> {
        let Some(value) = self.member(name) else {
            return Ok(None);
        };
        match value.as_f64() {
            Some(seconds) => Ok(Some(UnixMillis((seconds * 1_000.0).round() as i64))),
            None => Err(wrong_type(name, "a number of seconds", value)),
        }
    }

    pub(super) fn shard_id(&self, name: &str) -> Result<ShardId, Failure> {
        self.required_text(name).map(ShardId::new)
    }

    pub(super) fn sequence_number(&self, name: &str) -> Result<Option<SequenceNumber>, Failure> {
        let number = self
            .text(name)?
            .map(|digits| SequenceNumber::new(digits).map_err(|_| names_nothing(name, digits)));
        number.transpose()
    }

    pub(super) fn hash_key(&self, name: &str) -> Result<Option<HashKey>, Failure> {
        let Some(digits) = self.text(name)? else {
            return Ok(None);
        };
        let key = HashKey::from_decimal(digits).ok_or_else(|| {
            Failure::invalid(format!(
                "Invalid {name}. {name} must be in the range: [0, 2^128-1]. Specified value was \
                 {digits}"
            ))
        })?;
        Ok(Some(key))
    }

    pub(super) fn required_hash_key(&self, name: &str) -> Result<HashKey, Failure> {
        self.hash_key(name)?.ok_or_else(|| missing(name))
    }

    /// Bytes in base64, decoded where they lie.
    pub(super) fn take_blob(&mut self, name: &str) -> Result<Vec<u8>, Failure> {
        let mut bytes = match self.0.remove(name) {
            Some(Value::String(text)) => text.into_bytes(),
            None | Some(Value::Null) => return Err(missing(name)),
            Some(other) => return Err(wrong_type(name, "base64", &other)),
        };
        let decoded = base64_simd::STANDARD
            .decode_inplace(&mut bytes)
            .map_err(|_| Failure::serialization(format!("{name} is not valid base64.")))?;
        let length = decoded.len();
        bytes.truncate(length);
        Ok(bytes)
    }

    /// A list of objects.
    pub(super) fn take_list(&mut self, name: &str) -> Result<Vec<Self>, Failure> {
        let items = match self.0.remove(name) {
            Some(Value::Array(items)) => items,
            None | Some(Value::Null) => return Err(missing(name)),
            Some(other) => return Err(wrong_type(name, "a list", &other)),
        };
        let members = |item| match item {
            Value::Object(members) => Ok(Self(members)),
            other => Err(wrong_type(name, "a list of objects", &other)),
        };
        items.into_iter().map(members).collect()
    }

    /// A list of texts.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Failure> {
        let text = |item: &Value| match item {
            Value::String(text) => Ok(text.clone()),
            other => Err(wrong_type(name, "a list of strings", other)),
        };
        match self.member(name) {
            None => Err(missing(name)),
            Some(Value::Array(items)) => items.iter().map(text).collect(),
            Some(other) => Err(wrong_type(name, "a list", other)),
        }
    }

    /// An object of texts, empty if it is absent.
    pub(super) fn text_map(&self, name: &str) -> Result<BTreeMap<String, String>, Failure> {
        let entries = self.object(name)?.map(|Self(entries)| entries);
        let text = |(key, value): (String, Value)| match value {
            Value::String(text) => Ok((key, text)),
            other => Err(wrong_type(name, "an object of strings", &other)),
        };
        entries.into_iter().flatten().map(text).collect()
    }

    pub(super) fn required_object(&self, name: &str) -> Result<Self, Failure> {
        self.object(name)?.ok_or_else(|| missing(name))
    }

    /// An object that may be absent.
    pub(super) fn object(&self, name: &str) -> Result<Option<Self>, Failure> {
        match self.member(name) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(Self(members.clone()))),
            Some(other) => Err(wrong_type(name, "an object", other)),
        }
    }
}

fn missing(name: &str) -> Failure {
    Failure::invalid(format!("{name} must be given."))
}

/// A text that passes its pattern and still means nothing.
fn names_nothing(name: &str, value: &str) -> Failure {
    Failure::invalid(format!("{name} {value} is invalid."))
}

fn wrong_type(name: &str, expected: &str, value: &Value) -> Failure {
    let found = schema::type_of(value);
    Failure::serialization(format!("{name}: expected {expected}, found {found}."))
}
