//! Refused requests.

use serde_json::{Map, Value};

use crate::kinesis::wire::Refusal;

/// The refusal in an answer. A proxy may refuse requests without JSON.
pub(in crate::kinesis) fn refusal(body: &[u8]) -> Refusal {
    let members: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    let text = |names: &[&str]| {
        let mut found = names.iter().filter_map(|name| members.get(*name)?.as_str());
        found.next().map(str::to_owned)
    };
    let code = text(&["__type", "code"]);
    Refusal {
        code: code.as_deref().map(Refusal::code),
        message: text(&["message", "Message"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_a_code_and_a_message_under_several_names() {
        let of = |body: &str| {
            let Refusal { code, message } = refusal(body.as_bytes());
            (code.unwrap_or_default(), message.unwrap_or_default())
        };
        let pair = |code: &str, message: &str| (code.to_owned(), message.to_owned());
        assert_eq!(
            of(r#"{"__type":"com.amazonaws.kinesis#Late","message":"no"}"#),
            pair("Late", "no")
        );
        assert_eq!(
            of(r#"{"code":"Late:http://internal","Message":"no","message":null}"#),
            pair("Late", "no")
        );
        for other in ["", "[]", "<html>", r#"{"__type":1,"message":[]}"#] {
            assert_eq!(of(other), pair("", ""), "{other}");
        }
    }
}
