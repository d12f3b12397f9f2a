//! Schema registries.

use super::*;
use crate::options::{AvroFraming, AvroSchemaSource, Format, SchemaRegistryOptions};

const AVRO: (&str, &str) = ("kinesis.format", "avro");
const URL: (&str, &str) = ("kinesis.schemaRegistry.url", "https://registry:8081/api");
const GLUE: (&str, &str) = ("kinesis.schemaRegistry.type", "glue");
const USER: (&str, &str) = ("kinesis.schemaRegistry.username", "me");
const PASSWORD: (&str, &str) = ("kinesis.schemaRegistry.password", "canary");
const REGION: (&str, &str) = ("kinesis.schemaRegistry.region", "eu-west-3");

/// The registry of these options, and the framing of documents.
fn registry(more: &[(&str, &str)]) -> (SchemaRegistryOptions, AvroFraming) {
    let pairs = [&[AVRO], more].concat();
    match options(&pairs).unwrap().format.unwrap().format {
        Format::Avro(avro) => match avro.schema {
            Some(AvroSchemaSource::Registry(registry)) => (registry, avro.framing),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_url_alone_is_that_of_a_confluent_registry() {
    let (registry, framing) = registry(&[URL]);
    let expected = SchemaRegistryOptions::Confluent {
        url: URL.1.to_owned(),
        login: None,
    };
    assert_eq!((registry, framing), (expected, AvroFraming::Confluent));
}

#[test]
fn a_url_of_glue_is_its_endpoint() {
    let (registry, framing) = registry(&[GLUE, REGION, ("kinesis.avro.framing", "glue"), URL]);
    let expected = SchemaRegistryOptions::Glue {
        endpoint_url: Some(URL.1.to_owned()),
        region: Some("eu-west-3".to_owned()),
    };
    assert_eq!((registry, framing), (expected, AvroFraming::Glue));
}

#[test]
fn options_of_registries_that_contradict_each_other_are_refused() {
    let refused: [(&[(&str, &str)], &str); 10] = [
        (
            &[("kinesis.schemaRegistry.type", "confluent")],
            "together with 'kinesis.schemaRegistry.url'",
        ),
        (&[URL, USER], "expected both or neither"),
        (&[URL, PASSWORD], "expected both or neither"),
        (&[URL, REGION], "'kinesis.schemaRegistry.type' = 'glue'"),
        (
            &[GLUE, USER, PASSWORD],
            "'kinesis.schemaRegistry.type' = 'confluent'",
        ),
        (
            &[GLUE, ("kinesis.avro.framing", "confluent")],
            "option 'kinesis.avro.framing': expected 'glue'",
        ),
        (
            &[URL, ("kinesis.avro.schema", "\"int\"")],
            "because the registry has the schemas",
        ),
        (
            &[REGION],
            "'kinesis.schemaRegistry.region': expected only together with",
        ),
        (
            &[("kinesis.avro.framing", "glue")],
            "together with 'kinesis.schemaRegistry.type'",
        ),
        (
            &[("kinesis.schemaRegistry.url", "http://registry:8081")],
            "expected https:// for a remote host",
        ),
    ];
    for (more, expected) in refused {
        let message = rejection(&[&[AVRO], more].concat());
        assert!(message.contains(expected), "{more:?}: {message}");
        assert!(!message.contains("canary"), "{message}");
    }
    let message = rejection(&[("kinesis.format", "json"), URL]);
    assert!(
        message.contains("only together with 'kinesis.format' = 'avro'"),
        "{message}"
    );
}

#[test]
fn a_user_with_a_colon_cannot_be_sent() {
    let message = rejection(&[
        AVRO,
        URL,
        ("kinesis.schemaRegistry.username", "a:canary"),
        PASSWORD,
    ]);
    assert!(
        message.contains("without ':'") && !message.contains("canary"),
        "{message}"
    );
}

#[test]
fn a_url_with_a_password_is_refused_without_showing_it() {
    for url in [
        "https://me:canary@registry:8081",
        "http://me:canary@registry/api?x",
    ] {
        let error = rejection(&[AVRO, ("kinesis.schemaRegistry.url", url)]);
        assert!(!error.contains("canary"), "{error}");
        let advice = "expected a URL without user and password, such as 'https://registry.example.com:8081', and \
            these in 'kinesis.schemaRegistry.username' and 'kinesis.schemaRegistry.password'";
        assert!(error.ends_with(advice), "{error}");
    }
}
