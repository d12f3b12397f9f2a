//! Parsed requests: typed access to their members.

pub(in crate::kinesis) mod api_model;
mod pattern;
mod validation;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::kinesis::simulator::account_region::AccountRegion;
use crate::kinesis::simulator::http_server::error_response::ErrorResponse;
use crate::model::{
    ConsumerArn, ConsumerName, HashKey, SequenceNumber, ShardId, StreamIdentity, StreamName,
    UnixMillis,
};
use validation::Member;

/// A request and the account and region of its caller.
#[derive(Debug)]
pub(in crate::kinesis) struct ApiRequest {
    pub(in crate::kinesis) members: Members,
    pub(in crate::kinesis) account_region: AccountRegion,
}

impl ApiRequest {
    /// The stream named by `StreamARN`, `StreamName` or both.
    pub(in crate::kinesis) fn stream(&self) -> Result<StreamIdentity, ErrorResponse> {
        self.stream_if_named()?.ok_or_else(|| {
            ErrorResponse::invalid("Either StreamName or StreamARN must be given, and neither is.")
        })
    }

    pub(in crate::kinesis) fn stream_if_named(
        &self,
    ) -> Result<Option<StreamIdentity>, ErrorResponse> {
        let name = self.members.text("StreamName")?;
        let Some(arn) = self.members.text("StreamARN")? else {
            return match name {
                None => Ok(None),
                Some(_) => Ok(Some(self.account_region.stream(&self.stream_name()?))),
            };
        };
        let stream = StreamIdentity::parse(arn).map_err(|_| invalid_value("StreamARN", arn))?;
        match name.filter(|name| *name != stream.name().as_str()) {
            None => Ok(Some(stream)),
            Some(name) => Err(ErrorResponse::invalid(format!(
                "StreamName {name} is not the stream of StreamARN {arn}."
            ))),
        }
    }

    pub(in crate::kinesis) fn stream_name(&self) -> Result<StreamName, ErrorResponse> {
        let name = self.members.required_text("StreamName")?;
        StreamName::new(name).map_err(|_| invalid_value("StreamName", name))
    }

    /// The stream named by `StreamARN`, in operations that take no name.
    pub(in crate::kinesis) fn stream_arn(&self) -> Result<&str, ErrorResponse> {
        self.members.required_text("StreamARN")
    }

    pub(in crate::kinesis) fn consumer_name(&self) -> Result<ConsumerName, ErrorResponse> {
        let name = self.members.required_text("ConsumerName")?;
        ConsumerName::new(name).map_err(|_| invalid_value("ConsumerName", name))
    }

    pub(in crate::kinesis) fn consumer_arn(&self) -> Result<ConsumerArn, ErrorResponse> {
        let arn = self.members.required_text("ConsumerARN")?;
        ConsumerArn::new(arn).map_err(|_| invalid_value("ConsumerARN", arn))
    }

    /// The consumer named by `ResourceARN`; `None` if it names something else.
    pub(in crate::kinesis) fn consumer_resource(
        &self,
    ) -> Result<Option<ConsumerArn>, ErrorResponse> {
        let arn = self.members.required_text("ResourceARN")?;
        Ok(ConsumerArn::new(arn).ok())
    }

    /// The stream named by `ResourceARN`; there are no other resources.
    pub(in crate::kinesis) fn resource(&self) -> Result<StreamIdentity, ErrorResponse> {
        let arn = self.members.required_text("ResourceARN")?;
        let missing = || ErrorResponse::not_found(format!("Resource {arn} not found."));
        StreamIdentity::parse(arn).map_err(|_| missing())
    }
}

/// The JSON object of a request or of a part of it.
#[derive(Debug)]
pub(in crate::kinesis) struct Members(Map<String, Value>);

impl Members {
    /// Parses and validates a request body against the members of its operation. Afterwards all
    /// members have the right type and are within their limits.
    pub(in crate::kinesis) fn parse(body: &[u8], of: &[Member]) -> Result<Self, ErrorResponse> {
        let members = match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => members,
            Ok(_) => return Err(ErrorResponse::serialization("Expected a JSON object.")),
            Err(error) => return Err(ErrorResponse::serialization(error.to_string())),
        };
        validation::check(&members, of)?;
        Ok(Self(members))
    }

    /// A member that may be absent or null.
    fn member(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(in crate::kinesis) fn has(&self, name: &str) -> bool {
        self.member(name).is_some()
    }

    pub(in crate::kinesis) fn text(&self, name: &str) -> Result<Option<&str>, ErrorResponse> {
        match self.member(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_type(name, "a string", other)),
        }
    }

    pub(in crate::kinesis) fn required_text(&self, name: &str) -> Result<&str, ErrorResponse> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    pub(in crate::kinesis) fn integer(&self, name: &str) -> Result<Option<i64>, ErrorResponse> {
        let Some(value) = self.member(name) else {
            return Ok(None);
        };
        let integer = value.as_i64();
        match integer {
            Some(_) => Ok(integer),
            None => Err(wrong_type(name, "an integer", value)),
        }
    }

    pub(in crate::kinesis) fn required_integer(&self, name: &str) -> Result<i64, ErrorResponse> {
        self.integer(name)?.ok_or_else(|| missing(name))
    }

    /// A count, or `default` if absent.
    pub(in crate::kinesis) fn count(
        &self,
        name: &str,
        default: usize,
    ) -> Result<usize, ErrorResponse> {
        let count = self.integer(name)?.map(usize::try_from);
        Ok(count.and_then(Result::ok).unwrap_or(default))
    }

    /// A boolean, `false` if absent.
    pub(in crate::kinesis) fn switch(&self, name: &str) -> Result<bool, ErrorResponse> {
        match self.member(name) {
            None => Ok(false),
            Some(Value::Bool(on)) => Ok(*on),
            Some(other) => Err(wrong_type(name, "a boolean", other)),
        }
    }

    /// A time in seconds since 1970 with a fraction, rounded to the nearest millisecond.
    pub(in crate::kinesis) fn time(&self, name: &str) -> Result<Option<UnixMillis>, ErrorResponse> {
        let Some(value) = self.member(name) else {
            return Ok(None);
        };
        match value.as_f64() {
            Some(seconds) => Ok(Some(UnixMillis((seconds * 1_000.0).round() as i64))),
            None => Err(wrong_type(name, "a number of seconds", value)),
        }
    }

    pub(in crate::kinesis) fn shard_id(&self, name: &str) -> Result<ShardId, ErrorResponse> {
        self.required_text(name).map(ShardId::new)
    }

    pub(in crate::kinesis) fn sequence_number(
        &self,
        name: &str,
    ) -> Result<Option<SequenceNumber>, ErrorResponse> {
        let number = self
            .text(name)?
            .map(|digits| SequenceNumber::new(digits).map_err(|_| invalid_value(name, digits)));
        number.transpose()
    }

    pub(in crate::kinesis) fn hash_key(
        &self,
        name: &str,
    ) -> Result<Option<HashKey>, ErrorResponse> {
        let Some(digits) = self.text(name)? else {
            return Ok(None);
        };
        let key = HashKey::from_decimal(digits).ok_or_else(|| {
            ErrorResponse::invalid(format!(
                "Invalid {name}. {name} must be in the range: [0, 2^128-1]. Specified value was \
                 {digits}"
            ))
        })?;
        Ok(Some(key))
    }

    pub(in crate::kinesis) fn required_hash_key(
        &self,
        name: &str,
    ) -> Result<HashKey, ErrorResponse> {
        self.hash_key(name)?.ok_or_else(|| missing(name))
    }

    /// Base64 data, decoded in place.
    pub(in crate::kinesis) fn take_blob(&mut self, name: &str) -> Result<Vec<u8>, ErrorResponse> {
        let mut bytes = match self.0.remove(name) {
            Some(Value::String(text)) => text.into_bytes(),
            None | Some(Value::Null) => return Err(missing(name)),
            Some(other) => return Err(wrong_type(name, "base64", &other)),
        };
        let decoded = base64_simd::STANDARD
            .decode_inplace(&mut bytes)
            .map_err(|_| ErrorResponse::serialization(format!("{name} is not valid base64.")))?;
        let length = decoded.len();
        bytes.truncate(length);
        Ok(bytes)
    }

    /// A list of objects.
    pub(in crate::kinesis) fn take_list(&mut self, name: &str) -> Result<Vec<Self>, ErrorResponse> {
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

    /// A list of strings.
    pub(in crate::kinesis) fn texts(&self, name: &str) -> Result<Vec<String>, ErrorResponse> {
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

    /// An object of strings, empty if absent.
    pub(in crate::kinesis) fn text_map(
        &self,
        name: &str,
    ) -> Result<BTreeMap<String, String>, ErrorResponse> {
        let entries = self.object(name)?.map(|Self(entries)| entries);
        let text = |(key, value): (String, Value)| match value {
            Value::String(text) => Ok((key, text)),
            other => Err(wrong_type(name, "an object of strings", &other)),
        };
        entries.into_iter().flatten().map(text).collect()
    }

    pub(in crate::kinesis) fn required_object(&self, name: &str) -> Result<Self, ErrorResponse> {
        self.object(name)?.ok_or_else(|| missing(name))
    }

    /// An object that may be absent.
    pub(in crate::kinesis) fn object(&self, name: &str) -> Result<Option<Self>, ErrorResponse> {
        match self.member(name) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(Self(members.clone()))),
            Some(other) => Err(wrong_type(name, "an object", other)),
        }
    }
}

fn missing(name: &str) -> ErrorResponse {
    ErrorResponse::invalid(format!("{name} must be given."))
}

/// A value that matches its pattern but is still invalid.
fn invalid_value(name: &str, value: &str) -> ErrorResponse {
    ErrorResponse::invalid(format!("{name} {value} is invalid."))
}

fn wrong_type(name: &str, expected: &str, value: &Value) -> ErrorResponse {
    let found = validation::type_of(value);
    ErrorResponse::serialization(format!("{name}: expected {expected}, found {found}."))
}
