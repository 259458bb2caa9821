//! A run in a terminal: what came of it, where, why, since when, and what to do next.
//!
//! Every line fits the width that is given; meaning is a [`Tone`] that the caller paints, and mark and word say the same without colour.
//! Bounded: at most [`Style::groups`] groups, a few tests and lines of each, "… and 7 more" for the rest.

use std::fmt::Write as _;

use gonogo_core::Verdict;

use super::text::{counted, fit, lines, plural, took, took_ms, visible, width};
use super::{Group, Outline, mark, quarantined, word};
use crate::TestVerdict;
use crate::diff::{Change, Diff, Status};
use crate::run::Tests;

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// All is well.
    Good,
    /// A person must look.
    Warn,
    /// Something is wrong.
    Bad,
    /// Something cannot be judged.
    Odd,
    /// A heading.
    Strong,
    /// What matters least.
    Quiet,
    /// A command that can be copied.
    Command,
}

/// How it is drawn.
#[derive(Clone, Copy)]
pub struct Style<'p> {
    /// Columns; less than 40 is drawn as 40.
    pub width: usize,
    /// Most groups of failures.
    pub groups: usize,
    /// Most tests of a group.
    pub tests: usize,
    /// Paints a text that is one piece of one line.
    pub paint: &'p dyn Fn(Tone, &str) -> String,
}

impl Default for Style<'_> {
    fn default() -> Self {
        Self {
            width: 100,
            groups: 10,
            tests: 5,
            paint: &|_, text| text.to_owned(),
        }
    }
}

/// Draws it.
pub fn render(outline: &Outline<'_>, style: &Style<'_>) -> String {
    let mut page = Page {
        out: String::with_capacity(4096),
        width: style.width.max(40),
        style,
    };
    page.head(outline);
    page.gate(outline);
    page.problems(outline);
    page.targets(outline);
    page.quarantined(outline);
    page.failures(outline);
    if let Some(diff) = outline.report.diff {
        page.diff(outline, diff);
    }
    page.slowest(outline);
    page.next(outline);
    page.out
}

pub(super) const fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Pass | Verdict::Excused => Tone::Good,
        Verdict::Hold => Tone::Warn,
        Verdict::Fail => Tone::Bad,
        Verdict::Invalid => Tone::Odd,
    }
}

const fn tone_of(verdict: TestVerdict) -> Tone {
    match verdict {
        TestVerdict::Passed => Tone::Good,
        TestVerdict::Skipped => Tone::Quiet,
        TestVerdict::Flaky => Tone::Warn,
        TestVerdict::UnexpectedPass | TestVerdict::Failed | TestVerdict::Errored => Tone::Bad,
        TestVerdict::Precluded | TestVerdict::Missing => Tone::Odd,
    }
}

/// `3 passed, 1 failed, 2 skipped`: what is not none, the bad first.
pub(super) fn tests_line(tests: &Tests) -> String {
    let parts: Vec<String> = parts(tests)
        .into_iter()
        .map(|(name, n)| format!("{} {name}", counted(n)))
        .collect();
    if parts.is_empty() {
        "no tests".to_owned()
    } else {
        parts.join(", ")
    }
}

/// Counts that are not zero, the bad first.
pub(super) fn parts(tests: &Tests) -> Vec<(&'static str, u64)> {
    let all = [
        ("failed", tests.failed),
        ("errored", tests.errored),
        ("missing", tests.missing),
        ("precluded", tests.precluded),
        ("flaky", tests.flaky),
        ("unexpected pass", tests.unexpected_pass),
        ("passed", tests.passed),
        ("skipped", tests.skipped),
        ("cached", tests.cached),
    ];
    all.into_iter().filter(|(_, n)| *n > 0).collect()
}

/// What a comparison came to, in words.
pub(super) const fn status_words(status: Status) -> &'static str {
    match status {
        Status::Stable => "nothing is bad",
        Status::KnownFailuresOnly => "only what failed before fails",
        Status::SemanticMismatch => "what failed before fails in another way",
        Status::Regression => "something is bad that was not",
        Status::Incomparable => "the two cannot be compared",
    }
}

/// Changes in their order, with their counts; what is the same is left out.
pub(super) fn changes(diff: &Diff) -> Vec<(Change, u64)> {
    let mut counts: Vec<(Change, u64)> = diff
        .counts
        .iter()
        .filter(|(change, n)| **change != Change::Same && **n > 0)
        .map(|(change, n)| (*change, *n))
        .collect();
    counts.sort_unstable();
    counts
}

/// A change's word for people.
pub(super) fn change_word(change: Change) -> String {
    change.word().replace('_', " ")
}

/// Most lines that a text takes.
const LINES: usize = 4;

/// Lines of at most `room` columns, broken at spaces where there are any; the last one says if there was more.
fn wrap(text: &str, room: usize, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text.trim_end();
    while width(rest) > room && lines.len() + 1 < most {
        let mut end = rest.len();
        let mut used = 0;
        for (at, c) in rest.char_indices() {
            used += width(c.encode_utf8(&mut [0; 4]));
            if used > room {
                end = at.max(c.len_utf8());
                break;
            }
        }
        // At least half a line is filled.
        let space = rest[..end].rfind(' ').filter(|at| *at > end / 2);
        let end = space.unwrap_or(end);
        lines.push(rest[..end].trim_end().to_owned());
        rest = rest[end..].trim_start();
    }
    lines.push(fit(rest, room));
    lines
}

struct Page<'s> {
    out: String,
    width: usize,
    style: &'s Style<'s>,
}

impl Page<'_> {
    fn paint(&self, tone: Tone, text: &str) -> String {
        (self.style.paint)(tone, text)
    }

    /// A line of one tone, cut to the width.
    fn line(&mut self, indent: usize, tone: Option<Tone>, text: &str) {
        let text = fit(text, self.width.saturating_sub(indent));
        let text = tone.map_or(text.clone(), |tone| self.paint(tone, &text));
        let _ = writeln!(self.out, "{:indent$}{text}", "");
    }

    /// A text in as many lines as it needs, `most` at the most; each begins with `lead`.
    fn flow(&mut self, lead: &str, tone: Option<Tone>, text: &str, most: usize) {
        let room = self.width.saturating_sub(width(lead));
        for line in wrap(text, room, most) {
            let line = tone.map_or(line.clone(), |tone| self.paint(tone, &line));
            let _ = writeln!(self.out, "{lead}{line}");
        }
    }

    /// A line that begins with a coloured word; what does not fit stands in the lines below it.
    fn led(&mut self, indent: usize, lead: (Tone, &str), rest: &str) {
        let used = indent + width(lead.1) + 2;
        let room = self.width.saturating_sub(used);
        let lead = self.paint(lead.0, lead.1);
        if room >= 24 || width(rest) <= room {
            let mut lines = wrap(rest, room, LINES).into_iter();
            let first = lines.next().unwrap_or_default();
            let line = format!("{:indent$}{lead}  {first}", "");
            let _ = writeln!(self.out, "{}", line.trim_end());
            for line in lines {
                let _ = writeln!(self.out, "{:used$}{line}", "");
            }
            return;
        }
        let _ = writeln!(self.out, "{:indent$}{lead}", "");
        self.flow(&" ".repeat(indent + 2), None, rest, LINES);
    }

    /// A command, which is never cut.
    fn command(&mut self, lead: &str, command: &str) {
        let text = self.paint(Tone::Command, &visible(command, 4_000));
        let _ = writeln!(self.out, "{lead}{text}");
    }

    fn title(&mut self, text: &str) {
        self.out.push('\n');
        self.line(0, Some(Tone::Strong), text);
    }

    fn more(&mut self, indent: usize, n: u64, what: &str) {
        if n > 0 {
            let text = format!("… and {} more{what}", counted(n));
            self.line(indent, Some(Tone::Quiet), &text);
        }
    }

    fn head(&mut self, outline: &Outline<'_>) {
        let summary = outline.report.summary;
        let shown = outline.shown();
        let rest = format!(
            "{}  {}",
            visible(&summary.project, 60),
            visible(&summary.profile, 40)
        );
        self.led(0, (tone(shown), mark(shown)), rest.trim());
        let mut text = tests_line(&summary.tests);
        let _ = write!(text, " in {}", took_ms(summary.duration_ms));
        let targets = summary.targets().count() as u64;
        if targets > 0 {
            let _ = write!(text, ", {}", plural(targets, "target"));
        }
        self.flow("  ", None, &text, LINES);
        let commit = summary.source.commit.as_deref().unwrap_or("no commit");
        let branch = summary.source.branch.as_deref().unwrap_or("");
        let dirty = match summary.source.dirty {
            true => ", with changes that are not committed",
            false => "",
        };
        let commit: String = commit.chars().take(12).collect();
        let text = format!(
            "run {}  {} {}{dirty}",
            visible(&summary.run_id, 60),
            visible(branch, 60),
            visible(&commit, 12)
        );
        self.line(2, Some(Tone::Quiet), &text);
    }

    fn gate(&mut self, outline: &Outline<'_>) {
        let Some(gate) = outline.report.gate else {
            return;
        };
        self.title("Gate");
        let reasons = gate.reasons.iter().map(|r| visible(r, 60));
        let reasons = reasons.collect::<Vec<_>>().join(", ");
        self.led(2, (tone(gate.verdict), mark(gate.verdict)), &reasons);
        let bad = gate.rows.iter().filter(|r| r.verdict != Verdict::Pass);
        let total = bad.clone().count() as u64;
        for row in bad.take(self.style.groups) {
            let text = format!("{}: {}", visible(&row.id, 80), visible(&row.detail, 300));
            self.led(4, (tone(row.verdict), mark(row.verdict)), &text);
            if let Some(command) = &row.command {
                self.command("      ", command);
            }
        }
        self.more(4, total.saturating_sub(self.style.groups as u64), "");
    }

    fn problems(&mut self, outline: &Outline<'_>) {
        if outline.problems.is_empty() {
            return;
        }
        self.title("The run as evidence");
        for told in outline.problems.iter().take(self.style.groups) {
            let reason = told.problem.reason;
            let target = told
                .target
                .as_deref()
                .map(|t| format!("{}: ", visible(t, 80)));
            let text = format!(
                "{}{}",
                target.unwrap_or_default(),
                visible(&told.problem.text, 400)
            );
            self.led(2, (tone(reason.verdict()), reason.code()), &text);
            self.flow("    ", Some(Tone::Quiet), reason.next_action(), LINES);
        }
        let more = outline.problems.len().saturating_sub(self.style.groups);
        self.more(2, more as u64, "");
    }

    fn quarantined(&mut self, outline: &Outline<'_>) {
        let Some(all) = &outline.report.summary.quarantined else {
            return;
        };
        if !quarantined::is_there(all) {
            return;
        }
        self.title(quarantined::TITLE);
        if let Some(why) = &all.unusable {
            self.led(2, (Tone::Odd, "unusable"), &visible(why, 400));
        }
        let (told, more) = quarantined::told(all, self.style.groups);
        for one in told {
            let name = format!(
                "{}: {}",
                visible(&one.target, 80),
                visible(&one.test.to_string(), 300)
            );
            self.led(2, (Tone::Warn, one.retry.word()), &name);
            self.flow(
                "    ",
                Some(Tone::Quiet),
                &visible(&quarantined::more(one), 400),
                LINES,
            );
        }
        self.more(2, more, "");
        self.flow("  ", Some(Tone::Quiet), quarantined::NOTE, LINES);
    }

    fn targets(&mut self, outline: &Outline<'_>) {
        let summary = outline.report.summary;
        let targets: Vec<_> = summary.targets().collect();
        if targets.is_empty() {
            return;
        }
        self.title("Targets");
        let most = 200;
        let names = targets
            .iter()
            .take(most)
            .map(|t| width(&visible(&t.target, 200)));
        // Phase 10, status 11, four numbers of 9, time 11.
        let fixed = 10 + 11 + 4 * 9 + 11 + 2;
        let is_wide = self.width >= fixed + 12;
        let room = if is_wide { self.width - fixed } else { 24 };
        let name_room = names.max().unwrap_or(0).clamp(6, room);
        let header = match is_wide {
            true => format!(
                "{:<10}{:<name_room$}  {:<10}{:>9}{:>9}{:>9}{:>9}{:>11}",
                "phase", "target", "status", "passed", "bad", "skipped", "total", "time"
            ),
            false => format!("{:<10}{:<name_room$}  {:<10}", "phase", "target", "status"),
        };
        self.line(0, Some(Tone::Quiet), &header);
        for target in targets.iter().take(most) {
            let name = fit(&visible(&target.target, 200), name_room);
            let pad = " ".repeat(name_room.saturating_sub(width(&name)));
            let status = format!("{:<10}", mark(target.status));
            let status = self.paint(tone(target.status), &status);
            let tests = &target.tests;
            let mut line = format!("{:<10}{name}{pad}  {status}", target.class.word());
            let time = took_ms(target.duration_ms);
            if is_wide {
                let bad = format!("{:>9}", counted(tests.bad()));
                let bad = match tests.bad() {
                    0 => bad,
                    _ => self.paint(Tone::Bad, &bad),
                };
                let _ = write!(
                    line,
                    "{:>9}{bad}{:>9}{:>9}{time:>11}",
                    counted(tests.passed),
                    counted(tests.skipped),
                    counted(tests.total)
                );
            }
            let _ = writeln!(self.out, "{}", line.trim_end());
            if !is_wide {
                let text = format!("{}, {time}", tests_line(tests));
                self.flow(&" ".repeat(10), None, &text, LINES);
            }
        }
        self.more(0, targets.len().saturating_sub(most) as u64, " targets");
    }

    fn failures(&mut self, outline: &Outline<'_>) {
        if outline.bad() == 0 {
            if outline.is_green() {
                self.out.push('\n');
                self.line(0, Some(Tone::Good), "Nothing failed.");
            }
            return;
        }
        let groups = outline.groups.len() as u64;
        let title = format!(
            "Did not pass: {}{}",
            plural(outline.bad(), "test"),
            match groups {
                0 => String::new(),
                n => format!(" in {}", plural(n, "group")),
            }
        );
        self.title(&title);
        for (n, group) in (1..).zip(outline.groups.iter().take(self.style.groups)) {
            self.group(n, group);
        }
        let left = &outline.groups[outline.groups.len().min(self.style.groups)..];
        let tests: u64 = left.iter().map(|g| g.count).sum();
        if !left.is_empty() {
            self.out.push('\n');
            let text = format!(
                " {} of {}",
                if left.len() == 1 { "group" } else { "groups" },
                plural(tests, "test")
            );
            self.more(0, left.len() as u64, &text);
        }
        self.more(
            0,
            outline.ungrouped,
            " tests that are in no group: there were too many",
        );
        self.more(0, outline.untold, " of which there is no row");
    }

    fn group(&mut self, n: usize, group: &Group) {
        self.out.push('\n');
        let worst = group.worst();
        let verdicts: Vec<String> = group
            .verdicts
            .iter()
            .rev()
            .map(|(verdict, n)| format!("{} {}", counted(*n), word(*verdict)))
            .collect();
        let lead = format!("{n}. {}", verdicts.join(", "));
        let mut rest: Vec<String> = Vec::new();
        if let Some(cause) = &group.cause {
            rest.push(visible(cause, 60).replace('_', " "));
        }
        if group.fresh > 0 {
            rest.push(format!("{} new since the baseline", counted(group.fresh)));
        }
        let owners = group.owners();
        if let Some(first) = owners.first() {
            let more = match owners.len() {
                1 => String::new(),
                n => format!(" and {} more", n - 1),
            };
            rest.push(format!("owner {}{more}", visible(first, 60)));
        }
        self.led(0, (tone_of(worst), &lead), &rest.join(" · "));
        let (shown, more) = lines(&group.message(), 4, 400);
        for line in &shown {
            self.flow("   │ ", None, line, LINES);
        }
        if more {
            self.line(3, Some(Tone::Quiet), "│ …");
        }
        for item in group.items.iter().take(self.style.tests) {
            let mut text = visible(&item.test.to_string(), 600);
            let _ = write!(text, "  ({}", visible(&item.target, 80));
            if let Some(change) = item.change {
                let _ = write!(text, ", {}", change_word(change));
            }
            if item.attempts > 1 {
                let _ = write!(text, ", {} attempts", item.attempts);
            }
            text.push(')');
            if let Some((file, line)) = &item.place {
                let line = line.map_or(String::new(), |n| format!(":{n}"));
                let _ = write!(text, " at {}{line}", visible(file, 200));
            }
            self.flow("   ", None, &text, LINES);
        }
        let shown = group.items.len().min(self.style.tests) as u64;
        self.more(3, group.count - shown, "");
        for advice in group.advice.iter().take(2) {
            let text = format!(
                "{}: {}",
                visible(&advice.id, 60),
                visible(&advice.text, 300)
            );
            self.led(3, (Tone::Quiet, "runbook"), &text);
        }
        if let Some(replay) = group.replay() {
            let lead = format!("   {}  ", self.paint(Tone::Quiet, "replay"));
            self.command(&lead, &replay.command);
        }
    }

    fn diff(&mut self, outline: &Outline<'_>, diff: &Diff) {
        let from = outline.report.summary.diff_from.as_deref();
        let title = match from {
            Some(from) => format!("Since {}", visible(from, 120)),
            None => "Since the baseline".to_owned(),
        };
        self.title(&format!("{title}: {}", status_words(diff.status)));
        let counts = changes(diff);
        if counts.is_empty() {
            self.line(2, Some(Tone::Quiet), "No test changed.");
            return;
        }
        let text: Vec<String> = counts
            .iter()
            .map(|(change, n)| format!("{} {}", counted(*n), change_word(*change)))
            .collect();
        self.flow("  ", None, &text.join(", "), LINES);
        let most = self.style.groups;
        for changed in diff.changed.iter().take(most) {
            let tone = match changed.change {
                change if change.is_regression() => Tone::Bad,
                Change::SignatureChanged | Change::StillFailing | Change::StillFlaky => Tone::Warn,
                Change::Fixed => Tone::Good,
                _ => Tone::Quiet,
            };
            let lead = format!("{:<17}", change_word(changed.change));
            let test = visible(&changed.test.to_string(), 600);
            self.led(2, (tone, &lead), &test);
        }
        self.more(2, diff.changed.len().saturating_sub(most) as u64, "");
    }

    fn slowest(&mut self, outline: &Outline<'_>) {
        let slowest: Vec<_> = outline.slowest.iter().take(5).collect();
        if slowest.is_empty() {
            return;
        }
        self.title("Slowest tests");
        for slow in slowest {
            let time = format!("{:>10}", took(slow.seconds));
            let text = format!(
                "{}  ({})",
                visible(&slow.test.to_string(), 600),
                visible(&slow.target, 80)
            );
            self.led(0, (Tone::Quiet, &time), &text);
        }
    }

    fn next(&mut self, outline: &Outline<'_>) {
        let own: Vec<&str> = outline.report.next.iter().map(String::as_str).collect();
        let first = || outline.groups.iter().find_map(|g| g.replay());
        let commands = match own.is_empty() {
            true => first().map(|r| r.command.as_str()).into_iter().collect(),
            false => own,
        };
        if commands.is_empty() {
            return;
        }
        self.title("Next");
        for command in commands.into_iter().take(3) {
            self.command("  ", command);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_spaces_and_never_too_long() {
        assert_eq!(
            wrap("one two three four", 9, 9),
            ["one two", "three", "four"]
        );
        assert_eq!(wrap("one two three four", 9, 2), ["one two", "three fo…"]);
        assert_eq!(wrap("abcdefgh", 3, 9), ["abc", "def", "gh"]);
        assert_eq!(wrap("漢字漢字", 3, 9), ["漢", "字", "漢", "字"]);
        assert_eq!(wrap("", 3, 9), [""]);
        let text = "word ".repeat(200) + &"x".repeat(500);
        for room in 1..120 {
            assert!(
                wrap(&text, room, 99)
                    .iter()
                    .all(|line| width(line) <= room.max(1))
            );
        }
    }
}
