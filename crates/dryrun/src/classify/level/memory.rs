//! What a process or a kernel says when there is no more memory: no trace follows as a rule, and no level is stated.

use super::ends;
use super::sources::behind;

/// Most prefixes that are taken off.
const PREFIXES: usize = 3;

/// Whether a line says so, or that a process ended as it should not, perhaps behind a source's prefix. Asked only of lines that the gate let through.
pub(crate) fn exhausted(line: &[u8]) -> bool {
    let mut rest = line;
    for _ in 0..=PREFIXES {
        if said(rest) || ends::said(rest.trim_ascii()) {
            return true;
        }
        let Some(inner) = behind(rest) else {
            return false;
        };
        rest = inner;
    }
    false
}

fn said(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    // Perl's.
    if line == b"Out of memory!" {
        return true;
    }
    // The kernel's.
    for start in [&b"Out of memory: "[..], b"Memory cgroup out of memory: "] {
        if let Some(rest) = line.strip_prefix(start) {
            return rest.starts_with(b"Kill");
        }
    }
    // Go's, PHP's, the C library's programs'.
    for start in [
        &b"fatal error: runtime: out of memory"[..],
        b"fatal error: out of memory",
        b"runtime: out of memory: cannot allocate",
    ] {
        let head = line.get(..start.len()).unwrap_or_default();
        if head.eq_ignore_ascii_case(start) {
            return true;
        }
    }
    // The Java machine's.
    let line = line
        .strip_prefix(b"Terminating due to ")
        .unwrap_or_else(|| thread(line));
    line.strip_prefix(b"java.lang.OutOfMemoryError: ")
        .is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_alphabetic))
}

/// Without `Exception in thread "…" `.
fn thread(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"Exception in thread \"")
        .and_then(|rest| {
            let end = memchr::memmem::find(rest, b"\" ")?;
            rest.get(end + 2..)
        })
        .unwrap_or(line)
}
