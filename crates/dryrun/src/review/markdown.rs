//! The review as Markdown: title with status, Run, Generated, Attendees; then what a reader needs first; Highlights; Evidence Status; Objectives;
//! Action Items; Notes; Appendices.
//!
//! Foreign text stands in code spans only ([`escape::code`]); what people wrote is escaped prose.

use std::fmt::Write as _;

use super::escape::{code, prose};
use super::{Review, escape};
use crate::Status;
use crate::watch::duration::{counted, humanised, trimmed};

/// Returns the mark and the word of a status. Never colour alone.
pub const fn mark(status: Status) -> &'static str {
    match status {
        Status::Pass => "✔ PASS",
        Status::Warn => "▲ WARN",
        Status::Fail => "✖ FAIL",
        Status::Invalid => "? INVALID",
    }
}

/// Renders the review.
pub fn render(review: &Review) -> String {
    let mut out = String::with_capacity(8 * 1024);
    head(&mut out, review);
    first_screen(&mut out, review);
    list(
        &mut out,
        "Highlights",
        review.highlights.iter().map(|text| prose(text)),
        "None",
    );
    evidence(&mut out, review);
    objectives(&mut out, review);
    actions(&mut out, review);
    list(
        &mut out,
        "Notes",
        review.notes.iter().map(|text| prose(text)),
        "None",
    );
    appendices(&mut out, review);
    out
}

fn head(out: &mut String, review: &Review) {
    let _ = writeln!(out, "# Final dry run review — {}\n", mark(review.status));
    let run = match (&review.run_label, &review.run_id) {
        (Some(label), Some(id)) => format!("{} ({})", prose(label), code(id, false)),
        (Some(label), None) => prose(label),
        (None, Some(id)) => code(id, false),
        (None, None) => "Not recorded".to_owned(),
    };
    let _ = writeln!(out, "- **Run:** {run}");
    if !review.command.is_empty() {
        let _ = writeln!(
            out,
            "- **Command:** {}",
            code(&review.command.join(" "), false)
        );
    }
    if let Some(duration) = review.duration_seconds {
        let _ = write!(out, "- **Duration:** {}", humanised(duration));
        if let (Some(from), Some(to)) = (review.started_at, review.ended_at) {
            let _ = write!(out, ", {from} to {to}");
        }
        out.push('\n');
    }
    let _ = writeln!(out, "- **Generated:** {}", review.generated_at);
    let attendees: Vec<String> = review.attendees.iter().map(|name| prose(name)).collect();
    let _ = writeln!(
        out,
        "- **Attendees:** {}\n",
        match attendees.is_empty() {
            true => "Not recorded".to_owned(),
            false => attendees.join(", "),
        }
    );
}

fn first_screen(out: &mut String, review: &Review) {
    let _ = writeln!(out, "**{}**\n", prose(&review.verdict));
    let more = (review.blocking_omitted > 0)
        .then(|| format!("and {} more, below", counted(review.blocking_omitted)));
    list(
        out,
        "What blocks",
        review
            .blocking
            .iter()
            .map(|text| code(text, false))
            .chain(more),
        "Nothing",
    );
    list(
        out,
        "Who must act",
        review.who.iter().map(|duty| {
            format!(
                "{} — {}: {} {}, first {}",
                prose(&duty.owner),
                mark(duty.severity),
                duty.items,
                if duty.items == 1 { "item" } else { "items" },
                code(&duty.first, false)
            )
        }),
        "Nobody",
    );
    list(
        out,
        "What is unknown",
        review.unknown.iter().map(|text| prose(text)),
        "Nothing that the report names",
    );
    out.push_str("## Criteria\n\n");
    if review.criteria.is_empty() {
        out.push_str("Not applied\n\n");
    } else {
        out.push_str("| Criterion | Required | Observed | Margin | Status | Meaning |\n|---|---|---|---|---|---|\n");
        for row in &review.criteria {
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} |",
                prose(&row.name),
                prose(&row.required),
                prose(&row.observed),
                prose(&row.margin),
                mark(row.status),
                if row.note.is_empty() {
                    String::new()
                } else {
                    prose(&row.note)
                }
            );
        }
        out.push('\n');
    }
}

fn evidence(out: &mut String, review: &Review) {
    out.push_str(
        "## Evidence Status\n\n| Evidence | Status | Detail | File |\n|---|---|---|---|\n",
    );
    for row in &review.evidence {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} |",
            prose(&row.name),
            row.status.map_or("— none", mark),
            code(&row.detail, true),
            row.path
                .as_deref()
                .map_or("—".to_owned(), |path| code(path, true))
        );
    }
    out.push('\n');
}

fn objectives(out: &mut String, review: &Review) {
    list(
        out,
        "Objectives",
        review.objectives.iter().map(|objective| {
            let note = objective
                .note
                .as_deref()
                .map(|note| format!(" — {}", prose(note)))
                .unwrap_or_default();
            format!(
                "**{}** {}{note}",
                mark(objective.status),
                prose(&objective.name)
            )
        }),
        "Not recorded",
    );
}

fn actions(out: &mut String, review: &Review) {
    list(
        out,
        "Action Items",
        review.action_items.iter().map(|item| {
            let mut text = format!(
                "**{}** `{}` {}",
                mark(item.severity),
                item.category.word(),
                code(&item.description, false)
            );
            if item.count > 1 {
                let _ = write!(text, " × {}", counted(item.count));
            }
            let _ = write!(text, " — {}", prose(&item.owner));
            if let Some(place) = &item.evidence {
                let _ = write!(text, "; see {}", code(place, false));
            }
            text
        }),
        "None",
    );
    if review.action_items_omitted > 0 {
        let _ = writeln!(
            out,
            "and {} more, in the report's JSON.\n",
            counted(review.action_items_omitted)
        );
    }
    if review.accepted.is_empty() {
        return;
    }
    out.push_str("### Accepted\n\nThese do not count. Each was accepted by a rule.\n\n");
    out.push_str("| Rule | Owner | Until | Would be | What | Times |\n|---|---|---|---|---|---|\n");
    for accepted in &review.accepted {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            code(&accepted.rule, true),
            prose(&accepted.owner),
            accepted.expires.map_or("—".to_owned(), |at| at.to_string()),
            mark(accepted.severity),
            code(&accepted.description, true),
            counted(accepted.count)
        );
    }
    out.push('\n');
    if review.accepted_omitted > 0 {
        let _ = writeln!(out, "and {} more.\n", counted(review.accepted_omitted));
    }
}

fn appendices(out: &mut String, review: &Review) {
    if review.summary.is_none() && review.sign_off.is_none() {
        return;
    }
    out.push_str("## Appendices\n\n");
    if let Some(summary) = &review.summary {
        let _ = writeln!(
            out,
            "### Dry run summary\n\n- **Status:** {}",
            mark(summary.status)
        );
        let _ = writeln!(out, "- **Computed:** {}", summary.generated_at);
        if let Some(classifier) = &summary.metadata.classifier {
            let _ = writeln!(out, "- **Classifier:** {}", code(classifier, false));
        }
        if let Some(logs) = &summary.logs {
            for (level, count) in &logs.level_counts {
                let _ = writeln!(
                    out,
                    "- Lines of level {}: {}",
                    code(level, false),
                    counted(*count)
                );
            }
            for blind in &logs.blind {
                let _ = writeln!(
                    out,
                    "- Not seen from {} to {}: {}{}",
                    blind.from,
                    blind.to,
                    code(&blind.reason, false),
                    blind
                        .explained
                        .as_deref()
                        .map(|why| format!(", explained: {}", prose(why)))
                        .unwrap_or_default()
                );
            }
            if let Some(skew) = &logs.skew {
                let _ = writeln!(
                    out,
                    "- The child's clock was between {} and {} s ahead of ours in {} records; {} went backwards.",
                    trimmed(skew.min_seconds, 3),
                    trimmed(skew.max_seconds, 3),
                    counted(skew.records),
                    counted(skew.backwards)
                );
            }
        }
        for path in summary.metadata.log_paths.iter().take(64) {
            let _ = writeln!(out, "- Log: {}", code(path, false));
        }
        for (key, value) in summary.metadata.user.iter().take(64) {
            let value = match value {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let _ = writeln!(out, "- {} = {}", code(key, false), code(&value, false));
        }
        out.push('\n');
    }
    if let Some(sign_off) = &review.sign_off {
        let _ = writeln!(
            out,
            "### Sign-off assessment\n\n- **Status:** {}\n- **Evaluated:** {}",
            mark(sign_off.status),
            sign_off.evaluated_at
        );
        if sign_off.findings.is_empty() {
            out.push_str("- Findings: none\n");
        }
        for finding in sign_off.findings.iter().take(super::actions::LIMIT) {
            let _ = write!(
                out,
                "- **{}** {}",
                mark(finding.severity),
                code(&finding.message, false)
            );
            if !finding.code.is_empty() {
                let _ = write!(out, " ({})", code(&finding.code, false));
            }
            if let Some(rule) = &finding.accepted {
                let _ = write!(out, ", accepted by {}", code(rule, false));
            }
            out.push('\n');
        }
        out.push('\n');
    }
}

/// Writes a section with a list, or the word for none.
pub(crate) fn list(out: &mut String, title: &str, items: impl Iterator<Item = String>, none: &str) {
    let _ = writeln!(out, "## {}\n", escape::visible(title));
    let before = out.len();
    for item in items {
        let _ = writeln!(out, "- {item}");
    }
    if out.len() == before {
        out.push_str(none);
        out.push('\n');
    }
    out.push('\n');
}
