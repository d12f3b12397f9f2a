//! Arguments of `kinesis-sql consumers`.

use super::{Connection, OptionText, Shown};
use crate::model::ConsumerName;

const CONSUMERS_AFTER_HELP: &str = "\
A consumer costs money until it is deregistered, also while nobody reads. A streaming query deregisters
a consumer that it has registered itself, but not if the process is killed, or if the query fails.

A consumer that is deregistered while a query reads ends the subscriptions of that query.";

/// Arguments of `consumers`.
#[derive(Debug, clap::Args)]
#[command(after_help = CONSUMERS_AFTER_HELP)]
pub(in crate::cli) struct Consumers {
    /// Name or ARN of the stream
    #[arg(long, value_name = "STREAM")]
    pub(in crate::cli) stream: String,
    /// Deregister the consumer of this name, instead of listing all
    #[arg(
        long,
        value_name = "NAME",
        value_parser = consumer,
        conflicts_with_all = ["output", "width", "expanded"]
    )]
    pub(in crate::cli) deregister: Option<ConsumerName>,
    /// Option of the connection as in OPTIONS, such as kinesis.stsRoleArn=arn:…; repeatable
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(in crate::cli) option: Vec<OptionText>,
    #[command(flatten)]
    pub(in crate::cli) shown: Shown,
    #[command(flatten)]
    pub(in crate::cli) connection: Connection,
}

fn consumer(text: &str) -> Result<ConsumerName, String> {
    ConsumerName::new(text)
        .map_err(|_| "expected 1 to 128 of the characters a-z A-Z 0-9 _ . -".to_owned())
}
