//! Command lines of `kinesis-sql` are accepted, and the reference names all existing options.

use std::collections::BTreeSet;

use super::pages::{all, root};
use crate::process::command;

/// The words of a command line, without the quotes around some.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (place, part) in line.split('"').enumerate() {
        match place % 2 {
            1 => words.push(part.to_owned()),
            _ => words.extend(part.split_whitespace().map(str::to_owned)),
        }
    }
    words
}

/// The arguments of `kinesis-sql` on a command line, if it is one.
fn arguments(line: &str) -> Option<Vec<String>> {
    let mut words = words(line);
    let is_variable = |word: &String| word.contains('=') && !word.starts_with('-');
    let first = words.iter().position(|word| !is_variable(word))?;
    words.drain(..first);
    let skipped = match words[0].as_str() {
        "kinesis-sql" => 1,
        "cargo" if words[1] == "run" => words.iter().position(|word| word == "--")? + 1,
        _ => return None,
    };
    Some(words.split_off(skipped))
}

#[test]
fn command_lines_are_accepted() {
    let mut lines = BTreeSet::new();
    for page in all() {
        for block in page.blocks() {
            if block.language == "console" {
                lines.extend(block.text.lines().filter_map(arguments));
            }
        }
    }
    assert!(lines.len() > 5, "{lines:?}");
    for arguments in lines {
        for file in arguments
            .iter()
            .filter(|word| word.contains("sql-examples/"))
        {
            assert!(root().join(file).exists(), "{file}");
        }
        let output = command().args(&arguments).arg("--help").output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
    }
}

/// The long options in a text.
fn options(text: &str) -> BTreeSet<String> {
    let found = text.split("--").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-');
        rest[..end.unwrap_or(rest.len())].to_owned()
    });
    found
        .filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect()
}

#[test]
fn the_reference_names_every_option() {
    let mut known = BTreeSet::new();
    for subcommand in [
        &[][..],
        &["run"],
        &["doctor"],
        &["infer"],
        &["consumers"],
        &["embedded"],
        &["completions"],
        &["man"],
    ] {
        let output = command().args(subcommand).arg("--help").output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        known.extend(options(help.split("\nOptions:").nth(1).unwrap()));
    }
    known.retain(|name| !matches!(name.as_str(), "help" | "version"));
    let pages = all();
    let page = pages.iter().find(|page| page.name == "docs/command.md");
    let named = options(&page.unwrap().text);
    assert_eq!(named, known);
}
