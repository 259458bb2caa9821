//! What failed beside the failure that stands for a test: further failures in it, and those of another test of its name.
//!
//! Each is a line of the failure's trace, `Suppressed: …` as Java has it, which is part of the signature: an excuse for one failure is none for
//! two. Invariant: none of them is lost for the length of the trace.

use crate::Failure;

/// Most failures that are kept.
const MOST: usize = 15;

/// Most bytes of one of them.
const LENGTH: usize = 300;

/// Most bytes of a trace with them.
const TRACE: usize = 8 << 10;

/// Keeps failures, as many as there is room for.
pub(super) fn keep(kept: &mut Vec<Failure>, more: impl Iterator<Item = Failure>) {
    let room = MOST.saturating_sub(kept.len());
    kept.extend(more.take(room));
}

/// Writes them into the trace; what says the same is not said again.
pub(super) fn tell(failure: &mut Failure, others: &[Failure]) {
    let own = said(failure);
    let mut lines: Vec<String> = Vec::new();
    // In traces of pytest only such lines count.
    let begin = match failure.trace.lines().any(|line| line.starts_with("E  ")) {
        true => "E   Suppressed: ",
        false => "Suppressed: ",
    };
    for said in others.iter().map(said) {
        let line = format!("{begin}{said}");
        if said != own && !said.is_empty() && !lines.contains(&line) {
            lines.push(line);
        }
    }
    if lines.is_empty() {
        return;
    }
    let lines = lines.join("\n");
    let room = TRACE.saturating_sub(lines.len() + 1);
    if failure.trace.len() > room {
        let end = crate::signature::floor(&failure.trace, room);
        failure.trace.truncate(end);
        failure.truncated = true;
    }
    if !failure.trace.is_empty() && !failure.trace.ends_with('\n') {
        failure.trace.push('\n');
    }
    failure.trace.push_str(&lines);
}

/// What a failure says, in one line.
fn said(failure: &Failure) -> String {
    let first = |text: &str| {
        text.lines()
            .find(|line| !line.trim().is_empty())
            .map(str::to_owned)
    };
    let message = match failure.message.trim() {
        "" => first(&failure.trace).unwrap_or_default(),
        message => message.to_owned(),
    };
    let words: Vec<&str> = message.split_whitespace().collect();
    let mut line = words.join(" ");
    let class = failure.class.trim();
    if !class.is_empty() && !line.starts_with(class) {
        line = format!("{class}: {line}");
    }
    line.truncate(crate::signature::floor(&line, LENGTH));
    line
}
