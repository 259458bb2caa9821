//! C and C++: what the runtime, the C library and the shell say of a crash; sanitizers and Valgrind.

use std::sync::LazyLock;

use regex::Regex;

use super::begin::{Begun, regex};
use super::{Lang, Open, Step};

const CRASH: u8 = 0;
const REPORT: u8 = 1;
const SUMMARY: u8 = 2;
const UNDEFINED: u8 = 3;
const VALGRIND: u8 = 4;
const SIGNAL: u8 = 5;

static TERMINATE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?:terminate called (?:after throwing an instance of '(.+)'|without an active exception|recursively)|libc\+\+abi(?:\.dylib)?: terminating (?:due to|with) uncaught exception(?: of type ([\w:]+))?(?:: (.*))?)\s*$",
    )
});
static LIBRARY: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(\*\*\* (?:stack smashing|buffer overflow) detected \*\*\*|\*\*\* .+ detected \*\*\*|double free or corruption|free\(\): \w+|malloc\(\): \w+|malloc_consolidate\(\): \w+|realloc\(\): \w+|munmap_chunk\(\): \w+|corrupted size vs\. prev_size|corrupted double-linked list)(.*)$",
    )
});
static ASSERTION: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:\S+: )?[^\s:]+:\d+: .+: Assertion [`'](.*)' failed\.$|^Assertion failed: (.*) \(.+: .+: \d+\)$|^Assertion failed: (.*), (?:file|function) .*\d+\.?$",
    )
});
static SIGNALLED: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:\S+: line \d+:\s+\d+ )?(Segmentation fault|Bus error|Illegal instruction|Floating point exception|Trace/breakpoint trap|Aborted|Killed)( +\(core dumped\).*)?(  +\S.*)?$",
    )
});
static RECEIVED: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?:Program|Thread .+) received signal (SIG\w+), "));
static FRAME: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^\s*#\d+\s+(?:0x[0-9a-f]+ )?(?:in )?(\S.*)$|^(?:\[[\w.-]+:\d+\] \[ ?\d+\] )?\S+\(([^)]*)\) ?\[0x[0-9a-f]+\]$|^\s+\d+# (.*)$",
    )
});
static SANITIZER: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?:==\d+==\s?(?:ERROR|WARNING): (\w+Sanitizer): (.*)|WARNING: (ThreadSanitizer): (.*?)(?: \(pid=\d+\))?|(AddressSanitizer|UndefinedBehaviorSanitizer|ThreadSanitizer|LeakSanitizer|MemorySanitizer):(DEADLYSIGNAL))$",
    )
});
static BEHAVIOUR: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^(\S+:\d+:\d+): runtime error: (.*)$"));
static MEMCHECK: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^==(\d+)== (Invalid (?:read|write) of size.*|Conditional jump.*|Use of uninitialised.*|Invalid free.*|Mismatched free.*|Process terminating.*|Jump to the invalid.*|Source and destination overlap.*|Syscall param.*|[\d,]+ (?:\([^)]*\) )?bytes in [\d,]+ blocks are (?:definitely|possibly|indirectly) lost.*)$",
    )
});

pub(super) fn begin(line: &str, before: Option<&str>) -> Option<Begun> {
    let ruled = |begun: Begun| match before {
        Some(before) if before.starts_with("==================") => begun.with_before(),
        _ => begun,
    };
    if line.contains("Sanitizer")
        && let Some(found) = SANITIZER.captures(line)
    {
        let text = |group| found.get(group).map_or("", |text| text.as_str());
        let rest = format!("{}{}{}", text(2), text(4), text(6));
        let kind = rest
            .split([' ', ':', '('])
            .find(|word| !word.is_empty())
            .unwrap_or("");
        let kind = match (text(1), kind) {
            ("LeakSanitizer", _) => "memory leaks",
            (_, "data") => "data race",
            (_, "attempting") if rest.contains("double-free") => "double-free",
            (_, kind) => kind,
        };
        let state = if text(6).is_empty() { REPORT } else { SIGNAL };
        let mut begun = Begun::new(
            found.get(0)?.start(),
            Open::new(Lang::Sanitizer, state, kind, "").strong(),
        );
        // The address and the process differ each time.
        begun.open.message = rest.split(" on ").next().unwrap_or("").to_owned();
        return Some(ruled(begun));
    }
    if line.contains("runtime error: ")
        && let Some(found) = BEHAVIOUR.captures(line)
    {
        let open = Open::new(Lang::Sanitizer, UNDEFINED, "undefined-behavior", &found[2]);
        return Some(Begun::new(0, open.strong().located()));
    }
    if line.starts_with("==")
        && let Some(found) = MEMCHECK.captures(line)
    {
        let kind = found[2]
            .split(['(', '='])
            .next()
            .unwrap_or("")
            .trim()
            .to_owned();
        let mut open = Open::new(Lang::Sanitizer, VALGRIND, &kind, "").strong();
        open.note = format!("=={}==", &found[1]);
        return Some(Begun::new(0, open));
    }
    if line.contains("terminat")
        && let Some(found) = TERMINATE.captures(line)
    {
        let kind = found
            .get(1)
            .or(found.get(2))
            .map_or("terminate", |kind| kind.as_str());
        let message = found.get(3).map_or("", |message| message.as_str());
        return Some(Begun::new(
            found.get(0)?.start(),
            Open::new(Lang::Cpp, CRASH, kind, message).strong(),
        ));
    }
    if line.contains("ssertion")
        && let Some(found) = ASSERTION.captures(line)
    {
        let message = (1..4)
            .find_map(|group| found.get(group))
            .map_or("", |message| message.as_str());
        return Some(Begun::new(
            0,
            Open::new(Lang::Cpp, CRASH, "assertion", message)
                .strong()
                .located(),
        ));
    }
    if line.starts_with(['*', 'd', 'f', 'm', 'r', 'c'])
        && let Some(found) = LIBRARY.captures(line)
    {
        return Some(Begun::new(
            0,
            Open::new(
                Lang::Cpp,
                CRASH,
                found[1].trim_matches(['*', ' ']),
                found[2].trim(),
            )
            .strong(),
        ));
    }
    if line.contains("received signal")
        && let Some(found) = RECEIVED.captures(line)
    {
        return Some(Begun::new(
            0,
            Open::new(Lang::Cpp, CRASH, &found[1], "").strong(),
        ));
    }
    if let Some(found) = SIGNALLED.captures(line)
        && (found.get(2).is_some() || !matches!(&found[1], "Aborted" | "Killed"))
    {
        return Some(Begun::new(
            0,
            Open::new(Lang::Cpp, CRASH, &found[1], "").strong(),
        ));
    }
    None
}

/// Counts a frame of any of those forms.
fn frame(open: &mut Open, line: &str) -> bool {
    let Some(found) = FRAME.captures(line) else {
        return false;
    };
    let name = (1..4)
        .find_map(|group| found.get(group))
        .map_or("", |name| name.as_str());
    let end = name.find([' ', '(', '+']).unwrap_or(name.len());
    open.frame(&name[..end]);
    true
}

pub(super) fn step(open: &mut Open, line: &str) -> Step {
    if frame(open, line) {
        return Step::Take;
    }
    let trimmed = line.trim();
    if let Some(what) = trimmed.strip_prefix("what():") {
        open.message = what.trim().to_owned();
        return Step::Take;
    }
    if trimmed.is_empty() {
        return Step::Hold;
    }
    if SIGNALLED.is_match(trimmed) {
        return Step::End;
    }
    if trimmed.starts_with("======= Backtrace")
        || trimmed.starts_with("terminate called recursively")
    {
        return Step::Take;
    }
    // `what()` of several lines ends with the shell's word.
    if open.lines == 2 && !open.message.is_empty() && open.frames == 0 {
        return Step::Hold;
    }
    Step::Refuse
}

pub(super) fn sanitizer(open: &mut Open, line: &str) -> Step {
    let trimmed = line.trim_end();
    match open.state {
        VALGRIND => {
            let Some(rest) = trimmed.strip_prefix(open.note.as_str()) else {
                return Step::Refuse;
            };
            let text = rest.trim();
            if text.is_empty() {
                // A blank line ends one report; what follows is another or a summary.
                open.state = SUMMARY + 100;
                return Step::Hold;
            }
            if !rest.starts_with("  ") && open.frames > 0 {
                return Step::Refuse;
            }
            if text.starts_with("at 0x") || text.starts_with("by 0x") {
                let name = text.split_once(": ").map_or("", |(_, name)| name);
                let name = name.split(" (").next().unwrap_or(name).to_owned();
                open.frame(&name);
            }
            Step::Take
        }
        UNDEFINED => {
            if frame(open, trimmed) {
                return Step::Take;
            }
            if trimmed.starts_with("SUMMARY: UndefinedBehaviorSanitizer") {
                return Step::End;
            }
            if trimmed.contains(": note: ")
                || open.lines < 4
                    && (trimmed.starts_with(' ')
                        && trimmed
                            .trim()
                            .bytes()
                            .all(|byte| matches!(byte, b'^' | b'~')))
            {
                return Step::Take;
            }
            if trimmed.is_empty() {
                return Step::Hold;
            }
            Step::Refuse
        }
        SIGNAL => {
            if let Some(found) = SANITIZER.captures(trimmed) {
                open.kind = found
                    .get(2)
                    .map_or("", |rest| rest.as_str())
                    .split(' ')
                    .next()
                    .unwrap_or("")
                    .to_owned();
                open.state = REPORT;
                return Step::Take;
            }
            if trimmed.starts_with("=====") {
                Step::Take
            } else {
                Step::Refuse
            }
        }
        REPORT => {
            if trimmed.is_empty() {
                return Step::Hold;
            }
            if trimmed.starts_with("SUMMARY: ") {
                open.state = SUMMARY;
                return Step::Take;
            }
            if frame(open, trimmed) {
                return Step::Take;
            }
            if trimmed.starts_with("==================") && open.frames > 0 {
                return Step::End;
            }
            Step::Take
        }
        SUMMARY => {
            if trimmed.is_empty() {
                return Step::Hold;
            }
            if trimmed.ends_with("==ABORTING")
                || trimmed.starts_with("==================")
                || trimmed == "Exiting"
            {
                return Step::End;
            }
            if trimmed.starts_with("Shadow ")
                || trimmed.starts_with("  ")
                || trimmed.starts_with("=>")
                || trimmed.starts_with("HINT:")
            {
                return Step::Take;
            }
            Step::Refuse
        }
        _ => Step::Refuse,
    }
}
