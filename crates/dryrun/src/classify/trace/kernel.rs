//! The Linux kernel: oopses, bugs, panics, stalls, and warnings with a call trace, as `dmesg`, the journal and consoles show them.

use std::sync::LazyLock;

use regex::Regex;

use super::begin::{Begun, regex};
use super::{Lang, Open, Step};

const BODY: u8 = 0;
const CALLS: u8 = 1;
const TAIL: u8 = 2;

static START: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:watchdog: |rcu: |refcount_t: )?(BUG: (?:unable to handle|kernel NULL|soft lockup|KASAN:|KFENCE:|KMSAN:|KCSAN:|UBSAN:|workqueue lockup|Bad page|Bad rss|scheduling while atomic|sleeping function|spinlock|recent printk|stack guard page|using |TASK stack|non-zero).*|Oops: [0-9a-f]{4}.*|Oops: (?:general protection|invalid opcode|int3|divide error|stack segment).*|Oops \[#\d+\].*|Kernel panic - not syncing: .*|general protection fault.*\[#\d+\].*|kernel BUG at .*|Unable to handle kernel .*|Internal error: .*\[#\d+\].*|invalid opcode: .*\[#\d+\].*|divide error: .*\[#\d+\].*|stack segment: .*\[#\d+\].*|WARNING: CPU: \d+ PID: \d+ at .*|INFO: task \S+ blocked for more than \d+ seconds.*|INFO: \w+ (?:self-)?detected stalls?.*|INFO: \w+ self-detected stall.*|NMI watchdog: Watchdog detected hard LOCKUP.*|UBSAN: \S+ in .*)$",
    )
});
/// ` ? foo+0x12/0x34 [module]`, ` [<ffffffff81234567>] foo+0x12/0x34`, `pc : foo+0x12/0x34`.
static FRAME: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^\s*(?:\[<[0-9a-f]+>\] )?(?:\(\S+\) )?(?:\? )?([\w.$]+)\+0x[0-9a-f]+/0x[0-9a-f]+(?: \[[^\]]+\])*(?: \S.*)?$",
    )
});
static PLACE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:RIP|EIP|NIP|PC is at|epc|pc) ?:? ?(?:[0-9a-f]{4}:)?\s*(?:\[<[0-9a-f]+>\] )?([\w.$]+)\+0x[0-9a-f]+/0x[0-9a-f]+",
    )
});
/// What stands between: registers, code, what was running.
static LINE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^\s*(?:[A-Za-z][\w ()./-]{0,30}:|<\d+>|</?(?:TASK|IRQ|NMI|SOFTIRQ|ENTRY_TRAMPOLINE|#DF|EOE)>|#PF:|PGD |Call [Tt]race|Oops|Modules linked in|---\[|\[ *end |Kernel panic|x\d+ ?:|[rR]\d+ ?:|=====+|\[<|task:|CPU|Hardware name|  [A-Za-z]+ =|\(\w+\)|Tainted|Workqueue|Dumping ftrace|note: |[0-9a-f]{4,16}( |$))",
    )
});

pub(super) fn begin(line: &str) -> Option<Begun> {
    if ![
        "BUG",
        "Oops",
        "ernel ",
        "[#",
        "WARNING: CPU",
        "INFO: ",
        "LOCKUP",
    ]
    .iter()
    .any(|word| line.contains(word))
    {
        return None;
    }
    let found = START.captures(line)?;
    let text = found.get(1)?;
    let (kind, message) = match text.as_str().split_once(": ") {
        Some((kind @ ("BUG" | "Oops" | "WARNING" | "INFO" | "Internal error"), rest)) => {
            (kind, rest)
        }
        Some((kind, rest)) if kind.starts_with("Kernel panic") => ("Kernel panic", rest),
        _ if text.as_str().starts_with("kernel BUG") => ("BUG", text.as_str()),
        _ if text.as_str().starts_with("Oops") => ("Oops", text.as_str()),
        Some((kind, rest)) if kind.len() < 40 => (kind, rest),
        _ => ("Oops", text.as_str()),
    };
    let mut open = Open::new(Lang::Kernel, BODY, kind, message).strong();
    open.located = text.as_str().starts_with("kernel BUG at ");
    Some(Begun::new(0, open))
}

pub(super) fn step(open: &mut Open, line: &str) -> Step {
    let trimmed = line.trim();
    if trimmed.is_empty() {
        return Step::Hold;
    }
    if trimmed.starts_with("---[ end Kernel panic") || trimmed.starts_with("Rebooting in ") {
        return Step::End;
    }
    if trimmed.starts_with("---[ end trace") {
        // An oops may become a panic.
        open.state = TAIL;
        return Step::Take;
    }
    if trimmed.starts_with("Call Trace:") || trimmed.starts_with("Call trace:") {
        open.state = CALLS;
        return Step::Take;
    }
    if let Some(found) = FRAME.captures(line).or_else(|| PLACE.captures(trimmed)) {
        let name = found[1].to_owned();
        open.frame(&name);
        return Step::Take;
    }
    if open.state == TAIL
        && ![
            "RIP", "RSP", "RAX", "RDX", "RBP", "R10", "R13", "FS:", "CS:", "CR2", "DR", "PKRU",
            "Code:", "Kernel", "note:", "BUG:", "Call", "pstate",
        ]
        .iter()
        .any(|word| trimmed.starts_with(word))
    {
        return Step::Refuse;
    }
    if START.is_match(trimmed) && open.frames == 0 || LINE.is_match(line) {
        return Step::Take;
    }
    Step::Hold
}
