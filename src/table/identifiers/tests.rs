use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::*;

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
fn a_bare_column_in_any_case_is_quoted() {
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
fn a_lower_case_column_stays_bare_and_a_quoted_one_as_it_is() {
    let sql = r#"SELECT data, DATA, "partitionkey" FROM words"#;
    assert_eq!(rewritten(sql), sql);
}

#[test]
fn a_column_of_another_table_stays_as_it_is() {
    let sql = "SELECT partitionKey FROM plain";
    assert_eq!(rewritten(sql), sql);
}

#[test]
fn the_columns_of_an_insert_are_those_of_its_target() {
    assert_eq!(
        rewritten("INSERT INTO words (PartitionKey, data) SELECT id, partitionKey FROM plain"),
        r#"INSERT INTO words ("partitionKey", data) SELECT id, partitionKey FROM plain"#
    );
}

#[test]
fn an_alias_stays_as_it_is_and_hides_the_column_outside() {
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
fn columns_are_seen_through_subqueries_ctes_and_unions() {
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
fn using_and_exclude_name_columns_too() {
    assert_eq!(
        rewritten(
            "SELECT * EXCLUDE (sequenceNumber) FROM words JOIN words AS w USING (streamName)"
        ),
        r#"SELECT * EXCLUDE ("sequenceNumber") FROM words JOIN words AS w USING("streamName")"#
    );
}
