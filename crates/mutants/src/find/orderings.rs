//! Memory orderings, each weakened by one step, and fences, each also removed.
//!
//! One step is enough: whoever notices the strongest of the weaker orderings notices the others. Relaxed has none.

use super::Finder;
use super::walk::is_for_tests;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ExprMethodCall, File, ImplItemFn, ItemFn, ItemImpl, ItemMod};

/// Finds the mutants of a file.
pub(super) fn find(finder: &mut Finder<'_>, file: &File) {
    Walk(finder).visit_file(file);
}

struct Walk<'a, 'n>(&'a mut Finder<'n>);

impl Walk<'_, '_> {
    /// Weakens the orderings among the arguments of `whole`, which is a call of `name`.
    fn weaken<'e>(&mut self, name: &str, arguments: impl Iterator<Item = &'e Expr>, whole: &Expr) {
        let check = self.0.text(whole.span());
        for argument in arguments {
            let Expr::Path(path) = argument else { continue };
            let Some(ordering) = path.path.segments.last() else { continue };
            for weaker in weaker(&ordering.ident.to_string(), name) {
                let text = self.0.text(argument.span());
                let instead = text.replace(&ordering.ident.to_string(), weaker);
                let around = |on: &str| (format!("(if {on} {{ {instead} }} else {{ "), " })".into());
                self.0.mutate_as(&check, argument.span(), &format!("is {weaker}"), around);
            }
        }
    }

    fn function(&mut self, name: String, visit: impl FnOnce(&mut Self)) {
        self.0.functions.push(name);
        visit(self);
        self.0.functions.pop();
    }
}

/// The orderings one step below, as far as a function allows them: a load has no release, a store no acquire.
fn weaker(ordering: &str, function: &str) -> &'static [&'static str] {
    match (ordering, function) {
        ("SeqCst", "load") => &["Acquire"],
        ("SeqCst", "store") => &["Release"],
        ("SeqCst", _) => &["AcqRel"],
        ("AcqRel", _) => &["Acquire", "Release"],
        // There is no relaxed fence: it is removed.
        ("Acquire" | "Release", "fence") => &[],
        ("Acquire" | "Release", _) => &["Relaxed"],
        _ => &[],
    }
}

impl<'ast> Visit<'ast> for Walk<'_, '_> {
    fn visit_item_mod(&mut self, node: &'ast ItemMod) {
        if !is_for_tests(&node.attrs) {
            visit::visit_item_mod(self, node);
        }
    }

    fn visit_item_impl(&mut self, node: &'ast ItemImpl) {
        if !is_for_tests(&node.attrs) {
            let implemented = crate::constness::type_name(&node.self_ty);
            let outer = self.0.implemented.replace(implemented);
            visit::visit_item_impl(self, node);
            self.0.implemented = outer;
        }
    }

    fn visit_item_fn(&mut self, node: &'ast ItemFn) {
        self.function(node.sig.ident.to_string(), |walk| visit::visit_item_fn(walk, node));
    }

    fn visit_impl_item_fn(&mut self, node: &'ast ImplItemFn) {
        self.function(node.sig.ident.to_string(), |walk| visit::visit_impl_item_fn(walk, node));
    }

    fn visit_expr(&mut self, node: &'ast Expr) {
        match node {
            Expr::Call(ExprCall { func, args, .. }) => {
                if let Expr::Path(path) = &**func
                    && path.path.segments.last().is_some_and(|last| last.ident == "fence")
                {
                    self.0.replace(node.span(), "is removed", "");
                    self.weaken("fence", args.iter(), node);
                }
            }
            Expr::MethodCall(ExprMethodCall { method, args, .. }) => {
                self.weaken(&method.to_string(), args.iter(), node);
            }
            _ => {}
        }
        visit::visit_expr(self, node);
    }
}
