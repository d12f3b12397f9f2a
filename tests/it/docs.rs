//! The README and the pages of `docs/`: links lead somewhere, SQL runs against the simulator, and command lines
//! are accepted by `kinesis-sql`.

mod links;
mod pages;
mod shell;
mod statements;

use std::fs;
use std::path::Path;

/// Fails if a generated file differs from what it should be; `UPDATE_DOCS=1` writes it instead.
pub(crate) fn compare(path: &Path, expected: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, expected).unwrap();
    } else {
        let found = fs::read_to_string(path).unwrap();
        let name = path.display();
        assert!(
            found == expected,
            "{name} is out of date: run with UPDATE_DOCS=1"
        );
    }
}
