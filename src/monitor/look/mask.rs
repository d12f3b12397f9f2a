//! Masks secrets in texts.

use datafusion::catalog::{MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider};
use datafusion::prelude::SessionContext;
use futures::FutureExt;

use crate::options::redact;
use crate::sql::StreamingSettings;
use crate::table::KinesisTable;

/// A shorter secret is not looked for: it may be part of any text, and masking it would show what it is.
const SHORTEST_SECRET: usize = 8;

/// The secrets of a session, none of which may be shown.
#[derive(Debug, Default)]
pub(in crate::monitor) struct Mask {
    secrets: Vec<String>,
}

impl Mask {
    /// The secrets in the options of the session's tables and in its settings.
    pub(super) fn of(ctx: &SessionContext) -> Self {
        let settings = StreamingSettings::of(ctx.state_ref().read().config_options());
        let webhook = settings.alarm_webhook.iter();
        let mut secrets: Vec<String> = webhook.map(|url| url.reveal().to_owned()).collect();
        for (_, table) in kinesis_tables(ctx) {
            let given = table.given_options().secrets().into_iter();
            secrets.extend(given.filter(|secret| secret.len() >= SHORTEST_SECRET));
        }
        // A secret may be part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self { secrets }
    }

    /// `text` without the values of secret options, wherever they stand.
    pub(in crate::monitor) fn text(&self, text: &str) -> String {
        self.known(&redact::statement(text))
    }

    /// `text`, which may be JSON, without the secrets of the tables.
    pub(in crate::monitor) fn known(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| {
            // JSON may escape it.
            let quoted = serde_json::Value::from(secret.as_str()).to_string();
            let text = redact::mask_word(&text, secret);
            redact::mask_word(&text, quoted.trim_matches('"'))
        })
    }
}

/// The Kinesis tables of a session, each with its name. Catalogs that are not in memory are left out: to look at them
/// may send requests.
pub(super) fn kinesis_tables(ctx: &SessionContext) -> Vec<(String, KinesisTable)> {
    let mut tables = Vec::new();
    for catalog_name in ctx.catalog_names() {
        let Some(catalog) = ctx.catalog(&catalog_name) else {
            continue;
        };
        if !catalog.is::<MemoryCatalogProvider>() {
            continue;
        }
        for schema_name in catalog.schema_names() {
            let Some(schema) = catalog.schema(&schema_name) else {
                continue;
            };
            let Some(schema) = schema.downcast_ref::<MemorySchemaProvider>() else {
                continue;
            };
            for name in schema.table_names() {
                // Tables in memory are there at once.
                let table = schema.table(&name).now_or_never();
                let Some(Ok(Some(table))) = table else {
                    continue;
                };
                if let Some(table) = table.downcast_ref::<KinesisTable>() {
                    tables.push((name, table.clone()));
                }
            }
        }
    }
    tables.sort_by(|(one, _), (other, _)| one.cmp(other));
    tables
}
