//! Zig, Fortran (gfortran's runtime), PowerShell in both of its views, and Crystal.

use std::sync::LazyLock;

use regex::Regex;

use super::begin::{Begun, regex};
use super::{Lang, Open, Step};

/// PowerShell 7's view.
const CONCISE: u8 = 1;

static ZIG_PANIC: LazyLock<Regex> = LazyLock::new(|| regex(r"^thread \d+ panic: (.*)$"));
/// `/srv/main.zig:5:10: 0x1034f7a in pay (main)`, `???:?:?: 0x7f in ??? (libc.so.6)`.
static ZIG_FRAME: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\S.*:(?:\d+:\d+|\?:\?): 0x[0-9a-f]+ in (\S.*?) \([^()]*\)$"));
static FORTRAN_FRAME: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^#\d+\s+0x[0-9a-f]+(?: in (\S+))?"));
static FORTRAN_SIGNAL: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^Program received signal (SIG\w+): (.*)$"));
/// `At C:\x.ps1:3 char:5`, `At line:1 char:1`.
static SHELL_PLACE: LazyLock<Regex> = LazyLock::new(|| regex(r"^At (\S.*):\d+ char:\d+\s*$"));
/// `Get-Item: /srv/x.ps1:3`.
static SHELL_HEAD: LazyLock<Regex> = LazyLock::new(|| regex(r"^(\S+): (\S.*\.ps\w*1):\d+\s*$"));
static SHELL_KIND: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\+ CategoryInfo +: .*[,\] ]([\w.]+)\s*$"));
static CRYSTAL: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^Unhandled exception(?: in spawn(?:\([^)]*\))?)?: (.*) \(([A-Z][\w:]*)\)$")
});
static CRYSTAL_FRAME: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\s+from (?:\S.*:\d+:\d+ in '(.+)'|\?\?\?)$"));

pub(super) fn begin(line: &str, before: Option<&str>) -> Option<Begun> {
    let line = line.trim_end();
    match *line.as_bytes().first()? {
        b't' if line.contains(" panic: ") => {
            let found = ZIG_PANIC.captures(line)?;
            let open = Open::new(Lang::Zig, 0, "panic", &found[1]).strong();
            return Some(Begun::new(0, open));
        }
        b'F' => {
            let message = line.strip_prefix("Fortran runtime error: ")?;
            let mut open = Open::new(Lang::Fortran, 0, "runtime error", message).strong();
            let placed = before.is_some_and(|before| before.starts_with("At line "));
            open.located = placed;
            let begun = Begun::new(0, open);
            return Some(if placed { begun.with_before() } else { begun });
        }
        b'E' if line == "Error termination. Backtrace:" => {
            let open = Open::new(Lang::Fortran, 0, "error termination", "").strong();
            return Some(Begun::new(0, open));
        }
        b'P' => {
            let found = FORTRAN_SIGNAL.captures(line)?;
            let open = Open::new(Lang::Fortran, 0, &found[1], &found[2]).strong();
            return Some(Begun::new(0, open));
        }
        b'A' if line.contains(" char:") => {
            let found = SHELL_PLACE.captures(line)?;
            let before = before.filter(|before| !before.trim().is_empty());
            let mut open = Open::new(Lang::Powershell, 0, "unknown", before.unwrap_or(""));
            open.frame(&found[1]);
            let begun = Begun::new(0, open);
            return Some(if before.is_some() {
                begun.with_before()
            } else {
                begun
            });
        }
        b'L' if line == "Line |" => {
            let found = SHELL_HEAD.captures(before?)?;
            let mut open = Open::new(Lang::Powershell, CONCISE, &found[1], "");
            open.frame(&found[2]);
            return Some(Begun::new(0, open).with_before());
        }
        b'U' => {
            let found = CRYSTAL.captures(line)?;
            let open = Open::new(Lang::Crystal, 0, &found[2], &found[1]).strong();
            return Some(Begun::new(0, open));
        }
        _ => {}
    }
    if !line.contains(".zig:") {
        return None;
    }
    let found = ZIG_FRAME.captures(line)?;
    // Of an error that `main` returned: the line before names it.
    let name = before.and_then(|before| before.strip_prefix("error: "));
    let mut open = Open::new(Lang::Zig, 0, name.unwrap_or("unknown"), "");
    open.frame(&found[1]);
    let begun = Begun::new(0, open);
    Some(if name.is_some() {
        begun.with_before()
    } else {
        begun
    })
}

pub(super) fn step(open: &mut Open, line: &str) -> Step {
    let trimmed = line.trim();
    if open.lang == Lang::Powershell && open.state == CONCISE {
        return concise(open, trimmed);
    }
    if trimmed.is_empty() {
        return Step::Hold;
    }
    let frame = match open.lang {
        Lang::Zig => &ZIG_FRAME,
        Lang::Fortran => &FORTRAN_FRAME,
        Lang::Crystal => &CRYSTAL_FRAME,
        _ => return powershell(open, line, trimmed),
    };
    if let Some(found) = frame.captures(line.trim_end()) {
        open.frame(found.get(1).map_or("", |name| name.as_str()));
        return Step::Take;
    }
    let indented = line.starts_with([' ', '\t']) && open.frames > 0;
    let belongs = match open.lang {
        // The line of the source, and a mark below it.
        Lang::Zig => indented,
        Lang::Fortran => {
            if open.frames > 0
                && (trimmed.starts_with("Segmentation fault") || trimmed.starts_with("Aborted"))
            {
                return Step::End;
            }
            line.starts_with("\tat ")
                || trimmed == "Error termination. Backtrace:"
                || trimmed == "Backtrace for this error:"
        }
        _ => false,
    };
    if belongs {
        Step::Take
    } else if open.frames == 0 && open.lines < 4 {
        // A message of several lines.
        Step::Hold
    } else {
        Step::Refuse
    }
}

fn powershell(open: &mut Open, line: &str, trimmed: &str) -> Step {
    if let Some(found) = SHELL_KIND.captures(trimmed) {
        open.kind = found[1].to_owned();
        return Step::Take;
    }
    if trimmed.starts_with("+ ") || line.starts_with("   ") {
        Step::Take
    } else {
        Step::Refuse
    }
}

fn concise(open: &mut Open, trimmed: &str) -> Step {
    let Some((number, said)) = trimmed.split_once('|') else {
        return Step::Refuse;
    };
    if !number.trim().bytes().all(|byte| byte.is_ascii_digit()) {
        return Step::Refuse;
    }
    let said = said.trim();
    if number.trim().is_empty() && !said.starts_with('~') {
        open.message = said.to_owned();
    }
    Step::Take
}
