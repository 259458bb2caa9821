//! Python: tracebacks, chained ones, groups, syntax errors, threads, the fault handler.

use std::sync::LazyLock;

use regex::Regex;

use super::begin::{Begun, regex};
use super::boxed;
use super::{Lang, Open, Step};

const BEFORE: u8 = 0;
const BODY: u8 = 1;
const AFTER: u8 = 2;
const CHAINED: u8 = 3;
const SYNTAX: u8 = 4;
const FAULT: u8 = 5;
/// Calls that nobody raised: `stack_info` of the standard logger.
const CALLS: u8 = 6;
/// In a box, and below it.
const BOX: u8 = 7;
const UNBOXED: u8 = 8;

const START: &str = "Traceback (most recent call last):";

static FRAME: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"^[\s|]*File "([^"]*)", line \d+(?:,? in (.*))?"#));
static RAISED: LazyLock<Regex> = LazyLock::new(|| regex(r"^([A-Za-z_][\w.<>]*)(?:: (.*)|:?)$"));
static OLD_RUBY: LazyLock<Regex> = LazyLock::new(|| regex(r"^\t\s*\d+: from "));

pub(super) fn begin(line: &str) -> Option<Begun> {
    if let Some(at) = line.find(START) {
        if !line[at + START.len()..].trim().is_empty() {
            return None;
        }
        let before = &line[..at];
        // `  + Exception Group Traceback (most recent call last):`
        let at = match before.strip_suffix("+ Exception Group ") {
            Some(indent) => {
                indent.len()
                    - indent
                        .len()
                        .min(2)
                        .min(indent.len() - indent.trim_end_matches(' ').len())
            }
            None => at,
        };
        return Some(Begun::new(
            at,
            Open::new(Lang::Python, BODY, "", "").strong(),
        ));
    }
    if let Some(at) = boxed::begin(line) {
        let open = Open::new(Lang::Python, BOX, "", "").strong();
        return Some(Begun::new(at, open));
    }
    if line.starts_with("Stack (most recent call last):") {
        return Some(Begun::new(
            0,
            Open::new(Lang::Python, CALLS, "stack", "").strong(),
        ));
    }
    // The fault handler, asked for it or out of patience.
    if (line.starts_with("Thread 0x") || line.starts_with("Current thread 0x"))
        && line.trim_end().ends_with("(most recent call first):")
    {
        return Some(Begun::new(
            0,
            Open::new(Lang::Python, FAULT, "stack", "").strong(),
        ));
    }
    // A group that was never raised itself.
    if let Some(rest) = line.strip_prefix("  | ")
        && let Some(found) = RAISED.captures(rest.trim_end())
        && found[1].ends_with("ExceptionGroup")
    {
        let message = found.get(2).map_or("", |message| message.as_str());
        return Some(Begun::new(
            0,
            Open::new(Lang::Python, BODY, &found[1], message),
        ));
    }
    if line.starts_with("  File \"") && FRAME.is_match(line) {
        return Some(Begun::new(0, Open::new(Lang::Python, SYNTAX, "", "")));
    }
    if line.starts_with("Exception ignored in")
        || (line.starts_with("Exception in thread ") && !line.contains('"') && line.ends_with(':'))
    {
        return Some(Begun::new(0, Open::new(Lang::Python, BEFORE, "", "")));
    }
    if let Some(at) = line.find("Fatal Python error: ") {
        let message = &line[at + "Fatal Python error: ".len()..];
        return Some(Begun::new(
            at,
            Open::new(Lang::Python, FAULT, "Fatal Python error", message).strong(),
        ));
    }
    None
}

pub(super) fn step(open: &mut Open, line: &str) -> Step {
    let trimmed = line.trim();
    match open.state {
        BEFORE => {
            if trimmed.ends_with(START) {
                open.state = BODY;
                open.strong = true;
                return Step::Take;
            }
            if trimmed == "\"\"\"" {
                return Step::Take;
            }
            Step::Refuse
        }
        BODY => body(open, line, trimmed),
        AFTER => {
            if trimmed.is_empty() {
                return Step::Hold;
            }
            // The inner group is over, not the outer one.
            if line.starts_with(' ') && trimmed.starts_with(['|', '+']) {
                return body(open, line, trimmed);
            }
            if trimmed.starts_with("During handling of the above exception")
                || trimmed.starts_with("The above exception was the direct cause")
            {
                open.state = CHAINED;
                return Step::Take;
            }
            if trimmed == "\"\"\"" {
                return Step::Take;
            }
            // Notes, and messages that go on indented.
            if line.starts_with([' ', '\t']) && !open.is_held() && !FRAME.is_match(line) {
                return Step::Take;
            }
            if trimmed.starts_with(START) || open.note.len() > 40 {
                return Step::Refuse;
            }
            // A message of several lines: known only if the chain goes on.
            open.note.push('.');
            Step::Hold
        }
        CHAINED => {
            if trimmed.is_empty() {
                return Step::Hold;
            }
            if trimmed.ends_with(START) {
                open.state = BODY;
                open.note.clear();
                return Step::Take;
            }
            if boxed::begin(line).is_some() {
                open.state = BOX;
                open.note.clear();
                return Step::Take;
            }
            Step::Refuse
        }
        BOX => {
            let (step, over) = boxed::step(open, line);
            if over {
                open.state = UNBOXED;
            }
            step
        }
        UNBOXED if !line.starts_with(' ') => body(open, line, trimmed),
        CALLS => {
            if line.starts_with("  ") && !trimmed.is_empty() {
                if FRAME.is_match(line) {
                    return body(open, line, trimmed);
                }
                return Step::Take;
            }
            Step::Refuse
        }
        SYNTAX => {
            if line.starts_with("    ") {
                return Step::Take;
            }
            for kind in ["SyntaxError", "IndentationError", "TabError"] {
                if let Some(message) = line
                    .strip_prefix(kind)
                    .and_then(|rest| rest.strip_prefix(": "))
                {
                    open.kind = kind.to_owned();
                    open.message = message.to_owned();
                    open.frame("<syntax>");
                    return Step::End;
                }
            }
            Step::Refuse
        }
        _ => {
            if let Some(found) = FRAME.captures(line) {
                let name = found.get(2).map_or("", |name| name.as_str());
                open.frame(name);
                return Step::Take;
            }
            if trimmed.is_empty() {
                return Step::Hold;
            }
            if [
                "Current thread 0x",
                "Thread 0x",
                "Python runtime state",
                "Extension modules:",
                "<no Python frame>",
                "Garbage-collecting",
                "Current thread's C stack",
            ]
            .iter()
            .any(|start| trimmed.starts_with(start))
                || line.starts_with("  ")
            {
                return Step::Take;
            }
            Step::Refuse
        }
    }
}

fn body(open: &mut Open, line: &str, trimmed: &str) -> Step {
    if let Some(found) = FRAME.captures(line) {
        let file = &found[1];
        let function = found.get(2).map_or("", |name| name.as_str());
        let name = if file.contains("/lib/python")
            || file.contains("site-packages")
            || file.starts_with('<')
        {
            String::new()
        } else {
            let module = file.rsplit(['/', '\\']).next().unwrap_or(file);
            format!("{}.{function}", module.trim_end_matches(".py"))
        };
        open.frame(&name);
        return Step::Take;
    }
    if OLD_RUBY.is_match(line) {
        open.lang = Lang::Ruby;
        open.state = 1;
        open.frame(trimmed);
        return Step::Take;
    }
    let unindented = trimmed.trim_start_matches(['|', '+', '-', ' ']);
    // Of a group: `  | `, `  + `, `    +---`.
    if line.starts_with(' ') && trimmed.starts_with(['|', '+']) {
        if open.kind.is_empty()
            && let Some(rest) = line.strip_prefix("  | ")
            && let Some(found) = RAISED.captures(rest.trim_end())
            && rest.starts_with(|c: char| c.is_alphabetic())
            && !unindented.starts_with("Traceback")
        {
            open.kind = found[1].to_owned();
            open.message = found
                .get(2)
                .map_or("", |message| message.as_str())
                .to_owned();
        }
        if trimmed.starts_with("+---") && trimmed.bytes().all(|byte| matches!(byte, b'+' | b'-')) {
            open.state = AFTER;
        }
        return Step::Take;
    }
    if trimmed.is_empty() {
        return Step::Hold;
    }
    if line.starts_with("  ") || line.starts_with('\t') {
        return Step::Take;
    }
    if let Some(found) = RAISED.captures(line.trim_end()) {
        let kind = &found[1];
        // An ordinary word is not what a traceback ends with.
        let likely = found.get(2).is_some()
            || kind.contains('.')
            || kind
                .rsplit('.')
                .next()
                .is_some_and(|last| last.starts_with(|c: char| c.is_uppercase() || c == '_'));
        if likely && !open.is_held() {
            open.kind = kind.to_owned();
            open.message = found
                .get(2)
                .map_or("", |message| message.as_str())
                .to_owned();
            open.state = AFTER;
            return Step::Take;
        }
    }
    Step::Refuse
}
