use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::*;
use crate::source::RowColumn;

/// The statement after the rewrite; `words` is a Kinesis table, `plain` is not.
fn rewritten(sql: &str) -> String {
    let mut statement = Parser::parse_sql(&GenericDialect {}, sql)
        .unwrap()
        .remove(0);
    let table = |name: &str| ObjectName::from(vec![Ident::new(name)]);
    let words = RowColumn::STANDARD.map(|column| column.name().to_owned());
    let tables = Tables::from([
        (table("words"), words.to_vec()),
        (
            table("plain"),
            vec!["id".to_owned(), "partitionkey".to_owned()],
        ),
    ]);
    quote_columns(&mut statement, &tables);
    statement.to_string()
}

#[test]
fn bare_columns_are_quoted_in_any_case() {
    assert_eq!(
        rewritten("SELECT partitionKey, w.SEQUENCENUMBER FROM words AS w WHERE streamname = 'x'"),
        r#"SELECT "partitionKey", w."sequenceNumber" FROM words AS w WHERE "streamName" = 'x'"#
    );
    assert_eq!(
        rewritten("SELECT count(*) FROM words GROUP BY partitionKey ORDER BY partitionKey"),
        r#"SELECT count(*) FROM words GROUP BY "partitionKey" ORDER BY "partitionKey""#
    );
}

#[test]
fn lower_case_and_quoted_columns_are_unchanged() {
    let sql = r#"SELECT data, DATA, "partitionkey" FROM words"#;
    assert_eq!(rewritten(sql), sql);
}

#[test]
fn columns_of_other_tables_are_unchanged() {
    let sql = "SELECT partitionKey FROM plain";
    assert_eq!(rewritten(sql), sql);
}

#[test]
fn insert_columns_resolve_to_the_target() {
    assert_eq!(
        rewritten("INSERT INTO words (PartitionKey, data) SELECT id, partitionKey FROM plain"),
        r#"INSERT INTO words ("partitionKey", data) SELECT id, partitionKey FROM plain"#
    );
}

#[test]
fn columns_of_a_prepared_insert_are_quoted() {
    assert_eq!(
        rewritten("PREPARE p AS INSERT INTO words (partitionKey, data) VALUES ($1, $2)"),
        r#"PREPARE p AS INSERT INTO words ("partitionKey", data) VALUES ($1, $2)"#
    );
}

#[test]
fn an_alias_shadows_the_column_outside() {
    assert_eq!(
        rewritten(
            "SELECT partitionKey FROM (SELECT upper(partitionKey) AS partitionKey FROM words)"
        ),
        r#"SELECT partitionKey FROM (SELECT upper("partitionKey") AS partitionKey FROM words)"#
    );
    assert_eq!(
        rewritten("SELECT upper(data) AS partitionKey FROM words ORDER BY partitionKey"),
        "SELECT upper(data) AS partitionKey FROM words ORDER BY partitionKey"
    );
    assert_eq!(
        rewritten("WITH t (streamName) AS (SELECT streamName FROM words) SELECT streamName FROM t"),
        r#"WITH t (streamName) AS (SELECT "streamName" FROM words) SELECT streamName FROM t"#
    );
}

#[test]
fn columns_resolve_through_subqueries_ctes_and_unions() {
    assert_eq!(
        rewritten("SELECT streamName FROM (SELECT * FROM words) AS s"),
        r#"SELECT "streamName" FROM (SELECT * FROM words) AS s"#
    );
    assert_eq!(
        rewritten("WITH t AS (SELECT streamName FROM words) SELECT streamName FROM t"),
        r#"WITH t AS (SELECT "streamName" FROM words) SELECT "streamName" FROM t"#
    );
    assert_eq!(
        rewritten("SELECT streamName FROM words UNION ALL SELECT partitionKey FROM words"),
        r#"SELECT "streamName" FROM words UNION ALL SELECT "partitionKey" FROM words"#
    );
    assert_eq!(
        rewritten("SELECT id FROM plain WHERE EXISTS (SELECT 1 FROM words WHERE streamName = id)"),
        r#"SELECT id FROM plain WHERE EXISTS (SELECT 1 FROM words WHERE "streamName" = id)"#
    );
    assert_eq!(
        rewritten(
            "SELECT id FROM words JOIN plain ON true WHERE id IN (SELECT streamName FROM plain)"
        ),
        r#"SELECT id FROM words JOIN plain ON true WHERE id IN (SELECT "streamName" FROM plain)"#
    );
}

#[test]
fn a_qualifier_selects_the_relation() {
    assert_eq!(
        rewritten(
            "SELECT w.partitionKey, p.partitionKey FROM words AS w JOIN plain AS p ON w.partitionkey = p.partitionkey"
        ),
        r#"SELECT w."partitionKey", p.partitionKey FROM words AS w JOIN plain AS p ON w."partitionKey" = p.partitionkey"#
    );
    assert_eq!(
        rewritten("SELECT s.partitionKey FROM (SELECT named_struct('a', 1) AS s, data FROM words)"),
        "SELECT s.partitionKey FROM (SELECT named_struct('a', 1) AS s, data FROM words)"
    );
    assert_eq!(
        rewritten(
            "SELECT id FROM plain AS o WHERE EXISTS (SELECT 1 FROM words WHERE words.partitionKey = o.partitionKey)"
        ),
        r#"SELECT id FROM plain AS o WHERE EXISTS (SELECT 1 FROM words WHERE words."partitionKey" = o.partitionKey)"#
    );
}

#[test]
fn a_cte_may_shadow_the_table_it_reads() {
    assert_eq!(
        rewritten(
            "WITH words AS (SELECT partitionKey AS pk FROM words) SELECT pk, partitionKey FROM words"
        ),
        r#"WITH words AS (SELECT "partitionKey" AS pk FROM words) SELECT pk, partitionKey FROM words"#
    );
    assert_eq!(
        rewritten(
            "WITH RECURSIVE t AS (SELECT partitionKey FROM words UNION ALL SELECT partitionKey FROM t) SELECT partitionKey FROM t"
        ),
        r#"WITH RECURSIVE t AS (SELECT "partitionKey" FROM words UNION ALL SELECT "partitionKey" FROM t) SELECT "partitionKey" FROM t"#
    );
}

#[test]
fn having_resolves_aliases_first() {
    assert_eq!(
        rewritten(
            "SELECT max(sequenceNumber) AS sequenceNumber FROM words GROUP BY partitionKey HAVING sequenceNumber > '5' AND partitionKey <> ''"
        ),
        r#"SELECT max("sequenceNumber") AS sequenceNumber FROM words GROUP BY "partitionKey" HAVING sequenceNumber > '5' AND "partitionKey" <> ''"#
    );
}

#[test]
fn using_and_exclude_columns_are_quoted() {
    assert_eq!(
        rewritten(
            "SELECT * EXCLUDE (sequenceNumber) FROM words JOIN words AS w USING (streamName)"
        ),
        r#"SELECT * EXCLUDE ("sequenceNumber") FROM words JOIN words AS w USING("streamName")"#
    );
}
