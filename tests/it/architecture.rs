//! The structure of the crate, checked in its sources: layers, no cycles, and where outside crates are used.

mod module_paths;
mod rust_source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use self::module_paths::{use_declarations, used_paths};
use self::rust_source::RustSource;
use crate::support::ROOT;

/// The lowest layer first. A module uses lower layers only, and no other module of its own layer.
const LAYERS: &[&[&str]] = &[
    &["error"],
    &["model"],
    &["aws"],
    &["kinesis", "aggregation", "options", "stores"],
    &["source", "sink", "checkpoint", "format", "schema_registry"],
    &["table"],
    &["sql"],
    &["state"],
    &["query"],
    &["monitor"],
    &["session", "benching", "fuzzing", "guide"],
    &["cli"],
];

/// Modules whose submodules still depend on each other in a cycle.
const MODULES_WITH_CYCLES: &[&str] = &[];

/// Outside crates, each with the only places that may name it.
const CRATE_USERS: &[(&str, &[&str])] = &[
    ("aws_sdk_kinesis::", &["kinesis/sdk/"]),
    ("aws_config::", &["aws/"]),
    ("aws_sdk_sts::", &["aws/"]),
    ("aws_credential_types::", &["aws/"]),
    ("aws_smithy_http_client::", &["aws/"]),
    ("aws_smithy_runtime_api::", &["aws/", "kinesis/sdk/"]),
    ("aws_smithy_eventstream::", &["kinesis/simulator/"]),
    (
        "aws_smithy_types::",
        &["kinesis/sdk/", "kinesis/simulator/"],
    ),
    ("aws_sigv4::", &["aws/"]),
    ("crc32fast::", &["kinesis/sdk/subscription/"]),
    ("minicbor::", &["kinesis/"]),
    ("rustls::", &["aws/"]),
    ("reqwest::", &["stores/s3_client.rs"]),
    ("aws_sdk_dynamodb::", &["checkpoint/dynamodb/"]),
    ("zstd::", &["checkpoint/dynamodb/", "format/"]),
    ("object_store::", &["checkpoint/", "stores/"]),
    ("hdfs_native::", &["checkpoint/objects/hdfs.rs"]),
    ("hdfs_native_object_store::", &["stores/opening.rs"]),
    (
        "hyper::",
        &["kinesis/simulator/http_server/", "monitor/server/"],
    ),
    ("sha2::", &["sql/variables"]),
    ("rcgen::", &["kinesis/simulator/http_server/"]),
    ("tokio_rustls::", &["kinesis/simulator/http_server/"]),
    ("axum::", &["monitor/server/"]),
    ("maud::", &["monitor/page/"]),
    ("subtle::", &["monitor/server/access.rs"]),
    ("clap::", &["cli/"]),
    ("clap_complete::", &["cli/"]),
    ("clap_mangen::", &["cli/install.rs"]),
    ("rustyline::", &["cli/"]),
    ("opentelemetry_proto::", &["monitor/otlp/"]),
    ("prometheus_client::", &["monitor/metrics/prometheus.rs"]),
];

/// Modules that decide without I/O, so their tests need no runtime.
const PURE: &[&str] = &[
    "aggregation/",
    "model/",
    "options/",
    "query/cost/",
    "query/schedule/",
    "sink/batcher/",
    "source/buffer/",
    "source/lineage/",
    "source/read/range_end.rs",
    "source/read/shard_read.rs",
    "source/request/answer.rs",
    "source/request/pacing.rs",
    "source/retention/evidence.rs",
    "source/retention/gap.rs",
    "source/retention/history.rs",
    "source/retention/proof.rs",
    "source/retention/window.rs",
    "source/rows/",
    "source/starts/mod.rs",
    "source/streaming/settings.rs",
    "source/streaming/start.rs",
    "source/streaming/state/",
    "source/streaming/warning_limiter.rs",
    "source/watermark/",
];

/// A source file of the crate, without its tests.
struct Source {
    /// Its path below `src`.
    file: String,
    code: String,
}

impl Source {
    fn lines(&self) -> impl Iterator<Item = &str> {
        self.code.lines().map(str::trim)
    }

    /// The path of its module: `["source", "pages"]` for `source/pages.rs` and for `source/pages/mod.rs`.
    fn module(&self) -> Vec<String> {
        let path = self.file.strip_suffix(".rs").unwrap();
        let path = path.strip_suffix("/mod").unwrap_or(path);
        path.split('/').map(str::to_owned).collect()
    }
}

/// The source files of the crate. Files of modules that are declared under `#[cfg(test)]` are left out, and
/// so are test items in the others.
fn sources() -> Vec<Source> {
    let root = Path::new(ROOT).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    let mut tests = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let file = path.strip_prefix(&root).unwrap();
            let file = file.to_str().unwrap().to_owned();
            let RustSource { code, test_modules } =
                RustSource::parse(&fs::read_to_string(&path).unwrap());
            let source = Source { file, code };
            for name in test_modules {
                // Modules that the root declares are at the top.
                let mut module = match source.file.as_str() {
                    "lib.rs" => Vec::new(),
                    _ => source.module(),
                };
                module.push(name);
                tests.push(module);
            }
            sources.push(source);
        }
    }
    sources.retain(|source| !tests.iter().any(|test| source.module().starts_with(test)));
    sources.sort_by(|a, b| a.file.cmp(&b.file));
    assert!(sources.len() > 40, "sources not found");
    sources
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

#[test]
fn modules_use_only_lower_layers() {
    for source in sources() {
        let own_path = source.module();
        let module = own_path[0].as_str();
        if matches!(module, "lib" | "main") {
            continue;
        }
        let file = &source.file;
        let Some(own) = layer(module) else {
            panic!("src/{file}: module '{module}' has no layer");
        };
        let is_top = own == LAYERS.len() - 1;
        for path in used_paths(&source.code, &own_path) {
            let Some(used) = path.first() else {
                continue;
            };
            let is_lower = layer(used).is_some_and(|layer| layer < own);
            // Only the top layer uses what the crate root re-exports.
            let is_root = layer(used).is_none() && is_top;
            assert!(
                used == module || is_lower || is_root,
                "src/{file} is in layer {own} and uses crate::{}",
                path.join("::")
            );
        }
    }
}

/// For each submodule of `parent`, the other submodules that it uses, each with an example. A path through a
/// re-export of the parent counts as a use of the submodule that the name comes from. What the file of a
/// top-level module defines counts as its submodule "mod". Further down, submodules may extend types of their
/// parent, so those uses do not count.
fn uses_within(
    parent: &[String],
    sources: &[Source],
) -> BTreeMap<String, BTreeMap<String, String>> {
    let depth = parent.len();
    let family = || {
        sources
            .iter()
            .filter(|source| source.module().starts_with(parent))
    };
    let children: BTreeSet<String> = family()
        .filter_map(|source| source.module().get(depth).cloned())
        .collect();
    let own_file = family().find(|source| source.module().len() == depth);
    let declarations = own_file.map_or_else(Vec::new, |file| use_declarations(&file.code, parent));
    let below = |path: &[String]| path.strip_prefix(parent).map(<[String]>::to_vec);
    let reexports: BTreeMap<String, String> = declarations
        .iter()
        .filter_map(|(path, _)| match below(path)?.as_slice() {
            [child, .., name] if children.contains(child) => Some((name.clone(), child.clone())),
            _ => None,
        })
        .collect();
    let mut uses: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for source in family() {
        let module = source.module();
        let (user, paths) = match module.get(depth) {
            Some(child) => (child.as_str(), used_paths(&source.code, &module)),
            None => {
                let imports = declarations.iter().filter(|(_, reexported)| !reexported);
                ("mod", imports.map(|(path, _)| path.clone()).collect())
            }
        };
        for path in paths {
            let Some([name, ..]) = path.strip_prefix(parent) else {
                continue;
            };
            let used = match children.get(name) {
                Some(child) => child.as_str(),
                None => reexports.get(name).map_or("mod", String::as_str),
            };
            let is_own_file = [used, user].contains(&"mod");
            if used != user && !(is_own_file && depth > 1) {
                let example = format!("src/{} uses crate::{}", source.file, path.join("::"));
                let of_user = uses.entry(user.to_owned()).or_default();
                of_user.entry(used.to_owned()).or_insert(example);
            }
        }
    }
    uses
}

/// A cycle in `uses`, as one example for each step.
fn cycle(uses: &BTreeMap<String, BTreeMap<String, String>>) -> Option<Vec<&str>> {
    let mut done = BTreeSet::new();
    uses.keys()
        .find_map(|start| cycle_from(start, uses, &mut Vec::new(), &mut done))
}

fn cycle_from<'a>(
    module: &'a str,
    uses: &'a BTreeMap<String, BTreeMap<String, String>>,
    path: &mut Vec<(&'a str, &'a str)>,
    done: &mut BTreeSet<&'a str>,
) -> Option<Vec<&'a str>> {
    if let Some(at) = path.iter().position(|(visited, _)| *visited == module) {
        return Some(path[at..].iter().map(|(_, example)| *example).collect());
    }
    if done.contains(module) {
        return None;
    }
    for (used, example) in uses.get(module).into_iter().flatten() {
        path.push((module, example));
        let found = cycle_from(used, uses, path, done);
        path.pop();
        if found.is_some() {
            return found;
        }
    }
    done.insert(module);
    None
}

#[test]
fn submodules_do_not_depend_on_each_other_in_a_cycle() {
    let sources = sources();
    let parents: BTreeSet<Vec<String>> = sources
        .iter()
        .filter_map(|source| Some(source.module().split_last()?.1.to_vec()))
        .filter(|parent| !parent.is_empty())
        .collect();
    let mut unexpected = Vec::new();
    let mut exempt: BTreeSet<&str> = MODULES_WITH_CYCLES.iter().copied().collect();
    for parent in &parents {
        let uses = uses_within(parent, &sources);
        if let Some(steps) = cycle(&uses)
            && !exempt.remove(parent.join("/").as_str())
        {
            unexpected.push(format!(
                "src/{}:\n  {}",
                parent.join("/"),
                steps.join("\n  ")
            ));
        }
    }
    assert!(
        unexpected.is_empty(),
        "cycles in\n{}",
        unexpected.join("\n")
    );
    assert!(
        exempt.is_empty(),
        "no cycle any more in {exempt:?}: remove it from the list"
    );
}

#[test]
fn a_cycle_is_found_through_reexports() {
    let file = |file: &str, code: &str| Source {
        file: file.to_owned(),
        code: code.to_owned(),
    };
    let parent = ["room".to_owned()];
    let mut sources = vec![
        file(
            "room/mod.rs",
            "mod a; mod b; mod c;\npub use b::B;\npub use c::C;\n",
        ),
        file("room/a.rs", "use super::B;"),
        file("room/b/mod.rs", "mod d;"),
        file("room/b/d.rs", "use crate::room::c::C;"),
        file("room/c.rs", ""),
    ];
    assert_eq!(cycle(&uses_within(&parent, &sources)), None);
    sources[4].code = "fn f() { super::a::g() }".to_owned();
    let uses = uses_within(&parent, &sources);
    let expected = [
        "src/room/a.rs uses crate::room::B",
        "src/room/b/d.rs uses crate::room::c::C",
        "src/room/c.rs uses crate::room::a::g",
    ];
    assert_eq!(cycle(&uses).unwrap(), expected);
}

#[test]
fn outside_crates_are_named_only_where_allowed() {
    for source in sources() {
        for (name, users) in CRATE_USERS {
            let named = source.lines().find(|line| {
                line.starts_with(&format!("use {name}")) || line.contains(&format!(" {name}"))
            });
            let is_allowed = users.iter().any(|user| source.file.starts_with(user));
            assert!(
                named.is_none() || is_allowed,
                "src/{} names {name} {named:?}",
                source.file
            );
        }
    }
}

#[test]
fn layers_below_source_know_only_arrow_of_datafusion() {
    for source in sources() {
        let module = source.module();
        if !layer(&module[0]).is_some_and(|own| (1..3).contains(&own)) {
            continue;
        }
        let engine = source
            .lines()
            .find(|line| line.contains("datafusion::") && !line.contains("datafusion::arrow::"));
        assert!(
            engine.is_none(),
            "src/{} names DataFusion: {engine:?}",
            source.file
        );
    }
}

#[test]
fn pure_modules_need_no_runtime() {
    for source in sources() {
        if PURE.iter().any(|pure| source.file.starts_with(pure)) {
            let is_impure = |line: &&str| {
                let marks = ["async ", ".await", "Arc<dyn", "tokio::"];
                // A point in time is a plain value.
                marks.iter().any(|mark| line.contains(mark)) && *line != "use tokio::time::Instant;"
            };
            let impure = source.lines().find(is_impure);
            assert!(
                impure.is_none(),
                "src/{} is not pure: {impure:?}",
                source.file
            );
        }
    }
}

#[test]
fn every_rule_names_existing_files() {
    let sources = sources();
    let users = CRATE_USERS.iter().flat_map(|(_, users)| users.iter());
    for path in users.chain(PURE) {
        assert!(
            sources.iter().any(|source| source.file.starts_with(path)),
            "no file starts with src/{path}"
        );
    }
    for module in LAYERS.iter().copied().flatten() {
        assert!(
            sources.iter().any(|source| source.module()[0] == *module),
            "no module is called '{module}'"
        );
    }
}
