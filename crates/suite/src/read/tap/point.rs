//! A line of TAP that is a test, a plan, or the name of a file.

/// `ok 1 - name # SKIP reason`
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    pub(super) ok: bool,
    pub(super) number: Option<u64>,
    pub(super) name: String,
    pub(super) directive: Option<Directive>,
    pub(super) seconds: Option<f64>,
    /// Whether a brace at the end says that its subtests follow.
    pub(super) opens: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Directive {
    Skip(String),
    Todo(String),
}

pub(super) fn parse(text: &str) -> Option<Point> {
    let (ok, rest) = match text.strip_prefix("not ok") {
        Some(rest) => (false, rest),
        None => (true, text.strip_prefix("ok")?),
    };
    if !(rest.is_empty() || rest.starts_with([' ', '\t'])) {
        return None;
    }
    let rest = rest.trim_start();
    let digits = rest
        .bytes()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(rest.len());
    let behind = rest[digits..].chars().next();
    // `3rd time` is no number.
    let has_number =
        digits > 0 && behind.is_none_or(|c| c.is_whitespace() || matches!(c, '-' | '#'));
    let (number, rest) = if has_number {
        (rest[..digits].parse().ok(), rest[digits..].trim_start())
    } else {
        (None, rest)
    };
    let rest = rest
        .strip_prefix("- ")
        .or_else(|| rest.strip_prefix('-').filter(|rest| rest.is_empty()))
        .unwrap_or(rest);
    let (rest, opens) = match rest.strip_suffix('{') {
        Some(open) if open.is_empty() || open.ends_with(' ') => (open.trim_end(), true),
        _ => (rest, false),
    };
    let mut name = rest;
    let mut directive = None;
    let mut seconds = None;
    // The last of them counts, where there are several.
    for (hash, comment) in hashes(rest) {
        if let Some(found) = self::directive(comment) {
            name = &rest[..hash];
            directive = Some(found);
            break;
        }
        if let Some(time) = time(comment) {
            if name.len() == rest.len() {
                name = &rest[..hash];
            }
            seconds = Some(time);
        }
    }
    Some(Point {
        ok,
        number,
        name: unescape(name.trim()),
        directive,
        seconds,
        opens,
    })
}

/// Where a `#` begins a comment: behind white space or at the beginning, and not escaped.
fn hashes(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'#', bytes)
        .filter(|at| *at == 0 || matches!(bytes[at - 1], b' ' | b'\t'))
        .map(|at| (at, text[at + 1..].trim_start()))
}

fn directive(comment: &str) -> Option<Directive> {
    let word = comment.get(..4)?;
    let rest = &comment[4..];
    let behind = rest.chars().next();
    if word.eq_ignore_ascii_case("skip") {
        // `skipped`, `skip:` too: what was skipped is never a pass.
        let rest = rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == ':');
        return Some(Directive::Skip(rest.trim().to_owned()));
    }
    if word.eq_ignore_ascii_case("todo")
        && behind.is_none_or(|c| !(c.is_alphanumeric() || c == '_'))
    {
        let rest = rest.trim_start_matches(':');
        return Some(Directive::Todo(rest.trim().to_owned()));
    }
    None
}

/// `time=60.15ms`, and `in 12 ms` of bats.
fn time(comment: &str) -> Option<f64> {
    let rest = comment
        .strip_prefix("time=")
        .or_else(|| comment.strip_prefix("in "))?;
    let (number, scale) = match rest.trim().strip_suffix("ms") {
        Some(number) => (number, 1000.0),
        None => (rest.trim().strip_suffix('s')?, 1.0),
    };
    let value: f64 = number.trim().parse().ok()?;
    (value.is_finite() && value >= 0.0).then_some(value / scale)
}

/// `\#` and `\\` stand for themselves.
pub(super) fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\\'
            && let Some(next) = chars.next_if(|c| matches!(c, '#' | '\\'))
        {
            out.push(next);
            continue;
        }
        out.push(c);
    }
    out
}

/// `1..N`, and the reason where nothing is planned.
pub(super) fn plan(text: &str) -> Option<(u64, Option<&str>)> {
    let rest = text.strip_prefix("1..")?;
    let digits = rest
        .bytes()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(rest.len());
    let count = rest[..digits].parse().ok()?;
    let rest = rest[digits..].trim_start();
    if rest.is_empty() {
        return Some((count, None));
    }
    let reason = rest.strip_prefix('#')?.trim();
    let reason = match reason.get(..4) {
        Some(word) if word.eq_ignore_ascii_case("skip") => Some(
            reason[4..]
                .trim_start_matches(|c: char| c.is_alphanumeric() || c == ':')
                .trim(),
        ),
        _ => None,
    };
    Some((count, reason))
}

/// The number of a line of Catch2 that warns: `warning 11 - 'careful'`. It has a number as if it were a test, and is none.
pub(super) fn warning(text: &str) -> Option<u64> {
    let rest = text
        .strip_prefix("warning ")
        .or_else(|| text.strip_prefix("info "))?;
    rest.split_once(" - ")?.0.parse().ok()
}

/// Whether it is what mocha writes when a hook failed. It has the number of the next test.
pub(super) fn is_hook(name: &str) -> bool {
    ["before all", "before each", "after each", "after all"]
        .iter()
        .any(|hook| name.contains(&format!("\"{hook}\" hook")))
}

/// Whether it is the name of a file that node runs tests of.
pub(super) fn is_script(name: &str) -> bool {
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    matches!(
        end,
        "js" | "cjs" | "mjs" | "ts" | "cts" | "mts" | "jsx" | "tsx"
    )
}

/// `t/a.t .. `: prove names the file whose document follows.
pub(super) fn file(text: &str) -> Option<&str> {
    let stem = text.trim_end_matches('.');
    let dots = text.len() - stem.len();
    let file = stem.strip_suffix(' ')?.trim_end();
    (dots >= 2 && !file.is_empty() && !file.contains(' ')).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_all_forms() {
        let of = |text: &str| parse(text).map(|p| (p.ok, p.number, p.name, p.directive));
        let skip = |s: &str| Some(Directive::Skip(s.to_owned()));
        let todo = |s: &str| Some(Directive::Todo(s.to_owned()));
        assert_eq!(of("ok"), Some((true, None, String::new(), None)));
        assert_eq!(
            of("not ok 2 equal"),
            Some((false, Some(2), "equal".into(), None))
        );
        assert_eq!(
            of("ok 5 # skip no network"),
            Some((true, Some(5), String::new(), skip("no network")))
        );
        assert_eq!(
            of("ok 5 - a # SKIP"),
            Some((true, Some(5), "a".into(), skip("")))
        );
        assert_eq!(
            of("ok 5 - a # skipped: b"),
            Some((true, Some(5), "a".into(), skip("b")))
        );
        assert_eq!(
            of("not ok 3 - a # TODO b"),
            Some((false, Some(3), "a".into(), todo("b")))
        );
        assert_eq!(
            of("not ok 3 - a # todolist"),
            Some((false, Some(3), "a # todolist".into(), None))
        );
        assert_eq!(
            of(r"not ok 3 - a \# TODO b"),
            Some((false, Some(3), "a # TODO b".into(), None))
        );
        assert_eq!(
            of("ok 1 - issue #12 is gone"),
            Some((true, Some(1), "issue #12 is gone".into(), None))
        );
        assert_eq!(of("okay"), None);
        assert_eq!(of("not okay"), None);
        assert!(
            parse("ok 1 - x # time=5ms {")
                .is_some_and(|p| p.opens && p.seconds == Some(0.005) && p.name == "x")
        );
        assert_eq!(plan("1..0 # SKIP none"), Some((0, Some("none"))));
        assert_eq!(plan("1..4"), Some((4, None)));
        assert_eq!(plan("1...4"), None);
        assert_eq!(plan("1..4 of"), None);
        assert_eq!(file("t/a.t .."), Some("t/a.t"));
        assert_eq!(file("Wait a bit ..."), None);
    }
}
