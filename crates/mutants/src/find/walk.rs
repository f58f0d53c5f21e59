//! The walk through a file: which rule applies where.

use super::Finder;
use super::verdict::{Answer, block_accepts, block_refuses, is_question, refuses, returns, tails};
use crate::by_hand::BY_HAND;
use crate::constness::type_name;
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Arm, BinOp, Block, Expr, ExprAssign, ExprBinary, ExprIf, ExprMatch, ExprMethodCall, ExprTry};
use syn::{FieldValue, ImplItemFn, ItemFn, ItemImpl, ItemMod, Local, Signature, Stmt};

impl Finder<'_> {
    fn function(&mut self, attributes: &[syn::Attribute], signature: &Signature, block: &Block) {
        if is_for_tests(attributes) {
            return;
        }
        let name = (self.implemented.clone().unwrap_or_default(), signature.ident.to_string());
        let outer = self.is_const;
        if let Some(constness) = &signature.constness {
            if self.needed.contains(&name) {
                self.is_const = true;
            } else {
                self.rewrite.replace(constness.span().byte_range(), "");
            }
        }
        self.functions.push(name.1);
        for tail in tails(block).into_iter().chain(returns(block)) {
            match Answer::of(&signature.output) {
                Answer::Bool => self.question(tail),
                Answer::Check => self.check(tail),
                Answer::Other => {}
            }
        }
        visit::visit_block(self, block);
        self.functions.pop();
        self.is_const = outer;
    }

    /// An expression that answers yes or no.
    pub(super) fn question(&mut self, expr: &Expr) {
        if !matches!(expr, Expr::Lit(_) | Expr::Return(_)) {
            self.replace(expr.span(), "is true", "true");
            self.replace(expr.span(), "is false", "false");
        }
    }

    /// An expression that is either refused or not, and gives no value.
    fn check(&mut self, expr: &Expr) {
        let is_outcome = matches!(expr, Expr::Call(call) if matches!(&*call.func, Expr::Path(path)
            if path.path.is_ident("Ok") || path.path.is_ident("Err")));
        if !is_outcome && !matches!(expr, Expr::Return(_)) {
            self.replace(expr.span(), "is ignored", &format!("let _ = {}; Ok(())", expr.to_token_stream()));
        }
    }

    fn operand(&mut self, operand: &Expr, of: &BinOp) {
        match (operand, of) {
            (Expr::Binary(inner), BinOp::And(_)) if matches!(inner.op, BinOp::And(_)) => {}
            (Expr::Binary(inner), BinOp::Or(_)) if matches!(inner.op, BinOp::Or(_)) => {}
            (Expr::Let(_), _) => {}
            (_, BinOp::And(_)) => self.replace(operand.span(), "is true", "true"),
            (_, BinOp::Or(_)) => self.replace(operand.span(), "is false", "false"),
            _ => {}
        }
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_mod(&mut self, node: &'ast ItemMod) {
        if !is_for_tests(&node.attrs) {
            visit::visit_item_mod(self, node);
        }
    }

    fn visit_item_impl(&mut self, node: &'ast ItemImpl) {
        let prints = node.trait_.as_ref().and_then(|(path, _)| path.segments.last());
        if is_for_tests(&node.attrs)
            || prints.is_some_and(|name| name.ident == "Debug" || name.ident == "Display")
        {
            return;
        }
        let outer = self.implemented.replace(type_name(&node.self_ty));
        visit::visit_item_impl(self, node);
        self.implemented = outer;
    }

    fn visit_item_fn(&mut self, node: &'ast ItemFn) {
        self.function(&node.attrs, &node.sig, &node.block);
    }

    fn visit_impl_item_fn(&mut self, node: &'ast ImplItemFn) {
        self.function(&node.attrs, &node.sig, &node.block);
    }

    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}

    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}

    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}

    fn visit_expr(&mut self, node: &'ast Expr) {
        for (at, by_hand) in BY_HAND.iter().enumerate() {
            if by_hand.file == self.file && by_hand.check == self.text(node.span()) {
                self.replace(node.span(), by_hand.change, by_hand.instead);
                self.by_hand.push(at);
            }
        }
        visit::visit_expr(self, node);
    }

    fn visit_expr_if(&mut self, node: &'ast ExprIf) {
        let otherwise = match &node.else_branch {
            Some((_, expr)) => matches!(&**expr, Expr::Block(inner) if block_refuses(&inner.block)),
            None => block_accepts(&node.then_branch),
        };
        if block_refuses(&node.then_branch) {
            // A prefix, so that a pattern in the condition still binds.
            let is_let = has_let(&node.cond);
            let (open, close) = if is_let { ("", "") } else { ("(", ")") };
            let around = |on: &str| (format!("!{on} && {open}"), close.into());
            self.mutate(node.cond.span(), "is false", around);
        } else if otherwise && has_let(&node.cond) {
            self.leave(node.cond.span());
        } else if otherwise {
            self.replace(node.cond.span(), "is true", "true");
        }
        visit::visit_expr_if(self, node);
    }

    fn visit_expr_binary(&mut self, node: &'ast ExprBinary) {
        self.operand(&node.left, &node.op);
        self.operand(&node.right, &node.op);
        let moved = match node.op {
            BinOp::Lt(_) => "<=",
            BinOp::Le(_) => "<",
            BinOp::Gt(_) => ">=",
            BinOp::Ge(_) => ">",
            _ => "",
        };
        if !moved.is_empty() {
            let (left, right) = (node.left.to_token_stream(), node.right.to_token_stream());
            self.replace(node.span(), &format!("is {moved}"), &format!("({left}) {moved} ({right})"));
        }
        visit::visit_expr_binary(self, node);
    }

    fn visit_expr_match(&mut self, node: &'ast ExprMatch) {
        self.arms(node);
        visit::visit_expr_match(self, node);
    }

    fn visit_arm(&mut self, node: &'ast Arm) {
        if !is_for_tests(&node.attrs) {
            visit::visit_arm(self, node);
        }
    }

    fn visit_expr_method_call(&mut self, node: &'ast ExprMethodCall) {
        self.call(node);
        visit::visit_expr_method_call(self, node);
    }

    fn visit_stmt(&mut self, node: &'ast Stmt) {
        if let Stmt::Expr(Expr::Try(inner), Some(_)) = node {
            let instead = format!("let _ = {};", inner.expr.to_token_stream());
            let around = |on: &str| (format!("if {on} {{ {instead} }} else {{ "), "; }".into());
            self.mutate(inner.span(), "is ignored", around);
            self.visit_expr(&inner.expr);
        } else {
            visit::visit_stmt(self, node);
        }
    }

    fn visit_expr_try(&mut self, node: &'ast ExprTry) {
        const ORIGINS: [&str; 3] = ["ok_or", "ok_or_else", "map_err"];
        if matches!(&*node.expr, Expr::MethodCall(call) if ORIGINS.contains(&call.method.to_string().as_str()))
        {
            self.leave(node.span());
        }
        visit::visit_expr_try(self, node);
    }

    fn visit_local(&mut self, node: &'ast Local) {
        let diverge = node.init.as_ref().and_then(|init| init.diverge.as_ref());
        if diverge.is_some_and(|(_, expr)| refuses(expr)) {
            self.leave(node.span());
        }
        if let Some(init) = node.init.as_ref().filter(|init| is_question(&init.expr)) {
            self.question(&init.expr);
        }
        visit::visit_local(self, node);
    }

    fn visit_expr_assign(&mut self, node: &'ast ExprAssign) {
        if is_question(&node.right) {
            self.question(&node.right);
        }
        visit::visit_expr_assign(self, node);
    }

    fn visit_field_value(&mut self, node: &'ast FieldValue) {
        if node.colon_token.is_some() && is_question(&node.expr) {
            self.question(&node.expr);
        }
        visit::visit_field_value(self, node);
    }
}

/// Tells whether an item exists in tests only, or for a model checker.
pub(super) fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        let condition = attribute.meta.to_token_stream().to_string();
        !condition.contains("not")
            && ["test", "deterministic", "loom"].iter().any(|name| condition.contains(name))
    })
}

/// Tells whether a condition binds something.
fn has_let(condition: &Expr) -> bool {
    match condition {
        Expr::Let(_) => true,
        Expr::Binary(inner) => has_let(&inner.left) || has_let(&inner.right),
        _ => false,
    }
}
