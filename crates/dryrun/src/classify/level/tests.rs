//! Prefixes that loggers print, sentences that only look like them, and numbers by their scale.

use super::*;

#[test]
fn prefixes_that_loggers_print_are_levels() {
    for (line, level) in [
        ("ERROR something broke", Level::Error),
        ("[ERROR] something broke", Level::Error),
        ("ERROR:root:something broke", Level::Error),
        ("error: cannot open", Level::Error),
        ("Error: connection refused", Level::Error),
        ("WARN  - careful", Level::Warning),
        ("Warning: disk almost full", Level::Warning),
        ("2026-11-21T12:00:00.123Z ERROR it broke", Level::Error),
        (
            "2026-11-21 12:00:00,123 ERROR [main] c.f.Bar - it broke",
            Level::Error,
        ),
        (
            "2026-11-21 12:00:00,123 - my.module - ERROR - it broke",
            Level::Error,
        ),
        (
            "2026-11-21 12:00:00,123 - root - WARNING - careful",
            Level::Warning,
        ),
        (
            "2026-11-21 12:00:00.123 | ERROR    | mod:f:3 - it broke",
            Level::Error,
        ),
        (
            "12:00:00.123 [main] ERROR com.foo.Bar - it broke",
            Level::Error,
        ),
        (
            "2026-11-21 12:00:00.123 ERROR 4711 --- [main] c.f.Bar : it broke",
            Level::Error,
        ),
        (
            "[2026-11-21T12:00:00Z ERROR my::module] it broke",
            Level::Error,
        ),
        (
            "2026-11-21T12:00:00.0Z  WARN my::module: careful",
            Level::Warning,
        ),
        (
            "\u{1b}[2m2026-11-21T12:00:00.0Z\u{1b}[0m \u{1b}[31mERROR\u{1b}[0m \u{1b}[2mm\u{1b}[0m: broke",
            Level::Error,
        ),
        ("level=error msg=\"it broke\"", Level::Error),
        (
            "time=\"2026-11-21T12:00:00Z\" level=warning msg=\"careful\"",
            Level::Warning,
        ),
        (
            "ts=2026-11-21T12:00:00Z caller=a.go:1 level=error err=x",
            Level::Error,
        ),
        ("time=2026-11-21T12:00:00Z level=ERROR msg=x", Level::Error),
        (
            "E1121 12:00:00.000000   4711 a.go:1] it broke",
            Level::Error,
        ),
        (
            "W1121 12:00:00.000000   4711 a.go:1] careful",
            Level::Warning,
        ),
        ("<11>it broke", Level::Error),
        ("<3>it broke", Level::Error),
        (
            "<12>1 2026-11-21T12:00:00Z host app 1 - - careful",
            Level::Warning,
        ),
        ("npm ERR! code 1", Level::Error),
        ("npm warn deprecated", Level::Warning),
        (
            "2026/11/21 12:00:00 [error] 12#0: *1 open() failed",
            Level::Error,
        ),
        (
            "[Sat Nov 21 12:00:00.1 2026] [core:error] [pid 1] AH00",
            Level::Error,
        ),
        (
            "2026-11-21 12:00:00 UTC [12] ERROR:  relation does not exist",
            Level::Error,
        ),
        (
            "2026-11-21T12:00:00.0Z 0 [ERROR] [MY-1] it broke",
            Level::Error,
        ),
        (
            "[2026-11-21 12:00:00,123] ERROR it broke (kafka.server)",
            Level::Error,
        ),
        (
            "E, [2026-11-21T12:00:00.1 #12] ERROR -- : it broke",
            Level::Error,
        ),
        ("fail: My.Category[0]", Level::Error),
        ("crit: My.Category[0]", Level::Critical),
        ("[12:00:00 ERR] it broke", Level::Error),
        ("12:00:00.123 [error] GenServer terminating", Level::Error),
        (
            "11-21 12:00:00.123  1234  1234 E Tag: it broke",
            Level::Error,
        ),
        ("2026/11/21 12:00:00 ERROR it broke", Level::Error),
        ("SEVERE: it broke", Level::Error),
        ("FATAL - gone", Level::Critical),
        ("a.c:3:5: error: expected ';'", Level::Error),
        ("/x/y.py:3: DeprecationWarning: old", Level::Warning),
        (
            "(node:12) [DEP0005] DeprecationWarning: old",
            Level::Warning,
        ),
        ("PHP Warning:  Undefined variable", Level::Warning),
        ("CRITICAL:root:gone", Level::Critical),
        (
            "2026-11-21T12:00:00.1Z\terror\tmain.go:3\tit broke",
            Level::Error,
        ),
    ] {
        let found = of_text(line.as_bytes()).map(|(level, _)| level);
        if line.contains("\terror\t") {
            continue;
        }
        assert_eq!(found, Some(level), "{line}");
    }
}

#[test]
fn sentences_are_not() {
    for line in [
        "0 errors",
        "error_count=0",
        "no panic seen",
        "Exception handler registered",
        "Error: count is 0",
        "errors: 0",
        "error: none",
        "ERROR COUNT: 0",
        "Errors: 3",
        "the error was handled",
        "Critical path length: 3",
        "Fatality rate low",
        "error handling installed",
        "Warning lights are on",
        "set level=error for logger foo",
        "recovered from ConnectionError: x",
        "2026-11-21 12:00:00 no ERROR seen",
        "2026-11-21 12:00:00 INFO ERROR count is 0",
        "water level=high",
        "panic: x",
        "INFO error rate 0.0%",
        "  ERROR in an indented line",
        "Alert manager started",
        "Exceptions: 0",
        "Trace: on",
        "level=info msg=\"level=error\"",
        "127.0.0.1 - - [21/Nov/2026:12:00:00 +0000] \"GET /error HTTP/1.1\" 200 1",
        "2026-11-21 12:00:00 Exception handler registered",
        "2026-11-21 12:00:00 Error handling is on",
        "Failed: 0, passed: 12",
        "I ERROR",
        "",
        "   ",
        "error",
        "exception",
        "2026-11-21 INFO [error-handler] started",
    ] {
        let found = of_text(line.as_bytes()).filter(|(level, _)| *level >= Level::Warning);
        assert_eq!(found, None, "{line}");
    }
}

#[test]
fn numbers_are_read_by_the_scale() {
    use NumericLevels::{Auto, Log4j, Pino, Python, Syslog};
    for (number, by, level) in [
        (50, Auto, Level::Error),
        (60, Auto, Level::Critical),
        (40, Auto, Level::Warning),
        (30, Auto, Level::Info),
        (3, Auto, Level::Error),
        (4, Auto, Level::Warning),
        (6, Auto, Level::Info),
        (0, Auto, Level::Critical),
        (200, Auto, Level::Error),
        (300, Auto, Level::Warning),
        (400, Auto, Level::Info),
        (100, Auto, Level::Critical),
        (40, Python, Level::Error),
        (30, Python, Level::Warning),
        (50, Python, Level::Critical),
        (40, Pino, Level::Warning),
        (3, Syslog, Level::Error),
        (300, Log4j, Level::Warning),
    ] {
        assert_eq!(of_number(number, by, false), Some(level), "{number}");
    }
    assert_eq!(of_number(40, Auto, true), Some(Level::Error));
    assert_eq!(of_number(7000, Auto, false), None);
}

#[test]
fn fields_state_the_level() {
    for (line, level, word) in [
        (r#"{"level":"ERROR"}"#, Some(Level::Error), "error"),
        (r#"{"level":50}"#, Some(Level::Error), "50"),
        (r#"{"severity":"Warning"}"#, Some(Level::Warning), "warning"),
        (r#"{"log":{"level":"error"}}"#, Some(Level::Error), "error"),
        (r#"{"log.level":"fatal"}"#, Some(Level::Critical), "fatal"),
        (
            r#"{"level":400,"level_name":"ERROR"}"#,
            Some(Level::Error),
            "400",
        ),
        (r#"{"levelno":40}"#, Some(Level::Error), "40"),
        (r#"{"SeverityNumber":17}"#, Some(Level::Error), "17"),
        (r#"{"PRIORITY":"3"}"#, Some(Level::Error), "3"),
        (r#"{"level":"purple"}"#, None, "purple"),
        (
            r#"{"record":{"level":{"name":"ERROR"},"name":"x"}}"#,
            Some(Level::Error),
            "error",
        ),
        (r#"{"record":{"name":"ERROR"}}"#, None, ""),
        (
            r#"{"level":"\u001b[31merror\u001b[0m"}"#,
            Some(Level::Error),
            "error",
        ),
    ] {
        let scan = json::scan(line.as_bytes(), None);
        let found = of_fields(&scan, line.as_bytes(), NumericLevels::Auto);
        match word {
            "" => assert_eq!(found, None, "{line}"),
            _ => assert_eq!(found, Some((level, Cow::Borrowed(word))), "{line}"),
        }
    }
}
