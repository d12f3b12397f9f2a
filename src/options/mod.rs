//! What a user may write in `OPTIONS (…)`: one table of options, their parsers, and the rules
//! across them.
//!
//! The spelling a user chose ends here: behind [`TableOptions`] there are enums, durations and
//! checked numbers only.

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
