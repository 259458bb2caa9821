//! The rest: PHP, Elixir, Erlang, Perl, Lua, R, OCaml, Haskell, Scheme, Lisp, Tcl, Dart, Julia.

use std::sync::LazyLock;

use regex::Regex;

use super::begin::{Begun, regex};
use super::{Lang, Open, Step};

static PHP: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?:PHP )?(Fatal error|Parse error|Recoverable fatal error): +(?:Uncaught ([\w\\]+): ?)?(.*)$",
    )
});
static PHP_PLACE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?: in \S.* on line \d+| in \S+:\d+)$"));
static ELIXIR: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\*\* \(([A-Za-z][\w.]*)(?: from [^)]*)?\) ?(.*)$"));
static ELIXIR_FRAME: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^\s{4,}(?:\([\w .+-]+\) )?\S+:\d+: (.*)$|^\s{4,}\([\w .-]+\) (\S.*/\d+)$")
});
static ERLANG_REPORT: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^=(ERROR|CRASH|SUPERVISOR) REPORT==== "));
static ERLANG_BOOT: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"^\{"init terminating in do_boot",|^init terminating in do_boot|^Runtime terminating during boot|^escript: exception (\w+): (.*)$|^\*+ ?exception (\w+): (.*)$"#,
    )
});
static ERLANG_FRAME: LazyLock<Regex> = LazyLock::new(|| {
    regex(r#"^\s+(?:in function|in call from) +(\S+)|\{file,"[^"]+"\}|\{line,\d+\}"#)
});
static PERL_FRAME: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\t(\S+?)(?:\(.*\))? called at .+ line \d+"));
static LUA_FRAME: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\t(?:\[C\]|[^\s:]+:\d*|\S+:\d+):? in (.*)$|^\t\[C\]: (.*)$"));
static LUA_HEAD: LazyLock<Regex> = LazyLock::new(|| regex(r"^(?:\S*lua\S*: )?(.*)$"));
static R_HEAD: LazyLock<Regex> = LazyLock::new(|| regex(r"^Error in (.+?) ?: ?(.*)$"));
static OCAML_FRAME: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"^(?:Raised|Called|Re-raised)(?: by primitive operation)? (?:at|from|by) (.+?)(?: in file| in |, file)? "#,
    )
});
static HASKELL_FRAME: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\s+(\S+), called at .+:\d+:\d+ in "));
static LISP_HEAD: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^[Uu]nhandled ([A-Z][A-Z0-9:+-]+)(?: in thread .*)?:?\s*$"));
static LISP_FRAME: LazyLock<Regex> = LazyLock::new(|| regex(r"^\s*\d+: (.+)$"));
static DART_FRAME: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^#\d+ +(.+) \((?:file|package|dart):.*\)$"));
static JULIA_HEAD: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^ERROR: (?:LoadError: )?(?:([A-Z]\w*)(?:: |\())?(.*)$"));
static JULIA_FRAME: LazyLock<Regex> = LazyLock::new(|| regex(r"^\s*\[\d+\] (.+)$"));
/// What `die` and the compiler say; of files without an ending only `Died`.
static PERL_HEAD: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(.*?) at (?:\S+\.(?:pl|pm|t|cgi|psgi|PL)|-e|-|\(eval \d+\)|/\S+) line \d+(?:, <\S*> (?:line|chunk) \d+|, (?:near|at EOF).*)?\.?$",
    )
});

pub(super) fn begin(line: &str, before: Option<&str>) -> Option<Begun> {
    let free =
        before.filter(|before| !before.trim().is_empty() && !before.starts_with([' ', '\t']));
    // The line before has the message.
    let after = |lang, head: &Regex, kind: &str| {
        let message = free
            .and_then(|before| head.captures(before))
            .and_then(|found| found.get(1))
            .map_or("", |message| message.as_str());
        let begun = Begun::new(0, Open::new(lang, 0, kind, message));
        if free.is_some() {
            begun.with_before()
        } else {
            begun
        }
    };
    let php = line.starts_with("PHP ")
        || line.starts_with("Fatal error: ")
        || line.starts_with("Parse error: ")
        || line.contains("PHP Fatal error: ")
        || line.contains("PHP Parse error: ");
    if php {
        if let Some(message) = line.strip_prefix("Fatal error: exception ") {
            let kind = message.split(['(', ' ']).next().unwrap_or(message);
            return Some(Begun::new(
                0,
                Open::new(Lang::Ocaml, 0, kind, message).strong(),
            ));
        }
        let found = PHP.captures(line)?;
        let kind = found.get(2).map_or(&found[1], |kind| kind.as_str());
        let mut open = Open::new(Lang::Php, 0, kind, &found[3]);
        open.located = PHP_PLACE.is_match(line);
        open.strong = found.get(2).is_some() || open.located;
        if !open.strong {
            return None;
        }
        return Some(Begun::new(found.get(0)?.start(), open));
    }
    if line.starts_with("** (")
        && let Some(found) = ELIXIR.captures(line)
    {
        return Some(Begun::new(
            0,
            Open::new(Lang::Elixir, 0, &found[1], &found[2]).strong(),
        ));
    }
    if line.starts_with('=')
        && let Some(found) = ERLANG_REPORT.captures(line)
    {
        let kind = format!("{} REPORT", &found[1]);
        return Some(Begun::new(
            0,
            Open::new(Lang::Erlang, 0, &kind, "").strong(),
        ));
    }
    if line.starts_with(['{', 'i', 'R', 'e', '*'])
        && let Some(found) = ERLANG_BOOT.captures(line)
    {
        let group = |a, b| {
            found
                .get(a)
                .or(found.get(b))
                .map_or("", |text| text.as_str())
        };
        let kind = match group(1, 3) {
            "" => "init terminating",
            kind => kind,
        };
        let mut open = Open::new(Lang::Erlang, 1, kind, group(2, 4)).strong();
        // `[{module,function,2,…`
        open.located = line.contains(",[{") || ERLANG_FRAME.is_match(line);
        return Some(Begun::new(0, open));
    }
    if line.contains(" line ")
        && (line.contains(".pl line ")
            || line.contains(".pm line ")
            || line.contains(".t line ")
            || line.contains(".cgi line ")
            || line.contains(".psgi line ")
            || line.contains("-e line ")
            || line.contains("Died at "))
        && !line.starts_with([' ', '\t'])
        && !line.contains(" called at ")
        && let Some(found) = PERL_HEAD.captures(line)
        && !found[1].is_empty()
    {
        let open = Open::new(Lang::Perl, 0, "die", &found[1]).strong();
        return Some(Begun::new(0, open));
    }
    if line.contains(" called at ")
        && let Some(found) = PERL_FRAME.captures(line)
    {
        static HEAD: LazyLock<Regex> = LazyLock::new(|| regex(r"^(.*?) at \S+ line \d+\.?$"));
        let mut begun = after(Lang::Perl, &HEAD, "die");
        begun.open.frame(&found[1]);
        return Some(begun);
    }
    if line.trim_end() == "stack traceback:" {
        return Some(after(Lang::Lua, &LUA_HEAD, "error"));
    }
    if line.starts_with("CallStack (from HasCallStack):") {
        static HEAD: LazyLock<Regex> = LazyLock::new(|| regex(r"^(?:\S+: )?(.*)$"));
        return Some(after(Lang::Haskell, &HEAD, "error"));
    }
    if line == "    while executing" {
        static HEAD: LazyLock<Regex> = LazyLock::new(|| regex(r"^(.*)$"));
        let mut begun = after(Lang::Tcl, &HEAD, "error");
        begun.open.frame("");
        return Some(begun);
    }
    if line.trim_end() == "Backtrace:" {
        return Some(Begun::new(0, Open::new(Lang::Scheme, 0, "error", "")));
    }
    if line.contains("nhandled ")
        && let Some(found) = LISP_HEAD.captures(line)
    {
        return Some(Begun::new(
            0,
            Open::new(Lang::Lisp, 0, &found[1], "").strong(),
        ));
    }
    if line.trim_end() == "Unhandled exception:" {
        return Some(Begun::new(0, Open::new(Lang::Dart, 0, "", "").strong()));
    }
    if line.starts_with("Error in ")
        && let Some(found) = R_HEAD.captures(line)
    {
        return Some(Begun::new(0, Open::new(Lang::R, 0, "error", &found[2])));
    }
    if line.starts_with("ERROR: ")
        && let Some(found) = JULIA_HEAD.captures(line)
        && free.is_none_or(|_| true)
        && (found.get(1).is_some())
    {
        return Some(Begun::new(
            0,
            Open::new(Lang::Julia, 0, &found[1], &found[2]),
        ));
    }
    None
}

/// What frames of a language look like.
fn frame(lang: Lang, line: &str) -> Option<String> {
    let pattern = match lang {
        Lang::Elixir => &ELIXIR_FRAME,
        Lang::Erlang => &ERLANG_FRAME,
        Lang::Perl => &PERL_FRAME,
        Lang::Lua => &LUA_FRAME,
        Lang::Ocaml => &OCAML_FRAME,
        Lang::Haskell => &HASKELL_FRAME,
        Lang::Lisp => &LISP_FRAME,
        Lang::Dart => &DART_FRAME,
        Lang::Julia => &JULIA_FRAME,
        _ => return None,
    };
    let found = pattern.captures(line)?;
    Some(
        (1..found.len())
            .find_map(|group| found.get(group))
            .map_or("", |name| name.as_str())
            .to_owned(),
    )
}

pub(super) fn step(open: &mut Open, line: &str) -> Step {
    let trimmed = line.trim();
    if let Some(name) = frame(open.lang, line) {
        open.frame(&name);
        if open.lang == Lang::Erlang && open.state == 0 && !line.starts_with([' ', '\t', '{', '['])
        {
            return Step::Refuse;
        }
        return Step::Take;
    }
    match open.lang {
        Lang::Php => {
            if trimmed == "Stack trace:" || trimmed.starts_with("Next ") {
                return Step::Take;
            }
            if let Some(rest) = trimmed.strip_prefix('#')
                && rest.starts_with(|c: char| c.is_ascii_digit())
            {
                let name = rest.split(": ").nth(1).unwrap_or("");
                let name = name.split('(').next().unwrap_or(name).to_owned();
                open.frame(&name);
                return Step::Take;
            }
            if trimmed.starts_with("thrown in ") {
                return Step::End;
            }
            // Without a trace the first line is all.
            if open.frames == 0 && open.located && open.lines == 1 && !open.message.contains(" in ")
            {
                return Step::Refuse;
            }
            if open.frames > 0 && !trimmed.is_empty() {
                Step::Refuse
            } else {
                Step::Hold
            }
        }
        Lang::Elixir => {
            if trimmed.is_empty() {
                return Step::Hold;
            }
            if line.starts_with("    ** (")
                || line.starts_with("Last message")
                || [
                    "Client #PID",
                    "Function: ",
                    "    Args: ",
                    "Initial Call: ",
                    "Ancestors: ",
                ]
                .iter()
                .any(|start| line.starts_with(start))
                || line.starts_with("State: ")
                || line.starts_with("** (") && open.frames == 0
            {
                return Step::Take;
            }
            if open.frames == 0 {
                Step::Hold
            } else {
                Step::Refuse
            }
        }
        Lang::Erlang => {
            if trimmed.is_empty() {
                return Step::Hold;
            }
            if trimmed.starts_with("Crash dump is being written to") {
                return Step::End;
            }
            if line.starts_with([' ', '\t', '{', '[', '*'])
                || line.starts_with("Error in process")
                || line.starts_with("Runtime terminating")
                || trimmed.ends_with("done")
            {
                return Step::Take;
            }
            Step::Refuse
        }
        Lang::Perl => {
            let compiled = trimmed.starts_with("Execution of ")
                || trimmed.starts_with("BEGIN failed--compilation aborted")
                || trimmed.starts_with("Compilation failed in require");
            if compiled { Step::Take } else { Step::Refuse }
        }
        Lang::Lua => {
            if line.starts_with('\t') {
                if trimmed.starts_with("[C]") || trimmed.contains(": in ") {
                    open.frame("");
                }
                return Step::Take;
            }
            Step::Refuse
        }
        Lang::R => {
            if trimmed == "Execution halted" {
                open.strong = true;
                return Step::End;
            }
            if let Some(calls) = trimmed.strip_prefix("Calls: ") {
                for call in calls.split(" -> ") {
                    open.frame(call);
                }
                return Step::Take;
            }
            if open.lines < 4 {
                Step::Hold
            } else {
                Step::Refuse
            }
        }
        Lang::Haskell => {
            if line.starts_with("  ") {
                Step::Take
            } else {
                Step::Refuse
            }
        }
        Lang::Tcl => {
            if trimmed.starts_with("(procedure ")
                || trimmed == "invoked from within"
                || trimmed == "while executing"
                || trimmed.starts_with("(file ")
                || trimmed.starts_with("(\"")
            {
                open.frame(if trimmed.starts_with("(procedure") {
                    trimmed
                } else {
                    ""
                });
                return Step::Take;
            }
            if line.starts_with('"')
                || (line.starts_with(' ') && !trimmed.is_empty())
                || trimmed.ends_with('"')
            {
                return Step::Take;
            }
            Step::Refuse
        }
        Lang::Scheme => {
            if line.starts_with("In ") && trimmed.ends_with(':') {
                return Step::Take;
            }
            if line.starts_with(' ') {
                if line.contains('(') || line.contains("_") {
                    open.frame("");
                }
                return Step::Take;
            }
            if trimmed.is_empty() {
                return Step::Hold;
            }
            if trimmed.contains("ERROR: ")
                || trimmed.starts_with("ice-9/")
                || trimmed.contains(": In procedure ")
                || trimmed.starts_with("Throw to key")
            {
                open.message = trimmed.to_owned();
                return Step::Take;
            }
            if trimmed.starts_with("error:") || trimmed.starts_with("In procedure") {
                Step::Take
            } else {
                Step::Refuse
            }
        }
        Lang::Lisp => {
            if trimmed.is_empty() {
                return Step::Hold;
            }
            if trimmed.starts_with("unhandled condition in --disable-debugger mode") {
                return Step::End;
            }
            if open.message.is_empty() {
                open.message = trimmed.to_owned();
                return Step::Take;
            }
            if trimmed.starts_with("Backtrace for: ") || line.starts_with(' ') {
                return Step::Take;
            }
            Step::Hold
        }
        Lang::Dart => {
            if open.kind.is_empty() {
                let (kind, message) = trimmed.split_once(": ").unwrap_or((trimmed, ""));
                open.kind = kind.to_owned();
                open.message = message.to_owned();
                return Step::Take;
            }
            if trimmed == "<asynchronous suspension>" || trimmed == "..." {
                return Step::Take;
            }
            if open.frames == 0 {
                Step::Hold
            } else {
                Step::Refuse
            }
        }
        Lang::Julia => {
            if trimmed == "Stacktrace:"
                || trimmed.starts_with("@ ")
                || trimmed.starts_with("in expression starting at")
                || trimmed.starts_with("caused by:")
            {
                return Step::Take;
            }
            if open.frames == 0 && open.lines < 20 {
                Step::Hold
            } else {
                Step::Refuse
            }
        }
        Lang::Ocaml => {
            if trimmed.starts_with("Fatal error") {
                Step::Take
            } else {
                Step::Refuse
            }
        }
        _ => Step::Refuse,
    }
}
