//! The failures of a page: a filter, and a part for each group.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::super::markdown::excerpt;
use super::super::text::{block, counted, html, plural, took, visible};
use super::super::{Group, Item, Outline, word};
use super::{foreign, heading, replay, tone_of};
use crate::TestVerdict;
use crate::diff::Change;

/// Bytes of a group without its tests that are always kept free for it.
const SHARE: usize = 2_000;

/// Most bytes of a message.
const MESSAGE: usize = 2_000;

/// Most bytes of an excerpt.
const EXCERPT: usize = 8_000;

/// Most choices of a filter; what has none can still be typed.
const OPTIONS: usize = 100;

/// Groups of more tests are folded.
const OPEN: u64 = 5;

/// Writes the failures in at most `room` bytes.
pub(super) fn write(out: &mut String, outline: &Outline<'_>, room: usize) {
    if outline.bad() == 0 {
        return;
    }
    let from = out.len();
    heading(out, "Did not pass", Some(outline.bad()));
    let classes: Vec<(&str, &str)> = outline
        .report
        .summary
        .targets()
        .map(|t| (t.target.as_str(), t.class.word()))
        .collect();
    let class = |item: &Item| {
        let found = classes.iter().find(|(name, _)| *name == item.target);
        found.map_or("", |(_, class)| *class)
    };
    if outline.groups.iter().map(|g| g.count).sum::<u64>() > 1 {
        filter(out, outline, &class);
    }
    let total = outline.groups.len();
    let mut left_out = (0_u64, 0_u64);
    for (n, group) in outline.groups.iter().enumerate() {
        // What is left is shared evenly, so that no group takes the place of the others.
        let left = (room.saturating_sub(out.len() - from)).saturating_sub(SHARE);
        let share = (left / (total - n)).max(left.min(2 * SHARE));
        let mut part = String::new();
        one(&mut part, n, group, share, &class);
        if part.len() > left {
            left_out.0 += 1;
            left_out.1 += group.count;
            continue;
        }
        out.push_str(&part);
    }
    if left_out.0 > 0 {
        let _ = writeln!(
            out,
            "<p class=\"note\">{} of {} did not fit into this page.</p>",
            plural(left_out.0, "group"),
            plural(left_out.1, "test")
        );
    }
    for (n, text) in [
        (outline.ungrouped, "are in no group: there were too many"),
        (outline.untold, "did not pass, and there is no row of them"),
    ] {
        if n > 0 {
            let _ = writeln!(
                out,
                "<p class=\"note\">{} more {text}.</p>",
                plural(n, "test")
            );
        }
    }
}

fn filter<'o>(out: &mut String, outline: &'o Outline<'_>, class: &impl Fn(&Item) -> &'o str) {
    let items = || outline.groups.iter().flat_map(|g| &g.items);
    let verdicts: BTreeSet<TestVerdict> = items().map(|i| i.verdict).collect();
    let classes: BTreeSet<&str> = items().map(class).filter(|c| !c.is_empty()).collect();
    let groups = outline.groups.iter();
    let causes: BTreeSet<&str> = groups.filter_map(|g| g.cause.as_deref()).collect();
    let owners: BTreeSet<&str> = items().filter_map(|i| i.owner.as_deref()).collect();
    out.push_str("<form class=\"filter\" id=\"filter\" hidden>\n<label class=\"box\">Filter <input type=\"search\" name=\"text\" placeholder=\"name, message, owner\" autocomplete=\"off\"></label>\n");
    let mut select = |label: &str, name: &str, options: Vec<(String, String)>| {
        if options.len() < 2 {
            return;
        }
        let _ = write!(
            out,
            "<label>{label} <select name=\"{name}\"><option value=\"\">all</option>"
        );
        for (value, text) in options.iter().take(OPTIONS) {
            let _ = write!(
                out,
                "<option value=\"{}\">{}</option>",
                html(value),
                html(text)
            );
        }
        out.push_str("</select></label>\n");
    };
    let plain = |words: BTreeSet<&str>| -> Vec<(String, String)> {
        words
            .into_iter()
            .map(|w| (visible(w, 120), visible(w, 120).replace('_', " ")))
            .collect()
    };
    let verdicts = verdicts.into_iter().rev();
    let verdicts = verdicts.map(|v| (v.word().to_owned(), word(v).to_owned()));
    select("Status", "verdict", verdicts.collect());
    select("Class", "class", plain(classes));
    select("Cause", "cause", plain(causes));
    let owners = owners
        .into_iter()
        .map(|o| (visible(o, 120), visible(o, 120)));
    select("Owner", "owner", owners.collect());
    if outline.groups.iter().any(|g| g.fresh > 0) {
        out.push_str(
            "<label class=\"check\"><input type=\"checkbox\" name=\"new\"> new only</label>\n",
        );
    }
    out.push_str("<output></output>\n</form>\n");
}

fn one<'o>(
    out: &mut String,
    n: usize,
    group: &Group,
    share: usize,
    class: &impl Fn(&Item) -> &'o str,
) {
    let verdicts: Vec<String> = group
        .verdicts
        .iter()
        .rev()
        .map(|(verdict, n)| format!("{} {}", counted(*n), word(*verdict)))
        .collect();
    let _ = write!(
        out,
        "<article class=\"group {}\" id=\"g{}\">\n<h3><span class=\"badge\">{}</span>",
        tone_of(group.worst()),
        n + 1,
        verdicts.join(", ")
    );
    if let Some(cause) = &group.cause {
        let cause = visible(cause, 80).replace('_', " ");
        let _ = write!(out, " <span class=\"cause\">{}</span>", foreign(&cause, 80));
    }
    if group.fresh > 0 {
        let _ = write!(
            out,
            " <span class=\"new\">{} new</span>",
            counted(group.fresh)
        );
    }
    out.push_str("</h3>\n<pre class=\"message\">");
    let message = group.message();
    let mut limit = MESSAGE;
    let mut shown = html(&block(&message, limit));
    // Escaping makes it longer, at worst eight times.
    while shown.len() > share / 2 && limit > 100 {
        limit /= 2;
        shown = html(&block(&message, limit));
    }
    out.push_str(&shown);
    out.push_str("</pre>\n");
    for advice in group.advice.iter().take(3) {
        let _ = writeln!(
            out,
            "<p class=\"advice\">Runbook <strong>{}</strong>: {}</p>",
            foreign(&advice.id, 120),
            foreign(&advice.text, 600)
        );
    }
    if let (true, Some(remedy)) = (group.advice.is_empty(), group.remedy) {
        let _ = writeln!(out, "<p class=\"note\">{remedy}</p>");
    }
    let room = share.saturating_sub(out.len());
    if let Some(text) = group.items.first().and_then(excerpt) {
        let text = html(&block(&text, EXCERPT));
        if text.len() <= room / 2 {
            let _ = writeln!(
                out,
                "<details class=\"excerpt\"><summary>Excerpt of the first one's trace and output</summary><pre>{text}</pre></details>"
            );
        } else {
            out.push_str("<p class=\"note\">The excerpt did not fit into this page; the run's files have it.</p>\n");
        }
    }
    let is_folded = group.count > OPEN;
    if is_folded {
        meta(out, group);
        if let Some(first) = group.replay() {
            replay(out, first);
        }
    }
    let open = if is_folded { "" } else { " open" };
    let _ = writeln!(
        out,
        "<details class=\"all\"{open}><summary>{} · signature <code>{}</code></summary>\n<ul class=\"tests\">",
        plural(group.count, "test"),
        html(&visible(&group.key, 120))
    );
    let mut written = 0;
    for item in &group.items {
        let mut part = String::new();
        test(&mut part, item, group, class(item));
        if written > 0 && out.len() + part.len() > share {
            break;
        }
        out.push_str(&part);
        written += 1;
    }
    out.push_str("</ul>\n");
    let left = group.count - written;
    if left > 0 {
        let _ = writeln!(out, "<p class=\"note\">… and {} more</p>", counted(left));
    }
    out.push_str("</details>\n</article>\n");
}

/// The first test of a group whose tests are folded, and its owners.
fn meta(out: &mut String, group: &Group) {
    let Some(first) = group.items.first() else {
        return;
    };
    let _ = write!(
        out,
        "<p class=\"where\"><span class=\"name\">{}</span><span>and {} more</span>",
        foreign(&first.test.to_string(), 600),
        counted(group.count - 1)
    );
    let owners = group.owners();
    let shown: Vec<String> = owners.iter().take(5).map(|o| foreign(o, 80)).collect();
    if !shown.is_empty() {
        let more = match owners.len() - shown.len() {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let _ = write!(out, "<span>owner {}{more}</span>", shown.join(", "));
    }
    out.push_str("</p>\n");
}

fn test(out: &mut String, item: &Item, group: &Group, class: &str) {
    let is_new = item
        .change
        .is_some_and(|c| c.is_regression() || c == Change::SignatureChanged);
    let _ = write!(
        out,
        "<li data-verdict=\"{}\" data-class=\"{class}\" data-cause=\"{}\" data-owner=\"{}\" data-new=\"{}\"><span class=\"name\">{}</span><span class=\"where\"><span class=\"badge {}\">{}</span><span>{}</span>",
        item.verdict.word(),
        html(&visible(group.cause.as_deref().unwrap_or(""), 120)),
        html(&visible(item.owner.as_deref().unwrap_or(""), 120)),
        u8::from(is_new),
        foreign(&item.test.to_string(), 1_600),
        tone_of(item.verdict),
        word(item.verdict),
        foreign(&item.target, 120)
    );
    let mut say = |text: String| {
        let _ = write!(out, "<span>{text}</span>");
    };
    if let Some(change) = item.change {
        say(change.word().replace('_', " "));
    }
    if item.attempts > 1 {
        say(format!("{} attempts", item.attempts));
    }
    if let Some(seconds) = item.seconds {
        say(took(seconds));
    }
    if let Some(owner) = &item.owner {
        say(format!("owner {}", foreign(owner, 120)));
    }
    if let Some((file, line)) = &item.place {
        let line = line.map_or(String::new(), |n| format!(":{n}"));
        say(format!("<code>{}{line}</code>", html(&visible(file, 300))));
    }
    out.push_str("</span>\n");
    if let Some(found) = &item.replay {
        replay(out, found);
    }
    out.push_str("</li>\n");
}
