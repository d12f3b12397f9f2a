//! The layers of the crate, read off its sources: dependencies go down only.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::ROOT;

/// Lowest first. Modules on one row do not use each other.
const LAYERS: &[&[&str]] = &[
    &["error"],
    &["model"],
    &["aws"],
    &["kinesis", "aggregation", "options"],
    &["source", "sink", "checkpoint"],
    &["table"],
    &["sql"],
    &["state"],
    &["query"],
    &["session", "fuzzing"],
    &["cli"],
];

/// An outside crate, and where it may be named.
const HOMES: &[(&str, &[&str])] = &[
    ("aws_sdk_kinesis::", &["kinesis/sdk/"]),
    ("aws_config::", &["aws/"]),
    ("aws_sdk_sts::", &["aws/"]),
    ("aws_credential_types::", &["aws/"]),
    ("aws_smithy_http_client::", &["aws/"]),
    ("aws_smithy_runtime_api::", &["aws/"]),
    ("rustls::", &["aws/"]),
    ("reqwest::", &["checkpoint/amazon.rs"]),
    ("aws_sdk_dynamodb::", &["checkpoint/dynamodb/"]),
    ("zstd::", &["checkpoint/dynamodb/"]),
    ("object_store::", &["checkpoint/"]),
    ("hdfs_native::", &["checkpoint/hdfs.rs"]),
    ("hyper::", &["kinesis/simulator/http_server/"]),
    ("clap::", &["cli/"]),
    ("rustyline::", &["cli/"]),
];

/// Where decisions are made, without a runtime.
const PURE: &[&str] = &[
    "aggregation/",
    "model/",
    "options/",
    "query/schedule/trigger.rs",
    "sink/batcher/",
    "source/budget.rs",
    "source/buffer.rs",
    "source/buffered.rs",
    "source/columns.rs",
    "source/counted.rs",
    "source/families.rs",
    "source/follow/events.rs",
    "source/follow/followed.rs",
    "source/follow/listings.rs",
    "source/follow/standings.rs",
    "source/follow/state.rs",
    "source/follow/status.rs",
    "source/follow/take.rs",
    "source/follow/tracking.rs",
    "source/follow/warnings.rs",
    "source/horizon",
    "source/lineage.rs",
    "source/pacing.rs",
    "source/planner.rs",
    "source/range.rs",
    "source/rows.rs",
    "source/starts.rs",
    "source/tip.rs",
    "source/watermark.rs",
];

/// Code lines of every source file, by its path below `src`; tests and comments left out.
fn sources() -> Vec<(String, Vec<String>)> {
    let root = Path::new(ROOT).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            if name.ends_with("tests.rs") || name.contains("/tests/") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let lines = code.lines().map(str::trim);
            let lines = lines
                .filter(|line| !line.starts_with("//"))
                .map(str::to_owned);
            sources.push((name, lines.collect()));
        }
    }
    assert!(sources.len() > 40, "the sources were found");
    sources
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

/// The names after `crate::` on a line.
fn used_modules(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}

#[test]
fn modules_use_only_what_lies_below_them() {
    for (file, lines) in sources() {
        let module = file.split(['/', '.']).next().unwrap();
        if matches!(module, "lib" | "main") {
            continue;
        }
        let Some(own) = layer(module) else {
            panic!("src/{file}: module '{module}' has no layer");
        };
        let top = own == LAYERS.len() - 1;
        for line in &lines {
            for used in used_modules(line) {
                let below = layer(used).is_some_and(|layer| layer < own);
                let root = layer(used).is_none() && top;
                assert!(
                    used == module || below || root,
                    "src/{file} is in layer {own} and uses '{used}': {line}"
                );
            }
        }
    }
}

#[test]
fn outside_crates_are_named_at_home_only() {
    for (file, lines) in sources() {
        for (name, homes) in HOMES {
            let named = lines.iter().find(|line| {
                line.starts_with(&format!("use {name}")) || line.contains(&format!(" {name}"))
            });
            let at_home = homes.iter().any(|home| file.starts_with(home));
            assert!(
                named.is_none() || at_home,
                "src/{file} names {name} {named:?}"
            );
        }
    }
}

#[test]
fn the_engine_is_not_known_below_the_source() {
    for (file, lines) in sources() {
        let module = file.split(['/', '.']).next().unwrap();
        if !layer(module).is_some_and(|own| (1..3).contains(&own)) {
            continue;
        }
        let engine = lines
            .iter()
            .find(|line| line.contains("datafusion::") && !line.contains("datafusion::arrow::"));
        assert!(engine.is_none(), "src/{file} names the engine: {engine:?}");
    }
}

#[test]
fn decisions_need_no_runtime() {
    for (file, lines) in sources() {
        if PURE.iter().any(|pure| file.starts_with(pure)) {
            let runs = |line: &&String| {
                let marks = ["async ", ".await", "Arc<dyn", "tokio::"];
                // A point in time is a value like any other.
                marks.iter().any(|mark| line.contains(mark))
                    && **line != "use tokio::time::Instant;"
            };
            let impure = lines.iter().find(runs);
            assert!(impure.is_none(), "src/{file} is not pure: {impure:?}");
        }
    }
}
