//! The keys of `[webhooks.NAME]`.

use super::Kind::*;
use super::Need::{Default, Optional, Required};
use super::{Section, key};

/// `[webhooks.NAME]`.
pub(in crate::config) static WEBHOOK: Section = Section {
    keys: &[
        key(
            "url",
            Text,
            Required,
            "Where notices are sent: an `https://` address. `http://` is for the networks in `allow` alone.",
        ),
        key(
            "secret_env",
            Text,
            Optional,
            "Name of the variable that holds the secret, `whsec_` and base64 of 24 to 64 bytes. Either this or `secret_file`.",
        ),
        key(
            "secret_file",
            Text,
            Optional,
            "File that holds the secret, relative to this file or absolute. A second line holds the secret before: while there is one, notices are signed with both.",
        ),
        key(
            "events",
            Texts,
            Default(
                "[\"approval.requested\", \"approval.decided\", \"break_glass.used\", \"incident.changed\"]",
            ),
            "What is told; `gonogo webhook events` lists all. `*` is everything.",
        ),
        key(
            "environments",
            Texts,
            Default("[]"),
            "Only what is about these environments; empty is about all, and about none.",
        ),
        key(
            "allow",
            Texts,
            Default("[]"),
            "Networks that may be reached beside the public internet, such as `10.1.0.0/16`. Everything else of a private network, of this machine and of a cloud's metadata is refused, whatever the name resolves to.",
        ),
        key(
            "link",
            Text,
            Optional,
            "Where people find this project's server, such as `https://gonogo.example.org`; notices then hold links.",
        ),
        key(
            "timeout",
            Span,
            Default("\"15s\""),
            "Time for one delivery, 1s to 30s.",
        ),
    ],
};
