//! Looks up the schemas that the Avro documents of a sample name.

use std::sync::Arc;

use super::sample::Sample;
use crate::error::{Error, Result};
use crate::format::infer::{Inferred, SampleSchemas, infer_avro, schema_ids};
use crate::options::{
    AvroSchemaSource, CheckedOptions, Compression, Format, FormatOptions, SchemaRegistryOptions,
    SchemaRegistryType,
};
use crate::schema_registry::SchemaRegistry;
use crate::table::{RegisteredSchemas, Services};

/// The most schemas that are looked up. A stream has a few; only bytes that are no header give more.
const MAX_SCHEMAS: usize = 100;

/// Infers the columns of Avro documents, whose schemas `options` give. `has_framing` and `has_compression` say whether
/// the user set these.
pub(super) async fn inferred(
    sample: &Sample,
    options: &CheckedOptions,
    (has_framing, has_compression): (bool, bool),
    services: &Arc<Services>,
) -> Result<Inferred> {
    let no_source = || Error::internal("the options give no schema");
    let format = options.format.as_ref().ok_or_else(no_source)?;
    let Format::Avro(avro) = &format.format else {
        return Err(no_source());
    };
    let mut format = format.clone();
    if !has_compression {
        format.compression = Compression::Auto;
    }
    let (schemas, is_any_header) = match &avro.schema {
        Some(AvroSchemaSource::Text(text)) => (SampleSchemas::One(text.clone()), !has_framing),
        Some(AvroSchemaSource::Registry(registry)) => {
            let found = looked_up(sample, registry, (options, &format), services).await?;
            (found, false)
        }
        Some(AvroSchemaSource::File(_)) | None => return Err(no_source()),
    };
    infer_avro(&sample.payloads, &schemas, &format, is_any_header)
}

async fn looked_up(
    sample: &Sample,
    registry: &SchemaRegistryOptions,
    (options, format): (&CheckedOptions, &FormatOptions),
    services: &Arc<Services>,
) -> Result<SampleSchemas> {
    let kind = match registry {
        SchemaRegistryOptions::Confluent { .. } => SchemaRegistryType::Confluent,
        SchemaRegistryOptions::Glue { .. } => SchemaRegistryType::Glue,
    };
    let arrivals = sample.arrivals.iter().flat_map(|times| times.values());
    let payloads = sample.payloads.iter();
    let payloads = payloads.flat_map(|records| records.iter().map(Option::unwrap_or_default));
    let mut ids = schema_ids(payloads.zip(arrivals.copied()), kind, format);
    ids.truncate(MAX_SCHEMAS);
    let access = services.access();
    let registry = SchemaRegistry::connect(registry, &options.connection, &access).await?;
    let registry = RegisteredSchemas::new(registry, options.retry, services.clock());
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let schema = registry.get(id, false, fastrand::Rng::new()).await?;
        found.push((id, schema));
    }
    Ok(SampleSchemas::Registered(found))
}
