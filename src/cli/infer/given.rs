//! The options of the table that the user gives to `infer`.

use super::super::args::SampleFormat;
use super::super::redact;
use crate::Error;
use crate::error::Result;
use crate::format::infer::HIDDEN;
use crate::options::{OptionsBuilder, all, is_of_format};
use crate::table::KinesisTableBuilder;

/// Options that give the schemas of Avro documents.
const SCHEMA_SOURCES: [&str; 3] = [
    "kinesis.avro.schema",
    "kinesis.schemaRegistry.type",
    "kinesis.schemaRegistry.url",
];

/// Options that reading a sample sets itself, or that would create the stream.
const NOT_FOR_SAMPLES: [&str; 5] = [
    "kinesis.createStream",
    "kinesis.shardCount",
    "kinesis.extraColumns",
    "kinesis.maxFetchRecordsPerShard",
    "kinesis.getRecords.numberOfRecordsPerFetch",
];

/// Options of the table, by name.
pub(super) struct Given {
    values: Vec<(&'static str, String)>,
}

impl Given {
    /// The options that are written as `NAME=VALUE`.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) for the first that the option table does not accept.
    pub(super) fn parse<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Self> {
        let mut checked = OptionsBuilder::default();
        let mut values = Vec::new();
        for text in texts {
            // What is no option may be a secret.
            let (name, value) = text.split_once('=').ok_or_else(|| {
                Error::invalid_option(
                    "argument '--option': expected NAME=VALUE, such as \
                     kinesis.schemaRegistry.url=https://registry.example.com:8081",
                )
            })?;
            checked.set(name, value)?;
            let mut known = all().map(|option| option.name);
            if let Some(name) = known.find(|known| known.eq_ignore_ascii_case(name.trim())) {
                values.push((name, value.to_owned()));
            }
        }
        let given = Self { values };
        match given.has("kinesis.format") {
            false => Ok(given),
            true => Err(Error::invalid_option(
                "option 'kinesis.format': expected argument '--format' instead",
            )),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.values.iter().any(|(given, _)| *given == name)
    }

    /// Whether the documents are Avro with schemas that the options give.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) if `format` says otherwise.
    pub(super) fn are_avro(&self, format: SampleFormat) -> Result<bool> {
        let source = SCHEMA_SOURCES.iter().find(|name| self.has(name));
        match (source, format) {
            (Some(_), SampleFormat::Auto | SampleFormat::Avro) => Ok(true),
            (Some(name), _) => Err(Error::invalid_option(format!(
                "option '{name}': expected only together with '--format' avro or auto"
            ))),
            (None, SampleFormat::Avro) => Err(Error::invalid_option(
                "argument '--format' = 'avro': expected together with -o kinesis.avro.schema=…, the schema that \
                 documents were written with, or -o kinesis.schemaRegistry.url=… or -o kinesis.schemaRegistry.type=…, \
                 the registry that has it",
            )),
            (None, _) => Ok(false),
        }
    }

    /// Sets the options on `table`.
    pub(super) fn set_on(&self, table: KinesisTableBuilder) -> KinesisTableBuilder {
        let values = self.values.iter();
        values.fold(table, |table, (name, value)| {
            table.with_option(*name, value)
        })
    }

    /// Sets the options on `table`, which only reads a sample of payloads as they are.
    pub(super) fn set_on_sample(&self, table: KinesisTableBuilder) -> KinesisTableBuilder {
        let values = self.values.iter();
        let suitable =
            values.filter(|(name, _)| !is_of_format(name) && !NOT_FOR_SAMPLES.contains(name));
        suitable.fold(table, |table, (name, value)| {
            table.with_option(*name, value)
        })
    }

    /// The options as they can be shown.
    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        let shown = |(name, value): &(&'static str, String)| {
            let written = format!("'{name}' '{}'", value.replace('\'', "''"));
            // A schema may have fields that are called like secret options.
            let may_be_secret = *name != "kinesis.avro.schema";
            match may_be_secret && redact::statement(&written) != written {
                true => (*name, HIDDEN.to_owned()),
                false => (*name, value.clone()),
            }
        };
        self.values.iter().map(shown).collect()
    }
}
