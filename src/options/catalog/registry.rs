//! Options of schema registries.

use super::put;
use crate::model::Secret;
use crate::options::format::SchemaRegistryType;
use crate::options::spec::{OptionSpec, Role};
use crate::options::value;

pub(in crate::options) const REGISTRY_TYPES: [(&str, SchemaRegistryType); 2] = [
    ("confluent", SchemaRegistryType::Confluent),
    ("glue", SchemaRegistryType::Glue),
];

pub(super) const ROWS: &[OptionSpec] = &[
    OptionSpec::new(
        "kinesis.schemaRegistry.type",
        Role::Source,
        None,
        "Registry that has the schemas of Avro documents: `confluent` (the default if there is a URL; any registry with its REST interface) or `glue` (AWS Glue, with the credentials of the table). Each document is decoded with the schema that its header names, and `kinesis.avro.framing` is the same word.",
        |draft, text| {
            put(
                &mut draft.format.registry.kind,
                value::choice(text, &REGISTRY_TYPES).map(Some),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.schemaRegistry.url",
        Role::Source,
        None,
        "URL of the registry, with its path if it has one. Required by `confluent`; for `glue` an endpoint instead of the region's public one.",
        |draft, text| {
            const EXAMPLE: &str = "https://registry.example.com:8081";
            let url = match value::has_user(text) {
                true => Err(format!(
                    "expected a URL without user and password, such as '{EXAMPLE}', and these in \
                     'kinesis.schemaRegistry.username' and 'kinesis.schemaRegistry.password'"
                )),
                false => value::http_url(text, EXAMPLE),
            };
            put(&mut draft.format.registry.url, url.map(Some))
        },
    ),
    OptionSpec::new(
        "kinesis.schemaRegistry.username",
        Role::Source,
        None,
        "User, or API key, that `confluent` requires. Requires the password.",
        |draft, text| {
            let username = value::text(text).map(Some);
            put(&mut draft.format.registry.username, username)
        },
    ),
    OptionSpec::new(
        "kinesis.schemaRegistry.password",
        Role::Source,
        None,
        "Password, or API secret, of that user.",
        |draft, text| {
            let password = value::text(text).map(Secret::new);
            put(&mut draft.format.registry.password, password.map(Some))
        },
    )
    .secret(),
    OptionSpec::new(
        "kinesis.schemaRegistry.region",
        Role::Source,
        None,
        "Region of the registry in AWS Glue. Without it: that of the stream.",
        |draft, text| {
            put(
                &mut draft.format.registry.region,
                value::region(text).map(Some),
            )
        },
    ),
];
