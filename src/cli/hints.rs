//! Improves engine errors: suggests similar table names, and removes advice to change the parser.

use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;

/// The end of the engine's hint about letter case. Following it would make all bare names case
/// sensitive, including those of existing tables and columns. Double quotes, which the hint names
/// first, are the better fix.
const PARSER_SETTING: &str =
    " or disable the datafusion.sql_parser.enable_ident_normalization configuration";

/// Minimum similarity of a suggested name.
const SIMILAR: f64 = 0.6;

/// Maximum number of table names listed.
const NAMED: usize = 8;

/// Removes the engine's advice to change its parser.
pub(super) fn without_parser_setting(message: &str) -> String {
    message.replace(PARSER_SETTING, "")
}

/// Adds the existing tables to a "table not found" error.
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

/// The hint for the missing table `missing`, a full name.
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
        0 => "no tables exist yet; CREATE EXTERNAL TABLE … creates one".to_owned(),
        1..=NAMED => format!("existing tables: {}", names.join(", ")),
        count => format!("SHOW TABLES lists the {count} existing tables"),
    }
}

/// The name as it must be written in SQL.
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
    fn a_similar_table_is_suggested_with_quotes_if_needed() {
        let tables = [table("clicks"), table("Words")];
        let hint = |name: &str| hint(&format!("datafusion.public.{name}"), &tables);
        assert_eq!(hint("clikcs"), "did you mean clicks?");
        assert_eq!(hint("words"), "did you mean \"Words\"?");
        assert_eq!(
            hint("orders_of_today"),
            "existing tables: clicks, \"Words\""
        );
    }

    #[test]
    fn without_a_similar_table_existing_tables_are_listed() {
        assert!(hint("a.b.c", &[]).contains("no tables exist yet"));
        let many: Vec<_> = (0..20).map(|i| table(&format!("table_{i}"))).collect();
        assert_eq!(
            hint("a.b.c", &many),
            "SHOW TABLES lists the 20 existing tables"
        );
    }
}
