//! A frame for a terminal.

use serde_json::Value;

use super::duration::{brief, counted, humanised, sized, trimmed};
use super::width::{fit, width};
use super::{Options, done, left, stale, status};
use crate::Status;
use crate::progress::{Phase, Progress};
use crate::review::escape::visible;

/// A line with styles: pieces of text, each with its style.
struct Line(Vec<(Style, String)>);

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Plain,
    Faint,
    Strong,
    Status(Status),
}

impl Line {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn with(mut self, style: Style, text: impl Into<String>) -> Self {
        self.0.push((style, text.into()));
        self
    }

    /// Cut to the width, then styled.
    fn render(&self, out: &mut String, options: &Options, columns: usize) {
        let mut room = columns;
        for (style, text) in &self.0 {
            let text = match options.ascii {
                true => text.chars().map(ascii).collect(),
                false => text.clone(),
            };
            let text = fit(&text, room, options.ascii);
            room = room.saturating_sub(width(&text));
            let code = match style {
                Style::Plain => None,
                Style::Faint => Some("2"),
                Style::Strong => Some("1"),
                Style::Status(Status::Pass) => Some("32"),
                Style::Status(Status::Warn) => Some("33"),
                Style::Status(Status::Fail) => Some("31"),
                Style::Status(Status::Invalid) => Some("35"),
            };
            match code.filter(|_| options.colour && !text.is_empty()) {
                Some(code) => out.push_str(&format!("\u{1b}[{code}m{text}\u{1b}[0m")),
                None => out.push_str(&text),
            }
            if room == 0 {
                break;
            }
        }
        out.push('\n');
    }
}

/// What stands for a character where only ASCII may.
const fn ascii(c: char) -> char {
    match c {
        c if c.is_ascii() => c,
        '✔' => '+',
        '▲' => '!',
        '✖' => 'x',
        '█' | '▓' => '#',
        '░' => '.',
        '·' | '—' | '–' | '−' => '-',
        '…' => '~',
        '×' => 'x',
        _ => '?',
    }
}

/// Mark and word of a status.
pub(super) const fn mark(status: Status) -> &'static str {
    match status {
        Status::Pass => "✔",
        Status::Warn => "▲",
        Status::Fail => "✖",
        Status::Invalid => "?",
    }
}

/// Renders a frame: lines of at most the terminal's width, each ended by a newline.
pub fn frame(progress: &Progress, options: &Options) -> String {
    let columns = options.width.clamp(40, 400);
    let mut lines = Vec::new();
    head(&mut lines, progress, options, columns);
    logs(&mut lines, progress, options);
    resources(&mut lines, progress);
    incidents(&mut lines, progress, options);
    outcome(&mut lines, progress, options);
    let mut out = String::new();
    for line in &lines {
        line.render(&mut out, options, columns);
    }
    out
}

fn label(name: &str) -> Line {
    Line::new().with(Style::Faint, format!("{name:<10}"))
}

fn head(lines: &mut Vec<Line>, progress: &Progress, options: &Options, columns: usize) {
    let seen = status(&progress.status);
    let phase = match progress.phase {
        Phase::Startup => "starting",
        Phase::Running => "running",
        Phase::Complete => "complete",
    };
    lines.push(
        Line::new()
            .with(
                Style::Status(seen),
                format!(
                    "{} {}",
                    mark(seen),
                    visible(&progress.status).to_uppercase()
                ),
            )
            .with(Style::Strong, format!("  {phase}"))
            .with(
                Style::Faint,
                format!("  {}", visible(&progress.command.join(" "))),
            ),
    );
    if let Some(age) = options.age_seconds.filter(|age| stale(progress, *age)) {
        lines.push(Line::new().with(
            Style::Status(Status::Invalid),
            format!("? stale: written {} ago", humanised(age)),
        ));
        lines.push(Line::new().with(Style::Plain, "  harness gone? try: gonogo dry-run finalize"));
    }
    let times = format!(
        " {} of {}, {}",
        humanised(progress.elapsed_seconds),
        humanised(progress.target_duration_seconds),
        match progress.phase {
            Phase::Complete => "over".to_owned(),
            _ => format!("{} left", humanised(left(progress))),
        }
    );
    // What the times and the label leave, up to forty columns.
    let room = columns.saturating_sub(10 + width(&times) + 5).clamp(0, 40);
    let full = (done(progress) * room as f64).floor() as usize;
    lines.push(
        label("time")
            .with(Style::Strong, "█".repeat(full))
            .with(Style::Faint, "░".repeat(room.saturating_sub(full)))
            .with(
                Style::Plain,
                format!(" {:>3}%", (done(progress) * 100.0).floor()),
            )
            .with(Style::Plain, times),
    );
    if progress.required_duration_seconds < progress.target_duration_seconds {
        lines.push(
            label("required").with(Style::Plain, humanised(progress.required_duration_seconds)),
        );
    }
}

fn logs(lines: &mut Vec<Line>, progress: &Progress, options: &Options) {
    let mut text = format!(
        "{} · {} · {}/s",
        counted(progress.total_lines),
        sized(progress.total_bytes),
        trimmed(progress.lines_per_second, 1)
    );
    for (stream, count) in &progress.line_counts {
        text.push_str(&format!(" · {} {}", visible(stream), counted(*count)));
    }
    lines.push(label("lines").with(Style::Plain, text));
    let mut levels = label("levels");
    if progress.level_counts.is_empty() {
        levels = levels.with(Style::Faint, "none yet");
    }
    let mut sorted: Vec<(&String, &u64)> = progress.level_counts.iter().collect();
    // What is bad first: no number of levels, however long their words, pushes it out of sight.
    sorted.sort_by(|a, b| {
        let class = crate::chart::level_class;
        class(b.0)
            .cmp(&class(a.0))
            .then(b.1.cmp(a.1))
            .then(a.0.cmp(b.0))
    });
    for (i, (level, count)) in sorted.iter().enumerate() {
        let style = match crate::chart::level_class(level) {
            Status::Pass => Style::Plain,
            status => Style::Status(status),
        };
        let gap = if i == 0 { "" } else { "  " };
        levels = levels.with(
            style,
            format!(
                "{gap}{} {}",
                fit(&visible(level), 16, options.ascii),
                counted(**count)
            ),
        );
    }
    lines.push(levels);
    let mut silence = format!("longest {}", brief(progress.longest_gap_seconds));
    match progress.last_line_at {
        Some(last) if progress.phase != Phase::Complete => {
            let now = progress.now.since(last).as_millis() as f64 / 1_000.0;
            silence.push_str(&format!(" · now {}", brief(now)));
        }
        Some(_) => {}
        None => silence.push_str(" · no line yet"),
    }
    lines.push(label("silence").with(Style::Plain, silence));
}

fn resources(lines: &mut Vec<Line>, progress: &Progress) {
    let number = |key: &str| progress.resources.get(key).and_then(Value::as_f64);
    let mut parts = Vec::new();
    if let Some(cpu) = number("cpu_percent") {
        parts.push(format!("CPU {} %", trimmed(cpu, 1)));
    }
    if let Some(memory) = number("memory_mb") {
        parts.push(format!("memory {} MiB", trimmed(memory, 1)));
    }
    if let Some(processes) = number("processes") {
        let word = if processes == 1.0 {
            "process"
        } else {
            "processes"
        };
        parts.push(format!("{} {word}", trimmed(processes, 0)));
    }
    if !parts.is_empty() {
        lines.push(label("resources").with(Style::Plain, parts.join(" · ")));
    }
    if let Some(free) = number("disk_free_bytes") {
        let mut line = label("disk").with(
            Style::Plain,
            format!("{} free", sized(free.max(0.0) as u64)),
        );
        if let Some(seconds) = number("disk_full_in_seconds") {
            let style = match seconds < left(progress) {
                true => Style::Status(Status::Warn),
                false => Style::Faint,
            };
            let before = if seconds < left(progress) {
                ", before the run ends"
            } else {
                ""
            };
            line = line.with(style, format!(" · full in {}{before}", humanised(seconds)));
        }
        lines.push(line);
    }
}

fn incidents(lines: &mut Vec<Line>, progress: &Progress, options: &Options) {
    if options.max_incidents == 0 {
        return;
    }
    let known = progress.incidents.len();
    let all = known as u64 + progress.incidents_not_kept;
    if all == 0 {
        lines.push(label("incidents").with(Style::Plain, "none"));
        return;
    }
    let mut recent: Vec<_> = progress.incidents.iter().collect();
    recent.sort_by_key(|incident| incident.last_at.unwrap_or(incident.occurred_at));
    let shown = known.min(options.max_incidents);
    lines.push(label("incidents").with(
        Style::Plain,
        match all > shown as u64 {
            true => format!("{}, the last {shown}:", counted(all)),
            false => counted(all),
        },
    ));
    for incident in &recent[known - shown..] {
        let times = match incident.count {
            0 | 1 => String::new(),
            n => format!(" ×{}", counted(n)),
        };
        let open = if incident.open { " (goes on)" } else { "" };
        let style = match &incident.accepted {
            Some(_) => Style::Faint,
            None => Style::Status(incident.severity),
        };
        let mut line = Line::new()
            .with(
                style,
                format!("  {} {:<7} ", mark(incident.severity), incident.severity),
            )
            .with(
                Style::Faint,
                incident
                    .last_at
                    .unwrap_or(incident.occurred_at)
                    .clock_text(),
            );
        if let Some(rule) = &incident.accepted {
            line = line.with(Style::Faint, format!(" accepted by {}:", visible(rule)));
        }
        lines.push(line.with(
            Style::Plain,
            format!("{times}{open} {}", visible(&incident.message)),
        ));
    }
}

fn outcome(lines: &mut Vec<Line>, progress: &Progress, options: &Options) {
    if progress.phase != Phase::Complete {
        return;
    }
    if let Some(code) = progress.exit_code {
        lines.push(label("exit").with(
            Style::Plain,
            match code {
                code if code < 0 => format!("signal {}", code.unsigned_abs()),
                code => format!("code {code}"),
            },
        ));
    }
    if let Some(summary) = progress.summary.as_ref().filter(|_| options.summary) {
        let mut line = label("summary").with(
            Style::Status(summary.status),
            format!("{} {}", mark(summary.status), summary.status),
        );
        if let Some(ratio) = summary.logs.as_ref().and_then(|logs| logs.uptime_ratio) {
            line = line.with(
                Style::Plain,
                format!(" · uptime {}", crate::review::facts::percent(ratio)),
            );
        }
        lines.push(line);
    }
    if let Some(sign_off) = progress.sign_off.as_ref().filter(|_| options.sign_off) {
        lines.push(label("sign-off").with(
            Style::Status(sign_off.status),
            format!("{} {}", mark(sign_off.status), sign_off.status),
        ));
        for finding in sign_off.findings.iter().take(20) {
            lines.push(
                Line::new()
                    .with(
                        Style::Status(finding.severity),
                        format!("  {} ", mark(finding.severity)),
                    )
                    .with(Style::Plain, visible(&finding.message)),
            );
        }
    }
}
