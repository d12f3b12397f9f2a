//! Methods and traits of public types.

use syn::visit::Visit;
use syn::{GenericArgument, ImplItem, Item, ItemImpl, PathArguments, Type};

use super::items::{Listing, Place, paths_in};
use super::modules::{ItemPath, Resolved, is_public_item, is_test_only, names};
use super::text::line;

impl Listing<'_> {
    pub(super) fn add_impls(&mut self) {
        let modules = self.modules;
        for (module, known) in &modules.0 {
            for item in &known.items {
                if let Item::Impl(item) = item
                    && !is_test_only(&item.attrs)
                {
                    self.add_impl(item, module);
                }
            }
        }
    }

    fn add_impl(&mut self, item: &ItemImpl, module: &ItemPath) {
        if item.trait_.is_some() {
            return self.add_trait_impl(item, module);
        }
        let Some(place) = self.exported_type(module, &item.self_ty) else {
            return;
        };
        let place = place.under(&item.attrs);
        for member in &item.items {
            match member {
                ImplItem::Fn(method) if is_public_item(&method.vis, &method.attrs) => {
                    let place = place.member(&method.sig.ident).under(&method.attrs);
                    self.add_fn(&place, &method.sig, false);
                }
                ImplItem::Const(item) if is_public_item(&item.vis, &item.attrs) => {
                    let place = place.member(&item.ident).under(&item.attrs);
                    let text = format!("pub const {}: {}", place.path, line(&item.ty));
                    self.push(&place, &text, &paths_in(|paths| paths.visit_type(&item.ty)));
                }
                _ => {}
            }
        }
    }

    fn add_trait_impl(&mut self, item: &ItemImpl, module: &ItemPath) {
        let (_, name, _) = item.trait_.as_ref().expect("it implements a trait");
        if let Resolved::Item(definition) = self.modules.resolve(module, &names(name))
            && !self.exported.contains_key(&definition)
        {
            return;
        }
        let own = self.exported_type(module, &item.self_ty);
        if own.is_none() && self.is_own(module, &item.self_ty) {
            return;
        }
        let arguments = name.segments.last().map(|segment| &segment.arguments);
        let argument = match arguments {
            Some(PathArguments::AngleBracketed(arguments)) => {
                arguments.args.iter().find_map(|argument| match argument {
                    GenericArgument::Type(argument) => self.exported_type(module, argument),
                    _ => None,
                })
            }
            _ => None,
        };
        let target = match (&own, &*item.self_ty) {
            (Some(place), Type::Path(path)) => {
                let last = path.path.segments.last().expect("types have names");
                format!("{}{}", place.path, line(&last.arguments))
            }
            _ => line(&item.self_ty),
        };
        if let Some(place) = own.or(argument) {
            let text = format!("impl{} {} for {target}", line(&item.generics), line(name));
            self.push(&place.under(&item.attrs), &text, &[]);
        }
    }

    fn is_own(&self, module: &ItemPath, ty: &Type) -> bool {
        let Type::Path(path) = ty else { return false };
        let resolved = self.modules.resolve(module, &names(&path.path));
        matches!(resolved, Resolved::Item(_))
    }

    /// The public place of `ty`, or of what it refers to.
    fn exported_type(&self, module: &ItemPath, ty: &Type) -> Option<Place> {
        let path = match ty {
            Type::Path(path) => names(&path.path),
            Type::Reference(reference) => return self.exported_type(module, &reference.elem),
            _ => return None,
        };
        let Resolved::Item(definition) = self.modules.resolve(module, &path) else {
            return None;
        };
        let place = self.exported.get(&definition)?;
        Some(Place {
            module: module.clone(),
            ..place.clone()
        })
    }
}
