use super::*;

fn cut(text: &str) -> Vec<(usize, String)> {
    split(text)
        .into_iter()
        .map(|statement| (statement.line(), statement.text))
        .collect()
}

fn one(line: usize, text: &str) -> (usize, String) {
    (line, text.to_owned())
}

#[test]
fn a_semicolon_ends_a_statement_and_is_optional_after_the_last() {
    assert_eq!(
        cut("SELECT 1; SELECT\n2 ;\n\nSELECT 3\n"),
        [one(1, "SELECT 1"), one(1, "SELECT\n2"), one(4, "SELECT 3")]
    );
    assert_eq!(cut(" ;;\n; -- nothing\n"), []);
}

#[test]
fn semicolons_in_quotes_and_comments_do_not_end_a_statement() {
    for text in [
        "SELECT 'a;b'",
        "SELECT 'it''s; here'",
        "SELECT \"a;b\" FROM t",
        "SELECT `a;b` FROM t",
        "SELECT 1 -- a;b\n + 1",
        "SELECT 1 /* a;b /* nested; */ ; */ + 1",
        "SELECT $$a;b$$",
        "SELECT $tag$a;$$;b$tag$",
        "SELECT E'a\\';b'",
    ] {
        assert_eq!(
            cut(&format!("{text};SELECT 2")),
            [one(1, text), one(text.lines().count(), "SELECT 2")],
            "{text}"
        );
    }
}

#[test]
fn the_line_of_a_statement_is_that_of_its_first_token() {
    let text = "-- counts;\n/* of\nwords */\n\n  SELECT 1;\r\n-- Größe\r\nSELECT 2;";
    assert_eq!(cut(text), [one(5, "SELECT 1"), one(7, "SELECT 2")]);
}

#[test]
fn offsets_are_correct_after_multi_byte_characters() {
    assert_eq!(
        cut("SELECT 'ä€😀'; SELECT 'é'; SELECT 3"),
        [
            one(1, "SELECT 'ä€😀'"),
            one(1, "SELECT 'é'"),
            one(1, "SELECT 3")
        ]
    );
}

#[test]
fn statements_before_an_invalid_one_are_kept() {
    assert_eq!(
        cut("SELECT 1;\nSELECT 'open;\nSELECT 3;"),
        [one(1, "SELECT 1"), one(2, "SELECT 'open;\nSELECT 3;")]
    );
    assert_eq!(
        cut("SELECT 1;\n/* open"),
        [one(1, "SELECT 1"), one(2, "/* open")]
    );
}

#[test]
fn a_hint_comment_does_not_break_splitting() {
    assert_eq!(
        cut("SELECT 1 /*! ; */; SELECT 2").last(),
        Some(&one(1, "SELECT 2"))
    );
}

#[test]
fn the_parser_sees_a_statement_at_its_position_in_the_file() {
    let statement = split("SELECT 1;\n\n  SELECT 2").remove(1);
    assert_eq!(statement.in_place(), "\n\n  SELECT 2");
}

#[test]
fn text_in_pieces_splits_like_the_whole_text() {
    let text = "\u{feff}SELECT 1; -- a;b\n SELECT\n'ä;';\n\n;SELECT $$;\n$$; SELECT /* ; */ 2";
    let whole = split(text);
    assert_eq!(whole.len(), 4);
    assert_eq!(cut(text).last(), Some(&one(6, "SELECT /* ; */ 2")));
    for size in 1..10 {
        let characters: Vec<char> = text.chars().collect();
        let mut incoming = Incoming::new();
        let mut statements = Vec::new();
        for piece in characters.chunks(size) {
            statements.extend(incoming.push(&piece.iter().collect::<String>()));
        }
        assert_eq!(statements.len(), 3);
        statements.extend(incoming.finish());
        assert_eq!(statements, whole, "{size}");
    }
}

#[test]
fn text_is_complete_after_its_last_semicolon() {
    for text in ["SELECT 1;", "SELECT 1; -- done\n", "", " -- nothing\n", ";"] {
        assert!(is_complete(text), "{text}");
    }
    for text in ["SELECT 1", "SELECT 1; SELECT", "SELECT ';", "SELECT 1; /*"] {
        assert!(!is_complete(text), "{text}");
    }
}

#[test]
fn the_open_construct_at_the_end_is_recognized() {
    for (text, open) in [
        ("SELECT 1", Open::Statement),
        ("SELECT (1), ')", Open::Quote('\'')),
        ("SELECT E'a\\'", Open::Quote('\'')),
        ("SELECT \"a", Open::Quote('"')),
        ("SELECT (1 +", Open::Parenthesis),
        ("SELECT (1; SELECT", Open::Statement),
        ("SELECT 1 /* (", Open::Comment),
        ("SELECT 1 -- '(", Open::Statement),
    ] {
        assert_eq!(open_at_end(text), open, "{text}");
    }
}
