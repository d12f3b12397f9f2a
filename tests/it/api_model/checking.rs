//! Requests with members that violate the model.

use super::*;

/// An invalid value of a member, and the expected message.
struct Wrong {
    value: Value,
    code: &'static str,
    words: String,
}

impl Wrong {
    fn invalid(value: impl Into<Value>, words: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            code: "ValidationException",
            words: words.into(),
        }
    }
}

impl Member {
    /// The last name of the path, without list and map marks.
    fn name(&self) -> &'static str {
        let name = self.path.rsplit('.').next().unwrap();
        name.split(['[', '{']).next().unwrap()
    }

    /// The path as the service's messages write it.
    fn path_in_messages(&self) -> String {
        let path = self.path.trim_end_matches("[]");
        let path = path.trim_end_matches("{key}").trim_end_matches("{value}");
        let names = path.split('.').map(|name| {
            let (first, rest) = name.split_at(1);
            let name = format!("{}{rest}", first.to_ascii_lowercase());
            name.replace("[]", ".1.member")
        });
        names.collect::<Vec<_>>().join(".")
    }

    /// `request` with `value` as this member.
    fn put_into(&self, mut request: Map<String, Value>, value: Value) -> Value {
        let (top, rest) = match self.path.find(['.', '[', '{']) {
            Some(end) => self.path.split_at(end),
            None => (self.path, ""),
        };
        let mut whole = request.remove(top).unwrap_or_else(|| match rest {
            "" => Value::Null,
            _ => example(top),
        });
        match rest {
            "" => whole = value,
            "[]" => whole = json!([value]),
            "{key}" => whole = json!({ value.as_str().unwrap_or_default(): "x" }),
            "{value}" => whole = json!({ "x": value }),
            rest => match rest.strip_prefix("[].") {
                Some(name) => whole[0][name] = value,
                None => whole[rest.trim_start_matches('.')] = value,
            },
        }
        request.insert(top.to_owned(), whole);
        request.into()
    }

    /// Values of another type.
    fn wrong_types(&self) -> Vec<Wrong> {
        let wrong: &[Value] = match self.kind {
            _ if self.path.ends_with("{key}") => &[],
            "string" | "enum" => &[json!(1), json!(true), json!(["x"]), json!({})],
            "integer" | "timestamp" => &[json!("1"), json!(true), json!([1])],
            "boolean" => &[json!("true"), json!(1)],
            "blob" => &[json!(1), json!("?"), json!({})],
            "list" => &[json!("x"), json!({})],
            "map" | "structure" => &[json!("x"), json!([])],
            other => panic!("unknown type {other}"),
        };
        let wrong = wrong.iter().map(|value| Wrong {
            value: value.clone(),
            code: "SerializationException",
            words: self.name().to_owned(),
        });
        wrong.collect()
    }

    /// Values of the right type that violate the model.
    fn wrong_values(&self) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        if self.required && !self.path.ends_with([']', '}']) {
            wrong.push(Wrong::invalid(Value::Null, "Member must not be null"));
        }
        let (least, most) = (self.min, self.max);
        let (too_few, too_many) = (least.filter(|least| *least > 0), most.map(|most| most + 1));
        let size = |count: i64| usize::try_from(count).unwrap();
        let mut bounds = |what: &str, small: Option<Value>, large: Option<Value>| {
            let low = |least| format!("Member must have {what} greater than or equal to {least}");
            let high = |most| format!("Member must have {what} less than or equal to {most}");
            let small = small.zip(least.map(low));
            let large = large.zip(most.map(high));
            let beyond = small.into_iter().chain(large);
            wrong.extend(beyond.map(|(value, words)| Wrong::invalid(value, words)));
        };
        match self.kind {
            "string" => bounds(
                "length",
                too_few.map(|_| json!("")),
                too_many.map(|count| json!("a".repeat(size(count)))),
            ),
            "integer" => bounds(
                "value",
                least.map(|least| json!(least - 1)),
                too_many.map(Value::from),
            ),
            "list" => {
                let item = example(self.name())[0].clone();
                let items = |count| Value::from(vec![item.clone(); size(count)]);
                bounds("length", too_few.map(|_| json!([])), too_many.map(items));
            }
            "map" => {
                let entries = |count| (0..count).map(|n: i64| (n.to_string(), json!("x")));
                let entries = |count| Value::from(entries(count).collect::<Map<_, _>>());
                bounds("length", too_few.map(|_| json!({})), too_many.map(entries));
            }
            "blob" => {
                let bytes =
                    |count| json!(base64_simd::STANDARD.encode_to_string(vec![0; size(count)]));
                bounds("length", None, too_many.map(bytes));
            }
            _ => {}
        }
        match self.kind {
            "enum" => {
                let values = self.allowed.replace(',', ", ");
                let words = format!("Member must satisfy enum value set: [{values}]");
                wrong.push(Wrong::invalid("nonsense", words));
            }
            "string" if !self.allowed.is_empty() => {
                for text in [" ", "a b", "007!", "arn:aws:kinesis:eu-west-1:1:stream/x y"] {
                    let pattern = self.allowed;
                    let words =
                        format!("Member must satisfy regular expression pattern: {pattern}");
                    wrong.push(Wrong::invalid(text, words));
                }
            }
            _ => {}
        }
        if self.allowed.contains("[1-9]") {
            let words = "Member must satisfy regular expression pattern: ^(0|([1-9]";
            wrong.extend(["007", "+1", "-1", "", "1.0"].map(|text| Wrong::invalid(text, words)));
        }
        wrong
    }
}

#[tokio::test]
async fn every_member_is_validated_against_the_model() {
    let (_, server) = start().await;
    let mut failures = Vec::new();
    let mut requests = 0;
    for (name, operation) in model() {
        for member in &operation.input {
            let at = format!("at '{}'", member.path_in_messages());
            let wrong = member
                .wrong_types()
                .into_iter()
                .chain(member.wrong_values());
            for Wrong { value, code, words } in wrong {
                requests += 1;
                let request = member.put_into(operation.request(), value);
                let answer = call(&server, name, &request).await;
                let said = |(found, message): &(String, String)| {
                    let named = code != "ValidationException" || message.contains(&at);
                    found == code && named && message.contains(&words)
                };
                if !answer.as_ref().is_err_and(said) {
                    let mut request = request.to_string();
                    request.truncate(200);
                    failures.push(format!(
                        "{name} {request}\n  expected {code} {at}: {words}\n  found    {answer:?}"
                    ));
                }
            }
        }
    }
    assert!(requests > 500, "{requests}");
    let count = failures.len();
    failures.truncate(30);
    assert!(
        failures.is_empty(),
        "{count} of {requests}:\n{}",
        failures.join("\n")
    );
}

#[tokio::test]
async fn null_equals_a_missing_member() {
    let (_, server) = start().await;
    for (name, operation) in model() {
        for member in operation.input.iter().filter(|member| !member.required) {
            if member.path.contains(['.', '[']) {
                continue;
            }
            let mut request = operation.request();
            let without = call(&server, name, &request.clone().into()).await;
            request.insert(member.path.to_owned(), Value::Null);
            let with_null = call(&server, name, &request.into()).await;
            match (without, with_null) {
                (Err(without), Err(with_null)) => assert_eq!(without, with_null, "{name}"),
                (without, with_null) => assert_eq!(without.is_ok(), with_null.is_ok(), "{name}"),
            }
        }
    }
}

#[tokio::test]
async fn all_violations_are_reported_at_once() {
    let (_, server) = start().await;
    let request = json!({ "StreamName": "a b", "ShardId": "", "ShardIteratorType": "OLDEST" });
    let (code, message) = call(&server, "GetShardIterator", &request)
        .await
        .unwrap_err();
    assert_eq!(code, "ValidationException");
    assert_eq!(
        message,
        "4 validation errors detected: \
         Value 'a b' at 'streamName' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; \
         Value '' at 'shardId' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; \
         Value '' at 'shardId' failed to satisfy constraint: \
         Member must have length greater than or equal to 1; \
         Value 'OLDEST' at 'shardIteratorType' failed to satisfy constraint: \
         Member must satisfy enum value set: \
         [AT_SEQUENCE_NUMBER, AFTER_SEQUENCE_NUMBER, TRIM_HORIZON, LATEST, AT_TIMESTAMP]"
    );
}

#[tokio::test]
async fn unsupported_operations_are_reported_as_such() {
    let (_, server) = start().await;
    for name in ["CreateQueue", "PutWords", ""] {
        let (code, _) = call(&server, name, &json!({})).await.unwrap_err();
        assert_eq!(code, "UnknownOperationException", "{name}");
    }
}
