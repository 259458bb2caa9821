//! A run as one HTML file: nothing loaded, light and dark, on paper too, and whole without its script.
//!
//! The page forbids itself everything but its own style sheet and its own script, by their digests, so that a mistake in escaping could
//! not run anything. Foreign text is escaped, hidden characters are shown as what they are, and its direction of writing is its own
//! (`bdi`). A command can be copied only if it is what it looks like. Invariant: at most [`MOST`] bytes; what does not fit is counted.

mod groups;

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gonogo_core::{Digest, Verdict};

use super::terminal::{change_word, changes, parts, status_words, tests_line};
use super::text::{self, counted, html, plural, took, took_ms, visible};
use super::{Outline, Replay, mark, quarantined};
use crate::TestVerdict;
use crate::diff::{Change, Entry};
use crate::run::Tests;

/// Most bytes of a page.
pub const MOST: usize = 2_900_000;

/// Most rows of a table.
const ROWS: usize = 500;

/// Bytes of a part beside the failures: behind them, no further row begins. A row has at most some 60 KB.
const PART: usize = 250_000;

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// Writes it.
pub fn render(outline: &Outline<'_>) -> String {
    let summary = outline.report.summary;
    let title = format!(
        "{} {}",
        mark(outline.shown()),
        visible(&summary.project, 80)
    );
    let mut out = String::with_capacity(64 * 1024);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<link rel=\"icon\" href=\"data:,\">\n<title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n",
        source_hash(STYLE),
        source_hash(SCRIPT),
        html(&title),
    );
    banner(&mut out, outline);
    gate(&mut out, outline);
    problems(&mut out, outline);
    in_quarantine(&mut out, outline);
    let mut behind = String::new();
    diff(&mut behind, outline);
    targets(&mut behind, outline);
    slowest(&mut behind, outline);
    let _ = write!(
        behind,
        "<footer><p>Run <code>{}</code>, ended {}. Made of the run's own files, which are what counts.</p></footer>\n</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        foreign(&summary.run_id, 120),
        summary.timestamp
    );
    let room = MOST.saturating_sub(out.len() + behind.len());
    groups::write(&mut out, outline, room);
    out.push_str(&behind);
    out
}

/// The source expression of a Content-Security-Policy that allows exactly this inline text.
fn source_hash(text: &str) -> String {
    let digest = Digest::of(text.as_bytes());
    format!("sha256-{}", STANDARD.encode(digest.as_bytes()))
}

/// The class that gives a part its verdict's colour.
const fn tone(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass | Verdict::Excused => "t-pass",
        Verdict::Hold => "t-warn",
        Verdict::Fail => "t-fail",
        Verdict::Invalid => "t-invalid",
    }
}

/// As [`tone`], for one test.
const fn tone_of(verdict: TestVerdict) -> &'static str {
    match verdict {
        TestVerdict::Passed => "t-pass",
        TestVerdict::Skipped => "t-quiet",
        TestVerdict::Flaky => "t-warn",
        TestVerdict::Failed | TestVerdict::Errored | TestVerdict::UnexpectedPass => "t-fail",
        TestVerdict::Precluded | TestVerdict::Missing => "t-invalid",
    }
}

fn badge(verdict: Verdict) -> String {
    format!(
        "<span class=\"badge {}\">{}</span>",
        tone(verdict),
        mark(verdict)
    )
}

/// Foreign text: one line, shortened, escaped, its direction its own.
fn foreign(text: &str, limit: usize) -> String {
    format!("<bdi>{}</bdi>", html(&visible(text, limit)))
}

/// A command; with a button where it is what it looks like.
fn replay(out: &mut String, replay: &Replay) {
    command(out, &replay.command);
}

fn command(out: &mut String, text: &str) {
    let is_whole = text::is_plain(text) && text.chars().count() <= 4_000;
    let button = match is_whole {
        true => "<button type=\"button\" class=\"copy\" hidden>Copy</button>",
        false => "",
    };
    let _ = writeln!(
        out,
        "<div class=\"replay\"><code>{}</code>{button}</div>",
        html(&visible(text, 4_000))
    );
    if !is_whole {
        out.push_str("<p class=\"note\">It has characters that cannot be seen, or is very long, and is not to be copied from here.</p>\n");
    }
}

fn banner(out: &mut String, outline: &Outline<'_>) {
    let summary = outline.report.summary;
    let shown = outline.shown();
    let say = match outline.bad() {
        0 if outline.is_green() => format!("{}: nothing failed", mark(shown)),
        0 => mark(shown).to_owned(),
        bad => format!(
            "{}: {} of {} did not pass",
            mark(shown),
            counted(bad),
            plural(summary.tests.total.max(bad), "test")
        ),
    };
    let _ = write!(
        out,
        "<header class=\"banner {}\">\n<h1>{} — {}</h1>\n<p class=\"say\">{say}</p>\n",
        tone(shown),
        foreign(&summary.project, 120),
        foreign(&summary.profile, 80)
    );
    bar(out, &summary.tests);
    out.push_str("<dl>\n");
    let mut pair = |name: &str, value: String| {
        let _ = writeln!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    };
    if summary.tests.total == 0 {
        pair("Tests", "none".to_owned());
    }
    for (name, n) in parts(&summary.tests) {
        let mut letters = name.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        let name: String = first.into_iter().chain(letters).collect();
        pair(&name, counted(n));
    }
    pair("Duration", took_ms(summary.duration_ms));
    if let Some(commit) = &summary.source.commit {
        let short: String = commit.chars().take(12).collect();
        let dirty = match summary.source.dirty {
            true => " with changes that are not committed",
            false => "",
        };
        pair(
            "Commit",
            format!("<span class=\"mono\">{}</span>{dirty}", foreign(&short, 12)),
        );
    }
    if let Some(branch) = &summary.source.branch {
        pair("Branch", foreign(branch, 120));
    }
    if let Some(shard) = &summary.shard {
        let text = format!("{} of {}", u64::from(shard.index) + 1, shard.total);
        pair("Shard", text);
    }
    out.push_str("</dl>\n</header>\n");
}

/// Shares of the verdicts. Its numbers stand below it, so it says nothing to those who cannot see it.
fn bar(out: &mut String, tests: &Tests) {
    if tests.total == 0 {
        return;
    }
    let odd = tests.missing + tests.precluded;
    let bad = tests.failed + tests.errored + tests.unexpected_pass;
    // Widths without a style attribute, which the page forbids itself: an SVG's own attributes.
    out.push_str("<svg class=\"bar\" width=\"100%\" height=\"8\" viewBox=\"0 0 1000 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\">");
    let mut x = 0.0;
    for (n, tone) in [
        (bad, "fail"),
        (odd, "invalid"),
        (tests.flaky, "warn"),
        (tests.passed, "pass"),
    ] {
        if n == 0 {
            continue;
        }
        // Nothing bad is too thin to be seen.
        let share = (n as f64 / tests.total as f64 * 1000.0).max(4.0);
        let _ = write!(
            out,
            "<rect class=\"r-{tone}\" x=\"{x:.1}\" y=\"0\" width=\"{:.1}\" height=\"8\"/>",
            share.min(1000.0 - x)
        );
        x = (x + share).min(1000.0);
    }
    out.push_str("</svg>\n");
}

fn heading(out: &mut String, title: &str, count: Option<u64>) {
    let count = count.map_or(String::new(), |n| {
        format!(" <span class=\"count\">{}</span>", counted(n))
    });
    let _ = writeln!(out, "<h2>{title}{count}</h2>");
}

/// Opens a table in a frame that scrolls sideways where the page is narrow. A head that begins with `#` is of numbers.
fn table(out: &mut String, caption: &str, heads: &[&str]) {
    let _ = write!(
        out,
        "<div class=\"wrap\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\"><table><thead><tr>"
    );
    for head in heads {
        let (class, head) = match head.strip_prefix('#') {
            Some(head) => (" class=\"n\"", head),
            None => ("", *head),
        };
        let _ = write!(out, "<th scope=\"col\"{class}>{head}</th>");
    }
    out.push_str("</tr></thead><tbody>\n");
}

fn table_end(out: &mut String, left: usize) {
    out.push_str("</tbody></table></div>\n");
    more(out, left);
}

/// Says how many rows were left out.
fn more(out: &mut String, left: usize) {
    if left > 0 {
        let _ = writeln!(
            out,
            "<p class=\"note\">… and {} more</p>",
            counted(left as u64)
        );
    }
}

/// Writes rows until there are [`ROWS`] or [`PART`] bytes; gives how many are left.
fn rows<T>(out: &mut String, all: &[T], write: impl Fn(&mut String, &T)) -> usize {
    let from = out.len();
    let mut written = 0;
    for row in all.iter().take(ROWS) {
        if out.len() - from > PART {
            break;
        }
        write(out, row);
        written += 1;
    }
    all.len() - written
}

fn gate(out: &mut String, outline: &Outline<'_>) {
    let Some(gate) = outline.report.gate else {
        return;
    };
    let _ = writeln!(out, "<h2>Gate: {}</h2>", badge(gate.verdict));
    if !gate.reasons.is_empty() {
        let reasons: Vec<String> = gate
            .reasons
            .iter()
            .take(50)
            .map(|r| foreign(r, 80))
            .collect();
        let _ = writeln!(out, "<p class=\"note\">{}</p>", reasons.join(", "));
    }
    if gate.rows.is_empty() {
        return;
    }
    table(out, "Gate", &["Obligation", "Verdict", "Found"]);
    let left = rows(out, &gate.rows, |out, row| {
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"what\">{}",
            foreign(&row.id, 120),
            badge(row.verdict),
            foreign(&row.detail, 400)
        );
        if let Some(text) = &row.command {
            command(out, text);
        }
        out.push_str("</td></tr>\n");
    });
    table_end(out, left);
}

fn problems(out: &mut String, outline: &Outline<'_>) {
    if outline.problems.is_empty() {
        return;
    }
    heading(out, "The run as evidence", None);
    out.push_str("<ul class=\"list\">\n");
    let left = rows(out, &outline.problems, |out, told| {
        let reason = told.problem.reason;
        let target = told.target.as_deref();
        let target = target.map_or(String::new(), |t| {
            format!("<strong>{}</strong>: ", foreign(t, 120))
        });
        let _ = writeln!(
            out,
            "<li><span class=\"badge {}\">{}</span> {target}{}<br><span class=\"note\">{}</span></li>",
            tone(reason.verdict()),
            reason.code(),
            foreign(&told.problem.text, 600),
            html(reason.next_action())
        );
    });
    out.push_str("</ul>\n");
    more(out, left);
}

fn in_quarantine(out: &mut String, outline: &Outline<'_>) {
    let Some(all) = &outline.report.summary.quarantined else {
        return;
    };
    if !quarantined::is_there(all) {
        return;
    }
    heading(out, quarantined::TITLE, None);
    let _ = writeln!(out, "<p class=\"note\">{}</p>", html(quarantined::NOTE));
    if let Some(why) = &all.unusable {
        let _ = writeln!(out, "<p>{}</p>", foreign(why, 600));
    }
    out.push_str("<ul class=\"list\">\n");
    let left = rows(out, &all.tests, |out, one| {
        let _ = writeln!(
            out,
            "<li><span class=\"badge t-warn\">{}</span> <strong>{}</strong>: {}<br><span class=\"note\">{}</span></li>",
            one.retry.word(),
            foreign(&one.target, 120),
            foreign(&one.test.to_string(), 400),
            foreign(&quarantined::more(one), 600)
        );
    });
    out.push_str("</ul>\n");
    more(out, left + all.omitted as usize);
}

fn targets(out: &mut String, outline: &Outline<'_>) {
    let targets: Vec<_> = outline.report.summary.targets().collect();
    if targets.is_empty() {
        return;
    }
    heading(out, "Targets", None);
    table(
        out,
        "Targets",
        &[
            "Target", "Phase", "Status", "#Passed", "#Bad", "#Skipped", "#Total", "#Time",
        ],
    );
    let left = rows(out, &targets, |out, target| {
        let tests = &target.tests;
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\" title=\"{}\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            foreign(&target.target, 120),
            target.class.word(),
            badge(target.status),
            counted(tests.passed),
            tests_line(tests),
            counted(tests.bad()),
            counted(tests.skipped),
            counted(tests.total),
            took_ms(target.duration_ms)
        );
    });
    table_end(out, left);
}

fn diff(out: &mut String, outline: &Outline<'_>) {
    let Some(diff) = outline.report.diff else {
        return;
    };
    let from = outline.report.summary.diff_from.as_deref();
    let from = from.map_or("the baseline".to_owned(), |from| foreign(from, 160));
    let _ = writeln!(out, "<h2>Since {from}: {}</h2>", status_words(diff.status));
    let counts = changes(diff);
    if counts.is_empty() {
        return;
    }
    let text: Vec<String> = counts
        .iter()
        .map(|(change, n)| format!("{} {}", counted(*n), change_word(*change)))
        .collect();
    let _ = writeln!(out, "<p class=\"note\">{}</p>", text.join(", "));
    let word = |entry: &Option<Entry>| entry.as_ref().map_or("—", |e| super::word(e.verdict));
    // What still fails stands above.
    let is_still = |change| matches!(change, Change::StillFailing | Change::StillFlaky);
    let rest: Vec<_> = diff
        .changed
        .iter()
        .filter(|changed| !is_still(changed.change))
        .collect();
    if rest.is_empty() {
        return;
    }
    table(out, "Changes", &["Test", "Change", "Before", "Now"]);
    let left = rows(out, &rest, |out, changed| {
        let tone = match changed.change {
            change if change.is_regression() => "t-fail",
            Change::SignatureChanged => "t-warn",
            Change::Fixed => "t-pass",
            _ => "t-quiet",
        };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\" class=\"name\">{}</th><td><span class=\"badge {tone}\">{}</span></td><td>{}</td><td>{}</td></tr>",
            foreign(&changed.test.to_string(), 600),
            change_word(changed.change),
            word(&changed.base),
            word(&changed.now)
        );
    });
    table_end(out, left);
}

fn slowest(out: &mut String, outline: &Outline<'_>) {
    if outline.slowest.is_empty() {
        return;
    }
    heading(out, "Slowest tests", None);
    table(out, "Slowest tests", &["Test", "Target", "#Time"]);
    let left = rows(out, &outline.slowest, |out, slow| {
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\" class=\"name\">{}</th><td>{}</td><td class=\"n\">{}</td></tr>",
            foreign(&slow.test.to_string(), 600),
            foreign(&slow.target, 120),
            took(slow.seconds)
        );
    });
    table_end(out, left);
}
