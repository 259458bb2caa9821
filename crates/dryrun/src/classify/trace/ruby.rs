//! Ruby: both quotations, the reversed form, Rails' own, JRuby.

use std::sync::LazyLock;

use regex::Regex;

use super::begin::{self, Begun, regex};
use super::{Lang, Open, Step};

const HEAD: u8 = 0;
const FRAMES: u8 = 1;
const RAILS: u8 = 2;

static RAISED: LazyLock<Regex> = LazyLock::new(|| regex(r"(\S[^:\s]*):\d+:in [`']([^']+)': (.*)$"));
static TYPE: LazyLock<Regex> = LazyLock::new(|| regex(r"^(.*?)\s*\(([A-Z]\w*(?:::\w+)*)\)$"));
static RAILS_HEAD: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"([A-Z]\w*(?:::[A-Z]\w*)*(?:Error|Exception|NotFound|Invalid|Missing)) \((.*)\):$")
});
static REVERSED: LazyLock<Regex> = LazyLock::new(|| regex(r"^\t\s*\d+: from "));
static JRUBY: LazyLock<Regex> = LazyLock::new(|| regex(r"^\s+(\S.*) at \S+:\d+$"));
static SYNTAX: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^(\S+\.rb:\d+): (syntax error.*|.*\(SyntaxError\))$"));

pub(super) fn begin(line: &str) -> Option<Begun> {
    if line.contains(":in ")
        && let Some(found) = RAISED.captures(line)
        && !found[3].starts_with("warning: ")
    {
        let at = found.get(0)?.start();
        let mut open = Open::new(Lang::Ruby, HEAD, "", &found[3]);
        if let Some(typed) = TYPE.captures(found[3].trim_end()) {
            open.kind = typed[2].to_owned();
            open.message = typed[1].to_owned();
            open.strong = true;
        } else if found[3].starts_with("unhandled exception") {
            open.kind = "RuntimeError".to_owned();
            open.strong = true;
        }
        open.frame(&format!("{}:{}", file(&found[1]), &found[2]));
        if !open.strong {
            // `f.rb:1:in 'm': …` may be anything; `from` decides.
            open.frames = 0;
        }
        return Some(Begun::new(at, open));
    }
    if line.ends_with("):")
        && let Some(found) = RAILS_HEAD.captures(line)
    {
        return Some(Begun::new(
            found.get(0)?.start(),
            Open::new(Lang::Ruby, RAILS, &found[1], &found[2]),
        ));
    }
    if line.contains(".rb:")
        && let Some(found) = SYNTAX.captures(line)
    {
        return Some(Begun::new(
            0,
            Open::new(Lang::Ruby, HEAD, "SyntaxError", &found[2])
                .strong()
                .located(),
        ));
    }
    None
}

/// Returns type and message of `message (Type)`.
pub(super) fn typed(line: &str) -> Option<(String, String)> {
    let found = TYPE.captures(line.trim_end())?;
    let message = found[1].rsplit(" : ").next().unwrap_or("").to_owned();
    Some((found[2].to_owned(), message))
}

fn file(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

pub(super) fn step(open: &mut Open, line: &str) -> Step {
    let trimmed = line.trim();
    if let Some((Lang::Ruby, name)) = begin::frame(line) {
        if open.state != RAILS {
            open.state = FRAMES;
        }
        open.frame(&name);
        return Step::Take;
    }
    if REVERSED.is_match(line) {
        open.frame(trimmed);
        return Step::Take;
    }
    if line.starts_with('\t') && trimmed.starts_with("from ") {
        open.state = FRAMES;
        open.frame("");
        return Step::Take;
    }
    if trimmed.starts_with("... ") && trimmed.contains(" levels...") {
        return Step::Take;
    }
    // The cause; or the head, if calls came first.
    if let Some(found) = RAISED.captures(line) {
        if open.kind.is_empty()
            && let Some(typed) = TYPE.captures(found[3].trim_end())
        {
            open.kind = typed[2].to_owned();
            open.message = typed[1].to_owned();
        }
        open.frame(&format!("{}:{}", file(&found[1]), &found[2]));
        return Step::Take;
    }
    if let Some(found) = JRUBY.captures(line) {
        let name = found[1].to_owned();
        open.frame(&name);
        return Step::Take;
    }
    if trimmed.is_empty() {
        return Step::Hold;
    }
    match open.state {
        HEAD | RAILS => {
            if open.state == RAILS && open.frames > 0 {
                return Step::Refuse;
            }
            Step::Hold
        }
        _ => Step::Refuse,
    }
}
