//! A run as GitHub flavoured Markdown: for a pull request's comment, and for a step's summary.
//!
//! Foreign text stands in code spans and fenced blocks only, with fences that it cannot close, so no name mentions a person, makes a link
//! or becomes HTML. Invariant: the text is never longer than its [`Room`]; it is cut between blocks, and then its last line says so.

use std::fmt::Write as _;

use super::terminal::{change_word, changes, parts, status_words};
use super::text::{code, counted, fenced, plural, took, took_ms, visible};
use super::{Group, Item, Outline, mark, quarantined, word};
use gonogo_core::Verdict;

/// How long it may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// A comment: 65,535 characters.
    Comment,
    /// A step's summary: 1 MiB.
    StepSummary,
    /// So many bytes.
    Bytes(usize),
}

impl Room {
    fn left(self, out: &str) -> usize {
        match self {
            Self::Comment => 65_535_usize.saturating_sub(out.chars().count()),
            Self::StepSummary => (1_usize << 20).saturating_sub(out.len()),
            Self::Bytes(most) => most.saturating_sub(out.len()),
        }
    }

    fn size(self, text: &str) -> usize {
        match self {
            Self::Comment => text.chars().count(),
            _ => text.len(),
        }
    }
}

/// What a cut needs.
const CUT: usize = 400;

/// Tests of a group that are listed.
const TESTS: usize = 50;

/// Most rows of a table.
const ROWS: usize = 200;

/// Writes it.
pub fn render(outline: &Outline<'_>, room: Room) -> String {
    let mut page = Page {
        out: String::new(),
        room,
        left: room.left("").saturating_sub(CUT),
        cut: 0,
    };
    page.put(&head(outline));
    page.put(&gate(outline));
    page.put(&problems(outline));
    page.put(&targets(outline));
    page.put(&in_quarantine(outline));
    // What comes last is short, and is not to be pushed out by the failures.
    let tail = [diff(outline), next(outline)];
    let kept = page.keep(&tail.concat());
    let groups = &outline.groups;
    if outline.bad() > 0 {
        let mut title = format!("### Did not pass: {}", plural(outline.bad(), "test"));
        if !groups.is_empty() {
            let _ = write!(title, " in {}", plural(groups.len() as u64, "group"));
        }
        title.push_str("\n\n");
        page.put(&title);
    }
    for (n, group) in (1..).zip(groups) {
        page.put(&block(n, group));
    }
    let more = outline.ungrouped + outline.untold;
    if more > 0 {
        page.put(&format!(
            "{} more did not pass and are in no group here.\n\n",
            plural(more, "test")
        ));
    }
    page.left += kept;
    for block in &tail {
        page.put(block);
    }
    page.put(&slowest(outline));
    page.done()
}

struct Page {
    out: String,
    room: Room,
    left: usize,
    /// Blocks that were left out.
    cut: u64,
}

impl Page {
    /// Puts a whole block, or none of it.
    fn put(&mut self, block: &str) {
        if block.is_empty() {
            return;
        }
        let size = self.room.size(block);
        if size > self.left {
            self.cut += 1;
            return;
        }
        self.left -= size;
        self.out.push_str(block);
    }

    /// Keeps room for a text, if that leaves most of it free; gives how much.
    fn keep(&mut self, text: &str) -> usize {
        let size = self.room.size(text);
        let kept = if size < self.left / 2 { size } else { 0 };
        self.left -= kept;
        kept
    }

    fn done(mut self) -> String {
        if self.cut > 0 {
            let text = format!(
                "_Cut: {} did not fit here. The whole report is among the run's artifacts._\n",
                plural(self.cut, "block")
            );
            if self.room.size(&text) <= self.room.left(&self.out) {
                self.out.push_str(&text);
            }
        }
        self.out
    }
}

fn head(outline: &Outline<'_>) -> String {
    let summary = outline.report.summary;
    let tests = parts(&summary.tests)
        .into_iter()
        .map(|(name, n)| format!("{} {name}", counted(n)))
        .collect::<Vec<_>>()
        .join(", ");
    let tests = match tests.as_str() {
        "" => "no tests",
        tests => tests,
    };
    let mut out = format!(
        "## {} {}\n\n**{tests}** in {}",
        mark(outline.shown()),
        code(&summary.project, 100, false),
        took_ms(summary.duration_ms)
    );
    let _ = write!(
        out,
        " · profile {} · run {}",
        code(&summary.profile, 100, false),
        code(&summary.run_id, 100, false)
    );
    if let Some(commit) = &summary.source.commit {
        let short: String = commit.chars().take(12).collect();
        let _ = write!(out, " · commit {}", code(&short, 12, false));
    }
    if summary.source.dirty {
        out.push_str(" with changes that are not committed");
    }
    out.push_str("\n\n");
    if outline.is_green() {
        out.push_str("Nothing failed.\n\n");
    }
    out
}

fn gate(outline: &Outline<'_>) -> String {
    let Some(gate) = outline.report.gate else {
        return String::new();
    };
    let mut out = format!("### Gate: {}\n\n", mark(gate.verdict));
    if !gate.reasons.is_empty() {
        let reasons: Vec<String> = gate.reasons.iter().map(|r| code(r, 80, false)).collect();
        let _ = writeln!(out, "{}\n", reasons.join(", "));
    }
    if gate.rows.is_empty() {
        return out;
    }
    out.push_str("| Obligation | Verdict | Found | Shows it |\n|---|---|---|---|\n");
    for row in gate.rows.iter().take(ROWS) {
        let command = row.command.as_deref();
        let command = command.map_or(String::new(), |c| code(c, 300, true));
        let _ = writeln!(
            out,
            "| {} | {} | {} | {command} |",
            code(&row.id, 100, true),
            mark(row.verdict),
            code(&row.detail, 300, true)
        );
    }
    more(&mut out, gate.rows.len(), "obligation");
    out.push('\n');
    out
}

fn more(out: &mut String, total: usize, what: &str) {
    if total > ROWS {
        let _ = writeln!(out, "\n… and {}", plural((total - ROWS) as u64, what));
    }
}

fn problems(outline: &Outline<'_>) -> String {
    if outline.problems.is_empty() {
        return String::new();
    }
    let mut out = String::from("### The run as evidence\n\n");
    for told in outline.problems.iter().take(ROWS) {
        let reason = told.problem.reason;
        let target = told.target.as_deref();
        let target = target.map_or(String::new(), |t| format!("{}: ", code(t, 100, false)));
        let _ = writeln!(
            out,
            "- **{}** {target}{} — {}",
            reason.code(),
            code(&told.problem.text, 400, false),
            reason.next_action()
        );
    }
    more(&mut out, outline.problems.len(), "problem");
    out.push('\n');
    out
}

fn in_quarantine(outline: &Outline<'_>) -> String {
    let Some(all) = &outline.report.summary.quarantined else {
        return String::new();
    };
    if !quarantined::is_there(all) {
        return String::new();
    }
    let mut out = format!("### {}\n\n", quarantined::TITLE);
    if let Some(why) = &all.unusable {
        let _ = writeln!(out, "- **unusable** {}", code(why, 400, false));
    }
    let (told, left) = quarantined::told(all, ROWS);
    for one in told {
        let _ = writeln!(
            out,
            "- **{}** {}: {} — {}",
            one.retry.word(),
            code(&one.target, 100, false),
            code(&one.test.to_string(), 300, false),
            code(&quarantined::more(one), 400, false)
        );
    }
    if left > 0 {
        let _ = writeln!(out, "- … and {} more", counted(left));
    }
    let _ = write!(out, "\n{}\n\n", quarantined::NOTE);
    out
}

fn targets(outline: &Outline<'_>) -> String {
    let targets: Vec<_> = outline.report.summary.targets().collect();
    if targets.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "### Targets\n\n| Phase | Target | Status | Passed | Bad | Skipped | Total | Time |\n|---|---|---|---:|---:|---:|---:|---:|\n",
    );
    for target in targets.iter().take(ROWS) {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            target.class.word(),
            code(&target.target, 100, true),
            mark(target.status),
            counted(target.tests.passed),
            counted(target.tests.bad()),
            counted(target.tests.skipped),
            counted(target.tests.total),
            took_ms(target.duration_ms)
        );
    }
    more(&mut out, targets.len(), "target");
    out.push('\n');
    out
}

fn block(n: usize, group: &Group) -> String {
    let verdicts: Vec<String> = group
        .verdicts
        .iter()
        .rev()
        .map(|(verdict, n)| format!("{} {}", counted(*n), word(*verdict)))
        .collect();
    let mut out = format!("#### {n}. {}", verdicts.join(", "));
    if let Some(cause) = &group.cause {
        let _ = write!(out, " — {}", code(cause, 60, false));
    }
    out.push_str("\n\n");
    let mut notes: Vec<String> = Vec::new();
    if group.fresh > 0 {
        notes.push(format!(
            "**{} new since the baseline**",
            counted(group.fresh)
        ));
    }
    let owners = group.owners();
    if !owners.is_empty() {
        // In code spans, so that nobody is called.
        let shown: Vec<String> = owners.iter().take(3).map(|o| code(o, 60, false)).collect();
        let more = match owners.len().saturating_sub(3) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        notes.push(format!("owner {}{more}", shown.join(", ")));
    }
    notes.push(format!("signature {}", code(&group.key, 80, false)));
    let _ = writeln!(out, "{}\n", notes.join(" · "));
    out.push_str(&fenced(&group.message(), 1_000));
    out.push('\n');
    if let Some(replay) = group.replay() {
        let _ = writeln!(out, "Replay:\n\n{}", fenced(&replay.command, 4_000));
    }
    for advice in group.advice.iter().take(3) {
        let _ = writeln!(
            out,
            "Runbook {}: {}\n",
            code(&advice.id, 80, false),
            code(&advice.text, 400, false)
        );
    }
    let shown = group.items.len().min(TESTS);
    let is_long = shown > 5;
    if is_long {
        let _ = writeln!(
            out,
            "<details><summary>{}</summary>\n",
            plural(group.count, "test")
        );
    }
    for item in group.items.iter().take(TESTS) {
        out.push_str(&line(item));
    }
    let left = group.count - shown as u64;
    if left > 0 {
        let _ = writeln!(out, "- … and {} more", counted(left));
    }
    out.push('\n');
    if is_long {
        out.push_str("</details>\n\n");
    }
    if let Some(excerpt) = group.items.first().and_then(excerpt) {
        let _ = writeln!(
            out,
            "<details><summary>Excerpt</summary>\n\n{}\n</details>\n",
            fenced(&excerpt, 4_000)
        );
    }
    out
}

fn line(item: &Item) -> String {
    let mut out = format!(
        "- {} ({}",
        code(&item.test.to_string(), 600, false),
        code(&item.target, 80, false)
    );
    let _ = write!(out, ", {}", word(item.verdict));
    if let Some(change) = item.change {
        let _ = write!(out, ", {}", change_word(change));
    }
    if item.attempts > 1 {
        let _ = write!(out, ", {} attempts", item.attempts);
    }
    out.push(')');
    if let Some((file, line)) = &item.place {
        let line = line.map_or(String::new(), |n| format!(":{n}"));
        let _ = write!(out, " at {}", code(&format!("{file}{line}"), 200, false));
    }
    out.push('\n');
    out
}

/// The trace and the end of the output of a test.
pub(super) fn excerpt(item: &Item) -> Option<String> {
    let trace = item.failure.as_ref().map_or("", |f| f.trace.trim_end());
    let output = item.output.trim_end();
    // What the one says already is not said again.
    let (trace, output) = match (trace.contains(output), output.contains(trace)) {
        (true, _) => (trace, ""),
        (false, true) => ("", output),
        (false, false) => (trace, output),
    };
    match (trace.is_empty(), output.is_empty()) {
        (true, true) => None,
        (false, true) => Some(trace.to_owned()),
        (true, false) => Some(output.to_owned()),
        (false, false) => Some(format!("{trace}\n\n--- output ---\n{output}")),
    }
}

fn diff(outline: &Outline<'_>) -> String {
    let Some(diff) = outline.report.diff else {
        return String::new();
    };
    let from = outline.report.summary.diff_from.as_deref();
    let from = from.map_or("the baseline".to_owned(), |from| code(from, 120, false));
    let mut out = format!("### Since {from}: {}\n\n", status_words(diff.status));
    let counts = changes(diff);
    if counts.is_empty() {
        out.push_str("No test changed.\n\n");
        return out;
    }
    let text: Vec<String> = counts
        .iter()
        .map(|(change, n)| format!("{} {}", counted(*n), change_word(*change)))
        .collect();
    let _ = writeln!(out, "{}\n", text.join(", "));
    for changed in diff.changed.iter().take(20) {
        let _ = writeln!(
            out,
            "- {}: {}",
            change_word(changed.change),
            code(&changed.test.to_string(), 600, false)
        );
    }
    let left = diff.changed.len().saturating_sub(20);
    if left > 0 {
        let _ = writeln!(out, "- … and {} more", counted(left as u64));
    }
    out.push('\n');
    out
}

fn slowest(outline: &Outline<'_>) -> String {
    if outline.slowest.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<details><summary>Slowest tests</summary>\n\n| Time | Test | Target |\n|---:|---|---|\n",
    );
    for slow in &outline.slowest {
        let _ = writeln!(
            out,
            "| {} | {} | {} |",
            took(slow.seconds),
            code(&slow.test.to_string(), 600, true),
            code(&slow.target, 80, true)
        );
    }
    out.push_str("\n</details>\n\n");
    out
}

fn next(outline: &Outline<'_>) -> String {
    let next = outline.report.next;
    if next.is_empty() || outline.shown() == Verdict::Pass {
        return String::new();
    }
    let commands: Vec<String> = next.iter().take(3).map(|c| visible(c, 4_000)).collect();
    format!("### Next\n\n{}", fenced(&commands.join("\n"), 8_000))
}
