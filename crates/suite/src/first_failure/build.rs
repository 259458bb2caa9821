//! Compilers of C and C++, linkers, make, GoogleTest, tsc, ESLint.

use super::{Candidate, Line, Proof, Runner, Tracker, Verdicts, pattern, place};
use crate::{FailureKind, Location};

#[derive(Default)]
pub(super) struct Build {
    native: Option<Candidate>,
    make: Option<Candidate>,
    typescript: Option<Candidate>,
    eslint: Option<Candidate>,
    /// The file that ESLint's findings are below.
    linted: Option<String>,
    gtest: Option<Candidate>,
    gtest_open: bool,
    gtest_named: bool,
    closing: u64,
    /// Where makes are at work, the innermost last.
    dirs: Vec<String>,
}

impl Tracker for Build {
    fn line(&mut self, line: &Line<'_>) {
        let text = line.text;
        let before = self.native.is_some();
        self.native(line);
        if let Some(place) = self
            .native
            .as_mut()
            .filter(|_| !before)
            .and_then(|c| c.location.as_mut())
            && let Some(dir) = self.dirs.last().filter(|_| !place.file.starts_with('/'))
        {
            // Compilers name files from where their make is.
            place.file = format!("{dir}/{}", place.file);
        }
        self.directory(text);
        self.gtest(line);
        if self.typescript.is_none() && text.contains("error TS") {
            // `file(3,5): error TS1: m`, and prettier: `file:3:5 - error TS1: m`.
            let parts =
                pattern!(r"^(.+?)(?:\((\d+),(\d+)\): |:(\d+):(\d+) - )error (TS\d+): (.+)$")
                    .captures(text);
            if let Some(parts) = parts {
                let number = |a: usize, b: usize| {
                    parts
                        .get(a)
                        .or_else(|| parts.get(b))
                        .and_then(|n| n.as_str().parse().ok())
                };
                let location = Location {
                    file: parts[1].to_owned(),
                    line: number(2, 4),
                    column: number(3, 5),
                };
                let found =
                    Candidate::new(Runner::Typescript, "tsc.error", line, FailureKind::Compile);
                self.typescript = Some(
                    found
                        .class(&parts[6])
                        .message(&parts[7])
                        .at(Some(location))
                        .proof(Proof::Shape),
                );
            }
        }
        self.eslint(line);
    }

    fn end(&mut self, _verdicts: &Verdicts) -> Vec<Candidate> {
        let mut out = Vec::new();
        if let Some(found) = self.native.take() {
            let proof = if self.closing > found.line {
                Proof::Sure
            } else {
                Proof::Shape
            };
            out.push(found.proof(proof));
        } else {
            out.extend(self.make.take());
        }
        out.extend(self.typescript.take());
        out.extend(self.eslint.take().filter(|c| c.proof == Proof::Sure));
        out.extend(self.gtest.take().filter(|_| self.gtest_named));
        out
    }
}

impl Build {
    /// `make[1]: Entering directory '/src/sub'`, and that it left it.
    fn directory(&mut self, text: &str) {
        if !text.contains("ing directory ") {
            return;
        }
        let shape = pattern!(r"^g?make(?:\[\d+\])?: (Entering|Leaving) directory [`'](.+)'$");
        match shape.captures(text) {
            Some(parts) if &parts[1] == "Entering" && self.dirs.len() < 64 => {
                self.dirs.push(parts[2].to_owned());
            }
            Some(parts) if &parts[1] == "Leaving" => {
                self.dirs.pop();
            }
            _ => {}
        }
    }

    fn native(&mut self, line: &Line<'_>) {
        let text = line.text;
        let closes = text.starts_with("collect2: error:")
            || text.starts_with("compilation terminated.")
            || text.contains("error: linker command failed")
            || text.starts_with("ninja: build stopped")
            || text.starts_with("make") && text.contains(": *** ")
            || pattern!(r"^\d+ (warnings? and \d+ )?errors? generated\.$").is_match(text)
            || pattern!(r"^\d+ errors?$").is_match(text);
        if closes {
            self.closing = line.number;
            if text.starts_with("make") && self.make.is_none() {
                let found = Candidate::new(Runner::Native, "make.error", line, FailureKind::Other);
                let message = text.split_once(": *** ").map_or(text, |(_, m)| m);
                self.make = Some(found.message(message).proof(Proof::Mention));
            }
            return;
        }
        if self
            .native
            .as_ref()
            .is_some_and(|c| c.trace.lines().count() < 20)
            && !text.is_empty()
        {
            if let Some(found) = self.native.as_mut().filter(|c| line.number <= c.line + 20) {
                found.show(text);
            }
            return;
        }
        if self.native.is_some() {
            return;
        }
        if text.contains("error: ") || text.contains("error C") || text.contains("error LNK") {
            if let Some(parts) =
                pattern!(r"^((?:[A-Za-z]:)?[^\s:(][^:(]*:\d+(?::\d+)?): (?:fatal )?error: (.+)$")
                    .captures(text)
                    .filter(|parts| !parts[1].contains(".py:") && !parts[1].contains(".pyi:"))
            {
                let found = Candidate::new(Runner::Native, "cc.error", line, FailureKind::Compile);
                self.native = Some(found.message(&parts[2]).at(place(&parts[1])));
            } else if let Some(parts) =
                pattern!(r"^(.+)\((\d+)(?:,(\d+))?\)\s?: (?:fatal )?error (C\d+|LNK\d+): (.+)$")
                    .captures(text)
            {
                let location = Location {
                    file: parts[1].to_owned(),
                    line: parts[2].parse().ok(),
                    column: parts.get(3).and_then(|n| n.as_str().parse().ok()),
                };
                let found =
                    Candidate::new(Runner::Native, "msvc.error", line, FailureKind::Compile);
                self.native = Some(found.class(&parts[4]).message(&parts[5]).at(Some(location)));
            }
        } else if text.contains("undefined reference to")
            || text.contains("Undefined symbols for architecture")
            || text.contains("multiple definition of")
        {
            let is_ld = pattern!(r"(^|/)ld(\.\w+)?: |: in function |\(\.text|^Undefined symbols|^\S+\.(c|cc|cpp|cxx|o|a)[:(]").is_match(text);
            if is_ld {
                let found = Candidate::new(Runner::Native, "ld.error", line, FailureKind::Compile);
                let location = pattern!(r"([^\s:()]+\.(?:c|cc|cpp|cxx)):(\d+)")
                    .find(text)
                    .and_then(|m| place(m.as_str()));
                self.native = Some(found.message(text).at(location));
            }
        } else if let Some(rest) = text.strip_prefix("CMake Error at ") {
            let at = rest
                .split(' ')
                .next()
                .unwrap_or_default()
                .trim_end_matches(':');
            let found = Candidate::new(Runner::Native, "cmake.error", line, FailureKind::Compile);
            self.native = place(at).map(|at| found.message(text).at(Some(at)));
        }
    }

    /// `x.cc:12: Failure`, lines, `[  FAILED  ] Suite.Test`.
    fn gtest(&mut self, line: &Line<'_>) {
        let text = line.text;
        if let Some(rest) = text.strip_prefix("[  FAILED  ] ") {
            self.gtest_open = false;
            if let Some(found) = self.gtest.as_mut().filter(|_| !self.gtest_named) {
                found.test = rest.split([' ', ',']).next().map(str::to_owned);
                self.gtest_named = true;
            }
        } else if text.starts_with("[       OK ]") {
            // It failed in a test that passed: it was meant to.
            if !self.gtest_named {
                (self.gtest, self.gtest_open) = (None, false);
            }
        } else if self.gtest_open {
            if let Some(found) = &mut self.gtest {
                found.say(text);
                found.show(text);
                self.gtest_open = line.number < found.line + 20;
            }
        } else if self.gtest.is_none()
            && let Some(at) = text
                .strip_suffix(": Failure")
                .or_else(|| text.strip_suffix(": error: "))
            && let Some(at) = place(at)
        {
            let found =
                Candidate::new(Runner::Gtest, "gtest.failure", line, FailureKind::Assertion);
            (self.gtest, self.gtest_open) = (Some(found.at(Some(at))), true);
        }
    }

    fn eslint(&mut self, line: &Line<'_>) {
        let text = line.text;
        if text.starts_with('✖') && text.contains(" problem") {
            if let (Some(found), false) = (&mut self.eslint, text.contains("(0 errors")) {
                found.proof = Proof::Sure;
            }
        } else if text.starts_with(' ') {
            if let (Some(file), None, true) = (&self.linted, &self.eslint, text.contains(" error "))
                && let Some(parts) =
                    pattern!(r"^\s+(\d+):(\d+)\s+error\s+(.+?)(?:\s{2,}(\S+))?$").captures(text)
            {
                let location = Location {
                    file: file.clone(),
                    line: parts[1].parse().ok(),
                    column: parts[2].parse().ok(),
                };
                let found =
                    Candidate::new(Runner::Eslint, "eslint.error", line, FailureKind::Other)
                        .proof(Proof::Mention);
                let class = parts.get(4).map_or("eslint", |c| c.as_str());
                self.eslint = Some(found.class(class).message(&parts[3]).at(Some(location)));
            }
        } else if !text.is_empty() {
            let is_file =
                pattern!(r"^\S[^:]*\.(?:[cm]?[jt]sx?|vue|svelte|json|html)$").is_match(text);
            self.linted = is_file.then(|| text.to_owned());
        }
    }
}
