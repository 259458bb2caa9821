//! The keys of `[server]` and `[oidc]`: who is let in, and how often they may ask.

use super::Kind::*;
use super::Need::{Default, Required};
use super::{Section, key};

/// Words of `algorithms`.
pub(in crate::config) const ALGORITHMS: &[&str] = &["RS256", "ES256", "EdDSA"];

/// `[server]`. Read when the server starts.
pub(in crate::config) static SERVER: Section = Section {
    keys: &[
        key(
            "hosts",
            Texts,
            Default("[]"),
            "Names under which the server may be asked for, beside its address, with the port where it is not the scheme's: `gonogo.example.org`. `--host` adds more.",
        ),
        key(
            "requests_each_minute",
            Count,
            Default("60000"),
            "Requests a minute in one name, in the long run; at least 1.",
        ),
        key(
            "requests_burst",
            Count,
            Default("4000"),
            "Requests at once in one name; at least 1.",
        ),
        key(
            "failures_each_minute",
            Count,
            Default("600"),
            "Requests a minute from one address that show nobody, or nobody who is let in; at least 1. Who is beyond that is told 429 before anything is checked.",
        ),
        key(
            "failures_burst",
            Count,
            Default("600"),
            "As many at once; at least 1.",
        ),
        key(
            "logins_each_minute",
            Count,
            Default("4"),
            "Failed logins a minute with one user's name, and four times as many from one address; at least 1.",
        ),
        key(
            "logins_burst",
            Count,
            Default("10"),
            "As many at once; at least 1.",
        ),
        key(
            "session_idle",
            Span,
            Default("\"30m\""),
            "After this time without a request a session ends, 1s to 24h.",
        ),
        key(
            "session_lives",
            Span,
            Default("\"12h\""),
            "After this time a session ends, used or not, 1s to 30d.",
        ),
    ],
};

/// `[oidc]`. Read when the server starts.
pub(in crate::config) static OIDC: Section = Section {
    keys: &[
        key(
            "issuer",
            Text,
            Required,
            "Whose tokens are accepted: `iss`, to the letter.",
        ),
        key(
            "audience",
            Text,
            Required,
            "Who tokens must be made for: one of `aud`.",
        ),
        key(
            "jwks",
            Text,
            Required,
            "The issuer's keys (RFC 7517): an `https` URL, an `http` one of this machine, or a file, relative to this file.",
        ),
        key(
            "algorithms",
            Texts,
            Default("[\"RS256\", \"ES256\", \"EdDSA\"]"),
            "Algorithms that signatures may have: some of these three.",
        ),
        key(
            "leeway",
            Span,
            Default("\"30s\""),
            "How far the issuer's clock may differ, at most 5m.",
        ),
        key(
            "name_claim",
            Text,
            Default("\"sub\""),
            "Claim that names the person, as records carry it. Choose one that nobody can set for themselves.",
        ),
        key(
            "roles_claim",
            Text,
            Default("\"roles\""),
            "Claim with the person's groups or roles: a list, or words with spaces between. Dots lead into objects: `realm_access.roles`.",
        ),
        key(
            "roles",
            TextMap,
            Required,
            "What the issuer's words mean here: `{ \"release-managers\" = \"approver\" }`. A word that is not listed means nothing.",
        ),
        key(
            "agent_claim",
            Text,
            Default("\"act\""),
            "Claim that only tokens of agents have: `{ \"sub\": NAME }` (RFC 8693), or the name itself. The agent acts for the person that the token names, and never approves.",
        ),
        key(
            "agents",
            TextMap,
            Default("{}"),
            "Programs with tokens of their own, by `sub`, and the person that each acts for: `{ \"ci\" = \"rita\" }`. No other token without a person is accepted.",
        ),
        key(
            "refresh",
            Span,
            Default("\"10m\""),
            "How often the keys are read again, 10s to 24h; for a token with a new key at once, within limits.",
        ),
        key(
            "keep",
            Span,
            Default("\"24h\""),
            "How long keys hold that cannot be read again; then no token is accepted. At least `refresh`, at most 30d.",
        ),
    ],
};
