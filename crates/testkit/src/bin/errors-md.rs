//! Prints `docs/errors.md`, rendered from the error table of eipc-core.

use eipc_core::Code;
use std::fmt::Write as _;
use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(render().as_bytes())
}

fn render() -> String {
    let mut page = String::from(concat!(
        "<!-- Generated from crates/core/src/error/code.rs by `errors-md`; do not edit. -->\n",
        "# Errors\n\n",
        "Every failure has a stable name (`error.code` in TypeScript), a stable number (`eipc_status` in C) ",
        "and one of a few classes. *Retry* means that the same call may succeed later without any other ",
        "change.\n\n",
        "| Name | Number | Class | Retry | What happened, what to do |\n",
        "| --- | ---: | --- | --- | --- |\n",
    ));
    for code in Code::ALL {
        let retry = if code.is_retryable() { "yes" } else { "no" };
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | `{}` | {retry} | {} |",
            code.name(),
            code.value(),
            code.class().name(),
            code.sentence(),
        );
    }
    page
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_code_has_its_row() {
        let page = super::render();
        for code in eipc_core::Code::ALL {
            assert_eq!(page.matches(&format!("| `{}` | {} |", code.name(), code.value())).count(), 1);
        }
    }
}
