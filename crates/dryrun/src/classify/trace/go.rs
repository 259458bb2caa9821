//! Go: panics, fatal errors, data races, signals; goroutines by the hundred.

use std::sync::LazyLock;

use regex::Regex;

use super::begin::{Begun, regex};
use super::{Lang, Open, Step};

const HEAD: u8 = 0;
const BODY: u8 = 1;
const RACE: u8 = 2;

static GOROUTINE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^goroutine \d+ (?:gp=\S+ m=\S+ (?:mp=\S+ )?)?\[[^\]]+\](?: \S.*)?:$"));
static PLACE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\s+\S.*:\d+(?: \+0x[0-9a-f]+)?(?: fp=\S+ sp=\S+(?: pc=\S+)?)?$"));
static REGISTER: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^(?:r\w{1,5}|[cdefgs]s|eflags|e\w\w|pc|lr|sp|fault)\s+0x[0-9a-f]+$"));
static STARTS: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?:^|[\s\]|>:-])(panic: |fatal error: |http: panic serving |SIGQUIT: quit|SIGABRT: abort|SIGSEGV: |unexpected fault address |runtime: goroutine stack exceeds)",
    )
});

pub(super) fn begin(line: &str, before: Option<&str>) -> Option<Begun> {
    if line.trim_end() == "WARNING: DATA RACE" {
        let begun = Begun::new(0, Open::new(Lang::Go, RACE, "data race", "").strong());
        return Some(match before {
            Some(before) if before.starts_with("==================") => begun.with_before(),
            _ => begun,
        });
    }
    if line.starts_with("goroutine ") && GOROUTINE.is_match(line) {
        return Some(Begun::new(0, Open::new(Lang::Go, BODY, "stack", "")));
    }
    if !line.contains("panic")
        && !line.contains("fatal error: ")
        && !line.contains("SIG")
        && !line.contains("fault address")
        && !line.contains("stack exceeds")
    {
        return None;
    }
    let found = STARTS.captures(line)?;
    let word = found.get(1)?;
    let rest = line[word.end()..].trim();
    // A compiler's `file.c:1:2: fatal error: …`; PHP's and Perl's own.
    if word.as_str() == "fatal error: " && line[..word.start()].trim_end().ends_with(':') {
        return None;
    }
    let kind = match word.as_str() {
        "panic: " => "panic",
        "fatal error: " | "runtime: goroutine stack exceeds" | "unexpected fault address " => {
            "fatal error"
        }
        "http: panic serving " => "http panic",
        word => word.split(':').next().unwrap_or("signal"),
    };
    let open = Open::new(Lang::Go, HEAD, kind, rest);
    let open = if setting(rest) { open } else { open.strong() };
    Some(Begun::new(word.start(), open))
}

/// Whether what follows a start word is what settings have: `panic: false`, `SIGSEGV: default`.
fn setting(value: &str) -> bool {
    let bare = value.trim_matches(['"', '\'', ',', ' ']);
    let number = bare
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    number
        || matches!(
            bare.to_ascii_lowercase().as_str(),
            "true"
                | "false"
                | "yes"
                | "no"
                | "on"
                | "off"
                | "null"
                | "nil"
                | "none"
                | "~"
                | "{}"
                | "[]"
                | "abort"
                | "unwind"
                | "exit"
                | "default"
                | "ignore"
                | "enabled"
                | "disabled"
        )
}

pub(super) fn step(open: &mut Open, line: &str) -> Step {
    let trimmed = line.trim_end();
    if open.state == RACE {
        return race(open, trimmed);
    }
    if trimmed.is_empty() {
        return Step::Hold;
    }
    if GOROUTINE.is_match(trimmed) || trimmed.starts_with("runtime stack:") {
        open.state = BODY;
        return Step::Take;
    }
    if let Some(status) = trimmed.strip_prefix("exit status ") {
        return if status.bytes().all(|byte| byte.is_ascii_digit()) {
            Step::End
        } else {
            Step::Refuse
        };
    }
    if open.state == HEAD {
        let inner = trimmed.trim_start();
        if [
            "[signal ",
            "panic: ",
            "fatal error: ",
            "runtime: ",
            "PC=",
            "goroutine running on",
            "[recovered",
            "stack: frame",
            "sp=0x",
        ]
        .iter()
        .any(|start| inner.starts_with(start))
            || trimmed.starts_with("m=")
        {
            if let Some(message) = inner.strip_prefix("fatal error: ") {
                open.message = message.to_owned();
            }
            return Step::Take;
        }
        // A message of several lines.
        return Step::Hold;
    }
    if PLACE.is_match(trimmed) && trimmed.starts_with(['\t', ' ']) {
        let name = std::mem::take(&mut open.note);
        open.frame(&name);
        return Step::Take;
    }
    if let Some(name) = trimmed.strip_prefix("created by ") {
        open.note = name
            .split(" in goroutine")
            .next()
            .unwrap_or(name)
            .to_owned();
        return Step::Take;
    }
    if trimmed.starts_with("...") && trimmed.contains("elided") {
        return Step::Take;
    }
    if REGISTER.is_match(trimmed)
        || trimmed.starts_with("goroutine running on")
        || trimmed.starts_with("[originating from")
        || trimmed.starts_with("stack trace unavailable")
        || trimmed.starts_with("panic: ")
        || trimmed.starts_with("\tpanic: ")
        || trimmed.starts_with("[signal ")
    {
        return Step::Take;
    }
    if !trimmed.starts_with([' ', '\t'])
        && trimmed.ends_with(')')
        && trimmed.contains('(')
        && !open.is_held()
    {
        let end = trimmed.rfind('(').unwrap_or(trimmed.len());
        open.note = trimmed[..end].to_owned();
        return Step::Take;
    }
    Step::Refuse
}

fn race(open: &mut Open, line: &str) -> Step {
    if line.is_empty() {
        return Step::Hold;
    }
    if line.starts_with("==================") {
        return Step::End;
    }
    if line.starts_with("      ") && PLACE.is_match(line) {
        let name = std::mem::take(&mut open.note);
        open.frame(&name);
        return Step::Take;
    }
    if line.starts_with("  ") {
        open.note = line.trim().trim_end_matches("()").to_owned();
        return Step::Take;
    }
    if [
        "Read at ",
        "Write at ",
        "Previous ",
        "Atomic ",
        "Goroutine ",
        "[failed to restore",
    ]
    .iter()
    .any(|start| line.starts_with(start))
    {
        if open.message.is_empty() {
            open.message = line.to_owned();
        }
        return Step::Take;
    }
    Step::Refuse
}
