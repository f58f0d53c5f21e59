//! Which `const fn` are needed at compile time. A mutant asks at run time, so every other one loses its
//! `const` in the copy, and those that must keep it cannot be mutated.

use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ExprConst, ExprMethodCall, ExprRepeat, File, ImplItemConst, ImplItemFn};
use syn::{ItemConst, ItemFn, ItemImpl, ItemStatic, Macro, Signature, Type, TypeArray};

/// A function: the type it belongs to, empty for none, and its name.
pub(crate) type Name = (String, String);

/// Finds the functions that constants, statics and lengths of arrays call, directly or through others.
pub(crate) fn needed<'a>(files: impl Iterator<Item = &'a File>) -> BTreeSet<Name> {
    let mut calls = Calls::default();
    files.for_each(|file| calls.visit_file(file));
    let mut needed = BTreeSet::new();
    let mut new = calls.in_constants;
    while let Some(called) = new.pop_first() {
        for (name, callees) in &calls.by_function {
            let is_called = name.1 == called.1 && (called.0 == ANY || name.0 == called.0);
            if is_called && needed.insert(name.clone()) {
                new.extend(callees.iter().cloned());
            }
        }
    }
    needed
}

/// The name of a type in front of `::` or behind `impl`.
pub(crate) fn type_name(ty: &Type) -> String {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default(),
        _ => String::new(),
    }
}

/// The type of a method call is unknown.
const ANY: &str = "*";

/// Tells `found` every name among tokens.
fn names(tokens: &TokenStream, found: &mut impl FnMut(String)) {
    for token in tokens.clone() {
        match token {
            TokenTree::Ident(name) => found(name.to_string()),
            TokenTree::Group(group) => names(&group.stream(), found),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

#[derive(Debug, Default)]
struct Calls {
    implemented: String,
    /// The constant function being read.
    function: Option<Name>,
    constant_depth: usize,
    in_constants: BTreeSet<Name>,
    by_function: BTreeMap<Name, BTreeSet<Name>>,
}

impl Calls {
    fn called(&mut self, name: Name) {
        if self.constant_depth > 0 {
            self.in_constants.insert(name);
        } else if let Some(function) = &self.function {
            self.by_function.entry(function.clone()).or_default().insert(name);
        }
    }

    fn constant(&mut self, visit: impl FnOnce(&mut Self)) {
        self.constant_depth += 1;
        visit(self);
        self.constant_depth -= 1;
    }

    fn enter(&mut self, implemented: &str, signature: &Signature, visit: impl FnOnce(&mut Self)) {
        let name = (implemented.to_owned(), signature.ident.to_string());
        let outer = self.function.take();
        if signature.constness.is_some() {
            self.by_function.entry(name.clone()).or_default();
            self.function = Some(name);
        }
        visit(self);
        self.function = outer;
    }
}

impl<'ast> Visit<'ast> for Calls {
    fn visit_item_impl(&mut self, node: &'ast ItemImpl) {
        let outer = std::mem::replace(&mut self.implemented, type_name(&node.self_ty));
        visit::visit_item_impl(self, node);
        self.implemented = outer;
    }

    fn visit_item_fn(&mut self, node: &'ast ItemFn) {
        self.enter("", &node.sig, |calls| visit::visit_item_fn(calls, node));
    }

    fn visit_impl_item_fn(&mut self, node: &'ast ImplItemFn) {
        let implemented = self.implemented.clone();
        self.enter(&implemented, &node.sig, |calls| visit::visit_impl_item_fn(calls, node));
    }

    fn visit_item_const(&mut self, node: &'ast ItemConst) {
        self.constant(|calls| visit::visit_item_const(calls, node));
    }

    fn visit_item_static(&mut self, node: &'ast ItemStatic) {
        self.constant(|calls| visit::visit_item_static(calls, node));
    }

    fn visit_impl_item_const(&mut self, node: &'ast ImplItemConst) {
        self.constant(|calls| visit::visit_impl_item_const(calls, node));
    }

    fn visit_expr_const(&mut self, node: &'ast ExprConst) {
        self.constant(|calls| visit::visit_expr_const(calls, node));
    }

    fn visit_expr_repeat(&mut self, node: &'ast ExprRepeat) {
        self.visit_expr(&node.expr);
        self.constant(|calls| calls.visit_expr(&node.len));
    }

    fn visit_type_array(&mut self, node: &'ast TypeArray) {
        self.constant(|calls| visit::visit_type_array(calls, node));
    }

    /// What a macro calls is not known; inside of a constant every name in it may be a function.
    fn visit_macro(&mut self, node: &'ast Macro) {
        if self.constant_depth > 0 {
            names(&node.tokens, &mut |name| self.called((ANY.to_owned(), name)));
        }
    }

    fn visit_expr_call(&mut self, node: &'ast ExprCall) {
        if let Expr::Path(path) = &*node.func {
            let mut names = path.path.segments.iter().rev().map(|segment| segment.ident.to_string());
            let name = names.next().unwrap_or_default();
            let owner = match names.next() {
                Some(of) if of == "Self" => self.implemented.clone(),
                // What begins with a small letter is a module.
                Some(of) if of.starts_with(char::is_uppercase) => of,
                _ => String::new(),
            };
            self.called((owner, name));
        }
        visit::visit_expr_call(self, node);
    }

    fn visit_expr_method_call(&mut self, node: &'ast ExprMethodCall) {
        self.called((ANY.to_owned(), node.method.to_string()));
        visit::visit_expr_method_call(self, node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_constant_calls_through_others_is_needed() {
        let text = "
            const A: u8 = T::make(1).grow();
            const _: () = assert!(checked(2) == 2);
            static B: [u8; size()] = [0; size()];
            const fn checked(x: u8) -> u8 { x }
            const fn size() -> usize { base() }
            const fn base() -> usize { 1 }
            const fn other() -> usize { base() }
            impl T {
                const fn make(x: u8) -> Self { Self::inner(x) }
                const fn inner(x: u8) -> Self { T(x) }
                const fn grow(self) -> u8 { self.0 }
                const fn unused(self) -> u8 { self.0 }
            }
            impl U { const fn make() {} }";
        let file = syn::parse_file(text).unwrap();
        let names = needed([&file].into_iter());
        let expected =
            [("", "base"), ("", "checked"), ("", "size"), ("T", "grow"), ("T", "inner"), ("T", "make")];
        assert_eq!(names, expected.map(|(of, name)| (of.to_owned(), name.to_owned())).into());
    }
}
