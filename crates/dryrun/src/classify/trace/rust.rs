//! Rust: panics in the old and the new form, backtraces, aborts.

use std::sync::LazyLock;

use regex::Regex;

use super::begin::{Begun, regex};
use super::{Lang, Open, Step};

const HEAD: u8 = 0;
const MESSAGE: u8 = 1;
pub(super) const BACKTRACE: u8 = 2;
const TAIL: u8 = 3;

static PANICKED: LazyLock<Regex> =
    LazyLock::new(|| regex(r"thread '([^']*)'(?: \(\d+\))? panicked at (.*)$"));
static PLACE: LazyLock<Regex> = LazyLock::new(|| regex(r":\d+:\d+:?$"));
static SYMBOL: LazyLock<Regex> = LazyLock::new(|| regex(r"^\s*\d+:\s+(?:0x[0-9a-f]+ - )?(.*)$"));
static OVERFLOW: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"thread '[^']*'(?: \(\d+\))? has overflowed its stack|^memory allocation of \d+ bytes failed|^fatal runtime error: ",
    )
});

pub(super) fn begin(line: &str) -> Option<Begun> {
    if line.contains("panicked at")
        && let Some(found) = PANICKED.captures(line)
    {
        let at = found.get(0)?.start();
        let rest = found[2].trim_end();
        let mut open = Open::new(Lang::Rust, HEAD, "panic", "").strong();
        if let Some(inner) = rest.strip_prefix('\'') {
            // Before 1.73: the message, quoted, then the place.
            open.state = MESSAGE;
            let end = inner.rfind("', ");
            open.message = inner[..end.unwrap_or(inner.len())].to_owned();
        }
        if PLACE.is_match(rest) {
            open.located = true;
        }
        return Some(Begun::new(at, open));
    }
    if !["overflowed", "allocation of", "fatal runtime"]
        .iter()
        .any(|word| line.contains(word))
    {
        return None;
    }
    let found = OVERFLOW.find(line)?;
    let kind = if line.contains("overflowed") {
        "stack overflow"
    } else {
        "abort"
    };
    Some(Begun::new(
        found.start(),
        Open::new(Lang::Rust, TAIL, kind, line[found.start()..].trim()).strong(),
    ))
}

pub(super) fn step(open: &mut Open, line: &str) -> Step {
    let trimmed = line.trim();
    if open.state == HEAD {
        open.message = trimmed.to_owned();
        open.state = MESSAGE;
        return Step::Take;
    }
    if trimmed == "stack backtrace:" || trimmed == "Stack backtrace:" {
        open.state = BACKTRACE;
        return Step::Take;
    }
    if trimmed.starts_with("note: ") {
        open.state = TAIL;
        return Step::Take;
    }
    if [
        "thread caused non-unwinding panic",
        "thread panicked while",
        "fatal runtime error:",
        "fatal runtime error ",
    ]
    .iter()
    .any(|start| trimmed.starts_with(start))
    {
        open.state = TAIL;
        return Step::Take;
    }
    match open.state {
        MESSAGE => Step::Hold,
        BACKTRACE => {
            if let Some(found) = SYMBOL.captures(line) {
                // `_ZN…17h0123456789abcdefE` and `::h0123456789abcdef` differ from build to build.
                let name = found[1].to_owned();
                let name = match name.rfind("::h") {
                    Some(at) if name.len() - at == 19 => name[..at].to_owned(),
                    _ => name,
                };
                open.frame(&name);
                return Step::Take;
            }
            if line.starts_with(' ') && trimmed.starts_with("at ")
                || trimmed.starts_with("[... omitted")
                || trimmed.starts_with('<') && line.starts_with(' ')
            {
                return Step::Take;
            }
            Step::Refuse
        }
        _ => Step::Refuse,
    }
}
