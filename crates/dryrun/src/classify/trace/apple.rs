//! Swift, and Objective-C with its relatives: traps with a backtrace, exceptions with their first throw.

use std::sync::LazyLock;

use regex::Regex;

use super::begin::{Begun, regex};
use super::{Lang, Open, Step};

const HEAD: u8 = 0;
const CALLS: u8 = 1;
const TAIL: u8 = 2;

static SWIFT: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:\S+\.swift:\d+: )?(Fatal error|Precondition failed|Assertion failed)(?:: (.*?))?(?:(?:: |, )file \S+\.swift, line \d+)?$",
    )
});
static THROWN: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"\*\*\* Terminating app due to uncaught exception (?:of class )?'([\w.]+)'(?:, reason: '(.*?)'?)?$",
    )
});
static CRASHED: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\*\*\* (?:Signal \d+|Program crashed): (.*)$"));
/// `0 [ra] 0x0000 f() + 12 in app at /x.swift:3:5`, `0   app   0x0000 f + 12`.
static FRAME: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^\s*\d+ +(?:\[[\w, ]+\] +)*(?:\S.*? +)?0x[0-9a-f]+ (.+?)(?: \+ \d+)?(?: in \S+(?: at .*)?)?$",
    )
});
/// `0 f() in app at /x.swift:3:5`.
static PLACED: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\s*\d+ +(?:\[[\w, ]+\] +)*(\S.*) in \S+(?: at \S+:\d+.*)$"));

pub(super) fn begin(line: &str) -> Option<Begun> {
    if line.contains("*** Terminating app")
        && let Some(found) = THROWN.captures(line)
    {
        let message = found.get(2).map_or("", |text| text.as_str());
        let open = Open::new(Lang::Objc, HEAD, &found[1], message).strong();
        return Some(Begun::new(found.get(0)?.start(), open));
    }
    if line.starts_with("*** ")
        && let Some(found) = CRASHED.captures(line)
    {
        let open = Open::new(Lang::Swift, HEAD, "crash", &found[1]).strong();
        return Some(Begun::new(0, open));
    }
    if !line.contains(".swift") {
        return None;
    }
    let found = SWIFT.captures(line)?;
    let message = found.get(2).map_or("", |text| text.as_str());
    let open = Open::new(Lang::Swift, HEAD, &found[1], message);
    Some(Begun::new(0, open.strong().located()))
}

pub(super) fn step(open: &mut Open, line: &str) -> Step {
    let trimmed = line.trim();
    if trimmed.is_empty() {
        return Step::Hold;
    }
    if trimmed.contains("First throw call stack:")
        || trimmed.starts_with("Current stack trace:")
        || trimmed.starts_with("Stack dump:")
        || trimmed.starts_with("*** Signal ")
        || trimmed.starts_with("*** Program crashed")
        || trimmed.starts_with("Thread ") && trimmed.ends_with("crashed:")
        || trimmed == "("
    {
        open.state = CALLS;
        return Step::Take;
    }
    if trimmed == ")" {
        open.state = TAIL;
        return Step::Take;
    }
    if trimmed.starts_with("libc++abi") && open.lang == Lang::Objc
        || trimmed.starts_with("terminating with uncaught exception of type NS")
    {
        return Step::End;
    }
    // `(0x1a 0x2b …)`: addresses only.
    if open.state == CALLS && trimmed.starts_with("(0x") {
        for address in trimmed.trim_matches(['(', ')']).split(' ') {
            open.frame(if address.starts_with("0x") {
                ""
            } else {
                address
            });
        }
        open.state = TAIL;
        return Step::Take;
    }
    if let Some(found) = FRAME.captures(line).or_else(|| PLACED.captures(line)) {
        let name = found[1].trim_start_matches("closure ").to_owned();
        open.state = CALLS;
        open.frame(&name);
        return Step::Take;
    }
    // Source lines with their marks, registers, images.
    if open.state == CALLS
        && open.frames > 0
        && (line.starts_with([' ', '\t'])
            || trimmed.starts_with("Thread ")
            || trimmed.starts_with("Registers:")
            || trimmed.starts_with("Images ")
            || trimmed.starts_with("Backtrace took")
            || trimmed.contains(" 0x")
            || trimmed.contains('│'))
    {
        return Step::Take;
    }
    match open.state {
        HEAD => Step::Hold,
        _ => Step::Refuse,
    }
}
