//! Checks that are calls of methods.

use super::Finder;
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::{Expr, ExprMethodCall, ExprRange, RangeLimits};

/// Methods whose closure answers yes or no.
const PREDICATES: [&str; 9] =
    ["filter", "all", "any", "find", "position", "take_while", "is_some_and", "is_ok_and", "is_none_or"];

/// Those of them that may as well be given another closure: their type does not depend on it.
const ASKED: [&str; 7] = ["all", "any", "find", "position", "is_some_and", "is_ok_and", "is_none_or"];

/// Tells whether a path is a question's name, not a variable's.
fn is_function(path: &syn::ExprPath) -> bool {
    path.path.segments.last().is_some_and(|last| last.ident.to_string().starts_with("is_"))
}

impl Finder<'_> {
    /// Finds the mutants of one call.
    pub(super) fn call(&mut self, node: &ExprMethodCall) {
        let name = node.method.to_string();
        let arguments: Vec<&Expr> = node.args.iter().collect();
        match (name.as_str(), &arguments[..]) {
            ("then" | "then_some", [_]) => self.replace(node.receiver.span(), "is true", "true"),
            ("min" | "max", [_]) | ("clamp", [_, _]) => {
                let instead = node.receiver.to_token_stream().to_string();
                self.replace(node.span(), &format!("has no {name}"), &instead);
            }
            ("contains", [argument]) => self.range(node, argument),
            (name, [Expr::Closure(closure)]) if PREDICATES.contains(&name) => self.question(&closure.body),
            (name, [Expr::Path(predicate)]) if ASKED.contains(&name) && is_function(predicate) => {
                let (receiver, predicate) = (node.receiver.to_token_stream(), predicate.to_token_stream());
                let instead = format!("{receiver}.{name}(|_| true)");
                self.replace(node.span(), &format!("takes {predicate} for true"), &instead);
            }
            _ => {}
        }
    }

    /// `(a..=b).contains(&x)`: both ends are moved inwards or outwards by one.
    fn range(&mut self, node: &ExprMethodCall, argument: &Expr) {
        let Expr::Paren(inner) = &*node.receiver else { return };
        let Expr::Range(ExprRange { start: Some(start), limits, end: Some(end), .. }) = &*inner.expr else {
            return;
        };
        let (start, end, x) = (start.to_token_stream(), end.to_token_stream(), argument.to_token_stream());
        let (same, other, change) = match limits {
            RangeLimits::HalfOpen(_) => ("..", "..=", "is with its end"),
            RangeLimits::Closed(_) => ("..=", "..", "is without its end"),
        };
        self.replace(node.span(), change, &format!("({start} {other} {end}).contains({x})"));
        let without = format!("({start} {same} {end}).contains({x}) && *({x}) != ({start})");
        self.replace(node.span(), "is without its start", &without);
    }
}
