//! The modules of the library as syntax trees, and which item a path in them names.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use quote::ToTokens;
use syn::{Attribute, Item, UseTree, Visibility};

/// Names from the root of the library down.
pub(super) type ItemPath = Vec<String>;

pub(super) struct Module {
    pub(super) items: Vec<Item>,
    /// What each name that a `use` brings in refers to.
    uses: BTreeMap<String, ItemPath>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resolved {
    Module(ItemPath),
    Item(ItemPath),
    /// An item of this crate.
    Foreign(String),
    /// A name of the prelude, a generic parameter or `Self`.
    Builtin,
}

#[derive(Default)]
pub(super) struct Modules(pub(super) BTreeMap<ItemPath, Module>);

impl Modules {
    /// Reads the library whose root is `lib.rs` in `source`.
    pub(super) fn read(source: &Path) -> Self {
        let mut modules = Self::default();
        let items = parse(&source.join("lib.rs"));
        modules.add(ItemPath::new(), items, source);
        modules
    }

    fn add(&mut self, path: ItemPath, items: Vec<Item>, folder: &Path) {
        let mut uses = BTreeMap::new();
        for item in &items {
            match item {
                Item::Use(item) => collect_uses(&item.tree, &mut ItemPath::new(), &mut uses),
                Item::Mod(module) if !is_test_only(&module.attrs) => {
                    let name = module.ident.to_string();
                    let below = folder.join(&name);
                    let items = match &module.content {
                        Some((_, items)) => items.clone(),
                        None => parse_module(folder, &name),
                    };
                    self.add(joined(&path, &name), items, &below);
                }
                _ => {}
            }
        }
        self.0.insert(path, Module { items, uses });
    }

    /// What `path`, written in `module`, refers to.
    pub(super) fn resolve(&self, module: &[String], path: &[String]) -> Resolved {
        let (first, rest) = path.split_first().expect("paths have a first segment");
        match first.as_str() {
            "crate" => self.descend(Vec::new(), rest),
            "self" => self.descend(module.to_vec(), rest),
            "super" => self.resolve_from_parent(module, rest),
            "Self" => Resolved::Builtin,
            _ => self.resolve_name(module, first, path),
        }
    }

    fn resolve_name(&self, module: &[String], first: &String, path: &[String]) -> Resolved {
        let known = &self.0[module];
        let is_module = self.0.contains_key(&joined(module, first));
        let is_local = is_module || defines(&known.items, first);
        match known.uses.get(first) {
            // A function may share its name with a module.
            _ if is_module && path.len() > 1 => self.descend(module.to_vec(), path),
            // `use bytes::bytes` names the crate.
            Some(target) if target[0] != *first => {
                let target: ItemPath = target.iter().chain(&path[1..]).cloned().collect();
                self.resolve(module, &target)
            }
            _ if is_local => self.descend(module.to_vec(), path),
            // Generic parameters have associated types, names of crates are in lower case.
            None if path.len() == 1 || first.starts_with(char::is_uppercase) => Resolved::Builtin,
            _ => Resolved::Foreign(first.clone()),
        }
    }

    fn resolve_from_parent(&self, module: &[String], rest: &[String]) -> Resolved {
        let (_, parent) = module.split_last().expect("the root has no parent");
        if rest.first().is_some_and(|name| name == "super") {
            return self.resolve(parent, rest);
        }
        self.descend(parent.to_vec(), rest)
    }

    /// Follows `rest` from `module` down, through re-exports.
    fn descend(&self, module: ItemPath, rest: &[String]) -> Resolved {
        let Some((first, after)) = rest.split_first() else {
            return Resolved::Module(module);
        };
        let below = joined(&module, first);
        if self.0.contains_key(&below) {
            return self.descend(below, after);
        }
        let known = &self.0[&module];
        if defines(&known.items, first) {
            return Resolved::Item(below);
        }
        match known.uses.get(first) {
            Some(target) => {
                let target: ItemPath = target.iter().chain(after).cloned().collect();
                self.resolve(&module, &target)
            }
            None => Resolved::Builtin,
        }
    }
}

fn parse_module(folder: &Path, name: &str) -> Vec<Item> {
    let file = folder.join(format!("{name}.rs"));
    if file.exists() {
        parse(&file)
    } else {
        parse(&folder.join(name).join("mod.rs"))
    }
}

fn parse(file: &Path) -> Vec<Item> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    syn::parse_file(&text)
        .unwrap_or_else(|error| panic!("{file:?}: {error}"))
        .items
}

pub(super) fn names(path: &syn::Path) -> ItemPath {
    let segments = path.segments.iter();
    segments.map(|segment| segment.ident.to_string()).collect()
}

pub(super) fn joined(module: &[String], name: &str) -> ItemPath {
    let mut path = module.to_vec();
    path.push(name.to_owned());
    path
}

fn collect_uses(tree: &UseTree, before: &mut ItemPath, uses: &mut BTreeMap<String, ItemPath>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            collect_uses(&path.tree, before, uses);
            before.pop();
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                collect_uses(tree, before, uses);
            }
        }
        UseTree::Name(name) if name.ident == "self" => {
            let last = before.last().expect("`self` follows a path").clone();
            uses.insert(last, before.clone());
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            uses.insert(name.clone(), joined(before, &name));
        }
        UseTree::Rename(renamed) => {
            let target = joined(before, &renamed.ident.to_string());
            uses.insert(renamed.rename.to_string(), target);
        }
        UseTree::Glob(_) => {}
    }
}

/// The name that an item defines.
pub(super) fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

fn defines(items: &[Item], name: &str) -> bool {
    items
        .iter()
        .any(|item| name_of(item).is_some_and(|found| found == name))
}

pub(super) fn is_public_item(visibility: &Visibility, attributes: &[Attribute]) -> bool {
    matches!(visibility, Visibility::Public(_))
        && !is_test_only(attributes)
        && !attributes.iter().any(|attribute| {
            attribute.path().is_ident("doc")
                && attribute.to_token_stream().to_string().contains("hidden")
        })
}

/// Whether an item is compiled for tests or fuzzing only.
pub(super) fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let text = attribute.to_token_stream().to_string();
        attribute.path().is_ident("cfg")
            && !text.contains("feature")
            && (text.contains("test") || text.contains("fuzzing"))
    })
}

/// The feature that an item needs.
pub(super) fn condition_of(attributes: &[Attribute]) -> Option<String> {
    let condition = attributes.iter().find(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.to_token_stream().to_string().contains("feature")
    })?;
    let text = condition.to_token_stream().to_string();
    let features: Vec<&str> = text.split('"').skip(1).step_by(2).collect();
    Some(features.join(", "))
}
