//! What a piece of code says: that something is refused, accepted, or neither. Told by its form alone, as
//! this code base writes it.

use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprClosure, ExprReturn, Item, Lit, Pat, ReturnType, Stmt, Type};

/// What a function answers, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Yes or no.
    Bool,
    /// `Result<()>`: nothing but whether it is refused.
    Check,
    /// A value.
    Other,
}

impl Answer {
    /// Tells what a function with this return type answers.
    pub(crate) fn of(output: &ReturnType) -> Self {
        let ReturnType::Type(_, ty) = output else { return Self::Other };
        let Type::Path(path) = &**ty else { return Self::Other };
        let Some(last) = path.path.segments.last() else { return Self::Other };
        if last.ident == "bool" {
            return Self::Bool;
        }
        let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else { return Self::Other };
        let first = arguments.args.first();
        let is_unit = matches!(first, Some(syn::GenericArgument::Type(Type::Tuple(t))) if t.elems.is_empty());
        if last.ident == "Result" && is_unit { Self::Check } else { Self::Other }
    }
}

/// Tells whether an expression is a refusal: `Err(..)`, `None`, `false`, a call of `refused`, returned or not.
pub(crate) fn refuses(expr: &Expr) -> bool {
    match expr {
        Expr::Return(inner) => inner.expr.as_deref().is_some_and(refuses),
        Expr::Paren(inner) => refuses(&inner.expr),
        Expr::Call(call) => matches!(&*call.func, Expr::Path(path)
            if path.path.segments.last().is_some_and(|last| last.ident == "Err" || last.ident == "refused")),
        Expr::MethodCall(call) => call.method == "into" && refuses(&call.receiver),
        Expr::Path(path) => path.path.is_ident("None"),
        Expr::Lit(literal) => matches!(&literal.lit, Lit::Bool(value) if !value.value),
        Expr::Block(inner) => match inner.block.stmts.last() {
            Some(Stmt::Expr(last, _)) => refuses(last),
            _ => false,
        },
        Expr::If(inner) => {
            let otherwise = inner.else_branch.as_ref();
            block_refuses(&inner.then_branch) || otherwise.is_some_and(|(_, expr)| refuses(expr))
        }
        _ => false,
    }
}

/// Tells whether a block refuses, at its end or anywhere inside.
pub(crate) fn block_refuses(block: &Block) -> bool {
    let ends = matches!(block.stmts.last(), Some(Stmt::Expr(last, None)) if refuses(last));
    ends || returns(block).iter().any(|inner| refuses(inner))
}

/// Tells whether a block accepts early: returns `Ok(..)`, `Some(..)` or `true`.
pub(crate) fn block_accepts(block: &Block) -> bool {
    returns(block).iter().any(|inner| match inner {
        Expr::Call(call) => matches!(&*call.func, Expr::Path(path)
            if path.path.is_ident("Ok") || path.path.is_ident("Some")),
        Expr::Lit(literal) => matches!(&literal.lit, Lit::Bool(value) if value.value),
        _ => false,
    })
}

/// The values a block returns by `return`, without those of closures and items inside.
pub(crate) fn returns(block: &Block) -> Vec<&Expr> {
    struct Returns<'ast>(Vec<&'ast Expr>);
    impl<'ast> Visit<'ast> for Returns<'ast> {
        fn visit_expr_return(&mut self, node: &'ast ExprReturn) {
            self.0.extend(node.expr.as_deref());
            visit::visit_expr_return(self, node);
        }
        fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}
        fn visit_item(&mut self, _: &'ast Item) {}
    }
    let mut found = Returns(Vec::new());
    found.visit_block(block);
    found.0
}

/// The expressions a block can end in.
pub(crate) fn tails(block: &Block) -> Vec<&Expr> {
    match block.stmts.last() {
        Some(Stmt::Expr(last, None)) => tails_of(last),
        _ => Vec::new(),
    }
}

fn tails_of(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Block(inner) => tails(&inner.block),
        Expr::Unsafe(inner) => tails(&inner.block),
        Expr::If(inner) => {
            let otherwise = inner.else_branch.iter().flat_map(|(_, expr)| tails_of(expr));
            tails(&inner.then_branch).into_iter().chain(otherwise).collect()
        }
        Expr::Match(inner) => inner.arms.iter().flat_map(|arm| tails_of(&arm.body)).collect(),
        other => vec![other],
    }
}

/// Tells whether an expression is a question by its form: a comparison, a conjunction, or a call with the
/// name of one.
pub(crate) fn is_question(expr: &Expr) -> bool {
    use syn::BinOp::{And, Eq, Ge, Gt, Le, Lt, Ne, Or};
    let asks = |name: &str| name.starts_with("is_") || name.starts_with("has_") || QUESTIONS.contains(&name);
    match expr {
        Expr::Paren(inner) => is_question(&inner.expr),
        Expr::Unary(inner) => matches!(inner.op, syn::UnOp::Not(_)) && is_question(&inner.expr),
        Expr::Binary(inner) => {
            matches!(inner.op, And(_) | Or(_) | Eq(_) | Ne(_) | Lt(_) | Le(_) | Gt(_) | Ge(_))
        }
        Expr::MethodCall(call) => asks(&call.method.to_string()),
        Expr::Call(call) => matches!(&*call.func, Expr::Path(path)
            if path.path.segments.last().is_some_and(|last| asks(&last.ident.to_string()))),
        _ => false,
    }
}

/// Methods that answer yes or no without a name that says so.
const QUESTIONS: [&str; 9] =
    ["contains", "contains_key", "all", "any", "allows", "accept", "verify", "starts_with", "insert"];

/// Tells whether a pattern names nothing that its arm could use.
pub(crate) fn binds_nothing(pattern: &Pat) -> bool {
    match pattern {
        Pat::Lit(_) | Pat::Path(_) | Pat::Wild(_) | Pat::Range(_) | Pat::Rest(_) => true,
        // A constant or a unit variant; what is bound begins with a small letter.
        Pat::Ident(ident) => {
            ident.subpat.is_none() && ident.ident.to_string().starts_with(char::is_uppercase)
        }
        Pat::Or(inner) => inner.cases.iter().all(binds_nothing),
        Pat::Paren(inner) => binds_nothing(&inner.pat),
        Pat::Reference(inner) => binds_nothing(&inner.pat),
        Pat::Tuple(inner) => inner.elems.iter().all(binds_nothing),
        Pat::TupleStruct(inner) => inner.elems.iter().all(binds_nothing),
        Pat::Slice(inner) => inner.elems.iter().all(binds_nothing),
        _ => false,
    }
}

/// Tells whether everything that `narrow` matches is certainly matched by `wide`.
pub(crate) fn covers(wide: &Pat, narrow: &Pat) -> bool {
    let pairwise = |wide: &Elements, narrow: &Elements| {
        wide.len() == narrow.len() && wide.iter().zip(narrow).all(|(wide, narrow)| covers(wide, narrow))
    };
    match (wide, narrow) {
        (Pat::Wild(_), _) => true,
        (Pat::Ident(_), _) if !binds_nothing(wide) => true,
        (Pat::TupleStruct(wide), Pat::TupleStruct(narrow)) => {
            is_same(&wide.path, &narrow.path) && pairwise(&wide.elems, &narrow.elems)
        }
        (Pat::Tuple(wide), Pat::Tuple(narrow)) => pairwise(&wide.elems, &narrow.elems),
        _ => is_same(wide, narrow),
    }
}

type Elements = syn::punctuated::Punctuated<Pat, syn::Token![,]>;

fn is_same<T: ToTokens>(one: &T, other: &T) -> bool {
    one.to_token_stream().to_string() == other.to_token_stream().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Block {
        syn::parse_str(text).unwrap()
    }

    #[test]
    fn refusals_are_told_by_their_form() {
        for text in [
            "{ Err(x) }",
            "{ return Err(x); }",
            "{ a(); return None; }",
            "{ if x { return refused(\"y\"); } 5 }",
            "{ return Code::X.into_it(Err(1)); return Err(x).into(); }",
            "{ match x { Some(_) => return false, None => {} } }",
        ] {
            assert!(block_refuses(&block(text)), "{text}");
        }
        for text in
            ["{ Ok(x) }", "{ return Ok(x); }", "{ run(|| { return Err(x); }) }", "{ Err(x); 5 }", "{}"]
        {
            assert!(!block_refuses(&block(text)), "{text}");
        }
        assert!(block_accepts(&block("{ return Ok(x); }")) && block_accepts(&block("{ return true; }")));
        assert!(!block_accepts(&block("{ Ok(x) }")) && !block_accepts(&block("{ return Err(x); }")));
    }

    #[test]
    fn a_wider_pattern_covers_a_narrower_one() {
        let arms = |text: &str| -> Vec<Pat> {
            let Expr::Match(inner) = syn::parse_str(text).unwrap() else { panic!("no match") };
            inner.arms.into_iter().map(|arm| arm.pat).collect()
        };
        for text in [
            "match x { 1 => a, _ => b }",
            "match x { Some('a') => a, Some(c) => b }",
            "match x { A => a, A => b }",
        ] {
            let [narrow, wide] = &arms(text)[..] else { panic!("two arms") };
            assert!(covers(wide, narrow), "{text}");
        }
        for text in [
            "match x { a => a, 1 => b }",
            "match x { None => a, Some(c) => b }",
            "match x { A => a, B => b }",
        ] {
            let [narrow, wide] = &arms(text)[..] else { panic!("two arms") };
            assert!(!covers(wide, narrow), "{text}");
        }
        assert!(
            arms("match x { None => a, Code::X | 3 => b, (A, _) => c, 1..=3 => d }")
                .iter()
                .all(binds_nothing)
        );
        assert!(!arms("match x { Some(x) => a, y => b, A { z } => c }").iter().any(binds_nothing));
    }
}
