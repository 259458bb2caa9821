//! Placeholders of paths and commands, and what a path of a runbook may be.

/// The placeholders, and what each stands for.
pub const PLACEHOLDERS: &[(&str, &str)] = &[
    ("run", "the run's id"),
    ("run_dir", "the run's directory"),
    (
        "class",
        "the class of the target that failed: unit, recorded, e2e",
    ),
    ("target", "the target that failed"),
    ("suite", "the suite"),
    ("test", "the test's id"),
    ("shard", "the shard's number"),
    ("profile", "the profile that ran"),
    ("gate", "the gate's id"),
    ("lane", "the lane of the gates"),
    ("commit", "the commit under judgement"),
    ("baseline", "the run that it is compared with"),
    ("owner", "who owns what failed"),
];

/// The parts of a text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part<'t> {
    Text(&'t str),
    Name(&'t str),
}

/// `{name}` is a placeholder, `{{` and `}}` are braces, and any other brace is one, too.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        parts.push(Part::Text(&rest[..at]));
        let brace = &rest[at..];
        if brace.starts_with("{{") || brace.starts_with("}}") {
            parts.push(Part::Text(&brace[..1]));
            rest = &brace[2..];
            continue;
        }
        let end = brace.find('}').unwrap_or(0);
        let name = &brace[1.min(end)..end];
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if end > 1 && name.bytes().all(is_word) {
            parts.push(Part::Name(name));
            rest = &brace[end + 1..];
        } else {
            parts.push(Part::Text(&brace[..1]));
            rest = &brace[1..];
        }
    }
    parts.push(Part::Text(rest));
    parts
}

/// Names in braces that are no placeholders.
pub(super) fn faults(text: &str) -> Vec<String> {
    let parts = parts(text);
    let names = parts.iter().filter_map(|part| match part {
        Part::Name(name) => Some(*name),
        Part::Text(_) => None,
    });
    names
        .filter(|name| PLACEHOLDERS.iter().all(|(known, _)| known != name))
        .map(str::to_owned)
        .collect()
}

/// Fills placeholders with what `value` gives for their names. The second part of the answer has those that it did not know; they stay
/// as they are.
pub fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> (String, Vec<String>) {
    let (mut filled, mut open) = (String::new(), Vec::new());
    for part in parts(text) {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Name(name) => match value(name) {
                Some(value) => filled.push_str(&value),
                None => {
                    filled.push('{');
                    filled.push_str(name);
                    filled.push('}');
                    open.push(name.to_owned());
                }
            },
        }
    }
    (filled, open)
}

/// The text with `*` for each placeholder, as patterns of what exists are written.
pub(super) fn starred(text: &str) -> String {
    fill(text, |_| Some("*".into())).0
}

/// Whether the text has a placeholder.
pub(super) fn is_open(text: &str) -> bool {
    parts(text).iter().any(|part| matches!(part, Part::Name(_)))
}

/// Why a path is not one below the directory that it is relative to.
pub(super) fn not_relative(path: &str) -> Option<&'static str> {
    let drive = path.as_bytes().get(1) == Some(&b':');
    if path.starts_with('/') || path.starts_with('~') || drive {
        return Some("is absolute");
    }
    if path.contains('\\') {
        return Some("has a backslash");
    }
    if path.split('/').any(|part| part == "..") {
        return Some("leads outside with `..`");
    }
    if path.split('/').any(|part| part.is_empty() || part == ".") {
        return Some("has an empty part or a `.`");
    }
    path.contains(|c: char| c.is_control())
        .then_some("has a control character")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_read() {
        assert_eq!(faults("a {run} {{x}} {} {tset} { y }"), ["tset"]);
        let value = |name: &str| (name == "run").then(|| "r1".to_owned());
        assert_eq!(
            fill("a/{run}/{{x}}/{test}/{}", value),
            ("a/r1/{x}/{test}/{}".into(), vec!["test".into()])
        );
        assert_eq!(starred("t/{target}/o.log"), "t/*/o.log");
        for text in ["{", "}", "{}", "{{", "}}", "{a", "a}", "{é}"] {
            let _ = fill(text, |_| None);
        }
    }

    #[test]
    fn paths_stay_below() {
        for path in ["/a", "~/a", "C:/a", "a/../b", "a//b", "./a", "a\\b", "a\nb"] {
            assert!(not_relative(path).is_some(), "{path}");
        }
        assert_eq!(not_relative("targets/{target}/output.log"), None);
    }
}
