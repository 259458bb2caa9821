//! One line for a change, where there is no terminal: for logs and pipes.

use super::duration::{brief, counted, humanised, trimmed};
use super::{Options, left, stale};
use crate::Incident;
use crate::progress::{Phase, Progress};
use crate::review::escape::{shortened, visible};

/// Most levels that a line names, bad ones first.
const LEVELS: usize = 12;

/// Renders progress as one line without its newline; at the end with summary and sign-off in lines of their own.
///
/// Holds no time of writing, so that two looks at a run in which nothing happened give the same text.
pub fn plain(progress: &Progress, options: &Options) -> String {
    let phase = match progress.phase {
        Phase::Startup => "startup",
        Phase::Running => "running",
        Phase::Complete => "complete",
    };
    let mut line = format!(
        "status={} phase={phase} elapsed=\"{}\" left=\"{}\" lines={} rate={}/s longest_silence=\"{}\" incidents={}",
        shortened(&progress.status, 16),
        humanised(progress.elapsed_seconds),
        humanised(left(progress)),
        progress.total_lines,
        trimmed(progress.lines_per_second, 1),
        brief(progress.longest_gap_seconds),
        progress.incidents.len() as u64 + progress.incidents_not_kept,
    );
    let mut levels: Vec<(&String, &u64)> = progress.level_counts.iter().collect();
    levels.sort_by_key(|(level, count)| {
        let class = crate::chart::level_class(level);
        (std::cmp::Reverse(class), std::cmp::Reverse(**count))
    });
    for (level, count) in levels.into_iter().take(LEVELS) {
        line.push_str(&format!(" {}={count}", word(level)));
    }
    if let Some(age) = options.age_seconds.filter(|age| stale(progress, *age)) {
        line.push_str(&format!(" stale=\"{}\"", humanised(age)));
    }
    if let Some(code) = progress.exit_code {
        line.push_str(&format!(" exit={code}"));
    }
    if progress.phase == Phase::Complete {
        if let Some(summary) = progress.summary.as_ref().filter(|_| options.summary) {
            line.push_str(&format!("\n  summary: {}", summary.status));
        }
        if let Some(sign_off) = progress.sign_off.as_ref().filter(|_| options.sign_off) {
            line.push_str(&format!("\n  sign-off: {}", sign_off.status));
            for finding in sign_off.findings.iter().take(20) {
                line.push_str(&format!(
                    "\n    {} {}",
                    finding.severity,
                    shortened(&finding.message, 400)
                ));
            }
        }
    }
    line
}

/// A level as a word that cannot be taken for more than one.
fn word(text: &str) -> String {
    shortened(text, 40)
        .chars()
        .map(|c| {
            if c.is_whitespace() || c == '=' || c == '"' {
                '_'
            } else {
                c
            }
        })
        .collect()
}

/// Renders incidents, the last `max_incidents` in order of time, each on a line of its own that begins with a newline.
pub(super) fn incidents(new: &[&Incident], options: &Options) -> String {
    if options.max_incidents == 0 {
        return String::new();
    }
    let mut recent = new.to_vec();
    recent.sort_by_key(|incident| incident.last_at.unwrap_or(incident.occurred_at));
    let before = recent.len().saturating_sub(options.max_incidents);
    let mut out = String::new();
    if before > 0 {
        out.push_str(&format!(
            "\n  {} more incidents before these",
            counted(before as u64)
        ));
    }
    for incident in &recent[before..] {
        out.push_str(&format!(
            "\n  {} {} x{}{} {}",
            incident.severity,
            incident.last_at.unwrap_or(incident.occurred_at),
            counted(incident.count.max(1)),
            match &incident.accepted {
                Some(rule) => format!(" accepted by {}:", visible(rule)),
                None => String::new(),
            },
            shortened(&incident.message, 400)
        ));
    }
    out
}
