//! Which items can be reached from outside the library, and how each reads on one line.

use std::collections::{BTreeMap, BTreeSet};

use quote::ToTokens;
use syn::visit::{Visit, visit_path};
use syn::{Attribute, Fields, Item, Path, Signature, TraitItem, UseTree, Visibility};

use super::modules::{
    ItemPath, Modules, Resolved, condition_of, is_public_item, joined, name_of, names,
};
use super::text::line;

#[derive(Debug)]
pub(super) struct PublicItem {
    /// The path by which users name it.
    pub(super) path: String,
    pub(super) line: String,
    /// Where it is defined; none for members and implementations.
    pub(super) definition: Option<String>,
    /// The crates whose types its signature names.
    pub(super) crates: BTreeSet<String>,
}

/// Where an item is written, and by which path and with which features it is public.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) module: ItemPath,
    pub(super) path: String,
    pub(super) condition: Option<String>,
}

impl Place {
    pub(super) fn member(&self, name: &impl ToString) -> Self {
        let name = name.to_string();
        let path = match self.path.as_str() {
            "" => name,
            path => format!("{path}::{name}"),
        };
        Self {
            path,
            ..self.clone()
        }
    }

    pub(super) fn under(mut self, attributes: &[Attribute]) -> Self {
        self.condition = condition_of(attributes).or(self.condition);
        self
    }
}

pub(super) struct Listing<'a> {
    pub(super) modules: &'a Modules,
    /// The public place of each definition.
    pub(super) exported: BTreeMap<ItemPath, Place>,
    pub(super) items: Vec<PublicItem>,
}

impl<'a> Listing<'a> {
    pub(super) fn new(modules: &'a Modules) -> Self {
        let mut listing = Self {
            modules,
            exported: BTreeMap::new(),
            items: Vec::new(),
        };
        listing.add_module(&Place {
            module: ItemPath::new(),
            path: String::new(),
            condition: None,
        });
        listing.add_impls();
        listing
    }

    fn add_module(&mut self, place: &Place) {
        let modules = self.modules;
        for item in &modules.0[&place.module].items {
            match item {
                Item::Mod(child) if is_public_item(&child.vis, &child.attrs) => {
                    let mut below = place.member(&child.ident).under(&child.attrs);
                    self.push(&below, &format!("pub mod {}", below.path), &[]);
                    below.module = joined(&place.module, &child.ident.to_string());
                    self.add_module(&below);
                }
                Item::Use(item) if is_public_item(&item.vis, &item.attrs) => {
                    let place = place.clone().under(&item.attrs);
                    self.add_reexports(&place, &item.tree, &mut ItemPath::new());
                }
                item => {
                    if let Some(name) = name_of(item) {
                        self.add_item(item, place.member(&name));
                    }
                }
            }
        }
    }

    fn add_reexports(&mut self, place: &Place, tree: &UseTree, before: &mut ItemPath) {
        let (original, name) = match tree {
            UseTree::Path(step) => {
                before.push(step.ident.to_string());
                self.add_reexports(place, &step.tree, before);
                before.pop();
                return;
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_reexports(place, tree, before);
                }
                return;
            }
            UseTree::Name(name) => (&name.ident, &name.ident),
            UseTree::Rename(renamed) => (&renamed.ident, &renamed.rename),
            UseTree::Glob(_) => panic!("re-export by name: {before:?}"),
        };
        let target = joined(before, &original.to_string());
        let mut place = place.member(name);
        let Resolved::Item(definition) = self.modules.resolve(&place.module, &target) else {
            return self.push(
                &place,
                &format!("pub use {} = {}", place.path, target.join("::")),
                &[],
            );
        };
        let (name, home) = definition.split_last().expect("items have names");
        place.module = home.to_vec();
        let modules = self.modules;
        for item in &modules.0[home].items {
            if name_of(item).as_ref() == Some(name) {
                self.add_item(item, place.clone());
            }
        }
    }

    fn add_item(&mut self, item: &Item, place: Place) {
        let Some((visibility, attributes, text)) = item_text(item, &place.path) else {
            return;
        };
        if !is_public_item(visibility, attributes) {
            return;
        }
        let place = place.under(attributes);
        let definition = joined(&place.module, &name_of(item).expect("it has a name"));
        let is_open = |attribute: &Attribute| attribute.path().is_ident("non_exhaustive");
        let mark = if attributes.iter().any(is_open) {
            "#[non_exhaustive] "
        } else {
            ""
        };
        self.push(&place, &format!("{mark}pub {text}"), &paths_of_item(item));
        self.items.last_mut().expect("just pushed").definition = Some(definition.join("::"));
        self.exported.entry(definition).or_insert(place.clone());
        self.add_derives(attributes, &place);
        match item {
            Item::Enum(item) => {
                for variant in &item.variants {
                    let place = place.member(&variant.ident);
                    let text = format!(
                        "pub variant {}{}",
                        place.path,
                        line(&without_docs(&variant.fields))
                    );
                    self.push(
                        &place,
                        &text,
                        &paths_in(|paths| paths.visit_variant(variant)),
                    );
                }
            }
            Item::Struct(item) => self.add_fields(&item.fields, &place),
            Item::Trait(item) => self.add_trait_items(&item.items, &place),
            _ => {}
        }
    }

    fn add_derives(&mut self, attributes: &[Attribute], place: &Place) {
        let mut traits = BTreeSet::new();
        for attribute in attributes {
            if attribute.path().is_ident("derive") {
                let parsed = attribute.parse_nested_meta(|meta| {
                    traits.insert(line(&meta.path));
                    Ok(())
                });
                parsed.expect("derives name traits");
            }
        }
        if !traits.is_empty() {
            let traits: Vec<String> = traits.into_iter().collect();
            let text = format!("impl {} for {}", traits.join(" + "), place.path);
            self.push(place, &text, &[]);
        }
    }

    fn add_fields(&mut self, fields: &Fields, place: &Place) {
        for (index, field) in fields.iter().enumerate() {
            if is_public_item(&field.vis, &field.attrs) {
                let name = field
                    .ident
                    .as_ref()
                    .map_or(index.to_string(), ToString::to_string);
                let place = place.member(&name);
                let text = format!("pub field {}: {}", place.path, line(&field.ty));
                self.push(
                    &place,
                    &text,
                    &paths_in(|paths| paths.visit_type(&field.ty)),
                );
            }
        }
    }

    fn add_trait_items(&mut self, items: &[TraitItem], place: &Place) {
        for item in items {
            match item {
                TraitItem::Fn(method) => {
                    let place = place.member(&method.sig.ident).under(&method.attrs);
                    self.add_fn(&place, &method.sig, method.default.is_some());
                }
                TraitItem::Type(item) => {
                    let place = place.member(&item.ident);
                    self.push(&place, &format!("pub type {}", place.path), &[]);
                }
                _ => {}
            }
        }
    }

    pub(super) fn add_fn(&mut self, place: &Place, signature: &Signature, is_provided: bool) {
        let provided = if is_provided { " { .. }" } else { "" };
        let text = format!("pub {}{provided}", fn_text(signature, &place.path));
        self.push(
            place,
            &text,
            &paths_in(|paths| paths.visit_signature(signature)),
        );
    }

    pub(super) fn push(&mut self, place: &Place, text: &str, paths: &[ItemPath]) {
        let features = place.condition.as_ref();
        let features = features.map_or(String::new(), |names| format!(" [feature {names}]"));
        let crates =
            paths
                .iter()
                .filter_map(|path| match self.modules.resolve(&place.module, path) {
                    Resolved::Foreign(name) => Some(name),
                    _ => None,
                });
        let crates = crates.collect();
        self.items.push(PublicItem {
            path: place.path.clone(),
            line: format!("{text}{features}"),
            definition: None,
            crates,
        });
    }
}

fn item_text<'i>(item: &'i Item, path: &str) -> Option<(&'i Visibility, &'i [Attribute], String)> {
    let typed = |keyword: &str, ty: &dyn Fn() -> String| format!("{keyword} {path}: {}", ty());
    Some(match item {
        Item::Const(item) => (&item.vis, &item.attrs, typed("const", &|| line(&item.ty))),
        Item::Static(item) => (&item.vis, &item.attrs, typed("static", &|| line(&item.ty))),
        Item::Fn(item) => (&item.vis, &item.attrs, fn_text(&item.sig, path)),
        Item::Enum(item) => {
            let text = format!("enum {path}{}", line(&item.generics));
            (&item.vis, &item.attrs, text)
        }
        Item::Struct(item) => {
            let text = format!("struct {path}{}", line(&item.generics));
            (&item.vis, &item.attrs, text)
        }
        Item::Trait(item) => {
            let supertraits = line(&item.supertraits);
            let colon = if supertraits.is_empty() { "" } else { ": " };
            let text = format!("trait {path}{}{colon}{supertraits}", line(&item.generics));
            (&item.vis, &item.attrs, text)
        }
        Item::Type(item) => {
            let text = format!("type {path}{} = {}", line(&item.generics), line(&item.ty));
            (&item.vis, &item.attrs, text)
        }
        _ => return None,
    })
}

fn without_docs(fields: &Fields) -> Fields {
    let mut fields = fields.clone();
    for field in &mut fields {
        field.attrs.clear();
    }
    fields
}

/// A signature under its public path.
fn fn_text(signature: &Signature, path: &str) -> String {
    let text = line(&signature.to_token_stream());
    let name = format!("fn {}", signature.ident);
    text.replacen(&name, &format!("fn {path}"), 1)
}

fn paths_of_item(item: &Item) -> Vec<ItemPath> {
    paths_in(|paths| match item {
        Item::Const(item) => paths.visit_type(&item.ty),
        Item::Static(item) => paths.visit_type(&item.ty),
        Item::Fn(item) => paths.visit_signature(&item.sig),
        Item::Type(item) => paths.visit_type(&item.ty),
        _ => {}
    })
}

pub(super) struct Paths(Vec<ItemPath>);

impl<'ast> Visit<'ast> for Paths {
    fn visit_path(&mut self, path: &'ast Path) {
        self.0.push(names(path));
        visit_path(self, path);
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}

pub(super) fn paths_in(visit: impl FnOnce(&mut Paths)) -> Vec<ItemPath> {
    let mut paths = Paths(Vec::new());
    visit(&mut paths);
    paths.0
}
