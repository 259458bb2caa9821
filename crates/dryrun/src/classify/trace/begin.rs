//! What begins a trace, in any language, and traces of which only the exception's name is known yet.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    Lang, Open, Step, apple, go, jvm, kernel, native, others, prefix, python, rarer, ruby, rust,
    script,
};

/// The beginning of a trace.
pub(super) struct Begun {
    /// Where in the line it begins; what is before is a prefix.
    pub(super) at: usize,
    pub(super) open: Open,
    /// Whether what is before is what loggers print, so that the next lines may have it too.
    pub(super) decor: bool,
    /// Whether the line before is part of it.
    pub(super) with_before: bool,
    /// Whether it ends at once.
    pub(super) over: bool,
    /// Whether it would be strong, and located, if what is before proves to be a prefix.
    pub(super) proved: (bool, bool),
}

impl Begun {
    pub(super) fn new(at: usize, open: Open) -> Self {
        Self {
            at,
            open,
            decor: true,
            with_before: false,
            over: false,
            proved: (false, false),
        }
    }

    pub(super) fn with_before(mut self) -> Self {
        self.with_before = true;
        self
    }
}

/// Makes a regular expression that is known to be one.
pub(super) fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("invariant: the pattern is a regular expression")
}

/// A qualified name that says it is an error.
static TYPED: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"([A-Za-z_$][\w$]*(?:(?:\.|::|\\|/)[A-Za-z_$][\w$]*)*?(?:Exception|Error|Throwable|Failure|Panic|Warning|Interrupt|Exit)\w*)(?: \[[\w-]+\])?(?::(?: (.*))?$|\s*$| (\{)$| \()",
    )
});

/// The ends of such names.
const NAMED: &[&str] = &[
    "Exception",
    "Error",
    "Throwable",
    "Failure",
    "Panic",
    "Warning",
    "Interrupt",
    "Exit",
];

/// Where a line before frames says what was thrown: a name at its start, perhaps qualified.
static HEAD: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:Caused by: |Uncaught |error: |Exception: )?([A-Za-z_$][\w$]*(?:(?:\.|::)[A-Za-z_$][\w$]*)*)(?:: (.*)|:?\s*)$",
    )
});

/// Returns what `line` (without its source) begins; `before` is the line before it, if that is free.
pub(super) fn begin(line: &str, before: Option<&str>) -> Option<Begun> {
    let begun = anchored(line, before)
        .or_else(|| typed(line))
        .or_else(|| orphan(line, before))?;
    let at = begun.at;
    judged(begun, line.get(..at).unwrap_or(""))
}

/// As [`begin`], of a line of which `prefix` was taken off: nothing before the start word.
pub(super) fn begin_after(prefix: &str, line: &str, before: Option<&str>) -> Option<Begun> {
    let mut begun = match anchored(line, before) {
        Some(begun) => begun,
        None => {
            let begun = orphan(line, before)?;
            // One frame in a sentence is a sentence: the line before must have the prefix, too.
            before?;
            begun
        }
    };
    // A compiler's `file.c:1:2: fatal error: …`.
    let placed = prefix
        .trim_end()
        .trim_end_matches(':')
        .ends_with(|c: char| c.is_ascii_digit());
    if begun.at > 0
        || begun.open.kind == "fatal error" && placed && prefix.trim_end().ends_with(':')
    {
        return None;
    }
    begun.at = prefix.len();
    judged(begun, prefix)
}

/// A start word inside a sentence is worth nothing until frames follow.
fn judged(mut begun: Begun, before: &str) -> Option<Begun> {
    begun.decor = prefix::decor(before);
    if !begun.decor {
        begun.proved = (begun.open.strong, begun.open.located);
        begun.open.strong = false;
        begun.open.located = false;
        if begun.over {
            return None;
        }
    }
    Some(begun)
}

/// What begins with a word of a runtime.
fn anchored(line: &str, before: Option<&str>) -> Option<Begun> {
    None.or_else(|| python::begin(line))
        .or_else(|| rarer::begin(line, before))
        .or_else(|| go::begin(line, before))
        .or_else(|| rust::begin(line))
        .or_else(|| apple::begin(line))
        .or_else(|| kernel::begin(line))
        .or_else(|| native::begin(line, before))
        .or_else(|| others::begin(line, before))
        .or_else(|| jvm::begin(line))
        .or_else(|| script::begin(line))
        .or_else(|| ruby::begin(line))
}

/// An exception's name: nothing yet.
fn typed(line: &str) -> Option<Begun> {
    if !NAMED.iter().any(|word| line.contains(word)) {
        return None;
    }
    let found = TYPED.captures(line)?;
    let name = found.get(1)?;
    let message = found.get(2).map_or("", |message| message.as_str());
    let mut open = Open::new(Lang::Unknown, 0, name.as_str(), message);
    if found.get(3).is_some() {
        open.lang = Lang::Node;
        open.state = script::PROPERTIES;
    }
    Some(Begun::new(name.start(), open))
}

/// Returns name and message of an exception that `text` begins with.
pub(crate) fn exception(text: &str) -> Option<(&str, &str)> {
    let line = text.lines().next()?;
    let found = TYPED.captures(line)?;
    let name = found.get(1).filter(|name| name.start() == 0)?;
    let message = found.get(2).map_or("", |message| message.as_str());
    Some((name.as_str(), message))
}

/// Frames that nobody announced: the line before says what was thrown.
fn orphan(line: &str, before: Option<&str>) -> Option<Begun> {
    let (lang, name) = frame(line)?;
    let mut open = Open::new(lang, 1, "unknown", "");
    let mut begun = match before {
        Some(before) if !before.trim().is_empty() && !before.starts_with([' ', '\t']) => {
            // Thread dumps are no faults.
            if before.starts_with('"') && before.contains("#") {
                return None;
            }
            if lang == Lang::Ruby
                && let Some((kind, message)) = ruby::typed(before)
            {
                open.kind = kind;
                open.message = message;
            } else if let Some(found) = HEAD.captures(before).or_else(|| TYPED.captures(before)) {
                open.kind = found.get(1).map_or("", |kind| kind.as_str()).to_owned();
                open.message = found
                    .get(2)
                    .map_or("", |message| message.as_str())
                    .to_owned();
            } else {
                open.message = before.to_owned();
            }
            open.frame(&name);
            Begun::new(0, open).with_before()
        }
        Some(before) if before.contains("java.lang.Thread.State") => return None,
        _ => {
            open.frame(&name);
            Begun::new(0, open)
        }
    };
    begun.decor = true;
    Some(begun)
}

/// Only an exception's name is known: frames decide whose it is.
pub(super) fn step(open: &mut Open, line: &str) -> Step {
    if let Some((lang, name)) = frame(line) {
        open.lang = lang;
        open.state = 1;
        if lang == Lang::Node && line.ends_with(" {") {
            open.state = script::PROPERTIES;
        }
        open.frame(&name);
        return Step::Take;
    }
    if matches!(line.trim(), "Stack backtrace:" | "stack backtrace:") {
        open.lang = Lang::Rust;
        open.state = rust::BACKTRACE;
        return Step::Take;
    }
    if line == "Execution halted" {
        open.lang = Lang::R;
        open.strong = true;
        return Step::End;
    }
    // Several lines of message, but not many.
    open.state += 1;
    if open.state > 12 {
        Step::Refuse
    } else {
        Step::Hold
    }
}

/// A frame's place, as the Java machine prints it: `(File.java:12)`, `(Native Method)`.
static JAVA: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^\s+at (?:[\w.\-$@]*/)*([\w.$<>\-/]+)\((?:[\w$.\-]+\.\w+(?::\d+)?|Native Method|Unknown Source|[\w$.\-]+:\d+|[A-Z]\w*|<generated>|null(?::-?\d+)?)\)",
    )
});
/// `at f (path:1:2)`, `at path:1:2`, `at async f (…)`.
static NODE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^\s{2,}at (?:async )?(?:(?:new )?(.+?) (?:\[as [^\]]+\] )?\((?:(?:.*:\d+(?::\d+)?)|native|<anonymous>|index \d+|native:\S*|unknown)\)|(?:file:|node:|/|\.{0,2}/|https?:|[A-Za-z]:\\|\[eval|evalmachine|ext:|webpack|<anonymous>|async |native)\S*(?::\d+)?(?: \{)?)",
    )
});
/// `   at A.B.C(String s) in file:line 3`, `  at A.B () [0x00000] in <…>:0`.
static DOTNET: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^\s{1,12}at ((?:\([\w-]+ [\w-]+\) )?[\w.<>`+\[\],|$\-/]+(?:\.[\w<>`\[\],|$\-]+|\.\.c?ctor) ?)\(.*\)(?:(?: \[0x[0-9a-f]+\])? in .*)?$",
    )
});
/// `from f.rb:1:in 'm'`.
static RUBY: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\s*(?:from )?(\S[^:]*):\d+:in [`'](.+)'$"));

/// JRuby's `  divide at plain.rb:2`.
static JRUBY: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\s{2,}(\S+) at (?:\S+\.(?:rb|java|erb)|-e):\d+$"));

/// `#0      main (file:///x.dart:3:5)`.
static DART: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^#\d+ +(.+) \((?:file|package|dart):.*\)$"));
/// `#0 /srv/x.php(3): Cart->add()`, `#1 [internal function]: f()`.
static PHP: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^#\d+ (?:\S.*\.\w+\(\d+\)|\[internal function\]): ([\w\\:>{}-]+)\("));

/// Returns whose frame a line is, and its function; none if it is none of those that begin with `at` or `from`.
pub(super) fn frame(line: &str) -> Option<(Lang, String)> {
    if line.len() > 8 << 10 {
        return None;
    }
    if line.trim_start().starts_with("at ") {
        if let Some(found) = JAVA.captures(line) {
            return Some((Lang::Java, found[1].to_owned()));
        }
        if let Some(found) = NODE.captures(line) {
            let name = found.get(1).map_or("", |name| name.as_str());
            let name = if line.contains("(node:")
                || line.contains("/node_modules/")
                || line.contains(" node:")
            {
                String::new()
            } else {
                name.to_owned()
            };
            return Some((Lang::Node, name));
        }
        if let Some(found) = DOTNET.captures(line) {
            return Some((Lang::Dotnet, found[1].trim().to_owned()));
        }
    }
    if line.starts_with('#') {
        if let Some(found) = DART.captures(line) {
            return Some((Lang::Dart, found[1].trim().to_owned()));
        }
        if let Some(found) = PHP.captures(line) {
            return Some((Lang::Php, found[1].to_owned()));
        }
    }
    if line.starts_with("  ")
        && line.contains(" at ")
        && let Some(found) = JRUBY.captures(line)
    {
        return Some((Lang::Ruby, found[1].to_owned()));
    }
    if line.contains(":in ")
        && let Some(found) = RUBY.captures(line)
    {
        return Some((Lang::Ruby, format!("{}:{}", &found[1], &found[2])));
    }
    None
}

/// Whether a frame is the program's own, not its runtime's.
pub(super) fn in_app(name: &str) -> bool {
    const FOREIGN: &[&str] = &[
        "java.",
        "javax.",
        "jdk.",
        "sun.",
        "com.sun.",
        "kotlin.",
        "kotlinx.",
        "scala.",
        "clojure.",
        "groovy.",
        "org.codehaus.groovy",
        "runtime.",
        "runtime/",
        "testing.",
        "reflect.",
        "net/http.",
        "std::",
        "core::",
        "alloc::",
        "rust_begin_unwind",
        "__rust",
        "<unknown>",
        "tokio::",
        "System.",
        "Microsoft.",
        "node:",
        "Module.",
        "Object.<anonymous>",
        "process.",
        "__libc_",
        "_start",
        "__interceptor",
        "__asan",
        "abort",
        "raise",
        "gsignal",
        "org.springframework",
        "erl_eval",
        "gen_server",
        "proc_lib",
        "<frozen",
        "site-packages",
        "/usr/lib/",
        "/gems/",
        "[C]",
    ];
    !FOREIGN.iter().any(|foreign| {
        name.starts_with(foreign) || (foreign.contains('/') && name.contains(foreign))
    })
}
