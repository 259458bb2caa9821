//! Where in a line a trace begins: after the name of its source, or after a prefix that no list knows.
//!
//! Cuts are tried only in lines that hold a word with which traces begin, and only a few: this is off the path of ordinary lines.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::super::learnt::{Fit, LIMIT, Learnt};
use super::begin::{self, Begun};
use super::{Before, Lang, Split, prefix};

/// Most places in a line that are tried.
const CUTS: usize = 24;
/// How far a line before may be.
const NEAR: u64 = 8;

/// Words with which traces begin whose grammars ask for the line's beginning.
const WORDS: &[&str] = &[
    "goroutine ",
    "fatal error: ",
    "ExceptionGroup",
    "WARNING: DATA RACE",
    "memory allocation of ",
    "fatal runtime error",
    "==",
    "*** ",
    "double free",
    "free(): ",
    "malloc",
    "realloc(): ",
    "munmap_chunk",
    "corrupted ",
    "ssertion",
    "runtime error: ",
    "egmentation fault",
    "Bus error",
    "Illegal instruction",
    "Floating point exception",
    "Aborted (",
    "PHP ",
    "Fatal error: ",
    "Parse error: ",
    "** (",
    "=ERROR REPORT",
    "=CRASH REPORT",
    "=SUPERVISOR REPORT",
    "init terminating",
    "Runtime terminating",
    "escript: exception",
    "* exception ",
    " called at ",
    "stack traceback:",
    "CallStack (from",
    "while executing",
    "Backtrace:",
    "nhandled ",
    "Error in ",
    "ERROR: ",
    "Exception ignored in",
    "Exception in thread ",
    "File \"",
    "xecution error",
    "yntax error",
    "nexpected error",
    "Error printing",
    "A fatal error has been detected",
    "Stack overflow.",
    "Caught: ",
    ".rb:",
    "at ",
    ":in ",
    "#0 ",
    "js:",
    "ts:",
    "jsx:",
    "tsx:",
    "file://",
    "node:",
    "[eval",
    "[stdin]",
    "<anonymous_script>",
    "(most recent call",
    " line ",
    "BUG",
    "Oops",
    "ernel ",
    "[#",
    "WARNING: CPU",
    "INFO: ",
    "LOCKUP",
    ".swift",
    " panic: ",
    ".zig:",
    "Fortran runtime",
    "Error termination",
    "Program received",
    " char:",
    "Line |",
];

static SEARCHER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(WORDS).ok());

/// A trace's beginning, and where it was found.
pub(super) struct Start<'a, 'b> {
    pub(super) begun: Begun,
    /// The source's name.
    pub(super) source: &'a str,
    /// The prefix that the next lines may have.
    pub(super) learnt: Learnt,
    /// The line before, of the same source and prefix.
    pub(super) before: Option<&'b Before>,
}

/// Returns what a line begins.
pub(super) fn find<'a, 'b>(
    line: &Split<'a>,
    number: u64,
    before: &'b [Before],
) -> Option<Start<'a, 'b>> {
    let near = before
        .iter()
        .take_while(|before| number - before.here.number <= NEAR)
        .count();
    let before = &before[..near];
    let mut weak = None;
    // The whole line as well: what looked like a source's name may be none.
    for (source, body) in [(line.source, line.rest), ("", line.text)] {
        let free = previous(before, source, None);
        let begun = begin::begin(body, free.as_ref().map(|(text, _)| text.as_str()));
        let end = match begun {
            Some(begun) if begun.at == 0 => {
                return Some(told(
                    begun,
                    source,
                    body,
                    before,
                    free.map(|(_, line)| line),
                ));
            }
            Some(ref begun) => begun.at,
            None => body.len(),
        };
        let likely = SEARCHER
            .as_ref()
            .is_none_or(|searcher| searcher.is_match(body));
        // What begins further ahead is more of it.
        for cut in cuts(body).filter(|cut| likely && *cut < end) {
            let (head, rest) = body.split_at(cut);
            let free = previous(before, source, Some(&Learnt::new(head)));
            let text = free.as_ref().map(|(text, _)| text.as_str());
            if let Some(begun) = begin::begin_after(head, rest, text) {
                let free = free.map(|(_, before)| before);
                return Some(told(begun, source, body, before, free));
            }
        }
        if let Some(begun) = begun {
            let sure = begun.open.strong || begun.proved.0;
            // What is before may be a prefix that the line before has, too.
            if let Some((head, rest)) = body.split_at_checked(begun.at)
                && let Some((text, line)) = previous(before, source, Some(&Learnt::new(head)))
                && let Some(again) = begin::begin_after(head, rest, Some(&text))
            {
                return Some(told(again, source, body, before, Some(line)));
            }
            let start = told(begun, source, body, before, free.map(|(_, line)| line));
            if sure {
                return Some(start);
            }
            weak = weak.or(Some(start));
        }
        if line.source.is_empty() {
            break;
        }
    }
    weak
}

/// Learns the prefix, and whether lines before have it.
fn told<'a, 'b>(
    mut begun: Begun,
    source: &'a str,
    body: &str,
    lines: &'b [Before],
    before: Option<&'b Before>,
) -> Start<'a, 'b> {
    let learnt = if begun.at == 0 && begun.open.lang == Lang::Perl {
        // What was said has no beginning.
        Learnt::of_sentence(body)
    } else {
        Learnt::new(body.get(..begun.at).unwrap_or(""))
    };
    if !begun.decor
        && begun.proved.0
        && (learnt.is_tag() || learnt.is_numbered())
        && previous(lines, source, Some(&learnt))
            .is_some_and(|(text, _)| begin::begin(&text, None).is_none())
    {
        begun.open.strong = true;
        begun.open.located = begun.proved.1;
        begun.decor = true;
    }
    Start {
        begun,
        source,
        learnt,
        before,
    }
}

/// The last line before of that source, and of that prefix if there is one; its text without both.
fn previous<'b>(
    lines: &'b [Before],
    source: &str,
    learnt: Option<&Learnt>,
) -> Option<(String, &'b Before)> {
    lines.iter().find_map(|before| {
        let plain = prefix::uncoloured(&before.text);
        let (of, rest) = prefix::split(&plain);
        let rest = match (of == source, source.is_empty()) {
            (true, _) => rest,
            (false, true) => &plain,
            (false, false) => return None,
        };
        match learnt {
            None => (of == source).then(|| (rest.to_owned(), before)),
            Some(learnt) => match learnt.fit(rest) {
                Fit::Own(text) => Some((text.to_owned(), before)),
                _ => None,
            },
        }
    })
}

/// Where a prefix may end: behind spaces and behind what separates. The shortest first, but for the line's beginning.
fn cuts(body: &str) -> impl Iterator<Item = usize> + '_ {
    let mut last = None;
    body.char_indices()
        .take_while(|(at, _)| *at < LIMIT)
        .filter_map(move |(at, c)| {
            let ends = c.is_whitespace()
                || matches!(c, '|' | '│' | ']' | '>' | ')')
                || c == '"'
                || last == Some(':') && !c.is_alphanumeric() && c != ':';
            last = Some(c);
            ends.then_some(at + c.len_utf8())
        })
        .filter(|cut| *cut < body.len())
        .take(CUTS)
}
