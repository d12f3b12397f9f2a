//! For tests: tables of the documentation that are made from the source.

use std::fs;
use std::path::Path;

/// Expects a page of `docs/` to have `table`, which starts with `heading`. `UPDATE_DOCS=1` writes it instead.
pub(crate) fn expect_table(page: &str, heading: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(page);
    let text = fs::read_to_string(&path).unwrap();
    let begin = text.find(heading).unwrap();
    let length = text[begin..].find("\n\n").unwrap() + 1;
    let documented = &text[begin..begin + length];
    if documented != table && std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, text.replace(documented, table)).unwrap();
        return;
    }
    assert_eq!(documented, table, "update it with UPDATE_DOCS=1");
}
