//! The structure of the crate, read off its sources: layers, rooms without circles, homes of outside crates.

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
    &["kinesis", "aggregation", "options"],
    &["source", "sink", "checkpoint"],
    &["table"],
    &["sql"],
    &["state"],
    &["query"],
    &["session", "fuzzing"],
    &["cli"],
];

/// Rooms whose modules still form a circle.
const ROOMS_WITH_CIRCLES: &[&str] = &["source", "state"];

/// Outside crates, each with the only places that may name it.
const HOMES: &[(&str, &[&str])] = &[
    ("aws_sdk_kinesis::", &["kinesis/sdk/"]),
    ("aws_config::", &["aws/"]),
    ("aws_sdk_sts::", &["aws/"]),
    ("aws_credential_types::", &["aws/"]),
    ("aws_smithy_http_client::", &["aws/"]),
    ("aws_smithy_runtime_api::", &["aws/"]),
    ("rustls::", &["aws/"]),
    ("reqwest::", &["checkpoint/objects/s3_client.rs"]),
    ("aws_sdk_dynamodb::", &["checkpoint/dynamodb/"]),
    ("zstd::", &["checkpoint/dynamodb/"]),
    ("object_store::", &["checkpoint/"]),
    ("hdfs_native::", &["checkpoint/objects/hdfs.rs"]),
    ("hyper::", &["kinesis/simulator/http_server/"]),
    ("clap::", &["cli/"]),
    ("rustyline::", &["cli/"]),
];

/// Modules that decide without I/O: they need no runtime to be tested.
const PURE: &[&str] = &[
    "aggregation/",
    "model/",
    "options/",
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
    "source/streaming/warnings.rs",
    "source/watermark/",
];

/// A source file of the crate, without its tests.
#[derive(Clone)]
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
            let file = path.strip_prefix(&root).unwrap();
            let file = file.to_str().unwrap().to_owned();
            let RustSource { code, test_modules } =
                RustSource::parse(&fs::read_to_string(&path).unwrap());
            let source = Source { file, code };
            for name in test_modules {
                let mut module = source.module();
                module.push(name);
                tests.push(module);
            }
            sources.push(source);
        }
    }
    sources.retain(|source| !tests.iter().any(|test| source.module().starts_with(test)));
    sources.sort_by(|a, b| a.file.cmp(&b.file));
    assert!(sources.len() > 40, "the sources were found");
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

/// The first-level modules of `room` that each of them uses. A path through a re-export of the room counts
/// as one to the module that the name comes from; what the room's own file defines belongs to "mod".
fn uses_within(room: &str, sources: &[Source]) -> BTreeMap<String, BTreeMap<String, String>> {
    let in_room: Vec<&Source> = sources
        .iter()
        .filter(|source| source.module()[0] == room)
        .collect();
    let children: BTreeSet<String> = in_room
        .iter()
        .filter_map(|source| source.module().get(1).cloned())
        .collect();
    let root = in_room.iter().find(|source| source.module().len() == 1);
    let own = [room.to_owned()];
    let declarations = root.map_or_else(Vec::new, |root| use_declarations(&root.code, &own));
    let reexports: BTreeMap<&str, &str> = declarations
        .iter()
        .filter_map(|(path, _)| match path.as_slice() {
            [_, child, .., name] if children.contains(child) => {
                Some((name.as_str(), child.as_str()))
            }
            _ => None,
        })
        .collect();
    let mut uses: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for source in &in_room {
        let module = source.module();
        let (user, paths) = match module.get(1) {
            Some(child) => (child.as_str(), used_paths(&source.code, &module)),
            None => {
                let imports = declarations.iter().filter(|(_, reexported)| !reexported);
                ("mod", imports.map(|(path, _)| path.clone()).collect())
            }
        };
        for path in paths {
            let [of, name, ..] = path.as_slice() else {
                continue;
            };
            if of != room {
                continue;
            }
            let used = match children.get(name) {
                Some(child) => child.as_str(),
                None => reexports.get(name.as_str()).copied().unwrap_or("mod"),
            };
            if used != user {
                let evidence = format!("src/{} uses crate::{}", source.file, path.join("::"));
                let of_user = uses.entry(user.to_owned()).or_default();
                of_user.entry(used.to_owned()).or_insert(evidence);
            }
        }
    }
    uses
}

/// A circle in `uses`, as the evidence of each step.
fn circle(uses: &BTreeMap<String, BTreeMap<String, String>>) -> Option<Vec<&str>> {
    let mut done = BTreeSet::new();
    uses.keys()
        .find_map(|start| circle_from(start, uses, &mut Vec::new(), &mut done))
}

fn circle_from<'a>(
    module: &'a str,
    uses: &'a BTreeMap<String, BTreeMap<String, String>>,
    path: &mut Vec<(&'a str, &'a str)>,
    done: &mut BTreeSet<&'a str>,
) -> Option<Vec<&'a str>> {
    if let Some(at) = path.iter().position(|(visited, _)| *visited == module) {
        return Some(path[at..].iter().map(|(_, evidence)| *evidence).collect());
    }
    if done.contains(module) {
        return None;
    }
    for (used, evidence) in uses.get(module).into_iter().flatten() {
        path.push((module, evidence));
        let found = circle_from(used, uses, path, done);
        path.pop();
        if found.is_some() {
            return found;
        }
    }
    done.insert(module);
    None
}

#[test]
fn modules_of_a_room_form_no_circle() {
    let sources = sources();
    let rooms: BTreeSet<String> = sources
        .iter()
        .map(|source| source.module())
        .filter(|module| module.len() > 1)
        .map(|module| module[0].clone())
        .collect();
    let mut circles = Vec::new();
    for room in &rooms {
        let uses = uses_within(room, &sources);
        if ROOMS_WITH_CIRCLES.contains(&room.as_str()) {
            continue;
        }
        if let Some(steps) = circle(&uses) {
            circles.push(format!("{room}:\n  {}", steps.join("\n  ")));
        }
    }
    assert!(circles.is_empty(), "circles in\n{}", circles.join("\n"));
}

#[test]
fn a_circle_is_found_and_its_steps_are_given() {
    let file = |file: &str, code: &str| Source {
        file: file.to_owned(),
        code: code.to_owned(),
    };
    let sources = [
        file(
            "room/mod.rs",
            "mod a; mod b; mod c;\npub use b::B;\npub use c::C;\n",
        ),
        file("room/a.rs", "use super::B;"),
        file("room/b/mod.rs", "mod d;"),
        file("room/b/d.rs", "use crate::room::c::C;"),
        file("room/c.rs", ""),
    ];
    assert_eq!(circle(&uses_within("room", &sources)), None);
    let mut sources = sources.to_vec();
    sources[4].code = "fn f() { super::a::g() }".to_owned();
    let uses = uses_within("room", &sources);
    let expected = [
        "src/room/a.rs uses crate::room::B",
        "src/room/b/d.rs uses crate::room::c::C",
        "src/room/c.rs uses crate::room::a::g",
    ];
    assert_eq!(circle(&uses).unwrap(), expected);
}

#[test]
fn outside_crates_are_named_in_their_home_only() {
    for source in sources() {
        for (name, homes) in HOMES {
            let named = source.lines().find(|line| {
                line.starts_with(&format!("use {name}")) || line.contains(&format!(" {name}"))
            });
            let is_home = homes.iter().any(|home| source.file.starts_with(home));
            assert!(
                named.is_none() || is_home,
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
    let homes = HOMES.iter().flat_map(|(_, homes)| homes.iter());
    for path in homes.chain(PURE) {
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
