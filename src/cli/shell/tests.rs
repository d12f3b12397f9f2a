use super::*;

#[test]
fn words_of_the_shell_are_known_with_and_without_a_semicolon() {
    assert_eq!(Word::parse("exit"), Some(Word::Quit));
    assert_eq!(Word::parse(" QUIT ; "), Some(Word::Quit));
    assert_eq!(Word::parse("\\q"), Some(Word::Quit));
    assert_eq!(Word::parse("\\?"), Some(Word::Help));
    assert_eq!(Word::parse("\\d\n"), Some(Word::Tables));
    assert_eq!(Word::parse(" \\d  Words ;"), Some(Word::Describe("Words")));
    assert_eq!(Word::parse("exit from t"), None);
    assert_eq!(Word::parse(""), None);
}

#[test]
fn what_begins_with_a_backslash_is_no_sql() {
    for line in ["\\foo", "\\", "\\dt", "\\quit now", "\\d\nSELECT 1;"] {
        assert_eq!(Word::parse(line), Some(Word::Unknown), "{line}");
    }
    assert_eq!(Word::parse("SELECT\n\\d"), None);
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
