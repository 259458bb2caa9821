//! Annotations of GitHub Actions: workflow commands on the standard output of a step.
//!
//! Source: GitHub's "Workflow commands" and actions/toolkit `command.ts`: in a message `%`, CR and LF are written as `%25`, `%0D`, `%0A`;
//! in a property `:` and `,` too, as `%3A` and `%2C`. GitHub shows the first [`SHOWN`] of each kind a step (and 50 a job), so there is
//! one annotation a failure's group, the most urgent first, and the last one says how many there are no more. Errors are what failed or
//! cannot be believed, warnings what is flaky or waits for a person. The step's summary is [`super::markdown`] with its own room.

use std::fmt::Write as _;

use gonogo_core::Verdict;

use super::text::{plural, visible};
use super::{Group, Outline, gitlab, word};
use crate::TestVerdict;
use crate::run::Class;

/// Annotations of one kind that a step shows.
pub const SHOWN: usize = 10;

/// Lines of a message.
const LINES: usize = 8;

/// An annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// Whether it is an error; a warning otherwise.
    pub is_error: bool,
    /// The file, relative to the repository.
    pub file: Option<String>,
    /// Its line, from 1.
    pub line: Option<u32>,
    /// What it is about.
    pub title: String,
    /// What it says; may have several lines.
    pub message: String,
}

impl Annotation {
    /// The workflow command, one line.
    pub fn command(&self) -> String {
        let mut out = String::from(if self.is_error {
            "::error"
        } else {
            "::warning"
        });
        let mut glue = ' ';
        let mut put = |key: &str, value: &str| {
            let _ = write!(out, "{glue}{key}={}", property(value));
            glue = ',';
        };
        if let Some(file) = &self.file {
            put("file", file);
            if let Some(line) = self.line {
                put("line", &line.to_string());
            }
        }
        put("title", &self.title);
        let _ = write!(out, "::{}", data(&self.message));
        out
    }
}

/// Text as it stands in a message.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Text as it stands in a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The annotations, ranked: problems of the evidence, then groups. At most [`SHOWN`] of each kind.
pub fn annotations(outline: &Outline<'_>) -> Vec<Annotation> {
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    for told in &outline.problems {
        let reason = told.problem.reason;
        let target = told.target.as_deref();
        let title = match target {
            Some(target) => format!("{} in {}", reason.code(), visible(target, 80)),
            None => reason.code().to_owned(),
        };
        let annotation = Annotation {
            is_error: reason.verdict() > Verdict::Hold,
            file: None,
            line: None,
            title,
            message: format!(
                "{}\n{}",
                visible(&told.problem.text, 600),
                reason.next_action()
            ),
        };
        match annotation.is_error {
            true => errors.push(annotation),
            false => warnings.push(annotation),
        }
    }
    for group in &outline.groups {
        let of_lint = findings(outline, group);
        if !of_lint.is_empty() {
            for annotation in of_lint {
                match annotation.is_error {
                    true => errors.push(annotation),
                    false => warnings.push(annotation),
                }
            }
            continue;
        }
        let annotation = of_group(outline, group);
        match annotation.is_error {
            true => errors.push(annotation),
            false => warnings.push(annotation),
        }
    }
    let more = outline.ungrouped + outline.untold;
    if more > 0 {
        errors.push(Annotation {
            is_error: true,
            file: None,
            line: None,
            title: "More failures".to_owned(),
            message: format!("{} did not pass and are in no group", plural(more, "test")),
        });
    }
    errors = shown(errors, true);
    errors.extend(shown(warnings, false));
    errors
}

/// The workflow commands, a line each.
pub fn commands(outline: &Outline<'_>) -> String {
    annotations(outline)
        .iter()
        .map(|one| one.command() + "\n")
        .collect()
}

/// As many as are shown; the last one tells of the others.
fn shown(mut all: Vec<Annotation>, is_error: bool) -> Vec<Annotation> {
    if all.len() <= SHOWN {
        return all;
    }
    let left = all.len() - (SHOWN - 1);
    all.truncate(SHOWN - 1);
    let what = if is_error { "errors" } else { "warnings" };
    all.push(Annotation {
        is_error,
        file: None,
        line: None,
        title: format!("{left} more {what}"),
        message: format!(
            "GitHub shows {SHOWN} of a kind; the step's summary and the report have all."
        ),
    });
    all
}

/// The findings of a linter, each where it is; none if the group is of tests, or its linter names no place.
fn findings(outline: &Outline<'_>, group: &Group) -> Vec<Annotation> {
    let mut found = Vec::new();
    for item in &group.items {
        let mut targets = outline.report.summary.targets();
        let Some(target) = targets.find(|t| t.target == item.target && t.class == Class::Lint)
        else {
            continue;
        };
        let places = gitlab::places(outline, item, &target.dir);
        // One place is the failure's own: it is told with what is known of it.
        if places.len() < 2 {
            continue;
        }
        found.extend(places.into_iter().map(|place| Annotation {
            is_error: !place.is_warning,
            file: Some(place.path),
            line: Some(place.line),
            title: visible(&item.target, 80),
            message: visible(&place.text, 600),
        }));
    }
    found
}

fn of_group(outline: &Outline<'_>, group: &Group) -> Annotation {
    let first = group.items.first();
    let (lines, more) = super::text::lines(&group.message(), LINES, 300);
    let mut message = lines.join("\n");
    if more {
        message.push_str("\n…");
    }
    let mut title = String::new();
    if let Some(item) = first {
        title = visible(&item.test.to_string(), 200);
        if group.count > 1 {
            let _ = write!(title, " and {} more", group.count - 1);
        }
    }
    let (mut file, mut line) = (None, None);
    if let Some((named, at)) = first.and_then(|i| i.place.as_ref()) {
        let dir = first.and_then(|item| {
            let mut targets = outline.report.summary.targets();
            Some(targets.find(|t| t.target == item.target)?.dir.as_str())
        });
        match relative(dir.unwrap_or("."), named) {
            Some(path) => (file, line) = (Some(path), *at),
            None => {
                let at = at.map_or(String::new(), |n| format!(":{n}"));
                let _ = write!(message, "\nat {}{at}", visible(named, 300));
            }
        }
    }
    let owners = group.owners();
    if let Some(owner) = owners.first() {
        let _ = write!(message, "\nowner: {}", visible(owner, 80));
        if owners.len() > 1 {
            let _ = write!(message, " and {} more", owners.len() - 1);
        }
    }
    if let Some(replay) = group.replay() {
        let _ = write!(message, "\nreplay: {}", visible(&replay.command, 1_000));
    }
    let worst = group.worst();
    Annotation {
        is_error: worst != TestVerdict::Flaky,
        file,
        line,
        title: format!("{}: {title}", word(worst)),
        message,
    }
}

/// A file as the repository knows it: below the target's directory, and nowhere outside.
pub(super) fn relative(dir: &str, file: &str) -> Option<String> {
    let is_odd = |text: &str| {
        text.contains(['\\', '\0', '\n', '\r'])
            || text.starts_with('/')
            || text.split('/').any(|part| part == "..")
            || text.contains("://")
    };
    if file.is_empty() || is_odd(file) || is_odd(dir) {
        return None;
    }
    let file = file.trim_start_matches("./");
    let dir = dir.trim_matches('/').trim_start_matches("./");
    let is_below = dir.is_empty() || dir == "." || file.starts_with(&format!("{dir}/"));
    Some(match is_below {
        true => file.to_owned(),
        false => format!("{dir}/{file}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_escaped_as_the_runner_reads_them() {
        let one = Annotation {
            is_error: true,
            file: Some("a,b:c%.rs".into()),
            line: Some(7),
            title: "x: y, z\n::stop-commands::t".into(),
            message: "100 %\r\n::set-env name=a::b, c".into(),
        };
        assert_eq!(
            one.command(),
            "::error file=a%2Cb%3Ac%25.rs,line=7,title=x%3A y%2C z%0A%3A%3Astop-commands%3A%3At::100 %25%0D%0A::set-env name=a::b, c"
        );
        let bare = Annotation {
            is_error: false,
            file: None,
            line: Some(3),
            title: "t".into(),
            message: String::new(),
        };
        assert_eq!(bare.command(), "::warning title=t::");
    }

    #[test]
    fn files_are_named_as_the_repository_does() {
        for (dir, file, expected) in [
            (".", "src/a.rs", Some("src/a.rs")),
            ("web", "./src/a.ts", Some("web/src/a.ts")),
            ("web", "web/src/a.ts", Some("web/src/a.ts")),
            (".", "/root/a.rs", None),
            (".", "../a.rs", None),
            ("..", "a.rs", None),
            (".", "C:\\a.rs", None),
            (".", "file:///a.js", None),
            (".", "", None),
        ] {
            assert_eq!(relative(dir, file).as_deref(), expected, "{dir} {file}");
        }
    }
}
