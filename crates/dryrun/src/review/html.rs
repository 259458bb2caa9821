//! The review as one HTML file: no scripts, nothing loaded, light and dark, on paper too.
//!
//! The page forbids itself everything but its own style sheet (`Content-Security-Policy`), so that even a mistake in escaping could not
//! run anything. Foreign text is escaped and isolated ([`escape::html_foreign`]).

use std::fmt::Write as _;

use super::escape::{html, html_foreign};
use super::markdown::mark;
use super::{Review, escape};
use crate::Status;
use crate::chart::{self, Figure};
use crate::page;
use crate::watch::duration::{counted, humanised};

/// What the review's page needs beside [`page::BASE`] and [`chart::STYLE`].
const STYLE: &str = "\
.banner{border-left:.5rem solid var(--tone);background:var(--surface);border-radius:.25rem .5rem .5rem .25rem;padding:1.125rem 1.5rem;\
border-top:1px solid var(--line);border-bottom:1px solid var(--line);border-right:1px solid var(--line)}
.banner h1{margin:0 0 .375rem;font-size:1.125rem;font-weight:600;color:var(--muted);text-wrap:balance}
.banner .say{margin:0;font-size:1.375rem;line-height:1.3;font-weight:600;text-wrap:balance}
.banner dl{display:flex;flex-wrap:wrap;gap:.375rem 2rem;margin:1rem 0 0}
.banner dt{font-size:.75rem;color:var(--muted)}
.banner dd{margin:0;min-width:0;overflow-wrap:anywhere}
.t-pass{--tone:var(--pass)}.t-warn{--tone:var(--warn)}.t-fail{--tone:var(--fail)}.t-invalid{--tone:var(--invalid)}
.three{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,17rem),1fr));gap:1.25rem 2rem;margin:1.5rem 0}
.three section{min-width:0;border-top:2px solid var(--line);padding-top:.625rem}
.three h2{margin:0 0 .375rem;font-size:1rem}
.three ul,.plain{margin:0;padding-left:1.125rem}
.three li{margin:.25rem 0;overflow-wrap:anywhere}
.charts{display:grid;gap:1rem}
.wrap{overflow-x:auto}
.what{overflow-wrap:anywhere;min-width:16rem}
.mono{font-family:var(--mono);font-size:.8125rem}
.note{color:var(--muted);font-size:.875rem}
.who{white-space:nowrap}
@media print{.wrap{overflow:visible}.what{min-width:0}.three{gap:.75rem 1.5rem}}
footer{margin-top:3rem;color:var(--muted);font-size:.8125rem}
";

/// Renders the review.
pub fn render(review: &Review) -> String {
    let style = format!("{}{}{STYLE}", page::BASE, chart::STYLE);
    let mut out = String::with_capacity(64 * 1024);
    let title = match &review.run_label {
        Some(label) => format!(
            "{} — {}",
            html(&escape::shortened(label, 120)),
            mark(review.status)
        ),
        None => format!("Final dry run review — {}", mark(review.status)),
    };
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n",
        page::source_hash(&style),
    );
    banner(&mut out, review);
    first_screen(&mut out, review);
    criteria(&mut out, review);
    out.push_str("<h2>Charts</h2>\n<div class=\"charts\">\n");
    for figure in figures(review) {
        out.push_str(&figure.html());
    }
    out.push_str("</div>\n");
    section(
        &mut out,
        "Highlights",
        review.highlights.iter().map(|text| html(text)),
        "None",
    );
    evidence(&mut out, review);
    objectives(&mut out, review);
    actions(&mut out, review);
    section(
        &mut out,
        "Notes",
        review.notes.iter().map(|text| foreign_long(text)),
        "None",
    );
    appendices(&mut out, review);
    let _ = write!(
        out,
        "<footer><p>Made of the review's JSON, which is authoritative; the same JSON gives the same page. Generated {}.</p></footer>\n</main>\n</body>\n</html>\n",
        review.generated_at
    );
    out
}

/// The review's charts, in their order.
pub fn figures(review: &Review) -> [Figure; 5] {
    let charts = &review.charts;
    [
        chart::rate(charts),
        chart::silences(charts),
        chart::incidents(charts),
        chart::levels(&charts.levels),
        chart::resources(charts),
    ]
}

/// The class that gives a part its status' colour.
const fn tone(status: Status) -> &'static str {
    match status {
        Status::Pass => "t-pass",
        Status::Warn => "t-warn",
        Status::Fail => "t-fail",
        Status::Invalid => "t-invalid",
    }
}

/// Mark and word of a status, coloured.
fn badge(status: Status) -> String {
    format!(
        "<span class=\"badge {}\">{}</span>",
        tone(status),
        mark(status)
    )
}

fn foreign_long(text: &str) -> String {
    format!("<bdi>{}</bdi>", html(&escape::shortened(text, 2_000)))
}

fn banner(out: &mut String, review: &Review) {
    let _ = write!(
        out,
        "<header class=\"banner {}\">\n<h1>Final dry run review — {}</h1>\n<p class=\"say\">{}</p>\n<dl>\n",
        tone(review.status),
        badge(review.status),
        html(&review.verdict)
    );
    let mut pair = |name: &str, value: String| {
        let _ = writeln!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    };
    pair(
        "Run",
        match (&review.run_label, &review.run_id) {
            (Some(label), Some(id)) => format!(
                "{} <span class=\"mono\">{}</span>",
                html_foreign(label),
                html_foreign(id)
            ),
            (Some(text), None) | (None, Some(text)) => html_foreign(text),
            (None, None) => "Not recorded".to_owned(),
        },
    );
    pair(
        "Duration",
        review
            .duration_seconds
            .map_or("Unknown".to_owned(), humanised),
    );
    if let (Some(from), Some(to)) = (review.started_at, review.ended_at) {
        pair("From, to", format!("{from}<br>{to}"));
    }
    pair("Generated", review.generated_at.to_string());
    pair(
        "Attendees",
        match review.attendees.is_empty() {
            true => "Not recorded".to_owned(),
            false => review
                .attendees
                .iter()
                .map(|name| html_foreign(name))
                .collect::<Vec<_>>()
                .join(", "),
        },
    );
    if !review.command.is_empty() {
        pair(
            "Command",
            format!(
                "<span class=\"mono\">{}</span>",
                html_foreign(&review.command.join(" "))
            ),
        );
    }
    out.push_str("</dl>\n</header>\n");
}

fn first_screen(out: &mut String, review: &Review) {
    out.push_str("<div class=\"three\">\n");
    let mut blocking: Vec<String> = review
        .blocking
        .iter()
        .map(|text| html_foreign(text))
        .collect();
    if review.blocking_omitted > 0 {
        blocking.push(format!(
            "and {} more, below",
            counted(review.blocking_omitted)
        ));
    }
    let mut part = |title: &str, items: Vec<String>, none: &str| {
        let _ = writeln!(out, "<section><h2>{title}</h2>");
        if items.is_empty() {
            let _ = writeln!(out, "<p class=\"note\">{none}</p>");
        } else {
            out.push_str("<ul>\n");
            for item in items {
                let _ = writeln!(out, "<li>{item}</li>");
            }
            out.push_str("</ul>\n");
        }
        out.push_str("</section>\n");
    };
    part("What blocks", blocking, "Nothing.");
    part(
        "Who must act",
        review
            .who
            .iter()
            .map(|duty| {
                format!(
                    "<strong>{}</strong> — {} {} {}",
                    html_foreign(&duty.owner),
                    counted(duty.items),
                    if duty.items == 1 { "item" } else { "items" },
                    badge(duty.severity)
                )
            })
            .collect(),
        "Nobody.",
    );
    part(
        "What is unknown",
        review
            .unknown
            .iter()
            .map(|text| html_foreign(text))
            .collect(),
        "Nothing that the report names.",
    );
    out.push_str("</div>\n");
}

/// Opens a table in a frame that scrolls sideways where the page is narrow.
fn table(out: &mut String, caption: &str, heads: &[&str]) {
    let _ = write!(
        out,
        "<div class=\"wrap\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\"><table><thead><tr>"
    );
    for head in heads {
        let _ = write!(out, "<th scope=\"col\">{head}</th>");
    }
    out.push_str("</tr></thead><tbody>\n");
}

const TABLE_END: &str = "</tbody></table></div>\n";

fn criteria(out: &mut String, review: &Review) {
    out.push_str("<h2>Criteria</h2>\n");
    if review.criteria.is_empty() {
        out.push_str("<p class=\"note\">Not applied: no sign-off was made.</p>\n");
        return;
    }
    table(
        out,
        "Criteria",
        &["Criterion", "Required", "Observed", "Margin", "Status"],
    );
    for row in &review.criteria {
        let note = match row.note.is_empty() {
            true => String::new(),
            false => format!("<div class=\"note\">{}</div>", html_foreign(&row.note)),
        };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}{note}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            html_foreign(&row.name),
            html_foreign(&row.required),
            html_foreign(&row.observed),
            html_foreign(&row.margin),
            badge(row.status)
        );
    }
    out.push_str(TABLE_END);
}

fn evidence(out: &mut String, review: &Review) {
    out.push_str("<h2>Evidence Status</h2>\n");
    table(
        out,
        "Evidence status",
        &["Evidence", "Status", "Detail", "File"],
    );
    for row in &review.evidence {
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"what\">{}</td><td class=\"mono what\">{}</td></tr>",
            html_foreign(&row.name),
            row.status
                .map_or("<span class=\"note\">— none</span>".to_owned(), badge),
            html_foreign(&row.detail),
            row.path.as_deref().map_or("—".to_owned(), html_foreign)
        );
    }
    out.push_str(TABLE_END);
}

fn objectives(out: &mut String, review: &Review) {
    section(
        out,
        "Objectives",
        review.objectives.iter().map(|objective| {
            let note = objective
                .note
                .as_deref()
                .map(|note| format!(" — {}", foreign_long(note)))
                .unwrap_or_default();
            format!(
                "{} {}{note}",
                badge(objective.status),
                html_foreign(&objective.name)
            )
        }),
        "Not recorded",
    );
}

fn actions(out: &mut String, review: &Review) {
    out.push_str("<h2>Action Items</h2>\n");
    if review.action_items.is_empty() {
        out.push_str("<p class=\"note\">None</p>\n");
    } else {
        table(
            out,
            "Action items",
            &["Severity", "Category", "What", "Times", "Who", "See"],
        );
        for item in &review.action_items {
            let _ = writeln!(
                out,
                "<tr><td>{}</td><td>{}</td><td class=\"what\">{}</td><td>{}</td><td class=\"who\">{}</td><td>{}</td></tr>",
                badge(item.severity),
                item.category.word(),
                html_foreign(&item.description),
                counted(item.count),
                html_foreign(&item.owner),
                item.evidence
                    .as_deref()
                    .map_or("—".to_owned(), html_foreign)
            );
        }
        out.push_str(TABLE_END);
    }
    if review.action_items_omitted > 0 {
        let _ = writeln!(
            out,
            "<p class=\"note\">and {} more, in the report's JSON.</p>",
            counted(review.action_items_omitted)
        );
    }
    if review.accepted.is_empty() {
        return;
    }
    out.push_str("<h3>Accepted</h3>\n<p class=\"note\">These do not count. Each was accepted by a rule.</p>\n");
    table(
        out,
        "Accepted findings",
        &["Would be", "Rule", "Owner", "Until", "What", "Times"],
    );
    for accepted in &review.accepted {
        let reason = match accepted.reason.is_empty() {
            true => String::new(),
            false => format!(
                "<div class=\"note\">{}</div>",
                html_foreign(&accepted.reason)
            ),
        };
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}{reason}</td><td>{}</td><td>{}</td><td class=\"what\">{}</td><td>{}</td></tr>",
            badge(accepted.severity),
            html_foreign(&accepted.rule),
            html_foreign(&accepted.owner),
            accepted.expires.map_or("—".to_owned(), |at| at.to_string()),
            html_foreign(&accepted.description),
            counted(accepted.count)
        );
    }
    out.push_str(TABLE_END);
    if review.accepted_omitted > 0 {
        let _ = writeln!(
            out,
            "<p class=\"note\">and {} more.</p>",
            counted(review.accepted_omitted)
        );
    }
}

fn appendices(out: &mut String, review: &Review) {
    if review.summary.is_none() && review.sign_off.is_none() {
        return;
    }
    out.push_str("<h2>Appendices</h2>\n");
    if let Some(summary) = &review.summary {
        let _ = writeln!(
            out,
            "<h3>Dry run summary</h3>\n<ul class=\"plain\">\n<li>Status: {}</li>\n<li>Computed: {}</li>",
            badge(summary.status),
            summary.generated_at
        );
        if let Some(classifier) = &summary.metadata.classifier {
            let _ = writeln!(out, "<li>Classifier: {}</li>", html_foreign(classifier));
        }
        for path in summary.metadata.log_paths.iter().take(64) {
            let _ = writeln!(
                out,
                "<li>Log: <span class=\"mono\">{}</span></li>",
                html_foreign(path)
            );
        }
        for (key, value) in summary.metadata.user.iter().take(64) {
            let value = match value {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let _ = writeln!(
                out,
                "<li>{} = {}</li>",
                html_foreign(key),
                html_foreign(&value)
            );
        }
        out.push_str("</ul>\n");
    }
    if let Some(sign_off) = &review.sign_off {
        let _ = writeln!(
            out,
            "<h3>Sign-off assessment</h3>\n<ul class=\"plain\">\n<li>Status: {}</li>\n<li>Evaluated: {}</li>",
            badge(sign_off.status),
            sign_off.evaluated_at
        );
        if sign_off.findings.is_empty() {
            out.push_str("<li>Findings: none</li>\n");
        }
        for finding in sign_off.findings.iter().take(super::actions::LIMIT) {
            let _ = write!(
                out,
                "<li>{} {}",
                badge(finding.severity),
                html_foreign(&finding.message)
            );
            if !finding.code.is_empty() {
                let _ = write!(
                    out,
                    " <span class=\"mono\">{}</span>",
                    html_foreign(&finding.code)
                );
            }
            if let Some(rule) = &finding.accepted {
                let _ = write!(out, ", accepted by {}", html_foreign(rule));
            }
            out.push_str("</li>\n");
        }
        out.push_str("</ul>\n");
    }
}

fn section(out: &mut String, title: &str, items: impl Iterator<Item = String>, none: &str) {
    let _ = writeln!(out, "<h2>{title}</h2>");
    let mut any = false;
    for item in items {
        if !any {
            out.push_str("<ul class=\"plain\">\n");
            any = true;
        }
        let _ = writeln!(out, "<li>{item}</li>");
    }
    match any {
        true => out.push_str("</ul>\n"),
        false => {
            let _ = writeln!(out, "<p class=\"note\">{none}</p>");
        }
    }
}
