use std::ops::ControlFlow;

use datafusion::config::Dialect;
use datafusion::sql::sqlparser::ast::{Expr, Statement, Value, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::dialect::{GenericDialect, PostgreSqlDialect};
use datafusion::sql::sqlparser::parser::Parser;

use super::group_operators;

/// `expression` with parentheses around the JSON operators that were regrouped.
fn grouped(expression: &str) -> String {
    let sql = format!("SELECT {expression}");
    let mut statements = Parser::parse_sql(&GenericDialect {}, &sql).unwrap();
    group_operators(&mut statements, Dialect::Generic);
    let text = statements[0].to_string();
    let mut again = Parser::parse_sql(&GenericDialect {}, &text).unwrap();
    group_operators(&mut again, Dialect::Generic);
    assert_eq!(again, statements, "{text} means something else as text");
    text["SELECT ".len()..].to_owned()
}

#[test]
fn operators_are_grouped_before_others() {
    for (expression, expected) in [
        ("a -> 'b'", "a -> 'b'"),
        ("a -> 'b' ->> 'c'", "a -> 'b' ->> 'c'"),
        ("a ->> 'b' = 'x'", "(a ->> 'b') = 'x'"),
        ("'x' = a ->> 'b'", "'x' = (a ->> 'b')"),
        ("a ->> 'b' = c ->> 'd'", "(a ->> 'b') = (c ->> 'd')"),
        ("a -> 'b' ->> 'c' = 'x'", "(a -> 'b' ->> 'c') = 'x'"),
        ("1 + a -> 'b' * 2", "1 + (a -> 'b') * 2"),
        ("1 * a -> 'b' + 2", "1 * (a -> 'b') + 2"),
        ("1 - 2 - a -> 'b' - 3", "1 - 2 - (a -> 'b') - 3"),
        ("'x' || a ->> 'b' || 'y'", "'x' || (a ->> 'b') || 'y'"),
        ("1 = a -> 'b' + 2", "1 = (a -> 'b') + 2"),
        ("1 + a -> 'b' = 2", "1 + (a -> 'b') = 2"),
        ("- a -> 'b'", "-(a -> 'b')"),
        (
            "a ->> 'b' LIKE 'x' AND NOT c ->> 'd' IS NULL",
            "(a ->> 'b') LIKE 'x' AND NOT (c ->> 'd') IS NULL",
        ),
        (
            "a ->> 'b' NOT IN ('x', c ->> 'd')",
            "(a ->> 'b') NOT IN ('x', c ->> 'd')",
        ),
        ("x BETWEEN 1 AND a -> 'b'", "x BETWEEN 1 AND (a -> 'b')"),
        (
            "a ->> 'b' AT TIME ZONE 'UTC'",
            "(a ->> 'b') AT TIME ZONE 'UTC'",
        ),
        ("(a -> 'b') = 1", "(a -> 'b') = 1"),
        ("a -> ('b' = 'c')", "a -> ('b' = 'c')"),
        ("a -> 'b'::INT", "a -> 'b'::INT"),
        ("a[1] -> 'b'", "a[1] -> 'b'"),
        ("f(a -> 'b' = 1, c)", "f((a -> 'b') = 1, c)"),
    ] {
        assert_eq!(grouped(expression), expected, "{expression}");
    }
}

/// The text of statements with parentheses around each operator, and nothing else.
fn structure(mut statements: Vec<Statement>) -> String {
    struct Parentheses;

    impl VisitorMut for Parentheses {
        type Break = ();

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            let whole = std::mem::replace(expr, Expr::value(Value::Null));
            *expr = match whole {
                Expr::Nested(inner) => *inner,
                leaf @ (Expr::Identifier(_) | Expr::Value(_)) => leaf,
                operator => Expr::Nested(Box::new(operator)),
            };
            ControlFlow::Continue(())
        }
    }

    let _: ControlFlow<()> = statements.visit(&mut Parentheses);
    statements[0].to_string()
}

/// PostgreSQL gives these operators a precedence above comparisons, too.
#[test]
fn conditions_are_grouped_as_in_postgres() {
    for expression in [
        "a ->> 'b' = 'x' AND c -> 'd' ->> 'e' <> f ->> 'g' OR NOT h ->> 'i' < 'j'",
        "a ->> 'b' LIKE c ->> 'd' AND e ->> 'f' IS NOT NULL",
        "a ->> 'b' IN ('x') = (c ->> 'd' IS DISTINCT FROM e ->> 'f')",
        "a ->> 'b' ~ 'x' AND 'y' ~* c ->> 'd'",
        "a #>> b = 'x' AND c BETWEEN 1 AND d -> 'e'",
    ] {
        let sql = format!("SELECT {expression}");
        let expected = Parser::parse_sql(&PostgreSqlDialect {}, &sql).unwrap();
        let mut found = Parser::parse_sql(&GenericDialect {}, &sql).unwrap();
        group_operators(&mut found, Dialect::Generic);
        assert_eq!(structure(found), structure(expected), "{expression}");
    }
}
