//! Traces inside JSON records: strings under the names that loggers give them, and messages of several lines.

use serde_json::Value;

use super::json::{self, Scan, Slot};
use super::trace::{Here, Lang, Open, Told, Traces, frame_of};
use super::{gate, trace};

/// Names of fields that hold traces, in lower case, without punctuation.
const NAMES: &[&str] = &[
    "excinfo",
    "exctext",
    "exception",
    "exceptions",
    "exceptionstacktrace",
    "stack",
    "stacktrace",
    "errorstack",
    "errorstacktrace",
    "errstack",
    "stacktraces",
    "traceback",
    "backtrace",
    "trace",
    "throwable",
    "thrown",
    "errorverbose",
    "error",
    "err",
    "cause",
    "callstack",
    "details",
];
/// Deepest that is looked.
const DEPTH: usize = 8;

/// Returns the traces that a JSON record carries.
pub(super) fn traces(line: &[u8], here: Here) -> Vec<Open> {
    let Ok(value) = serde_json::from_slice::<Value>(line) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    walk(&value, "", DEPTH, here, &mut found);
    // The same trace is often there twice (`message` and `stack`): the one with more frames stays.
    found.sort_by_key(|open: &Open| std::cmp::Reverse(open.frames));
    let mut kept: Vec<Open> = Vec::new();
    for open in found {
        if !kept
            .iter()
            .any(|known| known.kind == open.kind || open.frames == 0)
        {
            kept.push(open);
        }
    }
    kept.truncate(4);
    for open in &mut kept {
        // The field said what it is.
        open.strong = true;
    }
    kept
}

/// Where a record may name what was thrown, in a few words.
pub(super) const THREW: [Slot; 3] = [Slot::Exception, Slot::ExceptionInfo, Slot::ExceptionType];

/// Whether a record says that something was thrown.
#[inline]
pub(super) fn threw(scan: &Scan, line: &[u8]) -> bool {
    THREW
        .into_iter()
        .any(|slot| matches!(scan.value(line, slot), Some([b'"', _, _, ..])))
}

/// Returns what a record says was thrown, without frames: as much as a lone start word.
pub(super) fn thrown(scan: &Scan, line: &[u8], here: Here) -> Option<Open> {
    THREW.into_iter().find_map(|slot| {
        let text = json::text(scan.value(line, slot)?)?;
        let (kind, message) = trace::exception(&text)?;
        let mut open = Open::new(Lang::Unknown, 0, kind, message).strong();
        open.here(here, &String::from_utf8_lossy(line));
        Some(open)
    })
}

/// Returns the traces that one line of text carries, its line feeds escaped or being carriage returns.
pub(super) fn in_text(text: &str, here: Here) -> Vec<Open> {
    if text.trim_end().contains('\r') {
        let mut found = read(&text.replace('\r', "\n"), "", false, here);
        found.truncate(1);
        return found;
    }
    escaped(text, here)
}

/// Returns the traces that a line of text carries in a quoted value, its line feeds escaped, as logfmt has them.
fn escaped(text: &str, here: Here) -> Vec<Open> {
    if !text.contains("\\n") {
        return Vec::new();
    }
    let plain = text
        .replace("\\n", "\n")
        .replace("\\t", "\t")
        .replace("\\\"", "\"");
    // Before the first line there are other values, behind the last one there may be.
    let start = plain.find('\n').map_or(0, |end| {
        plain[..end].rfind(['"', '\'']).map_or(0, |quote| quote + 1)
    });
    let mut found = read(
        plain[start..].trim_end_matches(['"', '\'']),
        "",
        false,
        here,
    );
    found.truncate(1);
    for open in &mut found {
        // It stands for its line, whatever that is.
        open.strong = true;
    }
    found
}

fn bare(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

fn holds(name: &str) -> bool {
    let bare = bare(name);
    NAMES.contains(&bare.as_str()) || bare.ends_with("stacktrace") || bare.ends_with("traceback")
}

fn walk(value: &Value, name: &str, depth: usize, here: Here, found: &mut Vec<Open>) {
    if depth == 0 {
        return;
    }
    match value {
        Value::String(text) => {
            let named = holds(name);
            if named || text.contains('\n') && gate::hits(text.as_bytes()) {
                found.extend(read(text, name, named, here));
            }
        }
        Value::Array(items)
            if holds(name) && items.iter().all(Value::is_string) && !items.is_empty() =>
        {
            let text: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            found.extend(read(&text.join("\n"), name, true, here));
        }
        Value::Array(items) => {
            let frames = items.iter().filter_map(placed).collect::<Vec<_>>();
            if !frames.is_empty() && frames.len() == items.len() {
                found.extend(listed(frames, here));
            } else {
                for item in items {
                    walk(item, name, depth - 1, here, found);
                }
            }
        }
        Value::Object(fields) => {
            let before = found.len();
            for (name, value) in fields {
                walk(value, name, depth - 1, here, found);
            }
            // What was thrown often stands beside the stack.
            let kind = [
                "type",
                "class",
                "kind",
                "name",
                "exc_type",
                "error.type",
                "exception.type",
                "error.kind",
                "error_class",
                "exception.class",
            ]
            .iter()
            .find_map(|name| fields.get(*name)?.as_str());
            let message = [
                "message",
                "exc_value",
                "value",
                "error.message",
                "exception.message",
                "msg",
            ]
            .iter()
            .find_map(|name| fields.get(*name)?.as_str());
            for open in &mut found[before..] {
                if open.kind == "unknown" {
                    if let Some(kind) = kind {
                        open.kind = super::cut(kind, 200).to_owned();
                    }
                    if let Some(message) = message.filter(|_| open.message.is_empty()) {
                        open.message = super::cut(message, 2_000).to_owned();
                    }
                }
            }
        }
        _ => {}
    }
}

/// A frame that is an object: a file, a line and perhaps a function.
fn placed(item: &Value) -> Option<(String, bool)> {
    let item = item.as_object()?;
    let text = |names: &[&str]| names.iter().find_map(|name| item.get(*name)?.as_str());
    let file = text(&[
        "filename",
        "file",
        "fileName",
        "abs_path",
        "module",
        "className",
        "class",
        "source",
    ])?;
    ["lineno", "line", "lineNumber", "line_number"]
        .iter()
        .find_map(|name| item.get(*name))?;
    let function = text(&["function", "name", "method", "methodName", "func"]).unwrap_or("");
    Some((format!("{file}:{function}"), file.ends_with(".py")))
}

fn listed(frames: Vec<(String, bool)>, here: Here) -> Option<Open> {
    let python = frames.iter().any(|(_, python)| *python);
    let lang = if python { Lang::Python } else { Lang::Unknown };
    let mut open = Open::new(lang, 0, "unknown", "");
    for (name, _) in &frames {
        open.frame(name);
    }
    open.here(
        here,
        &frames
            .iter()
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>()
            .join("\n"),
    );
    Some(open)
}

/// Reads a text as a stream of its own.
fn read(text: &str, name: &str, named: bool, here: Here) -> Vec<Open> {
    let mut traces = Traces::default();
    let mut told = Vec::new();
    let mut before: Option<trace::Before> = None;
    let mut lines = 0_u64;
    for line in text.lines() {
        let mut taken = false;
        traces.line(
            trace::Input {
                channel: "",
                text: line,
                here,
                suspect: true,
                before: before.take().into_iter().collect(),
            },
            None,
            &mut None,
            &mut taken,
            &mut told,
        );
        before = (!taken).then(|| trace::Before {
            text: line.to_owned(),
            here,
        });
        lines += 1;
    }
    traces.finish(&mut told);
    let found: Vec<Open> = told
        .into_iter()
        .filter_map(|told| match told {
            // A start word is worth a warning if more than its own line follows it.
            Told::Trace(open)
                if open.has_frames() || lines > 1 && (named || open.strong && open.lines > 1) =>
            {
                Some(*open)
            }
            _ => None,
        })
        .collect();
    if !found.is_empty()
        || !named
        || matches!(
            bare(name).as_str(),
            "error" | "err" | "details" | "cause" | "trace"
        ) && lines < 2
    {
        return found;
    }
    // Frames only, as zap and others print them: `main.main⏎⇥/path/main.go:10`.
    let mut open = Open::new(Lang::Unknown, 0, "unknown", "");
    let mut function = "";
    for line in text.lines() {
        match frame_of(line) {
            Some((lang, name)) => {
                if open.lang == Lang::Unknown {
                    open.lang = lang;
                }
                open.frame(if name.is_empty() { function } else { &name });
            }
            None => function = line.trim(),
        }
    }
    if open.frames == 0 {
        return found;
    }
    open.here(here, text);
    vec![open]
}
