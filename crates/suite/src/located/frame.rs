//! Lines of traces that name a file and a line in it, as the runners and runtimes of many languages print them.

use std::sync::LazyLock;

use regex::{Captures, Regex, RegexSet};

/// A place that a trace names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'t> {
    pub(super) file: &'t str,
    pub(super) line: u32,
    pub(super) column: Option<u32>,
    /// The class that it is of, where the file has no directory: `a.b.C`.
    pub(super) class: Option<&'t str>,
    /// Whether a later one is nearer to the failure.
    pub(super) is_later_better: bool,
}

struct Grammar {
    pattern: Regex,
    is_later_better: bool,
}

/// Each with groups `file` and `line`, maybe `column` and `class`.
static GRAMMARS: LazyLock<Vec<Grammar>> = LazyLock::new(|| {
    let of = |pattern: &str, is_later_better| Grammar {
        pattern: Regex::new(pattern).expect("invariant: a pattern in the source is one"),
        is_later_better,
    };
    vec![
        // pytest: `tests/test_a.py:7: AssertionError`, `c/test_c.py:1: in <module>`, `tests/test_a.py:7: `, and where a fixture was asked for,
        // `/w/tests/test_a.py:7`.
        of(
            r"^(?P<file>[^\s:][^:]*\.py):(?P<line>\d+)(?::(?: |$)|$)",
            true,
        ),
        of(
            r#"^(?:E\s+)?\s*File "(?P<file>[^"]+\.py)", line (?P<line>\d+)"#,
            true,
        ),
        // JVM: `at app//a.b.C$D.m(C.java:12)`.
        of(
            r"^\s*at (?:[\w.@-]*/+)*(?P<class>[\w.]+)(?:\$[\w$]*)?\.[\w$<>]+\((?P<file>[\w-]+\.(?:java|kt|scala|groovy)):(?P<line>\d+)\)",
            false,
        ),
        // JavaScript: `at f (file:///a.js:3:5)`, `at async a.js:3:5`, `❯ a.js:3:5`.
        of(
            r"^\s*(?:at|❯) (?:.*\()?(?:async )?(?P<file>(?:file://)?[^\s():]+\.[cm]?[jt]sx?):(?P<line>\d+)(?::(?P<column>\d+))?\)?$",
            false,
        ),
        // Go: `    x_test.go:12: no`.
        of(r"^\s*(?P<file>[\w./-]+\.go):(?P<line>\d+): ", false),
        // PHPUnit: a line that is the place.
        of(r"^(?P<file>[^\s:]+\.php):(?P<line>\d+)$", false),
        // RSpec, minitest: `# ./spec/a_spec.rb:7:in …`.
        of(
            r"^\s*#? ?(?P<file>[^\s:#]+\.rb):(?P<line>\d+)(?::in |$)",
            false,
        ),
        // .NET: `at N.T.M() in /src/T.cs:line 12`.
        of(
            r"^\s*at .* in (?P<file>[^:]+\.(?:cs|fs|vb)):line (?P<line>\d+)$",
            false,
        ),
        // GoogleTest, Catch2.
        of(
            r"^(?P<file>[^\s:]+\.(?:c|cc|cpp|cxx|h|hpp)):(?P<line>\d+)(?::(?P<column>\d+))?(?::? |:?$)",
            false,
        ),
    ]
});

/// All of them at once: most lines are none.
static ANY: LazyLock<RegexSet> = LazyLock::new(|| {
    let patterns = GRAMMARS.iter().map(|grammar| grammar.pattern.as_str());
    RegexSet::new(patterns).expect("invariant: each of them is a pattern")
});

/// The frames of a text, in its order.
pub(super) fn of(text: &str) -> impl Iterator<Item = Frame<'_>> {
    text.lines()
        .filter(|line| line.len() < 4096)
        .filter_map(|line| {
            ANY.matches(line).iter().find_map(|n| {
                let grammar = GRAMMARS.get(n)?;
                let found = grammar.pattern.captures(line)?;
                frame(&found, grammar.is_later_better)
            })
        })
}

fn frame<'t>(found: &Captures<'t>, is_later_better: bool) -> Option<Frame<'t>> {
    let number = |name: &str| found.name(name)?.as_str().parse::<u32>().ok();
    Some(Frame {
        file: found.name("file")?.as_str(),
        line: number("line").filter(|line| *line > 0)?,
        column: number("column"),
        class: found.name("class").map(|class| class.as_str()),
        is_later_better,
    })
}
