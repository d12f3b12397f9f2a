//! The files for containers and services fit the command.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::process::{COMMAND, command, folder};
use crate::support::ROOT;

const UNIT: &str = "packaging/kinesis-sql@.service";
const INSTALLED: &str = "/usr/local/bin/kinesis-sql";

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

/// The values of a setting in a unit.
fn setting<'a>(unit: &'a str, name: &str) -> Vec<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix('=');
    let values: Vec<_> = unit.lines().filter_map(value).collect();
    assert_eq!(values.len(), 1, "{name}");
    values[0].split_whitespace().collect()
}

/// The exit codes in the first table after a heading of a page, without the last column.
fn codes(page: &str, heading: &str) -> BTreeSet<String> {
    let text = text(page);
    let (_, rest) = text.split_once(heading).unwrap();
    let rows = rest.lines().skip_while(|line| !line.starts_with("|---"));
    let rows = rows.skip(1).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split('|').nth(1).unwrap().to_owned());
    let numbers = cells.flat_map(|cell| {
        let words = cell.split(|c: char| !c.is_ascii_digit());
        words.map(str::to_owned).collect::<Vec<_>>()
    });
    numbers.filter(|number| !number.is_empty()).collect()
}

#[test]
fn the_service_knows_the_exit_codes_of_the_command() {
    let unit = text(UNIT);
    let mut known = vec!["0"];
    known.extend(setting(&unit, "RestartPreventExitStatus"));
    known.extend(setting(&unit, "SuccessExitStatus"));
    let known: BTreeSet<_> = known.into_iter().map(str::to_owned).collect();
    assert_eq!(
        codes("docs/command.md", "## Files, statements, exit codes"),
        known
    );
    let explained = codes("docs/deployment.md", "## Exit codes and restarts");
    assert!(explained.is_superset(&known), "{explained:?}");
}

#[test]
fn the_command_accepts_the_arguments_of_the_service() {
    let unit = text(UNIT);
    let started = setting(&unit, "ExecStart");
    assert_eq!(started[0], INSTALLED);
    let output = command()
        .args(&started[1..])
        .arg("--help")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}

#[test]
fn systemd_accepts_the_service() {
    let folder = folder("unit");
    let unit = text(UNIT).replace(INSTALLED, COMMAND);
    fs::write(folder.join("kinesis-sql@.service"), unit).unwrap();
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(folder.join("kinesis-sql@alarms.service"))
        .output();
    fs::remove_dir_all(&folder).unwrap();
    let Ok(output) = verified else {
        println!("skipped: no systemd-analyze");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    // It also speaks of other units of the machine.
    let about_it = said.lines().any(|line| line.contains("kinesis-sql"));
    assert!(output.status.success() && !about_it, "{said}");
}

#[test]
fn the_image_is_built_with_a_rust_that_is_new_enough() {
    let manifest = text("Cargo.toml");
    let required = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .unwrap();
    let image = format!("FROM rust:{}-", required.trim_matches('"'));
    assert!(text("Dockerfile").contains(&image), "{image}");
}
