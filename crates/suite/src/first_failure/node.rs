//! Errors that ended a program of node's, and what npm says.

use super::js::location;
use super::{Candidate, Line, Proof, Runner, Tracker, Verdicts, pattern, place};
use crate::FailureKind;

#[derive(Default)]
pub(super) struct Node {
    /// A line that is a place, and its number: the source and a caret follow.
    at: Option<(String, u64)>,
    has_caret: bool,
    open: Option<Candidate>,
    found: Option<Candidate>,
    npm: Option<Candidate>,
    is_npm_told: bool,
}

impl Tracker for Node {
    fn line(&mut self, line: &Line<'_>) {
        self.npm(line);
        if self.found.is_none() {
            self.uncaught(line);
        }
    }

    fn end(&mut self, _verdicts: &Verdicts) -> Vec<Candidate> {
        let found = self.found.take().or_else(|| self.open.take());
        found.into_iter().chain(self.npm.take()).collect()
    }
}

impl Node {
    /// A place, its source, a caret, the error with its stack, `Node.js v20.1.0`.
    fn uncaught(&mut self, line: &Line<'_>) {
        let text = line.text;
        if let Some(found) = &mut self.open {
            if text.starts_with("Node.js v") {
                found.proof = Proof::Sure;
                self.found = self.open.take();
            } else if line.number > found.line + 60 {
                self.found = self.open.take();
            } else {
                let trimmed = text.trim_start();
                found.show(text);
                if let Some(at) = location(trimmed) {
                    // What is node's own was no file of anybody.
                    if found.location.is_none() {
                        found.location = Some(at);
                    }
                } else if found.trace.lines().count() < 12
                    && !trimmed.starts_with("at ")
                    && !found.trace.contains("\n    at ")
                {
                    found.say(trimmed);
                }
            }
            return;
        }
        let Some((at, number)) = &self.at else {
            if pattern!(r"^(?:/\S.*|file://\S+|node:\S+|\[eval\]|\[stdin\]|[A-Z]:\\.+):\d+$")
                .is_match(text)
            {
                (self.at, self.has_caret) = (Some((text.to_owned(), line.number)), false);
            }
            return;
        };
        if line.number > number + 6 {
            self.at = None;
            self.uncaught(line);
        } else if !text.trim().is_empty() && text.trim().bytes().all(|b| b == b'^') {
            self.has_caret = true;
        } else if self.has_caret && !text.is_empty() {
            let shape = pattern!(r"^(?:Uncaught )?([A-Za-z_$][\w$]*)(?: \[(\w+)\])?(?:: (.*))?$");
            if let Some(parts) = shape.captures(text) {
                let mut found =
                    Candidate::new(Runner::Node, "node.uncaught", line, FailureKind::Panic);
                found = found.class(&parts[1]).message(text).proof(Proof::Shape);
                if text.starts_with("SyntaxError") {
                    found.kind = FailureKind::Compile;
                }
                let own = !at.starts_with("node:")
                    && !at.starts_with('[')
                    && !at.contains("node_modules");
                let at = at.strip_prefix("file://").unwrap_or(at);
                if own {
                    found.location = place(at);
                }
                self.open = Some(found);
            }
            self.at = None;
        }
    }

    /// `npm error code E404`, `npm error 404 Not Found - …`; `npm ERR!` before npm 10.
    fn npm(&mut self, line: &Line<'_>) {
        let text = line.text;
        let rest = text
            .strip_prefix("npm error")
            .or_else(|| text.strip_prefix("npm ERR!"));
        let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with(' ')) else {
            return;
        };
        let said = rest.trim();
        let found = self.npm.get_or_insert_with(|| {
            Candidate::new(Runner::Npm, "npm.error", line, FailureKind::Other).proof(Proof::Mention)
        });
        found.show(text);
        let word = said.split(' ').next().unwrap_or_default();
        match word {
            "code" => found.class = said["code".len()..].trim().to_owned(),
            "syscall" | "errno" | "path" | "command" | "signal" | "A" | "" | "at" => {}
            // The code again, before what it means.
            _ if self.is_npm_told => {}
            _ => {
                let said = said.strip_prefix(&found.class).unwrap_or(said).trim();
                self.is_npm_told = !said.is_empty();
                found.say(said);
            }
        }
    }
}
