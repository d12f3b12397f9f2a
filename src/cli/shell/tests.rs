use super::*;

#[test]
fn words_of_the_shell_are_known_with_and_without_a_semicolon() {
    assert_eq!(Word::parse("exit"), Some(Word::Quit));
    assert_eq!(Word::parse(" QUIT ; "), Some(Word::Quit));
    assert_eq!(Word::parse("\\q"), Some(Word::Quit));
    assert_eq!(Word::parse("\\?"), Some(Word::Help));
    assert_eq!(Word::parse("\\d\n"), Some(Word::Tables));
    assert_eq!(
        Word::parse(" \\d  Words ;"),
        Some(Word::Describe("Words".into()))
    );
    assert_eq!(Word::parse("exit from t"), None);
    assert_eq!(Word::parse(""), None);
}

#[test]
fn what_begins_with_a_backslash_is_no_sql() {
    for line in ["\\foo", "\\", "\\width x", "\\quit now", "\\d\nSELECT 1;"] {
        assert_eq!(Word::parse(line), Some(Word::Unknown), "{line}");
    }
    assert_eq!(Word::parse("SELECT\n\\d"), None);
}

#[test]
fn commands_work_within_a_statement_and_are_text_in_a_quote() {
    for open in [Open::Statement, Open::Parenthesis] {
        assert_eq!(Word::within(open, "\\q"), Some(Word::Quit));
        assert_eq!(Word::within(open, "\\d"), Some(Word::Tables));
        assert_eq!(Word::within(open, "?"), Some(Word::Help));
        assert_eq!(Word::within(open, "exit"), Some(Word::NotHere));
        assert_eq!(Word::within(open, "FROM t"), None);
    }
    assert_eq!(Word::within(Open::Quote('\''), "\\q"), None);
    assert_eq!(Word::within(Open::Comment, "quit"), None);
}

#[test]
fn the_view_of_tables_can_be_set() {
    assert_eq!(Word::parse("\\x"), Some(Word::Expanded(None)));
    assert_eq!(Word::parse("\\x on;"), Some(Word::Expanded(Some(true))));
    assert_eq!(Word::parse("\\width"), Some(Word::Width(Width::Terminal)));
    assert_eq!(
        Word::parse("\\width 0"),
        Some(Word::Width(Width::Unlimited))
    );
    assert_eq!(
        Word::parse("\\width 40"),
        Some(Word::Width(Width::Columns(40)))
    );
}

#[test]
fn the_prompt_shows_what_is_open() {
    assert_eq!(prompt(""), "kinesis> ");
    assert_eq!(prompt("SELECT 1\n"), "      -> ");
    assert_eq!(prompt("SELECT 'a\n"), "     '-> ");
    assert_eq!(prompt("SELECT (\n"), "     (-> ");
    assert_eq!(prompt("/* a\n"), "     *-> ");
}

#[test]
fn the_history_is_state_of_the_user() {
    let path = |state: Option<&str>, home: Option<&str>| {
        history_file_in(state.map(Into::into), home.map(Into::into))
    };
    assert_eq!(
        path(Some("/state"), Some("/home/a")),
        Some("/state/kinesis-sql/history".into())
    );
    assert_eq!(
        path(Some("relative"), Some("/home/a")),
        Some("/home/a/.local/state/kinesis-sql/history".into())
    );
    assert_eq!(path(None, None), None);
}
