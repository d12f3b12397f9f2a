//! The paths that Rust code uses, as absolute module paths of the crate.

/// Absolute paths, without `crate`, that `code` of the module `own` names with `crate::`, `super::` or
/// `self::`; `use` groups are expanded.
pub(super) fn used_paths(code: &str, own: &[String]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for keyword in ["crate", "super", "self"] {
        for (at, _) in code.match_indices(&format!("{keyword}::")) {
            let before = code[..at].chars().next_back();
            // The rest of a path, or of a longer name.
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let mut rest = &code[at..];
            let mut base = own.to_vec();
            while let Some((first, next)) = rest.split_once("::") {
                match first {
                    "crate" => base.clear(),
                    "super" => drop(base.pop()),
                    "self" => {}
                    _ => break,
                }
                rest = next;
            }
            expand(rest, &base, &mut paths);
        }
    }
    paths
}

/// The paths of `use` declarations in `code`, each with whether it is a re-export. Paths that start with
/// neither `crate`, `self` nor `super` are relative to `own`.
pub(super) fn use_declarations(code: &str, own: &[String]) -> Vec<(Vec<String>, bool)> {
    let mut declarations = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let line = code[..at].rsplit('\n').next().unwrap_or_default();
        let is_reexport = line.trim_start().starts_with("pub");
        if !is_reexport && !line.trim().is_empty() {
            continue;
        }
        let tree = &code[at + "use ".len()..];
        let mut paths = Vec::new();
        if tree.starts_with("::") {
            continue;
        }
        if tree.starts_with("crate::") || tree.starts_with("super::") {
            paths.extend(used_paths(tree, own));
        } else {
            let tree = tree.strip_prefix("self::").unwrap_or(tree);
            expand(tree, own, &mut paths);
        }
        declarations.extend(paths.into_iter().map(|path| (path, is_reexport)));
    }
    declarations
}

/// Adds the paths of the tree that `text` starts with, below `base`; returns what follows the tree.
fn expand<'a>(text: &'a str, base: &[String], paths: &mut Vec<Vec<String>>) -> &'a str {
    let mut path = base.to_vec();
    let mut rest = text.trim_start();
    loop {
        if let Some(group) = rest.strip_prefix('{') {
            rest = group;
            loop {
                rest = rest.trim_start().trim_start_matches(',').trim_start();
                if let Some(after) = rest.strip_prefix('}') {
                    return after;
                }
                if rest.is_empty() {
                    return rest;
                }
                let next = expand(rest, &path, paths);
                // Anything that is not a tree ends the group, so that the walk always advances.
                rest = if next.len() < rest.len() { next } else { "" };
            }
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
        if !name.is_empty() && name != "self" {
            path.push(name.to_owned());
        }
        let Some(next) = after.strip_prefix("::") else {
            paths.push(path);
            return without_rename(after.trim_start_matches('*'));
        };
        // `::<` of a generic function.
        if next.starts_with('<') {
            paths.push(path);
            return next;
        }
        rest = next.trim_start();
    }
}

/// `text` after `as name`.
fn without_rename(text: &str) -> &str {
    let Some(renamed) = text.trim_start().strip_prefix("as ") else {
        return text;
    };
    renamed
        .trim_start()
        .trim_start_matches(|c: char| c.is_alphanumeric() || c == '_')
}

fn own(path: &str) -> Vec<String> {
    path.split("::").map(str::to_owned).collect()
}

#[test]
fn paths_are_made_absolute_and_groups_are_expanded() {
    let code = "use super::b::{C, d::{E as F, self}, g::*};\nuse crate::x::Y;\n\
                fn f() { super::super::h::<u8>(); $crate::z!(); my_crate::no(); a::super_::no() }";
    let paths = used_paths(code, &own("room::a"));
    let mut paths: Vec<String> = paths.iter().map(|path| path.join("::")).collect();
    paths.sort();
    let expected = [
        "h",
        "room::b::C",
        "room::b::d",
        "room::b::d::E",
        "room::b::g",
        "x::Y",
        "z",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn reexports_are_told_from_imports() {
    let code = "mod a;\npub(crate) use a::{B, c::D};\nuse self::e::F;\n#[x]\npub use g::H;\n\
                use ::i::J;";
    let found: Vec<String> = use_declarations(code, &own("room"))
        .iter()
        .map(|(path, reexported)| format!("{} {reexported}", path.join("::")))
        .collect();
    let expected = [
        "room::a::B true",
        "room::a::c::D true",
        "room::e::F false",
        "room::g::H true",
    ];
    assert_eq!(found, expected);
}
