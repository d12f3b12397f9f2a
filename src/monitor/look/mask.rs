//! Masks secrets in texts.

use std::sync::Arc;

use datafusion::catalog::{MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider};
use datafusion::prelude::SessionContext;
use futures::FutureExt;

use crate::options::redact;
use crate::query::ObservedQuery;
use crate::sql::{StreamingSettings, Variables};
use crate::table::KinesisTable;

/// A shorter secret is not looked for: it may be part of any text, and masking it would show what it is.
const SHORTEST_SECRET: usize = 8;

/// The secrets of a session, none of which may be shown.
#[derive(Debug, Default)]
pub(in crate::monitor) struct Mask {
    secrets: Vec<String>,
    /// The environment variables that statements have used.
    variables: Option<Arc<Variables>>,
}

impl Mask {
    /// The secrets in the options of the session's tables, in its settings, and those that its queries had.
    pub(super) fn of(ctx: &SessionContext, runs: &[ObservedQuery]) -> Self {
        let settings = StreamingSettings::of(ctx.state_ref().read().config_options());
        let webhook = settings.alarm_webhook.iter();
        let mut secrets: Vec<String> = webhook.map(|url| url.reveal().to_owned()).collect();
        for (_, table) in kinesis_tables(ctx) {
            secrets.extend(table.given_options().secrets());
        }
        let of_runs = runs.iter().flat_map(ObservedQuery::secrets);
        secrets.extend(of_runs.cloned());
        secrets.retain(|secret| secret.len() >= SHORTEST_SECRET);
        // A secret may be part of another.
        secrets.sort_by(|one, other| other.len().cmp(&one.len()).then(one.cmp(other)));
        secrets.dedup();
        let variables = Variables::of(ctx.state_ref().read().config());
        Self { secrets, variables }
    }

    /// `text` without the values of secret options, wherever they stand.
    pub(in crate::monitor) fn text(&self, text: &str) -> String {
        self.known(redact::statement(text))
    }

    /// As [`text`](Self::text) for a text that ends with `…` if it was cut off: a secret may have been cut in the middle.
    pub(in crate::monitor) fn start_of_text(&self, text: &str) -> String {
        let Some(mut kept) = text.strip_suffix('…') else {
            return self.text(text);
        };
        // What is left may end in the middle of another secret.
        while let Some(cut) = self.secret_at_end(kept) {
            kept = &kept[..kept.len() - cut];
        }
        format!("{}…", self.text(kept))
    }

    /// The length of the longest start of a secret at the end of `text`.
    fn secret_at_end(&self, text: &str) -> Option<usize> {
        let secrets = self.secrets.iter();
        let secrets = secrets.flat_map(|secret| [secret.clone(), quoted(secret)]);
        let values = self.variables.iter();
        let values = values.flat_map(|variables| variables.hidden());
        let values = values.filter(|value| value.len() >= SHORTEST_SECRET);
        let secrets = secrets.chain(values);
        let lengths = secrets.filter_map(|secret| {
            let ends = secret
                .char_indices()
                .map(|(start, char)| start + char.len_utf8());
            ends.rev().find(|end| text.ends_with(&secret[..*end]))
        });
        lengths.max()
    }

    /// `text`, which may be JSON, without the secrets of the tables and the values of environment variables.
    pub(in crate::monitor) fn known(&self, text: String) -> String {
        let secrets = self.secrets.iter();
        let spellings = secrets.flat_map(|secret| [secret.clone(), quoted(secret)]);
        let masked = spellings.fold(text, |text, secret| match text.contains(&secret) {
            true => redact::mask_word(&text, &secret),
            // Not copied, because the progress of a query over many shards is long.
            false => text,
        });
        match &self.variables {
            Some(variables) => variables.mask(&masked),
            None => masked,
        }
    }
}

/// A secret as JSON escapes it.
fn quoted(secret: &str) -> String {
    let quoted = serde_json::Value::from(secret).to_string();
    let inner = quoted
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or(&quoted).to_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "cli")]
    #[test]
    fn environment_variables_are_shown_by_name() {
        let variables = Variables::new([("KEY".into(), "correct-horse-battery".into())]);
        variables.check("SELECT '${KEY}'").unwrap();
        let mask = Mask {
            secrets: Vec::new(),
            variables: Some(variables),
        };
        let text = "'correct-horse-battery' is unknown";
        assert_eq!(mask.text(text), "'${KEY}' is unknown");
        assert_eq!(mask.start_of_text("a correct-hor…"), "a …");
    }

    #[test]
    fn a_secret_that_was_cut_off_is_not_shown() {
        let secrets = ["correct-horse-battery", "canary-canary-", "q\"uoted-secret"];
        let mask = Mask {
            secrets: secrets.map(str::to_owned).to_vec(),
            variables: None,
        };
        for (text, expected) in [
            ("a correct-horse-battery", "a ***"),
            ("a correct-horse-battery b…", "a *** b…"),
            ("a correct-horse-battery…", "a …"),
            ("a canary-canary-…", "a …"),
            ("a canary-canary-correct-horse…", "a …"),
            ("a correct-horse-batter…", "a …"),
            ("a c…", "a …"),
            (r#"{"k":"q\"uoted-s…"#, r#"{"k":"…"#),
            ("a correct-horse-batter", "a correct-horse-batter"),
        ] {
            assert_eq!(mask.start_of_text(text), expected, "{text}");
        }
    }
}
