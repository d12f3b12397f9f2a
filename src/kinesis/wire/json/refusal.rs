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
