//! Table options: the catalog of options in `OPTIONS (…)`, their parsers, and checks across
//! options.
//!
//! Text ends here: [`TableOptions`] holds only enums, durations and checked numbers.

mod builder;
mod catalog;
mod draft;
mod position;
mod spec;
mod table_options;
mod value;

pub use builder::OptionsBuilder;
pub use catalog::{all, markdown};
pub use spec::{OptionSpec, Role};
pub use table_options::{
    CommitterKind, DynamoDbSettings, ExtraColumn, HashFilter, MetadataOptions, SinkOptions,
    SourceOptions, TableOptions,
};
#[cfg(feature = "cli")]
pub(crate) use value::endpoint_url;
#[cfg(feature = "dynamodb")]
pub(crate) use value::table_name;
pub(crate) use value::{location, may_hold_secret, nearest};

#[cfg(test)]
mod tests;
