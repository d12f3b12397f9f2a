//! Table options: the catalog of options in `OPTIONS (…)`, their parsers, and checks across
//! options.
//!
//! The result, `CheckedOptions`, is typed: it has enums, durations and checked numbers instead of
//! text.

mod builder;
mod catalog;
mod checked;
mod draft;
mod format;
mod position;
mod prices;
#[cfg(any(feature = "cli", feature = "ui"))]
pub(crate) mod redact;
pub(crate) mod replace_word;
mod spec;
mod table_options;
mod value;

pub(crate) use builder::OptionsBuilder;
pub use catalog::{all, markdown};
pub(crate) use checked::{
    CheckedOptions, CommitterKind, DynamoDbSettings, FanOutOptions, KeySource, MetadataColumn,
    MetadataOptions, RequestedColumn, SinkOptions, SourceOptions,
};
pub use checked::{ConsumerType, ExtraColumn, HashFilter};
#[cfg(feature = "cli")]
pub(crate) use draft::is_of_format;
#[cfg(feature = "protobuf")]
pub(crate) use format::ProtobufOptions;
pub use format::{
    AvroFraming, Compression, Framing, NullFields, OnMismatch, ProtobufFraming, SchemaRegistryType,
    TimestampFormat,
};
pub(crate) use format::{
    AvroOptions, AvroSchemaSource, CsvOptions, DescriptorSource, Format, FormatOptions,
    JsonOptions, OnError, RegistryLogin, SchemaRegistryOptions,
};
pub(crate) use prices::{GB, HOURS_PER_MONTH, Price, PriceList};
pub use spec::{OptionSpec, Role};
pub use table_options::{BadDocuments, PayloadFormat, TableOptions};
#[cfg(feature = "cli")]
pub(crate) use value::endpoint_url;
#[cfg(feature = "dynamodb")]
pub(crate) use value::table_name;
pub(crate) use value::{location, may_hold_secret, nearest};

#[cfg(test)]
mod tests;
