//! What linters print, as places: one for each finding, whichever linter it is.
//!
//! Forms: `a.py:3:5: E501 …` of most of them (ruff's concise output, flake8, mypy, go vet, compilers), a heading and `--> src/a.rs:3:5` of rustc, clippy and
//! ruff, a file and `3:5  error  …` below it of ESLint. Notes and helps belong to a finding and are none. A line that only looks like a time is no place.

use std::sync::OnceLock;

use regex::Regex;

use super::github::relative;

/// Most findings of one target.
const MOST: usize = 5_000;

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Relative to the repository.
    pub path: String,
    /// From 1.
    pub line: u32,
    /// What it says.
    pub text: String,
    pub is_warning: bool,
}

struct Forms {
    arrow: Regex,
    plain: Regex,
    below: Regex,
}

fn forms() -> Option<&'static Forms> {
    static FORMS: OnceLock<Option<Forms>> = OnceLock::new();
    let made = FORMS.get_or_init(|| {
        Some(Forms {
            arrow: Regex::new(r"^\s*--> ([^:\s][^:]*):([0-9]+)(?::[0-9]+)?$").ok()?,
            plain: Regex::new(r"^([^:\s][^:]*[./][^:]*):([0-9]+)(?::[0-9]+)?: (.+)$").ok()?,
            below: Regex::new(r"^\s+([0-9]+):[0-9]+\s+(error|warning)\s+(.+)$").ok()?,
        })
    });
    made.as_ref()
}

/// The findings in what a linter printed in a directory of the project. `root` is the project's own directory: names below it are the project's.
pub(super) fn places(text: &str, dir: &str, root: &str) -> Vec<Place> {
    let mut found: Vec<Place> = Vec::new();
    let Some(forms) = forms() else { return found };
    let root = format!("{}/", root.trim_end_matches('/'));
    let own = |path: &str| -> Option<String> {
        let inner = path.strip_prefix(root.as_str()).filter(|_| root.len() > 1);
        match inner {
            Some(inner) => relative(".", inner),
            None => relative(dir, path),
        }
    };
    let (mut heading, mut file) = (String::new(), None);
    for line in text.lines() {
        let line = crate::first_failure::clean(line);
        let line = line.trim_end();
        if found.len() == MOST {
            break;
        }
        let (path, number, text) = if let Some(at) = forms.arrow.captures(line) {
            (own(&at[1]), at[2].parse(), heading.clone())
        } else if let Some(at) = forms.plain.captures(line) {
            (own(&at[1]), at[2].parse(), at[3].to_owned())
        } else if let Some(at) = forms.below.captures(line) {
            (
                file.clone(),
                at[1].parse(),
                format!("{}: {}", &at[2], spaced(&at[3])),
            )
        } else {
            if !line.is_empty() && !line.starts_with([' ', '\t', '|']) {
                heading = line.to_owned();
                file = own(line);
            }
            continue;
        };
        let (Some(path), Ok(line)) = (path, number) else {
            continue;
        };
        let text = text.trim();
        let is_more = ["note", "help"].iter().any(|word| {
            let rest = text.strip_prefix(word);
            rest.is_some_and(|rest| rest.starts_with(':'))
        });
        if is_more || text.is_empty() {
            continue;
        }
        found.push(Place {
            path,
            line,
            is_warning: text.starts_with("warning"),
            text: text.to_owned(),
        });
        // A heading is of the first place below it; others there explain it.
        heading.clear();
    }
    found
}

/// Columns of a table as words.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        let found = places(text, ".", "/home/me/shop");
        found
            .iter()
            .map(|p| {
                format!(
                    "{}:{} {}{}",
                    p.path,
                    p.line,
                    if p.is_warning { "W " } else { "" },
                    p.text
                )
            })
            .collect()
    }

    #[test]
    fn findings_of_each_linter() {
        for (text, expected) in [
            (
                "a.py:1:8: F401 [*] `os` imported but unused\na.py:2:8: F401 [*] `re` imported but unused\nFound 2 errors.",
                &[
                    "a.py:1 F401 [*] `os` imported but unused",
                    "a.py:2 F401 [*] `re` imported but unused",
                ][..],
            ),
            (
                "F401 [*] `os` imported but unused\n --> src/a.py:1:8\n  |\n1 | import os\n  |        ^^\n  |\nhelp: Remove unused import: `os`\n\nE711 Comparison\n --> src/a.py:9:1\n",
                &[
                    "src/a.py:1 F401 [*] `os` imported but unused",
                    "src/a.py:9 E711 Comparison",
                ],
            ),
            (
                "\u{1b}[1m\u{1b}[33mwarning\u{1b}[0m: unused variable: `x`\n  \u{1b}[34m-->\u{1b}[0m src/a.rs:3:5\n   |\nnote: the lint level is defined here\n  --> src/lib.rs:1:9\nerror: needless\n  --> src/b.rs:4:1\n",
                &[
                    "src/a.rs:3 W warning: unused variable: `x`",
                    "src/b.rs:4 error: needless",
                ],
            ),
            (
                "/home/me/shop/web/a.js\n  3:5  error    'x' is not defined       no-undef\n  4:1  warning  Unexpected console statement  no-console\n\n✖ 2 problems\n",
                &[
                    "web/a.js:3 error: 'x' is not defined no-undef",
                    "web/a.js:4 W warning: Unexpected console statement no-console",
                ],
            ),
            (
                "a.py:3: error: Incompatible types  [assignment]\na.py:3: note: see here\nFound 1 error in 1 file (checked 1 source file)",
                &["a.py:3 error: Incompatible types  [assignment]"],
            ),
            (
                "# e.com/g\n./a.go:3:2: unreachable code",
                &["a.go:3 unreachable code"],
            ),
            (
                "12:30:05: it began\n/usr/lib/x.py:3:1: E1\n../x.py:3: no",
                &[],
            ),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }
}
