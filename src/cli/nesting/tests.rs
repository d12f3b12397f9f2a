use super::*;

fn depth(sql: &str) -> usize {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize().unwrap();
    deepest(&tokens).depth
}

fn chain(operand: &str, operator: &str, count: usize) -> String {
    vec![operand; count].join(operator)
}

#[test]
fn a_run_of_operators_is_as_deep_as_it_is_long() {
    assert_eq!(depth(&chain("x", " OR ", 100)), 99);
    assert_eq!(depth(&chain("x = 1", " OR ", 100)), 100);
    assert_eq!(depth(&chain("x = 1 AND y = 2", " OR ", 100)), 101);
    assert_eq!(depth(&chain("x", " || ", 100)), 99);
    assert_eq!(depth(&chain("SELECT 1", " UNION ALL ", 100)), 99);
    assert_eq!(depth(&chain("(SELECT a + b FROM t)", " UNION ", 100)), 100);
    assert_eq!(
        depth(&format!(
            "SELECT 1 FROM {}",
            chain("t", " CROSS JOIN ", 100)
        )),
        99
    );
    assert_eq!(
        depth(&format!("SELECT 1 FROM {} WHERE a", chain("t", ", ", 100))),
        99
    );
    assert_eq!(depth(&format!("x{}", "::INT".repeat(100))), 100);
    assert_eq!(depth(&format!("x{}", "[1]".repeat(100))), 100);
    assert_eq!(depth(&chain("a AS (SELECT x FROM b)", ", ", 100)), 100);
}

#[test]
fn depths_add_up_through_parentheses() {
    assert_eq!(depth("1 + (2 + (3 + 4))"), 3);
    assert_eq!(depth("f(1 + 2, 3 + 4) OR g(1)"), 2);
    let sum = chain("x", " + ", 50);
    assert_eq!(depth(&format!("({sum}) OR ({sum}) OR y")), 51);
}

#[test]
fn long_lists_are_not_deep() {
    let list = chain("1", ", ", 10_000);
    assert_eq!(depth(&format!("SELECT x IN ({list})")), 1);
    assert_eq!(
        depth(&format!("VALUES {}", chain("(1, 'a', -2)", ", ", 10_000))),
        1
    );
    assert_eq!(depth(&format!("SELECT concat({list})")), 0);
    let cases = " WHEN x = 1 THEN y + 1".repeat(10_000);
    assert_eq!(depth(&format!("SELECT CASE{cases} ELSE 1 END")), 1);
    assert_eq!(depth(&chain("SELECT a = b", "; ", 10_000)), 1);
}

#[test]
fn the_error_suggests_an_alternative() {
    for (operand, operator, expected) in [
        ("x = 1", " OR ", ["2002 nested operators", "OR", "IN ("]),
        ("x", " || ", ["2001 nested operators", "||", "concat("]),
        (
            "SELECT 1",
            " UNION ALL ",
            ["2001 nested operators", "UNION", "VALUES ("],
        ),
    ] {
        check(&chain(operand, operator, MAX_DEPTH)).unwrap();
        let error = check(&chain(operand, operator, MAX_DEPTH + 2)).unwrap_err();
        let error = error.to_string();
        assert!(expected.iter().all(|part| error.contains(part)), "{error}");
    }
}
