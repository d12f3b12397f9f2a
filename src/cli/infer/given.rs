//! The options of the table that the user gives to `infer`.

use super::super::args::{OptionText, SampleFormat};
use crate::Error;
use crate::error::Result;
use crate::format::infer::{HIDDEN, Inferred, Reading};
use crate::options::{OptionsBuilder, all, is_of_format, redact};
use crate::table::{KinesisTable, KinesisTableBuilder};

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

/// Options that say how the documents of a sample are found.
const READING: [&str; 8] = [
    "kinesis.format.compression",
    "kinesis.format.maxDecompressedBytes",
    "kinesis.format.framing",
    "kinesis.json.header",
    "kinesis.json.explode",
    "kinesis.csv.delimiter",
    "kinesis.csv.quote",
    "kinesis.csv.escape",
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
    pub(super) fn parse(texts: &[OptionText]) -> Result<Self> {
        let mut checked = OptionsBuilder::default();
        let mut values = Vec::new();
        for text in texts {
            let (name, value) = text.parts()?;
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

    /// How the options say that the sample is read, which is taken for `format`.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) for options that do not suit each other.
    pub(super) fn reading(&self, stream: &str, format: SampleFormat) -> Result<Reading> {
        if !self.values.iter().any(|(name, _)| is_of_format(name)) {
            return Ok(Reading::default());
        }
        let is_csv = |(name, _): &(&'static str, String)| name.starts_with("kinesis.csv.");
        let name = match format {
            SampleFormat::Csv => "csv",
            SampleFormat::Text => "text",
            SampleFormat::CloudwatchLogs => "cloudwatch_logs",
            SampleFormat::Dynamodb => "dynamodb",
            SampleFormat::Auto if self.values.iter().any(is_csv) => "csv",
            SampleFormat::Auto | SampleFormat::Json | SampleFormat::Avro => "json",
        };
        let table = KinesisTable::builder(stream).with_option("kinesis.format", name);
        let options = self.set_on(table).options()?;
        let reading = |format| Reading::new(&format, |name| self.has(name));
        Ok(options.format.map(reading).unwrap_or_default())
    }

    /// Refuses options with which no document of the sample can be read.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption)
    pub(super) fn expect_readable(&self, inferred: &Inferred) -> Result<()> {
        let reading = |(name, _): &&(&'static str, String)| READING.contains(name);
        let names = self.values.iter().filter(reading);
        let names: Vec<String> = names
            .map(|(name, value)| format!("'{name}' = '{value}'"))
            .collect();
        if names.is_empty() {
            return Ok(());
        }
        let plural = if names.len() == 1 { "" } else { "s" };
        let names = names.join(", ");
        match inferred.all_bad() {
            Some(reason) => Err(Error::invalid_option(format!(
                "option{plural} {names}: no document of the sample can be read: {reason}; expected other values, or \
                 none, so that they are inferred"
            ))),
            None if self.has("kinesis.json.explode") && inferred.is_without_documents() => {
                Err(Error::invalid_option(format!(
                    "option{plural} {names}: no document of the sample has an array with elements there"
                )))
            }
            None => Ok(()),
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
