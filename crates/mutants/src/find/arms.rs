//! Checks that are arms and guards of `match`.

use super::Finder;
use super::verdict::{binds_nothing, covers, is_question, refuses};
use super::walk::is_for_tests;
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::{Arm, ExprMatch, Pat};

impl Finder<'_> {
    /// Finds the mutants of the arms of one `match`.
    pub(super) fn arms(&mut self, node: &ExprMatch) {
        for (at, arm) in node.arms.iter().enumerate() {
            if is_for_tests(&arm.attrs) {
                continue;
            }
            let later = node.arms.get(at + 1..).unwrap_or_default();
            if let Pat::Guard(guarded) = &arm.pat {
                self.replace(guarded.guard.span(), "is false", "false");
                self.replace(guarded.guard.span(), "is true", "true");
            } else if refuses(&arm.body) {
                self.refusing(arm, later, node);
            }
            if is_question(&arm.body) {
                self.question(&arm.body);
            }
        }
    }

    /// An arm without a guard that refuses: skipped where a later one takes its place, or doing what one
    /// does that refuses nothing and uses nothing of its pattern.
    fn refusing(&mut self, arm: &Arm, later: &[Arm], node: &ExprMatch) {
        if later.iter().any(|wide| !matches!(wide.pat, Pat::Guard(_)) && covers(&wide.pat, &arm.pat)) {
            self.mutate(arm.pat.span(), "is skipped", |on| (String::new(), format!(" if !{on}")));
            return;
        }
        let accepting = node.arms.iter().find(|other| binds_nothing(&other.pat) && !refuses(&other.body));
        let Some(other) = accepting else { return self.leave(arm.span()) };
        let (pattern, body) = (other.pat.to_token_stream(), other.body.to_token_stream());
        let check = self.text(arm.span());
        let around = |on: &str| (format!("{{ if {on} {{ {body} }} else {{ "), " } }".into());
        self.mutate_as(&check, arm.body.span(), &format!("is taken for {pattern}"), around);
    }
}
