use super::*;
use crate::error::ErrorKind;

fn variables(given: &[(&str, &str)]) -> Arc<Variables> {
    let given = given.iter();
    Variables::new(given.map(|(name, value)| (name.into(), value.into())))
}

/// The literals of `sql` with their values.
fn literals(variables: &Variables, sql: &str) -> Vec<String> {
    let filled = variables.fill(tokens(sql)).unwrap();
    let literals = filled
        .tokens
        .into_iter()
        .filter_map(|token| match token.token {
            Token::SingleQuotedString(text) => Some(text),
            _ => None,
        });
    literals.collect()
}

#[test]
fn variables_and_defaults_are_replaced_in_literals() {
    let variables = variables(&[("A", "one"), ("_b2", "it's ${A}"), ("EMPTY", "")]);
    for (sql, expected) in [
        ("SELECT '${A}'", "one"),
        ("SELECT 'x${A}y${A}'", "xoneyone"),
        ("SELECT '${_b2}'", "it's ${A}"),
        ("SELECT '${EMPTY}'", ""),
        ("SELECT '${EMPTY:-none}'", "none"),
        (
            "SELECT '${C:-a default, with - and :}'",
            "a default, with - and :",
        ),
        ("SELECT '${C:-}'", ""),
        ("SELECT '${C:-it''s}'", "it's"),
        ("SELECT '${A:-unused}'", "one"),
        ("SELECT '$${A}'", "${A}"),
        ("SELECT '$$${A}'", "$${A}"),
        ("SELECT '$A {A} $ ${A}'", "$A {A} $ one"),
    ] {
        assert_eq!(literals(&variables, sql), [expected], "{sql}");
    }
}

#[test]
fn nothing_outside_of_plain_literals_is_replaced() {
    let variables = variables(&[("A", "one")]);
    for sql in [
        "SELECT 1 -- '${A}'",
        "SELECT /* '${A}' */ 1",
        "SELECT \"${A}\" FROM t",
        "SELECT $$${A}$$, $tag$'${A}'$tag$",
        "SELECT E'${A}'",
        "SELECT X'00', `${A}`",
    ] {
        let before = tokens(sql);
        let filled = variables.fill(before.clone()).unwrap();
        assert_eq!(filled.tokens, before, "{sql}");
        assert!(!filled.has_any, "{sql}");
    }
}

#[test]
fn a_variable_that_cannot_be_replaced_is_reported_with_its_line() {
    let variables = variables(&[("A", "one")]);
    for (sql, line, part) in [
        ("SELECT\n'${A}', '${MISSING}'", 2, "'MISSING' is not set"),
        ("SELECT 'a\nb\n${MISSING}'", 3, "'MISSING' is not set"),
        ("SELECT '${1A}'", 1, "valid name"),
        ("SELECT '${}'", 1, "valid name"),
        ("SELECT '${A-x}'", 1, "valid name"),
        ("SELECT '${Ä}'", 1, "valid name"),
        ("SELECT '${A'", 1, "no '}'"),
        ("SELECT '${B:-x'", 1, "no '}'"),
        ("SELECT '${B:-${A}}'", 1, "contains '${'"),
    ] {
        let unusable = variables.check(sql).unwrap_err();
        assert_eq!(unusable.line, line, "{sql}");
        assert!(unusable.message.contains(part), "{sql}: {unusable:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_value_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStringExt;
    let variables = Variables::new([("A".into(), OsString::from_vec(vec![0xff]))]);
    let unusable = variables.check("SELECT '${A:-x}'").unwrap_err();
    assert!(
        unusable.message.contains("'A' is not UTF-8"),
        "{unusable:?}"
    );
}

#[tokio::test]
async fn a_value_cannot_become_sql() {
    let ctx = SessionContext::new();
    crate::register(&ctx);
    let value = "' OR 1 = 1; DROP TABLE t --\\";
    variables(&[("A", value)]).install(&ctx);
    for dialect in ["generic", "mysql", "bigquery", "postgresql"] {
        let set = format!("SET datafusion.sql_parser.dialect = '{dialect}'");
        crate::sql(&ctx, &set).await.unwrap();
        let frame = crate::sql(&ctx, "SELECT '${A}' AS a").await.unwrap();
        let rows = frame.collect().await.unwrap();
        let shown = datafusion::arrow::util::pretty::pretty_format_batches(&rows).unwrap();
        assert!(shown.to_string().contains(value), "{dialect}: {shown}");
    }
}

#[tokio::test]
async fn question_marks_are_operators_next_to_variables() {
    let ctx = SessionContext::new();
    crate::register(&ctx);
    variables(&[("KEY", "a")]).install(&ctx);
    let sql = "SELECT '{\"a\":1}' ? '${KEY}' AS found";
    let rows = crate::sql(&ctx, sql)
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    let shown = datafusion::arrow::util::pretty::pretty_format_batches(&rows).unwrap();
    assert!(shown.to_string().contains("true"), "{shown}");
}

#[tokio::test]
async fn a_session_without_variables_leaves_literals_alone() {
    let ctx = SessionContext::new();
    crate::register(&ctx);
    let plan = crate::sql(&ctx, "SELECT '${A}' AS a").await.unwrap();
    assert!(plan.logical_plan().to_string().contains("${A}"));
    variables(&[]).install(&ctx);
    let error = crate::sql(&ctx, "SELECT '${A}' AS a").await.unwrap_err();
    let error = Error::find_in(&error).unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    assert!(error.to_string().contains("'A' is not set"), "{error}");
}

#[test]
fn texts_show_names_instead_of_values() {
    let variables = variables(&[
        ("LONG", "correct-horse"),
        ("WORD", "horse"),
        ("NUMBER", "10"),
        ("URL", "https://ada:hunter-two@proxy:8080"),
        ("QUOTE", "it's \"it\""),
    ]);
    let all = "SELECT '${LONG}', '${WORD}', '${NUMBER}', '${URL}', '${QUOTE}', 'x${WORD}y'";
    assert_eq!(
        variables.mask("correct-horse"),
        "correct-horse",
        "not used yet"
    );
    variables.check(all).unwrap();
    for (text, expected) in [
        ("a correct-horse b", "a ${LONG} b"),
        ("xcorrect-horsey", "x${LONG}y"),
        ("a horse, horses", "a ${WORD}, horses"),
        ("'xhorsey' is unknown", "'x${WORD}y' is unknown"),
        ("10 of '10' at line 10", "10 of '${NUMBER}' at line 10"),
        ("password hunter-two of ada", "password ${URL} of ada"),
        ("'it''s \"it\"'", "'${QUOTE}'"),
        ("{\"a\":\"it's \\\"it\\\"\"}", "{\"a\":\"${QUOTE}\"}"),
    ] {
        assert_eq!(variables.mask(text), expected);
    }
}

#[test]
fn a_value_that_is_a_name_in_the_statements_is_shown() {
    let variables = variables(&[("STREAM", "clicks-of-today"), ("TABLE", "clicks")]);
    let sql =
        "CREATE EXTERNAL TABLE clicks STORED AS KINESIS LOCATION '${TABLE}'; SELECT '${STREAM}'";
    variables.check(sql).unwrap();
    let text = "table 'clicks' of 'clicks-of-today'";
    assert_eq!(variables.mask(text), "table 'clicks' of '${STREAM}'");
}

#[test]
fn a_stored_statement_has_a_hash_of_its_values() {
    let stored = |value: &str, sql: &str| variables(&[("A", value), ("B", "b")]).identify(sql);
    let sql = "SELECT '${A}' FROM words";
    let (one, other) = (stored("one", sql), stored("other", sql));
    assert!(one.starts_with(sql) && !one.contains("one"), "{one}");
    assert_eq!(one, stored("one", sql));
    assert_ne!(one, other);
    assert_eq!(hash_of_values(&one).map(str::len), Some(16));
    // Where a value ends counts.
    let pair = |a: &str, b: &str| variables(&[("A", a), ("B", b)]).identify("SELECT '${A}${B}'");
    assert_ne!(pair("x", "yz"), pair("xy", "z"));
    let plain = "SELECT 'x' FROM words";
    assert_eq!(stored("one", plain), plain);
    assert_eq!(hash_of_values(plain), None);
}

#[test]
fn a_literal_of_an_expression_is_stored_as_a_hash() {
    let texts = ["one", "other"].map(|value| {
        let variables = variables(&[("A", value)]);
        variables.check("SELECT '${A}'").unwrap();
        variables.identify_expression(&format!("concat(t.{value}, Utf8(\"{value}\"))"))
    });
    assert!(
        texts[0].starts_with("concat(t.one, Utf8(\"${A}\" of hash "),
        "{texts:?}"
    );
    assert_ne!(texts[0].replace("t.one", "t.other"), texts[1]);
}
