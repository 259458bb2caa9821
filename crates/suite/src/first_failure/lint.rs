//! Linters, checkers of types and formatters: ruff, flake8, pylint, mypy, pyright, black, and what go vet prints.

use super::{Candidate, Line, Proof, Runner, Tracker, Verdicts, pattern, place};
use crate::{FailureKind, Location};

#[derive(Default)]
pub(super) struct Lint {
    found: Option<Candidate>,
    /// pylint's first error, which comes before its advice.
    error: Option<Candidate>,
    /// ruff's rule and what it says; where stands in the next line.
    head: Option<(String, String, u64)>,
    vet: Option<Candidate>,
    /// Whether the linter counted what it found.
    is_counted: bool,
}

impl Tracker for Lint {
    fn line(&mut self, line: &Line<'_>) {
        let text = line.text;
        let head = self.head.take();
        if let Some(found) = types(line) {
            self.keep(found);
            return;
        }
        if text.starts_with(' ') {
            if let (Some((rule, said, at)), Some(rest)) =
                (head, text.trim_start().strip_prefix("--> "))
                && at + 1 == line.number
                && let Some(location) = place(rest)
            {
                let found = Candidate::new(Runner::Lint, "ruff.rule", line, FailureKind::Other);
                self.keep(found.class(&rule).message(&said).at(Some(location)));
            }
            return;
        }
        if !text.contains(' ') || text.len() > 2000 {
            return;
        }
        if let Some(parts) = pattern!(r"^([A-Z]{1,5}\d{3,4}|invalid-syntax:) (?:\[\*\] )?(\S.*)$").captures(text) {
            let rule = parts[1].trim_end_matches(':').to_owned();
            self.head = Some((rule, parts[2].to_owned(), line.number));
        } else if let Some(parts) =
            pattern!(r"^([^\s:][^:]*):(\d+):(\d+): (?:([EFWCRI]\d{4}): |([A-Z]{1,5}\d{3,4}) (?:\[\*\] )?|(invalid-syntax|SyntaxError): )(\S.*)$").captures(text)
        {
            let number = |n: usize| parts.get(n).and_then(|n| n.as_str().parse().ok());
            let location = Location {
                file: parts[1].to_owned(),
                line: number(2),
                column: number(3),
            };
            let rule = (4..=6).find_map(|n| parts.get(n)).map_or("", |rule| rule.as_str());
            let name = if parts.get(4).is_some() { "pylint.message" } else { "lint.rule" };
            let found = Candidate::new(Runner::Lint, name, line, FailureKind::Other);
            let found = found.class(rule).message(&parts[7]).at(Some(location));
            if parts.get(4).is_some() && self.error.is_none() && rule.starts_with(['E', 'F']) {
                self.error = Some(found.clone());
            }
            self.keep(found);
        } else if let Some(file) = text.strip_prefix("would reformat ").or_else(|| text.strip_prefix("Would reformat: ")) {
            let location = Location {
                file: file.trim().to_owned(),
                line: None,
                column: None,
            };
            let found = Candidate::new(Runner::Lint, "format.would_change", line, FailureKind::Other);
            self.keep(found.message(text).at(Some(location)));
        } else if let Some(parts) = pattern!(r"^([^\s:]+\.go:\d+:\d+): (\S.*)$").captures(text) {
            // What it says of a package stands alone, and like the line of a log: only where nothing green follows.
            if self.vet.is_none() {
                let found = Candidate::new(Runner::Go, "go.vet", line, FailureKind::Compile);
                let found = found.message(&parts[2]).at(place(&parts[1]));
                self.vet = Some(found.proof(Proof::Mention));
            }
        } else if pattern!(r"^Found \d+ errors?\b|^Your code has been rated at |^\d+ files? would be reformatted").is_match(text) {
            self.is_counted = true;
        }
    }

    fn end(&mut self, _verdicts: &Verdicts) -> Vec<Candidate> {
        let found = self.error.take().or_else(|| self.found.take());
        let proof = if self.is_counted {
            Proof::Sure
        } else {
            Proof::Shape
        };
        let found = found.map(|found| found.proof(proof));
        found.into_iter().chain(self.vet.take()).collect()
    }
}

/// `a.py:3: error: Incompatible types  [assignment]` of mypy, `  /src/a.py:3:5 - error: text (reportGeneral)` of pyright. No compiler writes
/// of Python so.
fn types(line: &Line<'_>) -> Option<Candidate> {
    let text = line.text;
    if !text.contains(" error: ") || text.len() > 4000 {
        return None;
    }
    let mypy = pattern!(r"^([^\s:][^:]*\.pyi?):(\d+)(?::(\d+))?: error: (.+?)(?:  \[([\w-]+)\])?$");
    let pyright =
        pattern!(r"^\s*([^\s:][^:]*\.pyi?):(\d+):(\d+) - error: (.+?)(?: \((report\w+)\))?$");
    let (rule, parts) = match mypy.captures(text) {
        Some(parts) => ("mypy.error", parts),
        None => ("pyright.error", pyright.captures(text)?),
    };
    let number = |n: usize| parts.get(n).and_then(|n| n.as_str().parse().ok());
    let location = Location {
        file: parts[1].to_owned(),
        line: number(2),
        column: number(3),
    };
    let tool = rule.trim_end_matches(".error");
    let code = parts
        .get(5)
        .map_or_else(String::new, |code| format!(".{}", code.as_str()));
    let found = Candidate::new(Runner::Lint, rule, line, FailureKind::Other);
    let found = found.class(&format!("{tool}{code}")).message(&parts[4]);
    Some(found.at(Some(location)))
}

impl Lint {
    fn keep(&mut self, found: Candidate) {
        if self.found.is_none() {
            self.found = Some(found);
        }
    }
}
