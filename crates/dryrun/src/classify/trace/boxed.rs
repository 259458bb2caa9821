//! Python's tracebacks as Rich and what builds on it (Typer, Textual, pip) print them: in a box, the exception below it.

use std::sync::LazyLock;

use regex::Regex;

use super::begin::regex;
use super::{Open, Step};

const TITLE: &str = " Traceback (most recent call last) ";

/// `│ /srv/app.py:7 in pay   │`, `│ in pay:7   │`.
static FRAME: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^[│|] (?:([^\s❱│|\d].*?):\d+ in ([\w<>.]+)|in ([\w<>.]+):\d+)\s*[│|]?$")
});

/// Returns where the box begins whose upper edge a line ends with.
pub(super) fn begin(line: &str) -> Option<usize> {
    let title = line.find(TITLE)?;
    let edge = |c: char| matches!(c, '╭' | '╮' | '┌' | '┐' | '─' | '+' | '-');
    if !line[title + TITLE.len()..].trim_end().chars().all(edge) {
        return None;
    }
    let before = line[..title].trim_end_matches(edge);
    // At least a corner and a bit of the edge.
    (title - before.len() > 1).then_some(before.len())
}

/// What a line is to a box that is open; true at its lower edge.
pub(super) fn step(open: &mut Open, line: &str) -> (Step, bool) {
    let line = line.trim();
    if let Some(found) = FRAME.captures(line) {
        let file = found.get(1).map_or("", |file| file.as_str());
        let function = found
            .get(2)
            .or(found.get(3))
            .map_or("", |name| name.as_str());
        let module = file.rsplit(['/', '\\']).next().unwrap_or(file);
        if file.contains("site-packages") || file.contains("/lib/python") {
            open.frame("");
        } else {
            open.frame(&format!("{}.{function}", module.trim_end_matches(".py")));
        }
        return (Step::Take, false);
    }
    if line.starts_with(['╰', '└']) || line.starts_with("+-") {
        return (Step::Take, true);
    }
    if line.starts_with(['│', '|']) {
        (Step::Take, false)
    } else {
        (Step::Refuse, false)
    }
}
