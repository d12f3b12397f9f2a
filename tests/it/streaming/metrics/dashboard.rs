//! The dashboard for Grafana, whose expressions must find what the exporter shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use super::exposition::promtool;
use crate::support::{ROOT, folder, skipped};

/// What all names start with.
const PREFIX: &str = "datafusion_kinesis_";

/// The expressions of all panels, and the labels in their legends.
fn targets() -> Vec<(String, Vec<String>)> {
    let text = fs::read_to_string(format!("{ROOT}/docs/grafana.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 10);
    let targets = panels.iter().flat_map(|panel| {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{panel}");
        targets.iter().map(|target| {
            let legend = target["legendFormat"].as_str().unwrap();
            let labels = legend.split("{{").skip(1);
            let labels = labels.map(|rest| rest.split("}}").next().unwrap().to_owned());
            let expression = target["expr"].as_str().unwrap().to_owned();
            (expression, labels.collect())
        })
    });
    targets.collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

/// The labels of each name of a text.
fn labels_by_name(text: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, labels) = line.split_once('{').unwrap();
        let known = names.entry(name).or_default();
        // A name of a label comes before `="`.
        let parts: Vec<&str> = labels.split("=\"").collect();
        let before = parts[..parts.len() - 1].iter();
        known.extend(before.filter_map(|part| words(part).last()));
    }
    names
}

/// Checks the names and labels of the dashboard against what is in `text`.
pub(super) fn check_names(text: &str) {
    let names = labels_by_name(text);
    for (expression, legend) in targets() {
        let metrics: Vec<&str> = words(&expression)
            .filter(|word| word.starts_with(PREFIX))
            .collect();
        assert!(!metrics.is_empty(), "{expression}");
        for metric in metrics {
            let Some(labels) = names.get(metric) else {
                panic!("no {metric}: {expression}");
            };
            let selectors = expression.split(metric).skip(1);
            for selector in selectors.filter_map(|rest| rest.strip_prefix('{')) {
                let selector = selector.split('}').next().unwrap();
                for matcher in selector.split(',') {
                    let label = words(matcher).next().unwrap();
                    assert!(
                        labels.contains(label),
                        "{metric} has no {label}: {expression}"
                    );
                }
            }
            for label in legend.iter().filter(|_| !expression.contains(" / ")) {
                assert!(labels.contains(label.as_str()), "{metric} has no {label}");
            }
        }
    }
}

/// Evaluates all expressions over samples that grow from those of `text`, with promtool.
pub(super) fn evaluate(text: &str) {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let series: Vec<Value> = samples
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            json!({ "series": series, "values": format!("{value}+{value}x30") })
        })
        .collect();
    let tests: Vec<Value> = targets()
        .into_iter()
        .map(|(expression, _)| {
            let expression = expression
                // A name may have several lines.
                .replace("$query", "(?s).*")
                .replace("$stream", ".*")
                .replace("$__rate_interval", "4m")
                .replace("$__range", "15m");
            json!({
                "expr": format!("count({expression}) > bool 0"),
                "eval_time": "20m",
                "exp_samples": [{ "labels": "{}", "value": 1 }],
            })
        })
        .collect();
    let test = json!({
        "evaluation_interval": "1m",
        "tests": [{ "interval": "1m", "input_series": series, "promql_expr_test": tests }],
    });
    let folder = folder("dashboard");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("test.yml");
    fs::write(&file, test.to_string()).unwrap();
    let result = promtool(&["test", "rules", file.to_str().unwrap()], "");
    fs::remove_dir_all(&folder).unwrap();
    match result {
        Some((true, _)) => {}
        Some((false, complaints)) => panic!("promtool: {complaints}"),
        None => skipped("the dashboard finds what the exporter shows", "no promtool"),
    }
}
