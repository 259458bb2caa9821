//! Java and its kin, and .NET, whose traces differ little.

use std::sync::LazyLock;

use regex::Regex;

use super::begin::{self, Begun, regex};
use super::{Lang, Open, Step};

const HEAD: u8 = 0;
const FRAMES: u8 = 1;
const BLOCK: u8 = 2;
/// The machine's own crash: lines that begin with `#`.
const CRASH: u8 = 3;

static THREAD: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"(?:Exception in thread "[^"]*" |Exception: |Caught: )([A-Za-z_$][\w.$]*)(?:: (.*)|\s*)$"#,
    )
});
static CLOJURE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:Execution error|Syntax error|Unexpected error|Error printing)(?: \(([\w.$]+)\))? .*at .*\(.*:\d+.*\)\.$",
    )
});
static UNHANDLED: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?:Unhandled [Ee]xception[.:]|\[ERROR\] FATAL UNHANDLED EXCEPTION:)\s*(?:([A-Za-z_][\w.`+]*)(?:: (.*)|\s.*)?)?$",
    )
});
static OMITTED: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^\s*\.\.\. \d+ (?:more|common frames omitted|frames? (?:truncated|excluded|omitted))")
});
static CAUSE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\s*(?:Caused by|Suppressed|Wrapped by|Caused by \S+): "));

pub(super) fn begin(line: &str) -> Option<Begun> {
    if line.contains("Exception in thread \"") || line.starts_with("Caught: ") {
        let found = THREAD.captures(line)?;
        let at = found.get(0)?.start();
        let message = found.get(2).map_or("", |message| message.as_str());
        return Some(Begun::new(
            at,
            Open::new(Lang::Java, HEAD, &found[1], message).strong(),
        ));
    }
    if let Some(found) = CLOJURE.captures(line) {
        let kind = found.get(1).map_or("Execution error", |kind| kind.as_str());
        return Some(Begun::new(
            0,
            Open::new(Lang::Clojure, BLOCK, kind, "").strong().located(),
        ));
    }
    if line.contains("nhandled ")
        && let Some(found) = UNHANDLED.captures(line)
    {
        let at = found.get(0)?.start();
        let kind = found.get(1).map_or("", |kind| kind.as_str());
        // Dart says the same, with its message on the next line.
        if kind.is_empty() && !line.trim_end().ends_with("Exception:") {
            return None;
        }
        let message = found.get(2).map_or("", |message| message.as_str());
        return Some(Begun::new(
            at,
            Open::new(Lang::Dotnet, HEAD, kind, message).strong(),
        ));
    }
    if line.starts_with("# A fatal error has been detected by the Java Runtime Environment") {
        return Some(Begun::new(
            0,
            Open::new(Lang::Java, CRASH, "fatal error", "").strong(),
        ));
    }
    if line.starts_with("Stack overflow.") {
        return Some(Begun::new(
            0,
            Open::new(Lang::Dotnet, FRAMES, "StackOverflowException", "").strong(),
        ));
    }
    None
}

pub(super) fn step(open: &mut Open, line: &str) -> Step {
    if open.state == CRASH {
        let Some(text) = line.strip_prefix('#') else {
            return Step::Refuse;
        };
        let text = text.trim();
        if open.message.is_empty() {
            open.message = text.split(" at pc").next().unwrap_or("").to_owned();
        }
        // `# C  [libc.so.6+0x1]`, `# J 12 c2 a.B.c()V`: the problematic frame.
        if open.note == "Problematic frame:" {
            open.frame(text);
        }
        open.note = text.to_owned();
        return Step::Take;
    }
    if open.state == BLOCK {
        let trimmed = line.trim();
        if open.message.is_empty() && !trimmed.is_empty() {
            open.message = trimmed.to_owned();
            return Step::Take;
        }
        return match trimmed {
            "" => Step::Hold,
            "Full report at:" => Step::Take,
            _ if open.is_held() || open.lines < 4 && !trimmed.starts_with('/') => Step::Refuse,
            _ if trimmed.starts_with('/') => Step::End,
            _ => Step::Refuse,
        };
    }
    if let Some((_, name)) = begin::frame(line) {
        open.state = FRAMES;
        open.frame(&name);
        return Step::Take;
    }
    if line.starts_with([' ', '\t']) && line.trim_start().starts_with("at ") && line.contains('(') {
        open.state = FRAMES;
        open.frame("");
        return Step::Take;
    }
    if OMITTED.is_match(line) || line.contains("[CIRCULAR REFERENCE") {
        return Step::Take;
    }
    if CAUSE.is_match(line) {
        open.state = HEAD;
        return Step::Take;
    }
    match open.state {
        // A message of several lines.
        HEAD => Step::Hold,
        _ => Step::Refuse,
    }
}

pub(super) fn dotnet(open: &mut Open, line: &str) -> Step {
    let trimmed = line.trim_start();
    // Flutter says the same before Dart's frames.
    if open.frames == 0
        && let Some((Lang::Dart, name)) = begin::frame(line)
    {
        open.lang = Lang::Dart;
        open.frame(&name);
        return Step::Take;
    }
    if let Some((_, name)) = begin::frame(line) {
        open.state = FRAMES;
        open.frame(&name);
        return Step::Take;
    }
    if line.starts_with(' ') && trimmed.starts_with("at ") && trimmed.contains('(') {
        open.state = FRAMES;
        open.frame("");
        return Step::Take;
    }
    if trimmed.starts_with("--- End of ")
        || trimmed.starts_with("---> ")
        || trimmed.starts_with("--- ")
    {
        return Step::Take;
    }
    // mono tells it twice.
    if line.starts_with("[ERROR] FATAL UNHANDLED EXCEPTION:") {
        open.state = HEAD;
        return Step::Take;
    }
    if super::prefix::record(line) {
        return Step::Refuse;
    }
    if open.kind.is_empty() {
        let (kind, message) = trimmed.split_once(": ").unwrap_or((trimmed, ""));
        open.kind = kind.trim().to_owned();
        open.message = message.to_owned();
        return Step::Take;
    }
    if trimmed.starts_with("Repeat ")
        || line.starts_with("-----")
        || trimmed.starts_with("Process is terminat")
    {
        return Step::Take;
    }
    match open.state {
        HEAD => Step::Hold,
        _ => Step::Refuse,
    }
}
