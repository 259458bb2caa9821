//! The keys of `[record.NAME]`.

use super::Kind::*;
use super::Need::{Default, Optional, Required};
use super::{Section, key};

/// Words of `mode`.
pub(in crate::config) const MODES: &[&str] = &["auto", "playback", "record"];

/// `[record.NAME]`.
pub(in crate::config) static RECORD: Section = Section {
    keys: &[
        key(
            "cassette",
            Text,
            Required,
            "The cassette, relative to this file; its name ends in `.json`.",
        ),
        key(
            "mode",
            Choice(MODES),
            Default("\"auto\""),
            "`auto` plays the cassette if it is there and records it if not, but never in CI; `playback` and `record` do what they say.",
        ),
        key(
            "upstreams",
            TextMap,
            Default("{}"),
            "Services by name, each with its base URL. The command gets `GONOGO_RECORDED_<NAME>` with the address to use instead.",
        ),
        key(
            "upstream_roots",
            Text,
            Optional,
            "A file of PEM certificates that services may be signed by, beside the system's; relative to this file.",
        ),
        key(
            "forward",
            Flag,
            Default("false"),
            "Whether there is a forward proxy too, for what takes its proxy from the environment.",
        ),
        key(
            "loopback",
            Flag,
            Default("false"),
            "Whether requests to this machine itself go through the forward proxy as well. Not together with `upstreams`.",
        ),
        key(
            "timing",
            Flag,
            Default("false"),
            "Whether playback keeps the recorded pauses inside of answers.",
        ),
        key(
            "allow_unused",
            Flag,
            Default("false"),
            "Whether exchanges that nobody asked for are no reason to hold.",
        ),
        key(
            "max_age",
            Span,
            Default("\"90d\""),
            "How old the cassette may be.",
        ),
        key(
            "match",
            Table(&MATCH),
            Default("{}"),
            "What makes two requests the same, beside method, URL and body.",
        ),
        key(
            "redact",
            Table(&REDACT),
            Default("{}"),
            "What is replaced before anything is kept, beside the usual names.",
        ),
    ],
};

/// `match = { … }`.
pub(in crate::config) static MATCH: Section = Section {
    keys: &[
        key(
            "template",
            Flag,
            Default("false"),
            "JSON bodies: keys that were not recorded are ignored, and a recorded `null` stands for an absent key too.",
        ),
        key(
            "volatile",
            Texts,
            Default("[]"),
            "JSON pointers to what is not compared in JSON bodies; a segment `*` is any key or index.",
        ),
        key(
            "headers",
            Texts,
            Default("[]"),
            "Request headers that are compared too.",
        ),
        key(
            "repeat",
            Texts,
            Default("[]"),
            "Requests that may come any number of times: `METHOD URL`, where the URL may end in `*`.",
        ),
    ],
};

/// `redact = { … }`.
pub(in crate::config) static REDACT: Section = Section {
    keys: &[
        key(
            "words",
            Texts,
            Default("[]"),
            "A JSON key, form field, query parameter or header whose name contains one of these is redacted.",
        ),
        key(
            "plain",
            Texts,
            Default("[]"),
            "Whole names that are not redacted although they contain such a word.",
        ),
        key(
            "headers",
            Texts,
            Default("[]"),
            "Whole names of headers that are redacted.",
        ),
        key(
            "patterns",
            Texts,
            Default("[]"),
            "Regular expressions; the first group of a match is replaced, or all of it.",
        ),
        key(
            "values_of",
            Texts,
            Default("[]"),
            "Names of variables whose values are secrets: they are replaced wherever they stand. One that is not set is passed over.",
        ),
    ],
};
