//! `full_suite_report.md`: a verdict for people and for the pages of a forge.
//!
//! What comes from tests and files is made harmless first: it can neither become markup nor leave its cell.

use std::fmt::Write;

use gonogo_core::Verdict as Status;

use crate::verdict::{Asked, GateResult, Verdict};

/// Most reasons of one gate that are shown.
const SHOWN: usize = 10;

/// A verdict as Markdown.
pub fn markdown(verdict: &Verdict) -> String {
    let mut out = String::new();
    let title = verdict.verdict.to_string().to_uppercase();
    let _ = writeln!(out, "# Gate {}: {title}\n", plain(&verdict.gate_id));
    let _ = writeln!(out, "- tree: `{}`", code(&verdict.tree));
    if let Some(commit) = &verdict.commit {
        let _ = writeln!(out, "- commit: `{}`", code(commit));
    }
    let _ = writeln!(out, "- judged at: {}", verdict.judged_at);
    if let Some(expires) = verdict.expires_at {
        let _ = writeln!(out, "- holds until: {expires}");
    }
    let built_in = if verdict.policy_is_default {
        " (built in)"
    } else {
        ""
    };
    let _ = writeln!(out, "- policy: `{}`{built_in}\n", verdict.policy_digest);
    out.push_str("| gate | blocks | verdict | first reason |\n|---|---|---|---|\n");
    for gate in &verdict.gates {
        let first = gate.reasons.first();
        let reason = first.map_or(String::new(), |told| {
            format!("{}: {}", told.code, plain(&told.text))
        });
        let _ = writeln!(
            out,
            "| {} | {} | {} | {reason} |",
            plain(&gate.id),
            if gate.blocking { "yes" } else { "no" },
            shown(gate),
        );
    }
    for gate in &verdict.gates {
        if gate.asked == Asked::Judged && (gate.status > Status::Pass || !gate.notes.is_empty()) {
            section(&mut out, gate);
        }
    }
    excuses(&mut out, verdict);
    out
}

fn shown(gate: &GateResult) -> String {
    match gate.asked {
        Asked::NotReached => "not reached".into(),
        Asked::NotDeclared => "nothing declared".into(),
        Asked::Judged if gate.is_excused() => format!("excused (is {})", gate.raw),
        Asked::Judged => gate.status.to_string(),
    }
}

fn section(out: &mut String, gate: &GateResult) {
    let _ = writeln!(out, "\n## {}: {}\n", plain(&gate.id), shown(gate));
    let _ = writeln!(
        out,
        "{}. Owner: {}.\n",
        plain(&gate.title),
        plain(&gate.owner)
    );
    for told in gate.reasons.iter().take(SHOWN) {
        let target = told.target.as_deref().unwrap_or_default();
        let test = told.test.as_deref().unwrap_or_default();
        let about = [target, test].map(plain);
        let about: Vec<&str> = about
            .iter()
            .map(String::as_str)
            .filter(|t| !t.is_empty())
            .collect();
        let about = if about.is_empty() {
            String::new()
        } else {
            format!(" ({})", about.join(": "))
        };
        let _ = writeln!(out, "- **{}**{about}: {}", told.code, plain(&told.text));
    }
    let more = gate.reasons_omitted + gate.reasons.len().saturating_sub(SHOWN) as u64;
    if more > 0 {
        let _ = writeln!(out, "- and {more} more");
    }
    for note in &gate.notes {
        let _ = writeln!(out, "- note: {}", plain(note));
    }
    if gate.status > Status::Pass {
        let _ = writeln!(out, "\nTo see it again: `{}`", code(&argv(&gate.reproduce)));
        let _ = writeln!(out, "\n{}", plain(&gate.remediation));
    }
}

fn excuses(out: &mut String, verdict: &Verdict) {
    if verdict.waivers.is_empty() && verdict.quarantines.is_empty() {
        return;
    }
    out.push_str(
        "\n## Excuses\n\n| kind | for | stands | days | detail |\n|---|---|---|---|---|\n",
    );
    let waivers = verdict
        .waivers
        .iter()
        .map(|w| ("waiver", &w.gate_id, w.status, w.days_remaining, &w.detail));
    let quarantines = verdict
        .quarantines
        .iter()
        .map(|q| ("quarantine", &q.id, q.status, q.days_remaining, &q.detail));
    for (kind, id, status, days, detail) in waivers.chain(quarantines) {
        let days = days.map_or(String::new(), |d| d.to_string());
        let _ = writeln!(
            out,
            "| {kind} | {} | {} | {days} | {} |",
            plain(id),
            status.word(),
            plain(detail)
        );
    }
}

/// A command as a shell reads it.
fn argv(words: &[String]) -> String {
    let quoted = words.iter().map(|word| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&b);
        if !word.is_empty() && word.bytes().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// Text that can be no markup.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '!' | '~' | '&' | '@'
            | '$' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control()
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                out.push(' ');
            }
            c => out.push(c),
        }
    }
    out
}

/// Text within backticks.
pub(super) fn code(text: &str) -> String {
    text.chars()
        .map(|c| if c == '`' || c.is_control() { '\'' } else { c })
        .collect()
}
