//! Which format a report has, by its beginning.
//!
//! A wrong guess is worse than none: a page, a log of another program, a JSON of something else have no format here. JSON is walked
//! by its own keys, so a text that quotes a report is none; lines count only if they are whole and stand where they should.

use super::json::{Broken, Json, Kind};
use super::{Format, wide};

/// Most of a report that is looked at.
const LOOKED: usize = 64 << 10;

/// Tells a report's format from its first 64 KiB, and from its name where that alone leaves two.
pub fn detect(name: Option<&str>, head: &[u8]) -> Option<Format> {
    let head = &head[..head.len().min(LOOKED)];
    let decoded = wide::head(head);
    let head = match &decoded {
        Some(text) => text.as_bytes(),
        None => head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head),
    };
    if head.contains(&0) {
        return None;
    }
    let text = head.trim_ascii_start();
    match text.first()? {
        b'<' => xml(text),
        b'{' => json(text).or_else(|| lines(name, head)),
        b'[' if !text.starts_with(b"[{") => lines(name, head),
        b'[' => None,
        _ => lines(name, head),
    }
}

/// The root element, past declarations and comments.
fn xml(mut text: &[u8]) -> Option<Format> {
    loop {
        text = text.trim_ascii_start();
        let end: &[u8] = if text.starts_with(b"<!--") {
            b"-->"
        } else if text.starts_with(b"<?") {
            b"?>"
        } else if text.starts_with(b"<!") {
            b">"
        } else {
            break;
        };
        let at = memchr::memmem::find(text, end)?;
        text = &text[at + end.len()..];
    }
    let rest = text.strip_prefix(b"<")?;
    let end = rest
        .iter()
        .position(|b| matches!(b, b'>' | b'/') || b.is_ascii_whitespace())?;
    let root = rest[..end].rsplit(|b| *b == b':').next()?;
    match root {
        b"testsuites" | b"testsuite" => Some(Format::Junit),
        b"TestRun" => Some(Format::Trx),
        _ if root.eq_ignore_ascii_case(b"html") => None,
        // Any root: what counts is what is inside.
        _ if memchr::memmem::find(rest, b"<testsuite").is_some()
            || memchr::memmem::find(rest, b"<testcase").is_some() =>
        {
            Some(Format::Junit)
        }
        _ => None,
    }
}

/// The keys of an object, and those of what it holds as `results`, as far as the beginning goes.
fn keys(text: &[u8]) -> (Vec<String>, Vec<String>, bool) {
    let (mut top, mut results) = (Vec::new(), Vec::new());
    let mut source = text;
    let mut json = Json::new(&mut source);
    let mut walk = || -> Result<(), Broken> {
        if !json.enter(Kind::Object)? {
            return Ok(());
        }
        while let Some(key) = json.key()? {
            let is_results = key == "results";
            if top.len() < 1000 {
                top.push(key);
            }
            if is_results && json.kind()? == Kind::Object {
                json.enter(Kind::Object)?;
                while let Some(key) = json.key()? {
                    if results.len() < 1000 {
                        results.push(key);
                    }
                    json.skip()?;
                }
            } else {
                json.skip()?;
            }
        }
        Ok(())
    };
    let ended = walk();
    let is_json = !matches!(ended, Err(Broken::Syntax(..)));
    (top, results, is_json)
}

fn json(text: &[u8]) -> Option<Format> {
    let (top, results, is_json) = keys(text);
    if !is_json {
        return None;
    }
    let has = |key: &str| top.iter().any(|k| k == key);
    let inside = |key: &str| results.iter().any(|k| k == key);
    if has("numTotalTests") && (has("testResults") || has("numPassedTests")) {
        return Some(Format::Jest);
    }
    if inside("tool") && (inside("summary") || inside("tests")) {
        return Some(Format::Ctrf);
    }
    if has("reportFormat") && memchr::memmem::find(text, b"\"CTRF\"").is_some() {
        return Some(Format::Ctrf);
    }
    None
}

/// An event in a line.
fn event(line: &[u8]) -> Option<Format> {
    let from = memchr::memchr(b'{', line)?;
    let (top, _, is_json) = keys(&line[from..]);
    let has = |key: &str| top.iter().any(|k| k == key);
    if !is_json {
        return None;
    }
    if has("$report_type") {
        return Some(Format::PytestLog);
    }
    if has("Action") && (has("Package") || has("ImportPath")) {
        return Some(Format::Go);
    }
    if has("type") && has("event") {
        let is_test = [&b"\"suite\""[..], b"\"test\"", b"\"bench\""]
            .iter()
            .any(|kind| memchr::memmem::find(line, kind).is_some());
        let is_known = [
            &b"\"started\""[..],
            b"\"ok\"",
            b"\"failed\"",
            b"\"ignored\"",
        ]
        .iter()
        .any(|word| memchr::memmem::find(line, word).is_some());
        return (is_test && is_known).then_some(Format::LibtestJson);
    }
    None
}

fn lines(name: Option<&str>, head: &[u8]) -> Option<Format> {
    let name = name.unwrap_or_default().to_ascii_lowercase();
    let is_named_tap = name.ends_with(".tap") || name.ends_with(".t.txt");
    let text = super::text::plain(head);
    let (mut plan, mut points, mut tests, mut running, mut first) = (false, 0, 0, false, true);
    let (mut built, mut tried) = (false, 0);
    for line in text.lines() {
        if line.contains('{')
            && let Some(format) = event(line.as_bytes())
        {
            return Some(format);
        }
        // A report in JSON behind what a package manager printed.
        if line.starts_with('{') && tried < 8 {
            tried += 1;
            let at = line.as_ptr() as usize - text.as_ptr() as usize;
            if let Some(format) = json(&text.as_bytes()[at..]) {
                return Some(format);
            }
        }
        let trimmed = line.trim();
        if first && !trimmed.is_empty() {
            first = false;
            if trimmed.starts_with("TAP version 1") {
                return Some(Format::Tap);
            }
        }
        if line.starts_with("TAP version 13") || line.starts_with("TAP version 14") {
            return Some(Format::Tap);
        }
        let (is_plan, is_point) = super::tap::shape(trimmed);
        plan |= is_plan;
        points += u32::from(is_point);
        let (is_running, is_test) = super::libtest::shape(line);
        running |= is_running;
        tests += u32::from(is_test);
        built |= trimmed.starts_with("error: could not compile `");
        if running && tests > 0 {
            return Some(Format::Libtest);
        }
    }
    if running || built {
        return Some(Format::Libtest);
    }
    if (plan && (points > 0 || is_named_tap)) || (points > 0 && is_named_tap) || points > 1 {
        return Some(Format::Tap);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_none_of_them_is_none() {
        for text in [
            "",
            "   \n",
            "<!DOCTYPE html>\n<html><body>test a ... ok\n1..2\nok 1\nok 2</body></html>",
            "<html><testcase></testcase></html>",
            "<?xml version=\"1.0\"?><project><name>x</name></project>",
            "{\"a\": 1}",
            "{\"level\":\"info\",\"msg\":\"\\\"numTotalTests\\\": 1\"}\n{\"level\":\"info\"}",
            "[{\"a\": 1}]",
            "[1, 2]",
            "Everything is ok\nok then\n",
            "2024-01-01T00:00:00Z server started\n2024-01-01T00:00:01Z ok\n",
            "this test is fine ... ok or not\n",
            "Running the migrations\n",
            "{\"type\":\"click\",\"event\":\"mouse\"}\n",
            "{\"Action\":\"buy\"}\n",
            "{\"results\":[1,2],\"summary\":{}}",
            "\u{0}\u{1}binary",
        ] {
            assert_eq!(detect(None, text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_is_one_of_them_is_known() {
        let cases: [(&str, Format); 16] = [
            (
                "<?xml version=\"1.0\"?>\n<!-- a --><testsuites/>",
                Format::Junit,
            ),
            ("\u{feff}<testsuite name=\"a\">", Format::Junit),
            ("<report><x/><testcase/></report>", Format::Junit),
            ("<TestRun id=\"a\" xmlns=\"b\">", Format::Trx),
            ("{\"numTotalTests\":1,\"testResults\":[", Format::Jest),
            (
                "> app@1 test\n> jest --json\n\n{\"numPassedTests\":1,\"numTotalTests\":1,",
                Format::Jest,
            ),
            ("{\"reportFormat\":\"CTRF\"", Format::Ctrf),
            (
                "{\"results\":{\"tool\":{\"name\":\"x\"},\"summary\":{",
                Format::Ctrf,
            ),
            (
                "{\"Time\":\"x\",\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"T\"}\n",
                Format::Go,
            ),
            (
                "go: downloading x\n{\"Action\":\"start\",\"Package\":\"p\"}\n",
                Format::Go,
            ),
            (
                "{ \"type\": \"suite\", \"event\": \"started\", \"test_count\": 8 }\n",
                Format::LibtestJson,
            ),
            (
                "{\"pytest_version\": \"9\", \"$report_type\": \"SessionStart\"}\n",
                Format::PytestLog,
            ),
            ("TAP version 14\n", Format::Tap),
            ("1..2\nok 1\n", Format::Tap),
            (
                "   Compiling a v0.1.0\n\nrunning 1 test\ntest a ... ok\n",
                Format::Libtest,
            ),
            (
                "2024-01-01T00:00:00.1Z running 0 tests\n2024-01-01T00:00:00.1Z \n",
                Format::Libtest,
            ),
        ];
        for (text, format) in cases {
            assert_eq!(detect(None, text.as_bytes()), Some(format), "{text}");
        }
        let wide: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain("TAP version 13\n".encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        assert_eq!(detect(None, &wide), Some(Format::Tap));
        assert_eq!(detect(Some("a.tap"), b"ok 1 - a\n"), Some(Format::Tap));
        assert_eq!(detect(None, b"ok 1 - a\n"), None);
    }
}
