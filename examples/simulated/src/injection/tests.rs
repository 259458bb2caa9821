//! How injections are read and said again.

use super::*;
use crate::traces::TRACES;

#[test]
fn what_is_read_is_said_again_and_read_as_the_same() {
    for (text, full) in [
        ("silence=4.5", "silence=4.5@2-2"),
        ("silence=500ms@7", "silence=0.5@7-7"),
        ("crash=3", "crash=3@2-2"),
        ("crash=SEGV@4", "crash=SEGV@4-4"),
        ("crash=SIGKILL", "crash=KILL@2-2"),
        ("traceback=rust", "traceback=rust@2-2"),
        ("traceback=go:stdout@3-5", "traceback=go:stdout@3-5"),
        ("traceback=go:stderr", "traceback=go@2-2"),
        ("warnings=4000", "warnings=4000@2-2"),
        ("stale", "stale@2-"),
        ("stale=diary@3-6", "stale=diary@3-6"),
        ("touched=diary", "touched=diary@2-"),
        ("broken=performance@9-", "broken=performance@9-"),
        ("clock=-3600", "clock=-3600@2-"),
        ("slow-start=0.7", "slow-start=0.7"),
        ("deaf", "deaf=600@2-"),
        ("deaf=5@1", "deaf=5@1-"),
        ("grandchild=5", "grandchild=5@2-2"),
        ("long-line=3MiB", "long-line=3145728@2-2"),
        ("bytes@1", "bytes@1-1"),
        ("no-newline", "no-newline"),
        ("memory=20", "memory=20@2-"),
        ("cpu=150@2-3", "cpu=150@2-3"),
    ] {
        let read: Injection = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(read.to_string(), full, "{text}");
        assert_eq!(full.parse(), Ok(read), "{full}");
    }
}

#[test]
fn each_trace_and_each_kind_can_be_asked_for() {
    for trace in TRACES {
        let read: Injection = format!("traceback={}", trace.name).parse().unwrap();
        assert_eq!(read.kind, Kind::Traceback(*trace, Pipe::Stderr));
    }
    for (name, takes, _) in KINDS {
        let value = match *takes {
            "SECONDS" | "LINES" | "BYTES" | "MIB" | "PERCENT" | "CODE|SIGNAL" => "=7",
            "LANGUAGE[:stdout]" => "=ruby",
            _ => "",
        };
        let read: Injection = format!("{name}{value}").parse().unwrap();
        assert_eq!(read.kind.name(), *name);
    }
}

#[test]
fn what_cannot_be_understood_says_what_is_wrong() {
    for (text, expected) in [
        (
            "slience=3",
            "unknown injection `slience` (did you mean `silence`?); known are silence, crash,",
        ),
        ("grandchilds=3", "(did you mean `grandchild`?)"),
        ("fire", "unknown injection `fire`; known"),
        ("", "unknown injection ``; known"),
        (
            "silence",
            "injection `silence` needs a value: `silence=SECONDS`",
        ),
        ("silence=", "needs a value"),
        ("silence=-1", "`-1` is not a time"),
        ("silence=NaN", "`NaN` is not a time"),
        ("silence=inf", "`inf` is not a time"),
        ("silence=1e30", "`1e30` is not a time"),
        ("silence=9999999", "up to 30 days"),
        ("clock=NaN", "is not a number of seconds"),
        ("crash=256", "is not an exit code from 0 to 255"),
        ("crash=SGEV", "(did you mean `SEGV`?)"),
        ("crash=CHLD", "deadly signal"),
        ("traceback=pyhton", "(did you mean `python`?)"),
        ("traceback=go:stdin", "`:stdout` or `:stderr`"),
        ("traceback=cobol", "is not one of python, java"),
        ("flood=0", "is not a whole number from 1"),
        ("flood=-3", "is not a whole number from 1"),
        ("flood=99999999999999999999", "is not a whole number"),
        ("long-line=99999999999MiB", "4096MiB"),
        ("long-line=18446744073709551615MiB", "4096MiB"),
        (
            "stale=dairy",
            "`dairy` is not `diary` or `performance` (did you mean `diary`?)",
        ),
        ("stale=", "is not `diary` or `performance`"),
        ("bytes=1", "injection `bytes` takes no value"),
        ("no-newline@3", "injection `no-newline` has no tick"),
        ("slow-start=1@3", "has no tick"),
        ("flood=3@0", "`@0` is no span of ticks"),
        ("flood=3@", "`@` is no span"),
        ("flood=3@5-4", "`@5-4` is no span"),
        ("flood=3@x", "`@x` is no span"),
        ("flood=3@-", "`@-` is no span"),
        ("flood=3@2@3", "whole number"),
    ] {
        let error = text.parse::<Injection>().unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
