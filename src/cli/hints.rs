//! What helps after an error of the engine: the table that was meant, and no advice to change its parser.

use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;

/// The end of the engine's hint on letter case. Bare names would be case sensitive from then on, those of existing tables
/// and columns among them: double quotes, which it names first, are what helps.
const PARSER_SETTING: &str =
    " or disable the datafusion.sql_parser.enable_ident_normalization configuration";

/// Names that differ from what was written by more of their letters are no suggestion.
const SIMILAR: f64 = 0.6;

/// As many names as can be read at a glance.
const NAMED: usize = 8;

/// A message without the engine's advice to change its parser.
pub(super) fn without_parser_setting(message: &str) -> String {
    message.replace(PARSER_SETTING, "")
}

/// The error; where it is about a table that does not exist, with the tables there are.
pub(super) fn with_tables(ctx: &SessionContext, error: DataFusionError) -> DataFusionError {
    let message = match error.find_root() {
        DataFusionError::Plan(message) => message.clone(),
        _ => return error,
    };
    let missing = message
        .strip_prefix("table '")
        .and_then(|rest| rest.strip_suffix("' not found"));
    match missing {
        Some(missing) => {
            let hint = hint(missing, &tables(ctx));
            DataFusionError::Plan(format!("{message}: {hint}"))
        }
        None => error,
    }
}

/// Catalog, schema and name of the user's tables.
fn tables(ctx: &SessionContext) -> Vec<[String; 3]> {
    let mut tables = Vec::new();
    for catalog_name in ctx.catalog_names() {
        let Some(catalog) = ctx.catalog(&catalog_name) else {
            continue;
        };
        for schema_name in catalog.schema_names() {
            if schema_name == "information_schema" {
                continue;
            }
            let names = catalog
                .schema(&schema_name)
                .map(|schema| schema.table_names());
            for name in names.into_iter().flatten() {
                tables.push([catalog_name.clone(), schema_name.clone(), name]);
            }
        }
    }
    tables.sort();
    tables
}

/// What to say about `missing`, a full name.
fn hint(missing: &str, tables: &[[String; 3]]) -> String {
    let wanted = missing.rsplit('.').next().unwrap_or(missing).to_lowercase();
    let similar = |table: &&[String; 3]| {
        strsim::normalized_damerau_levenshtein(&table[2].to_lowercase(), &wanted)
    };
    let nearest = tables
        .iter()
        .max_by(|a, b| similar(a).total_cmp(&similar(b)));
    if let Some(nearest) = nearest.filter(|nearest| similar(nearest) >= SIMILAR) {
        return format!("did you mean {}?", written(nearest));
    }
    let names: Vec<_> = tables.iter().take(NAMED).map(written).collect();
    match tables.len() {
        0 => "there is none yet, CREATE EXTERNAL TABLE … makes one".to_owned(),
        1..=NAMED => format!("there are {}", names.join(", ")),
        count => format!("SHOW TABLES lists the {count} there are"),
    }
}

/// The name as it has to be written.
fn written(table: &[String; 3]) -> String {
    let part = |name: &str| {
        let bare = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        match bare {
            true => name.to_owned(),
            false => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    };
    let [catalog, schema, name] = table.each_ref().map(|name| part(name));
    match (catalog.as_str(), schema.as_str()) {
        ("datafusion", "public") => name,
        ("datafusion", _) => format!("{schema}.{name}"),
        _ => format!("{catalog}.{schema}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> [String; 3] {
        ["datafusion".into(), "public".into(), name.into()]
    }

    #[test]
    fn a_misspelt_table_gets_a_suggestion_as_it_has_to_be_written() {
        let tables = [table("clicks"), table("Words")];
        let hint = |name: &str| hint(&format!("datafusion.public.{name}"), &tables);
        assert_eq!(hint("clikcs"), "did you mean clicks?");
        assert_eq!(hint("words"), "did you mean \"Words\"?");
        assert_eq!(hint("orders_of_today"), "there are clicks, \"Words\"");
    }

    #[test]
    fn without_a_like_of_it_the_tables_are_told() {
        assert!(hint("a.b.c", &[]).contains("none yet"));
        let many: Vec<_> = (0..20).map(|i| table(&format!("table_{i}"))).collect();
        assert_eq!(hint("a.b.c", &many), "SHOW TABLES lists the 20 there are");
    }
}
