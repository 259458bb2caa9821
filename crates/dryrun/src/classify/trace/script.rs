//! JavaScript: node, deno, bun.

use std::sync::LazyLock;

use regex::Regex;

use super::begin::{self, Begun, regex};
use super::{Lang, Open, Step};

const HEAD: u8 = 0;
const FRAMES: u8 = 1;
/// Properties after the frames, until the closing brace.
pub(super) const PROPERTIES: u8 = 2;
/// The source line and the caret that stand before an uncaught error.
pub(super) const SOURCE: u8 = 3;
const CARET: u8 = 4;

static PLACE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:file://|node:|<anonymous_script>|\[stdin\]|/|\./|[A-Za-z]:\\|\[eval|evalmachine|[\w./-]+\.[cm]?[jt]sx?:)\S*:\d+$",
    )
});
static UNCAUGHT: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?:\(node:\d+\) UnhandledPromiseRejectionWarning: |\[?UnhandledPromiseRejection: |(?:error: )?Uncaught(?: \(in (?:promise|worker)[^)]*\))?:? |FATAL ERROR: )(.*)$",
    )
});
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^(?:Uncaught:? |error: )?([A-Za-z_$][\w$.]*)(?: \[\w+\])?(?:: (.*)|\s*\{?)$")
});
static CODE: LazyLock<Regex> = LazyLock::new(|| regex(r"^\s*\d+ \| "));
static NATIVE: LazyLock<Regex> = LazyLock::new(|| regex(r"^ ?\d+: 0x[0-9a-f]+ (.*)$"));

pub(super) fn begin(line: &str) -> Option<Begun> {
    if line.ends_with(|c: char| c.is_ascii_digit()) && !line.contains(' ') && PLACE.is_match(line) {
        return Some(Begun::new(0, Open::new(Lang::Node, SOURCE, "", "")));
    }
    if !["ncaught", "UnhandledPromise", "FATAL ERROR"]
        .iter()
        .any(|word| line.contains(word))
    {
        return None;
    }
    let found = UNCAUGHT.captures(line)?;
    let at = found.get(0)?.start();
    let rest = &found[1];
    let word = &line[at..found.get(1)?.start()];
    if word.contains("ncaught") && !thrown(rest) {
        return None;
    }
    let kind = if word.contains("UnhandledPromiseRejection: ") {
        "UnhandledPromiseRejection"
    } else if word.starts_with("FATAL") {
        "FATAL ERROR"
    } else {
        ""
    };
    let mut open = Open::new(Lang::Node, HEAD, kind, rest).strong();
    if kind.is_empty() {
        name(&mut open, rest);
    }
    if line.ends_with(" {") {
        open.state = PROPERTIES;
    }
    Some(Begun::new(at, open))
}

/// Whether what follows `Uncaught` is something that was thrown, not the rest of a sentence.
fn thrown(rest: &str) -> bool {
    static THROWN: LazyLock<Regex> = LazyLock::new(|| {
        regex(r#"^["'`{\[<(]|^[A-Z_$][\w$.]*(?: \[\w+\])?(?::|\s*$| \{)|^[\w$]+: "#)
    });
    THROWN.is_match(rest)
}

/// Reads what was thrown.
fn name(open: &mut Open, head: &str) {
    let bare = head.trim().trim_start_matches('[');
    if let Some(found) = NAMED.captures(bare) {
        open.kind = found[1].to_owned();
        open.message = found
            .get(2)
            .map_or("", |message| message.as_str())
            .to_owned();
    } else if let Some((kind, message)) = bare.split_once(": ")
        && !kind.contains(' ')
    {
        open.kind = kind.to_owned();
        open.message = message.to_owned();
    } else {
        open.kind = "uncaught".to_owned();
        open.message = bare.to_owned();
    }
}

pub(super) fn step(open: &mut Open, line: &str) -> Step {
    let trimmed = line.trim();
    match open.state {
        SOURCE => {
            if !trimmed.is_empty() && trimmed.bytes().all(|byte| matches!(byte, b'^' | b'~')) {
                open.state = CARET;
                open.located = true;
                open.strong = true;
                return Step::Take;
            }
            if trimmed.is_empty() || open.lines > 8 {
                return Step::Refuse;
            }
            Step::Take
        }
        CARET => {
            if trimmed.is_empty() {
                return Step::Take;
            }
            name(open, line);
            open.state = if line.ends_with(" {") {
                PROPERTIES
            } else {
                HEAD
            };
            Step::Take
        }
        _ => frames(open, line, trimmed),
    }
}

fn frames(open: &mut Open, line: &str, trimmed: &str) -> Step {
    if let Some((_, name)) = begin::frame(line) {
        open.frame(&name);
        if line.ends_with(" {") && open.state != PROPERTIES {
            open.state = PROPERTIES;
        } else if open.state == HEAD {
            open.state = FRAMES;
        }
        return Step::Take;
    }
    if line.starts_with([' ', '\t']) && trimmed.starts_with("at ") {
        open.frame("");
        return Step::Take;
    }
    if open.state == PROPERTIES {
        if line.starts_with('}') {
            open.state = FRAMES;
        }
        // Named before frames came: an object that is not printed by an error is none.
        return if open.lines > 400 {
            Step::Refuse
        } else {
            Step::Take
        };
    }
    if trimmed.is_empty() {
        return Step::Hold;
    }
    if trimmed.starts_with("Node.js v") || trimmed.starts_with("Bun v") {
        return Step::End;
    }
    if let Some(found) = NATIVE.captures(line) {
        let name = found[1].to_owned();
        open.frame(&name);
        return Step::Take;
    }
    if trimmed.starts_with("... ") && trimmed.contains("matching")
        || trimmed.starts_with("Emitted 'error' event")
        || trimmed.starts_with("(Use `node --trace")
        || trimmed.starts_with("Thrown at:")
        || trimmed.starts_with("----- ")
        || trimmed.starts_with("[cause]")
        || trimmed.starts_with("Caused by:")
        || trimmed == "}"
        || trimmed.starts_with('{') && open.state == FRAMES && trimmed.len() < 3
    {
        return Step::Take;
    }
    if trimmed.bytes().all(|byte| matches!(byte, b'^' | b'~')) || CODE.is_match(line) {
        return Step::Take;
    }
    match open.state {
        HEAD => {
            // deno prints the source line, indented, between the message and the frames.
            Step::Hold
        }
        _ => Step::Refuse,
    }
}
