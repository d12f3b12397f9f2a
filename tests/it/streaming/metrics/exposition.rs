//! A strict reader of the text format of Prometheus, and promtool.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

/// What all names start with.
const PREFIX: &str = "datafusion_kinesis_";

/// The samples of a text.
#[derive(Debug)]
pub(crate) struct Exposition(BTreeMap<String, f64>);

impl Exposition {
    /// Reads a text in which each family has a help and a type before its samples, and no sample is there twice.
    pub(crate) fn of(text: &str) -> Self {
        let mut samples = BTreeMap::new();
        let mut families: BTreeSet<&str> = BTreeSet::new();
        let (mut help, mut family, mut kind) = ("", "", "");
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, text) = rest.split_once(' ').unwrap();
                assert!(!text.is_empty(), "{line}");
                help = name;
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                (family, kind) = rest.split_once(' ').unwrap();
                assert_eq!(family, help, "{line}");
                assert!(families.insert(family), "twice: {line}");
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let name = series.split('{').next().unwrap();
                let base = match kind {
                    "histogram" => ["_bucket", "_sum", "_count"]
                        .iter()
                        .find_map(|suffix| name.strip_suffix(suffix))
                        .unwrap(),
                    _ => name,
                };
                assert_eq!(base, family, "{line}");
                let series = series.strip_prefix(PREFIX).unwrap().to_owned();
                let value: f64 = value.parse().unwrap();
                assert!(value.is_finite() && value >= 0.0, "{line}");
                assert_eq!(samples.insert(series, value), None, "{line}");
            }
        }
        Self(samples)
    }

    /// The value of a sample, by its name without the prefix, and its labels.
    pub(crate) fn value(&self, series: &str) -> Option<f64> {
        self.0.get(series).copied()
    }

    /// How many samples have a name.
    pub(crate) fn count(&self, name: &str) -> usize {
        let names = self.0.keys().map(|series| series.split('{').next());
        names.filter(|other| *other == Some(name)).count()
    }
}

/// Runs promtool: whether it succeeded, and what it printed. `None` if there is none.
pub(crate) fn promtool(arguments: &[&str], input: &str) -> Option<(bool, String)> {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let mut printed = String::from_utf8_lossy(&output.stdout).into_owned();
    printed.push_str(&String::from_utf8_lossy(&output.stderr));
    Some((output.status.success(), printed))
}
