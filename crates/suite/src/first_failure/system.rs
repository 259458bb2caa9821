//! Sanitizers, signals, memory, disks: what is the same under every runner.

use super::{Candidate, Line, Proof, Runner, Tracker, Verdicts, pattern, place};
use crate::FailureKind;

#[derive(Default)]
pub(super) struct System {
    report: Option<Candidate>,
    undefined: Option<Candidate>,
    first: Option<Candidate>,
}

impl Tracker for System {
    fn line(&mut self, line: &Line<'_>) {
        self.sanitizer(line);
        if self.first.is_none() {
            self.first = mention(line);
        }
    }

    fn end(&mut self, _verdicts: &Verdicts) -> Vec<Candidate> {
        let report = self.report.take().or_else(|| self.undefined.take());
        report.into_iter().chain(self.first.take()).collect()
    }
}

impl System {
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
        "Fatal Python error",
    ];
    if signals.iter().any(|word| text.contains(word)) {
        let shell = r"^(?:\S*: line \d+: +\d+ |\S*sh: \d+: |\S+: line \d+: |make(?:\[\d+\])?: \*\*\* \[.*\] )?(Segmentation fault|Aborted|Bus error|Illegal instruction|Floating point exception|Killed)(?: +\(core dumped\))?(?:\s{2,}\S.*)?$";
        static SHELL: std::sync::OnceLock<regex::Regex> = std::sync::OnceLock::new();
        let shell = SHELL.get_or_init(|| {
            regex::Regex::new(shell).expect("invariant: a pattern in the source is one")
        });
        if shell.is_match(text) || text.starts_with("Fatal Python error: ") {
            return of("system.signal", FailureKind::Crash);
        }
        if text.contains("fatal error: Killed signal terminated program") {
            return of("system.killed_compiler", FailureKind::OutOfMemory);
        }
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
