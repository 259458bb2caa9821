//! Commands that are told to somebody who asks a server: each must work where they are.
//!
//! What a server answers is told with the server, where that was named on the command line and not by the environment; what is done on
//! the server's machine alone is told as that. Everything else is told as it is.

use std::borrow::Cow;

/// The server that is asked.
#[derive(Debug, Clone)]
pub struct Asked {
    base: String,
    /// Whether it was named on the command line itself: the next command must name it again.
    said: bool,
}

/// Where a command is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where the server is named.
    Server,
    /// On the server's machine alone.
    Machine,
    /// Anywhere; or it is no command.
    Any,
}

/// What a command that is done on the server's machine alone is told with.
const THERE: &str = " (on the server's machine)";

/// How a hint goes on behind a command that is run there.
const ELSEWHERE: &str = " on the server's machine";

impl Asked {
    pub fn new(base: &str, said: bool) -> Self {
        Self {
            base: base.to_owned(),
            said,
        }
    }

    /// The line with its commands as they work from here.
    pub fn tell<'a>(&self, line: &'a str) -> Cow<'a, str> {
        if !line.contains("gonogo ") {
            return Cow::Borrowed(line);
        }
        let mut told = String::new();
        let mut rest = line;
        while let Some(at) = rest.find("gonogo ") {
            let quoted = rest[..at].ends_with('`');
            let alone = rest[..at].is_empty() || rest[..at].ends_with(' ');
            let command = &rest[at..];
            let end = match quoted {
                true => command.find('`'),
                false => ["  ", " · ", "\n"]
                    .iter()
                    .filter_map(|e| command.find(e))
                    .min()
                    .or(Some(command.len())),
            };
            let (Some(end), true) = (end, quoted || alone) else {
                told.push_str(&rest[..at + "gonogo ".len()]);
                rest = &rest[at + "gonogo ".len()..];
                continue;
            };
            told.push_str(&rest[..at + end]);
            let mut tail = &command[end..];
            // A hint that says itself where its command is run is told as it is.
            let said = tail.strip_prefix('`').unwrap_or(tail);
            match place(&command[..end]) {
                _ if said.starts_with(ELSEWHERE) => {}
                Place::Server if self.said => told.push_str(&format!(" --server {}", self.base)),
                Place::Machine => {
                    if let Some(behind) = tail.strip_prefix('`') {
                        told.push('`');
                        tail = behind;
                    }
                    told.push_str(THERE);
                }
                _ => {}
            }
            rest = tail;
        }
        told.push_str(rest);
        Cow::Owned(told)
    }
}

fn place(command: &str) -> Place {
    if command.contains(" --server ") {
        return Place::Any;
    }
    let mut words = command.split_whitespace().skip(1);
    match (words.next().unwrap_or_default(), words.next()) {
        ("evidence", what) => match what {
            Some("list" | "show") => Place::Server,
            _ => Place::Machine,
        },
        ("gates", what) => match what {
            Some("dashboard" | "check") => Place::Server,
            _ => Place::Machine,
        },
        (
            "plan" | "approve" | "approval" | "break-glass" | "incident" | "apply" | "release"
            | "status" | "watch" | "cancel" | "rollback" | "freeze" | "unfreeze" | "pin" | "unpin"
            | "known-good" | "rollback-posture" | "history" | "ops" | "whoami" | "slo" | "call",
            _,
        ) => Place::Server,
        (
            "packet" | "token" | "user" | "webhook" | "ledger" | "gate" | "serve" | "agent"
            | "dry-run" | "suite" | "perf" | "runbook",
            _,
        ) => Place::Machine,
        _ => Place::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_told_as_it_works_from_here() {
        let said = Asked::new("http://h:1", true);
        let meant = Asked::new("http://h:1", false);
        for (line, by_flag, by_variable) in [
            (
                "follow it: `gonogo watch op_1`",
                "follow it: `gonogo watch op_1 --server http://h:1`",
                "follow it: `gonogo watch op_1`",
            ),
            (
                "keep the evidence: `gonogo packet op_1`, and then `gonogo ops show op_1`",
                "keep the evidence: `gonogo packet op_1` (on the server's machine), and then `gonogo ops show op_1 --server http://h:1`",
                "keep the evidence: `gonogo packet op_1` (on the server's machine), and then `gonogo ops show op_1`",
            ),
            (
                "next      gonogo apply pln_1",
                "next      gonogo apply pln_1 --server http://h:1",
                "next      gonogo apply pln_1",
            ),
            (
                "next      gonogo plan lint pln_1  # first · gonogo apply pln_1",
                "next      gonogo plan lint pln_1 --server http://h:1  # first · gonogo apply pln_1 --server http://h:1",
                "next      gonogo plan lint pln_1  # first · gonogo apply pln_1",
            ),
            (
                "`gonogo evidence submit FILE`",
                "`gonogo evidence submit FILE` (on the server's machine)",
                "`gonogo evidence submit FILE` (on the server's machine)",
            ),
        ] {
            assert_eq!(said.tell(line), by_flag);
            assert_eq!(meant.tell(line), by_variable);
        }
        for line in [
            "gonogo could not find out what became of it",
            "means     gonogo could not find out, and does not guess",
            "`gonogo explain FROZEN`",
            "`gonogo help server`",
            "correct it; `gonogo status` on the server's machine, and its log say what is wrong",
            "what answers is no gonogo server",
            "a `gonogo watch that nothing ends",
            "nothing",
            "",
        ] {
            assert_eq!(said.tell(line), line);
        }
    }
}
