//! Sanitizers, signals, memory, disks, networks, programs that are not there: what is the same under every runner.

use super::{Candidate, Line, Proof, Runner, Tracker, Verdicts, pattern, place};
use crate::FailureKind;
use crate::cause::network;

#[derive(Default)]
pub(super) struct System {
    report: Option<Candidate>,
    undefined: Option<Candidate>,
    first: Option<Candidate>,
    /// What pip said of the connection that it tried again: the kind of the error.
    broken: Option<String>,
}

impl Tracker for System {
    fn line(&mut self, line: &Line<'_>) {
        self.sanitizer(line);
        self.pip(line);
        // A connection that failed on the way to another failure was tried again, or was not needed.
        if self
            .first
            .as_ref()
            .is_some_and(|first| first.rule == NETWORK)
            && network::is_plain_failure(line.text)
        {
            self.first = None;
        }
        if self.first.is_none() {
            self.first = mention(line);
            if let (Some(first), Some(broken)) = (&mut self.first, &self.broken)
                && first.rule == NETWORK
                && line.text.starts_with("ERROR: ")
            {
                first.say(&format!("connection broken by {broken}"));
            }
        }
    }

    fn end(&mut self, _verdicts: &Verdicts) -> Vec<Candidate> {
        let report = self.report.take().or_else(|| self.undefined.take());
        report.into_iter().chain(self.first.take()).collect()
    }
}

/// The rule of what tools that fetch say.
const NETWORK: &str = "system.network";

impl System {
    /// `WARNING: Retrying (Retry(…)) after connection broken by 'NewConnectionError('…`: why pip finds nothing in the end.
    fn pip(&mut self, line: &Line<'_>) {
        if line.text.contains("after connection broken by '")
            && let Some(parts) =
                pattern!(r"after connection broken by '(\w+)\(").captures(line.text)
        {
            self.broken = Some(parts[1].to_owned());
        }
    }

    fn sanitizer(&mut self, line: &Line<'_>) {
        let text = line.text;
        match &mut self.report {
            None => {
                if let Some(parts) =
                    pattern!(r"^(?:==\d+==\s?ERROR: |WARNING: )(\w+Sanitizer): (.+)$")
                        .captures(text)
                {
                    let kind = if parts[2].contains("leak") {
                        FailureKind::Leak
                    } else {
                        FailureKind::Crash
                    };
                    let found = Candidate::new(Runner::Sanitizer, "sanitizer.report", line, kind);
                    self.report = Some(found.class(&parts[1]).message(&parts[2]));
                } else if let Some(parts) =
                    pattern!(r"^(\S+:\d+:\d+): runtime error: (.+)$").captures(text)
                    && self.undefined.is_none()
                {
                    let found = Candidate::new(
                        Runner::Sanitizer,
                        "sanitizer.undefined",
                        line,
                        FailureKind::Other,
                    );
                    let found = found.class("UndefinedBehaviorSanitizer").message(&parts[2]);
                    self.undefined = Some(found.at(place(&parts[1])).proof(Proof::Shape));
                }
            }
            Some(found) if line.number <= found.line + 200 => {
                if let Some(rest) = text.strip_prefix("SUMMARY: ") {
                    let at = rest
                        .split(' ')
                        .filter_map(|word| place(word.trim_matches(['(', ')'])))
                        .next();
                    if found.location.is_none() {
                        found.location = at;
                    }
                } else {
                    found.show(text);
                }
            }
            Some(_) => {}
        }
    }
}

/// Words that the shell, the kernel or a runtime says in their own shape.
fn mention(line: &Line<'_>) -> Option<Candidate> {
    let text = line.text;
    if let Some(found) = assertion(line)
        .or_else(|| absent(line))
        .or_else(|| network(line))
    {
        return Some(found.proof(Proof::Mention));
    }
    let of = |rule, kind| {
        let found = Candidate::new(Runner::System, rule, line, kind);
        Some(found.message(text).proof(Proof::Mention))
    };
    let signals = [
        "Killed",
        "fault",
        "Aborted",
        "Bus error",
        "Illegal instruction",
        "Floating point",
    ];
    if signals.iter().any(|word| text.contains(word)) {
        let shell = r"^(?:\S*: line \d+: +\d+ |\S*sh: \d+: |\S+: line \d+: |make(?:\[\d+\])?: \*\*\* \[.*\] )?(Segmentation fault|Aborted|Bus error|Illegal instruction|Floating point exception|Killed)(?: +\(core dumped\))?(?:\s{2,}\S.*)?$";
        static SHELL: std::sync::OnceLock<regex::Regex> = std::sync::OnceLock::new();
        let shell = SHELL.get_or_init(|| {
            regex::Regex::new(shell).expect("invariant: a pattern in the source is one")
        });
        if shell.is_match(text) {
            return of("system.signal", FailureKind::Crash);
        }
        if text.contains("fatal error: Killed signal terminated program") {
            return of("system.killed_compiler", FailureKind::OutOfMemory);
        }
    }
    if text.contains("137") && !text.contains("make") {
        let patterns = pattern!(
            r"(?i)\bexit(?:ed)?(?: with)?(?: an?)?(?: exit)? (?:code|status):? ?137\b|\bError 137$|\bstatus=137\b"
        );
        if patterns.is_match(text) {
            return of("system.signal", FailureKind::Crash);
        }
    }
    if text.starts_with("make") && text.ends_with(" Error 137") {
        return of("system.signal", FailureKind::Crash);
    }
    if text.contains("emory") || text.contains("bad_alloc") {
        let patterns = pattern!(
            r"(?:^|: )Out of memory: Kill(?:ed)? process \d+|^(?:Exception in thread .*|Caused by: |\[ERROR\] )?java\.lang\.OutOfMemoryError: |^(?:<--- .*|FATAL ERROR: ).*(?:JavaScript heap out of memory|Allocation failed)|^memory allocation of \d+ bytes failed|^terminate called after throwing an instance of 'std::bad_alloc'|^(?:\S+: )?(?:virtual memory exhausted|out of memory allocating \d+ bytes)|: Cannot allocate memory(?: \(os error 12\))?$|^\S*oom-kill:|^fatal error: runtime: out of memory"
        );
        if patterns.is_match(text) {
            return of("system.out_of_memory", FailureKind::OutOfMemory);
        }
    }
    if text.contains("No space left on device")
        || text.contains("ENOSPC")
        || text.contains("Disk quota exceeded")
        || text.contains("Errno 28")
    {
        let patterns = pattern!(
            r"(?:^|: )(?:No space left on device|Disk quota exceeded)(?: \(os error (?:28|122)\))?\.?$|^(?:npm (?:ERR!|error) (?:code )?|Error: |\[Error: )?ENOSPC\b|^OSError: \[Errno 28\]"
        );
        if patterns.is_match(text) {
            return of("system.disk_full", FailureKind::Other);
        }
    }
    None
}

/// `prog: x.c:3: main: Assertion `x == 2' failed.` (glibc), `Assertion failed: (x == 2), function main, file x.c, line 3.` (macOS, musl).
fn assertion(line: &Line<'_>) -> Option<Candidate> {
    let text = line.text;
    if !text.contains("Assertion ") {
        return None;
    }
    let found = || {
        Candidate::new(
            Runner::System,
            "system.assertion",
            line,
            FailureKind::Assertion,
        )
    };
    let glibc = pattern!(r"^(?:[^\s:]+: )?([^\s:]+:\d+): .+: (Assertion `.*' failed\.)$");
    if let Some(parts) = glibc.captures(text) {
        return Some(found().message(&parts[2]).at(place(&parts[1])));
    }
    let other = pattern!(
        r"^(Assertion failed: .+?),? \(?(?:function [^,]+, )?(?:file )?([^\s:,()]+)(?:, line |: .*: )(\d+)\)?\.?$"
    );
    let parts = other.captures(text)?;
    let at = format!("{}:{}", &parts[2], &parts[3]);
    Some(found().message(&parts[1]).at(place(&at)))
}

/// A program or a file that a shell, make or env did not find, or may not run.
fn absent(line: &Line<'_>) -> Option<Candidate> {
    let text = line.text;
    if !(text.ends_with("not found")
        || text.ends_with("Permission denied")
        || text.ends_with("No such file or directory")
        || text.starts_with("zsh: "))
    {
        return None;
    }
    let shape = pattern!(
        r"^(?:/?(?:\S+/)?(?:ba|da|a|k|z)?sh: (?:line )?(?:\d+: )?\S+: (?:command )?(?:not found|Permission denied|No such file or directory)|\S+: (?:line )?\d+: \S+: (?:command )?(?:not found|Permission denied|No such file or directory)|zsh: (?:command not found|permission denied|no such file or directory): \S+|make(?:\[\d+\])?: \S+: (?:Command not found|No such file or directory|Permission denied)|env: \S+: (?:No such file or directory|Permission denied))$"
    );
    let found = Candidate::new(Runner::System, "system.not_found", line, FailureKind::Setup);
    shape.is_match(text).then(|| found.message(text))
}

/// What tools that fetch say when they could not, and a port that somebody else has.
fn network(line: &Line<'_>) -> Option<Candidate> {
    let text = line.text;
    let of = |rule, said: &str| {
        let found = Candidate::new(Runner::System, rule, line, FailureKind::Setup);
        Some(found.message(said))
    };
    let is_told = [
        "ddress already in use",
        "EADDRINUSE",
        "port is already allocated",
    ]
    .iter()
    .any(|word| text.contains(word));
    if is_told {
        let shape = pattern!(
            r"(?:^|: |\] )(?:(?:listen )?EADDRINUSE\b.*|[Aa]ddress already in use(?:\.|:? ?\S*:\d+| \(.*\))?|port is already allocated\.?)$"
        );
        return shape
            .is_match(text)
            .then(|| of("system.address_in_use", text))?;
    }
    // It may write behind its own progress.
    if let Some(at) = text.find("curl: (") {
        let is_own = text[..at]
            .bytes()
            .all(|b| b.is_ascii_digit() || b" -:.kMG".contains(&b));
        return (is_own && pattern!(r"^curl: \(\d+\) \S").is_match(&text[at..]))
            .then(|| of(NETWORK, &text[at..]))?;
    }
    let begins = [
        "Resolving ",
        "ssh: ",
        "Error response from daemon: ",
        "docker: ",
        "error pulling image",
        "failed to ",
        "fatal: ",
        "E: ",
        "wget: ",
        "ERROR: ",
        "Connecting to ",
        "Err:",
    ];
    let is_resolving = text.contains("Temporary failure resolving");
    if !is_resolving && !begins.iter().any(|word| text.starts_with(word)) {
        return None;
    }
    let shape = pattern!(
        r"^(?:fatal: (?:unable to access '|[Cc]ould not read from remote repository|repository '.*' not found|unable to look up |could not read (?:Username|Password) for )|E: (?:Failed to fetch |Unable to (?:fetch|locate package|connect to) |The repository '|Some index files failed)|wget: (?:unable to resolve|can't connect|bad address|server returned error)|ERROR: (?:Could not find a version that satisfies|No matching distribution found|Could not install packages due to an OSError)|Connecting to .*(?:failed: |\.\.\. failed))"
    );
    (shape.is_match(text) || network::is_told(text)).then(|| of(NETWORK, text))?
}
