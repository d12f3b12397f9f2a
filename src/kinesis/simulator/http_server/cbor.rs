//! Requests and answers in CBOR (`application/x-amz-cbor-1.1`), converted to and from JSON.
//!
//! The two formats differ in payloads, which are byte strings in CBOR and base64 in JSON, and in times, which are
//! tagged milliseconds in CBOR and seconds in JSON.

use std::borrow::Cow;
use std::fmt;
use std::io::Write;

use minicbor::data::{Tag, Type};
use minicbor::decode::{Decoder, Error as Malformed};
use minicbor::encode::Encoder;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// The deepest nesting of a request.
const MAX_DEPTH: usize = 32;

/// The tag of a time (RFC 8949, 3.4.2).
const TIME: u64 = 1;

/// Numbers from here on are milliseconds, and seconds below it.
const LEAST_MILLIS: f64 = 1e11;

/// The JSON of a request in CBOR.
///
/// # Errors
/// The request is no CBOR, or has values that JSON lacks.
pub(super) fn to_json(body: &[u8]) -> Result<Vec<u8>, String> {
    let mut json = Vec::with_capacity(body.len() / 3 * 4 + 64);
    let mut request = Decoder::new(body);
    let converted = value(&mut request, &mut json, 0);
    converted.map_err(|error| error.to_string())?;
    match request.position() == body.len() {
        true => Ok(json),
        false => Err("bytes follow the request".to_owned()),
    }
}

fn value(request: &mut Decoder<'_>, json: &mut Vec<u8>, depth: usize) -> Result<(), Malformed> {
    if depth > MAX_DEPTH {
        return Err(Malformed::message("the request is nested too deeply"));
    }
    match request.datatype()? {
        Type::Map | Type::MapIndef => {
            let length = request.map()?;
            json.push(b'{');
            parts(request, length, |request, index| {
                separate(json, index);
                let name = text(request)?;
                write_text(json, &name);
                json.push(b':');
                value(request, json, depth + 1)
            })?;
            json.push(b'}');
        }
        Type::Array | Type::ArrayIndef => {
            let length = request.array()?;
            json.push(b'[');
            parts(request, length, |request, index| {
                separate(json, index);
                value(request, json, depth + 1)
            })?;
            json.push(b']');
        }
        Type::String | Type::StringIndef => write_text(json, &text(request)?),
        Type::Bytes | Type::BytesIndef => {
            let chunks = request.bytes_iter()?.collect::<Result<Vec<_>, _>>()?;
            json.push(b'"');
            base64_simd::STANDARD.encode_append(chunks.concat(), json);
            json.push(b'"');
        }
        Type::Tag => {
            let tag = request.tag()?;
            match tag.as_u64() == TIME {
                true => write_seconds(json, number(request)?),
                false => return value(request, json, depth + 1),
            }
        }
        Type::Null | Type::Undefined => {
            request.skip()?;
            json.extend_from_slice(b"null");
        }
        Type::Bool => write_plain(json, request.bool()?),
        Type::F16 | Type::F32 | Type::F64 => write_float(json, number(request)?)?,
        _ => write_plain(json, request.int()?),
    }
    Ok(())
}

/// Reads `length` parts, or those up to a break.
fn parts(
    request: &mut Decoder<'_>,
    length: Option<u64>,
    mut part: impl FnMut(&mut Decoder<'_>, u64) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut index = 0;
    while length.is_none_or(|length| index < length) {
        if length.is_none() && request.datatype()? == Type::Break {
            request.set_position(request.position() + 1);
            break;
        }
        part(request, index)?;
        index += 1;
    }
    Ok(())
}

fn text<'a>(request: &mut Decoder<'a>) -> Result<Cow<'a, str>, Malformed> {
    match request.datatype()? {
        Type::StringIndef => Ok(Cow::Owned(
            request.str_iter()?.collect::<Result<String, _>>()?,
        )),
        _ => Ok(Cow::Borrowed(request.str()?)),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "times and counts have less than 53 bits"
)]
fn number(request: &mut Decoder<'_>) -> Result<f64, Malformed> {
    match request.datatype()? {
        Type::F32 => Ok(request.f32()?.into()),
        Type::F16 | Type::F64 => request.f64(),
        _ => Ok(request.i64()? as f64),
    }
}

fn separate(json: &mut Vec<u8>, index: u64) {
    if index > 0 {
        json.push(b',');
    }
}

fn write_text(json: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(json, text).expect("writing text to memory cannot fail");
}

fn write_plain(json: &mut Vec<u8>, value: impl fmt::Display) {
    write!(json, "{value}").expect("writing to memory cannot fail");
}

fn write_seconds(json: &mut Vec<u8>, time: f64) {
    let is_seconds = time.abs() < LEAST_MILLIS;
    write_plain(json, if is_seconds { time } else { time / 1_000.0 });
}

fn write_float(json: &mut Vec<u8>, number: f64) -> Result<(), Malformed> {
    match number.is_finite() {
        true => write_plain(json, number),
        false => return Err(Malformed::message("a number is not finite")),
    }
    Ok(())
}

/// The CBOR of an answer in JSON, which this server wrote. An operation without a result has an empty body in
/// both formats.
pub(super) fn from_json(json: &[u8]) -> Vec<u8> {
    if json.is_empty() {
        return Vec::new();
    }
    let mut answer = Encoder::new(Vec::with_capacity(json.len()));
    let seed = Converted {
        answer: &mut answer,
        member: Member::Other,
    };
    let mut json = serde_json::Deserializer::from_slice(json);
    seed.deserialize(&mut json)
        .expect("the server writes valid JSON");
    answer.into_writer()
}

/// What the value of a member is.
#[derive(Debug, Clone, Copy)]
enum Member {
    Payload,
    Time,
    Other,
}

impl Member {
    fn of(name: &str) -> Self {
        match name {
            "Data" => Self::Payload,
            name if name.ends_with("Timestamp") => Self::Time,
            _ => Self::Other,
        }
    }
}

/// Writes a value as CBOR.
struct Converted<'a> {
    answer: &'a mut Encoder<Vec<u8>>,
    member: Member,
}

/// Unwraps the result of writing to memory.
macro_rules! written {
    ($write:expr) => {
        $write.expect("writing to memory cannot fail")
    };
}

impl<'de> DeserializeSeed<'de> for Converted<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Converted<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        written!(self.answer.begin_map());
        while let Some(name) = members.next_key::<String>()? {
            written!(self.answer.str(&name));
            members.next_value_seed(Converted {
                answer: self.answer,
                member: Member::of(&name),
            })?;
        }
        written!(self.answer.end());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        written!(self.answer.begin_array());
        loop {
            let element = Converted {
                answer: self.answer,
                member: self.member,
            };
            if elements.next_element_seed(element)?.is_none() {
                break;
            }
        }
        written!(self.answer.end());
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        let payload = match self.member {
            Member::Payload => base64_simd::STANDARD.decode_to_vec(text).ok(),
            _ => None,
        };
        match payload {
            Some(payload) => written!(self.answer.bytes(&payload)),
            None => written!(self.answer.str(text)),
        };
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.number(number, |answer| written!(answer.f64(number).map(drop)));
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "times have less than 53 bits")]
    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.number(number as f64, |answer| {
            written!(answer.u64(number).map(drop))
        });
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "times have less than 53 bits")]
    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.number(number as f64, |answer| {
            written!(answer.i64(number).map(drop))
        });
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        written!(self.answer.bool(value));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        written!(self.answer.null());
        Ok(())
    }
}

impl Converted<'_> {
    /// Writes a number: `seconds` if it is a time, or else as `write` does.
    fn number(self, seconds: f64, write: impl FnOnce(&mut Encoder<Vec<u8>>)) {
        if !matches!(self.member, Member::Time) {
            return write(self.answer);
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "times have less than 53 bits"
        )]
        let millis = (seconds * 1_000.0).round() as i64;
        written!(self.answer.tag(Tag::new(TIME)));
        written!(self.answer.i64(millis));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    fn json(hex: &str) -> String {
        String::from_utf8(to_json(&bytes(hex)).unwrap()).unwrap()
    }

    /// Requests that the AWS SDK for Java sent.
    #[test]
    fn requests_of_the_java_sdk_are_read() {
        assert_eq!(
            json(
                "bf6a53747265616d4e616d656173675368617264496474736861726449642d3030303030303030303030
                 307153686172644974657261746f72547970656c41545f54494d455354414d506954696d657374616d70
                 c11b00000190ec01d057ff"
            ),
            r#"{"StreamName":"s","ShardId":"shardId-000000000000","ShardIteratorType":"AT_TIMESTAMP","Timestamp":1721946460.247}"#
        );
        assert_eq!(
            json(
                "bf64446174614568656c6c6f6c506172746974696f6e4b657962706b6953747265616d41524e6161ff"
            ),
            r#"{"Data":"aGVsbG8=","PartitionKey":"pk","StreamARN":"a"}"#
        );
    }

    #[test]
    fn all_kinds_of_values_are_converted() {
        assert_eq!(
            json(
                "a8 6161 01 6162 20 6163 f4 6164 f6 6165 fb3ff8000000000000 6166 82 01 9f 02 ff
                  6167 5f 4161 4162 ff 7f 6168 ff 7f 6122 61c3 ff"
                    .replace("61c3", "6122")
                    .as_str()
            ),
            r#"{"a":1,"b":-1,"c":false,"d":null,"e":1.5,"f":[1,[2]],"g":"YWI=","h":"\"\""}"#
        );
        assert_eq!(
            json("a1 6954696d657374616d70 c1 1a66a2d49c"),
            r#"{"Timestamp":1721947292}"#
        );
    }

    #[test]
    fn malformed_requests_are_refused() {
        let whole = bytes("bf 6144 a1 6145 4161 6146 9f c1 1b00000190ec01d057 ff ff");
        assert!(to_json(&whole).is_ok());
        for end in 0..whole.len() {
            assert!(to_json(&whole[..end]).is_err(), "{end}");
        }
        assert!(to_json(&[&whole[..], &[0]].concat()).is_err());
        assert!(
            to_json(&[0x81; 10_000])
                .unwrap_err()
                .contains("nested too deeply")
        );
        assert!(to_json(&bytes("a1 01 02")).is_err());
        assert!(
            to_json(&bytes("fb7ff0000000000000"))
                .unwrap_err()
                .contains("not finite")
        );
    }

    #[test]
    fn an_answer_has_byte_strings_and_tagged_times() {
        let answer = r#"{"Records":[{"ApproximateArrivalTimestamp":1721946460.247,"Data":"aGVsbG8=","N":null}],
            "MillisBehindLatest":3000,"Flag":true}"#;
        assert_eq!(
            from_json(answer.as_bytes()),
            bytes(
                "bf 675265636f726473 9f bf 781b417070726f78696d6174654172726976616c54696d657374616d70
                 c1 1b00000190ec01d057 6444617461 4568656c6c6f 614e f6 ff ff
                 724d696c6c6973426568696e644c6174657374 190bb8 64466c6167 f5 ff"
            )
        );
    }
}
