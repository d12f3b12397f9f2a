use super::*;
use crate::cli::statements::Open;

#[test]
fn commands_are_recognized_with_and_without_a_semicolon() {
    assert_eq!(Command::parse("exit"), Some(Command::Quit));
    assert_eq!(Command::parse(" QUIT ; "), Some(Command::Quit));
    assert_eq!(Command::parse("\\q"), Some(Command::Quit));
    assert_eq!(Command::parse("\\?"), Some(Command::Help));
    assert_eq!(Command::parse("\\d\n"), Some(Command::Tables));
    assert_eq!(
        Command::parse(" \\d  Words ;"),
        Some(Command::Describe("Words".into()))
    );
    assert_eq!(Command::parse("exit from t"), None);
    assert_eq!(Command::parse(""), None);
}

#[test]
fn a_line_that_starts_with_a_backslash_is_not_sql() {
    for line in ["\\foo", "\\", "\\width x", "\\quit now", "\\d\nSELECT 1;"] {
        assert_eq!(Command::parse(line), Some(Command::Unknown), "{line}");
    }
    assert_eq!(Command::parse("SELECT\n\\d"), None);
}

#[test]
fn commands_work_within_a_statement_but_are_text_in_a_quote() {
    for open in [Open::Statement, Open::Parenthesis] {
        assert_eq!(Command::within(open, "\\q"), Some(Command::Quit));
        assert_eq!(Command::within(open, "\\d"), Some(Command::Tables));
        assert_eq!(Command::within(open, "?"), Some(Command::Help));
        assert_eq!(Command::within(open, "exit"), Some(Command::NotInStatement));
        assert_eq!(Command::within(open, "FROM t"), None);
    }
    assert_eq!(Command::within(Open::Quote('\''), "\\q"), None);
    assert_eq!(Command::within(Open::Comment, "quit"), None);
}

#[test]
fn display_commands_are_parsed() {
    assert_eq!(Command::parse("\\x"), Some(Command::Expanded(None)));
    assert_eq!(
        Command::parse("\\x on;"),
        Some(Command::Expanded(Some(true)))
    );
    assert_eq!(
        Command::parse("\\width"),
        Some(Command::Width(Width::Terminal))
    );
    assert_eq!(
        Command::parse("\\width 0"),
        Some(Command::Width(Width::Unlimited))
    );
    assert_eq!(
        Command::parse("\\width 40"),
        Some(Command::Width(Width::Columns(40)))
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
fn the_history_file_follows_the_xdg_specification() {
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
