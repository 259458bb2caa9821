//! Reference pages made from the catalogues in code. `cargo xtask drift` compares them with what is committed.

use std::fmt::Write;

use gonogo_core::{Exit, Reason};
use gonogo_release::approval;

pub(crate) const MADE: &str =
    "<!-- Made by `cargo xtask drift --write`; edit the code instead. -->\n\n";

/// The page of reason codes.
pub fn reason_codes() -> String {
    let mut page = format!(
        "# Reason codes\n\n{MADE}`gonogo explain CODE` prints an entry. Codes are stable and never reused.\n\n"
    );
    page.push_str("| code | verdict | exit | meaning | next |\n|---|---|---|---|---|\n");
    for r in Reason::ALL {
        // Writing into a string cannot fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            r.code(),
            r.verdict(),
            r.exit().code(),
            r.meaning(),
            r.next_action()
        );
    }
    page
}

/// The page of exit codes.
pub fn exit_codes() -> String {
    let mut page = format!("# Exit codes\n\n{MADE}");
    page.push_str("A command that ran nothing says so and does not exit with 0, unless \"nothing to do\" is the honest answer.\n\n");
    page.push_str("| code | meaning |\n|---|---|\n");
    for e in Exit::ALL {
        let _ = writeln!(page, "| {} | {} |", e.code(), e.meaning());
    }
    page.push_str(
        "\nUnder `--json`, `success` says whether the request was answered: `false` comes with an `error`. How an operation ended is \
         the answer itself: `data.status`, and the exit code beside it. So a release that was rolled back is `\"success\": true`, \
         `\"status\": \"rolled_back\"` and exit 2, and one that still runs is `\"running\"` and exit 75.\n",
    );
    page
}

/// The page of approval tokens.
pub fn approval_tokens() -> String {
    let mut page = format!("# Approval rules\n\n{MADE}");
    page.push_str("A refusal lists every broken rule at once, in `error.details.missingFields`, with code `APPROVAL_REQUIRED`.\n\n");
    page.push_str("| token | broken when |\n|---|---|\n");
    for (token, when) in approval::TOKENS {
        let _ = writeln!(page, "| `{token}` | {when} |");
    }
    page
}
