//! `[workflow]`.

use super::Kind::{Choice, Span, Text};
use super::Need::{Default, Optional};
use super::{Section, key};

/// `[workflow]`.
pub(in crate::config) static WORKFLOW: Section = Section {
    keys: &[
        key("name", Text, Optional, "Name of the workflow there."),
        key(
            "task_queue",
            Text,
            Optional,
            "Queue that its workers take from.",
        ),
        key(
            "dispatch_url",
            Text,
            Optional,
            "Where operations are sent, such as `https://flow.example.org/operations/dispatch`.",
        ),
        key(
            "status_base_url",
            Text,
            Optional,
            "What `/operations/ID` is appended to, such as `https://flow.example.org`.",
        ),
        key(
            "mode",
            Choice(&["start", "await"]),
            Default("\"start\""),
            "Whether an application over the network is answered at once with a handle, or waits for its end as long as its class may.",
        ),
        key(
            "token_env",
            Text,
            Optional,
            "Name of the variable with the token that is sent as `Authorization: Bearer`. Never the token.",
        ),
        key(
            "token_file",
            Text,
            Optional,
            "File with that token, relative to this file or absolute.",
        ),
        key(
            "dispatch_within",
            Span,
            Default("\"10s\""),
            "Time for the answer to a dispatch or a cancel, 100ms to 60s.",
        ),
        key(
            "status_within",
            Span,
            Default("\"5s\""),
            "Time for the answer to a question, 100ms to 15s.",
        ),
        key(
            "status_every",
            Span,
            Default("\"10s\""),
            "The longest wait between two questions about an operation, 250ms to 5m.",
        ),
        key(
            "lost_after",
            Span,
            Default("\"2m\""),
            "How long the service may answer without saying what became of an operation before a person is needed, 1s to 1h. Time in which it does not answer does not count.",
        ),
    ],
};
