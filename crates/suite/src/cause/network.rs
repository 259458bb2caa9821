//! What tools that fetch say when a connection failed, each in its own form; and whether that is why a command failed, or a note on the way.
//!
//! A connection that failed may not fail again, so nobody looks for a fault in the code: a line that is none of these forms is no proof of one,
//! and what was tried again and then failed by something else failed by that.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use super::Cause;

/// Codes of curl from its manual, "EXIT CODES": resolving, connecting, time-out, TLS hand-shake, nothing or half of an answer. Of an answer,
/// only those that mean "later" (RFC 9110, 15.6; RFC 6585, 4).
static FORMS: LazyLock<RegexSet> = LazyLock::new(|| {
    RegexSet::new([
        r"^curl: \((?:5|6|7|16|18|28|35|52|55|56|92)\) ",
        r"^curl: \(22\) .*error: (?:429|50[234])\b",
        r"^fatal: unable to access '[^']*': (?:Failed to connect|Could not resolve|Couldn't |Connection |Operation timed out|Recv failure|Send failure|Empty reply|OpenSSL SSL_|GnuTLS|gnutls_|The requested URL returned error: (?:429|50[234])\b)",
        r"^fatal: unable to (?:connect to|look up) ",
        r"^ssh: (?:connect to host|Could not resolve hostname) ",
        r"^wget: (?:unable to resolve|can't connect|bad address)",
        r"^(?:Connecting to|Resolving) .*(?:failed: |\.\.\. failed)",
        r"^E: .*(?:Temporary failure resolving|Could not (?:connect|resolve)|Connection (?:failed|refused|reset|timed out)|Unable to connect)",
        r"^\s*Temporary failure resolving '",
        // npm.
        r"\brequest to \S+ failed, reason: ",
        // Docker and what fetches its images.
        r"^(?:Error response from daemon|docker: Error response from daemon|ERROR: failed to solve|error pulling image|failed to (?:do request|resolve reference|copy)).*(?:dial tcp|no such host|TLS handshake timeout|i/o timeout|toomanyrequests|connection re(?:fused|set)|request canceled while waiting|unexpected EOF)",
        // pip, as `first_failure` tells it.
        r"^connection broken by (?:NewConnection|Protocol|Connect|ReadTimeout|NameResolution|Remote|MaxRetry)",
    ])
    .expect("invariant: each of them is a pattern")
});

/// Whether a line is what a tool says when a connection failed.
pub(crate) fn is_told(line: &str) -> bool {
    FORMS.is_match(line)
}

/// Codes that npm gives to connections that failed.
pub(super) fn is_code(code: &str) -> bool {
    matches!(
        code,
        "ECONNREFUSED"
            | "ECONNRESET"
            | "ENOTFOUND"
            | "ETIMEDOUT"
            | "EAI_AGAIN"
            | "ERR_SOCKET_TIMEOUT"
    )
}

/// Whether a line tells of a failure that follows from another one, or counts failures: it explains nothing.
static FOLLOWS: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?ix)
        ^make(?:\[\d+\])?:\ \*\*\* | \bexit(?:ed|\ with)?\b.*\b\d+\b | \breturned\b.*\bnon-zero\b | ^npm\ err | \bgiving\ up\b
        | (?:failed|unable|could\ not|cannot|error)\b.*\b(?:fetch|download|pull|clone|connect|solve|resolve|install|reach|retrieve)
        | \b(?:fetch|download|pull|clone|install|script|job|command|build|tests?|suite|run)\w*\ (?:has\ )?fail
        | \bretr(?:y|ies|ying)\b | ^E:\  | ^ERROR:\ (?:No\ matching\ distribution|Could\ not\ find\ a\ version)
        | ^\W*\d+\ .*(?:fail|error) | \bfail(?:ed|ures?)?\W*\d+ | \berrors?\W*\d+ | ^\W*(?:fail(?:ed|ure)?|error|fatal)\W*$
    ";
    Regex::new(pattern).expect("invariant: it is a pattern")
});

/// Whether a line tells of a failure of its own that is no connection's: what comes after a connection was tried again.
pub(crate) fn is_plain_failure(line: &str) -> bool {
    static SHAPE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\s*(?:FAILED|FAIL|FATAL|ERROR|Error|error|fatal|[A-Z]\w*(?:Error|Exception))\b\s*[:!]|: FAILED$")
            .expect("invariant: it is a pattern")
    });
    SHAPE.is_match(line) && !FOLLOWS.is_match(line) && !is_transient(line)
}

/// Whether a line tells of a connection, or of a wait, that failed.
fn is_transient(line: &str) -> bool {
    is_told(line)
        || matches!(
            super::by_words(line),
            Some(Cause::NetworkIo | Cause::Timeout)
        )
}

/// Whether, in the last lines of a log, a failure of its own follows each connection that failed: then that was a note on the way.
pub(super) fn is_overtaken(lines: &str) -> bool {
    let mut lines = lines.lines().rev().map(str::trim);
    lines
        .find(|line| is_transient(line) || is_plain_failure(line))
        .is_some_and(|line| !is_transient(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::cause;
    use crate::{Failure, FailureKind};

    fn of(kind: FailureKind, message: &str) -> Cause {
        let failure = Failure {
            kind,
            message: message.into(),
            ..Failure::default()
        };
        cause(&failure, &[])
    }

    #[test]
    fn each_tool_says_it_in_its_own_form() {
        for line in [
            "curl: (6) Could not resolve host: nope.invalid",
            "curl: (7) Failed to connect to 127.0.0.1 port 1 after 0 ms: Couldn't connect to server",
            "curl: (28) Operation timed out after 1001 milliseconds with 0 bytes received",
            "curl: (35) OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to a.test:443",
            "curl: (56) Recv failure: Connection reset by peer",
            "curl: (22) The requested URL returned error: 503",
            "fatal: unable to access 'http://127.0.0.1:1/x.git/': Failed to connect to 127.0.0.1 port 1 after 0 ms: Couldn't connect to server",
            "fatal: unable to access 'https://nope.invalid/x.git/': Could not resolve host: nope.invalid",
            "fatal: unable to connect to 127.0.0.1:",
            "ssh: connect to host 127.0.0.1 port 1: Connection refused",
            "wget: unable to resolve host address ‘nope.invalid’",
            "Connecting to 127.0.0.1:1... failed: Connection refused.",
            "E: Failed to fetch http://deb.debian.org/x.deb  Temporary failure resolving 'deb.debian.org'",
            "FetchError: request to http://127.0.0.1:1/left-pad failed, reason: connect ECONNREFUSED 127.0.0.1:1",
            "network request to http://a.test/x failed, reason: connect ETIMEDOUT 10.0.0.1:443",
            "Error response from daemon: Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such host",
            "ERROR: Could not find a version that satisfies the requirement x (from versions: none)\nconnection broken by NewConnectionError",
        ] {
            assert_eq!(of(FailureKind::Setup, line), Cause::NetworkIo, "{line}");
        }
        for line in [
            "curl: (22) The requested URL returned error: 404",
            "curl: (60) SSL certificate problem: self-signed certificate",
            "fatal: unable to access 'https://a.test/x.git/': The requested URL returned error: 403",
            "ERROR: Could not find a version that satisfies the requirement x (from versions: none)",
            "Error response from daemon: pull access denied for x",
            "E: Unable to locate package x",
        ] {
            assert_ne!(of(FailureKind::Setup, line), Cause::NetworkIo, "{line}");
        }
    }

    #[test]
    fn what_was_tried_again_is_not_why_it_failed() {
        for (said, expected) in [
            (
                "retry: connection refused by mirror 1\nFAILED: checksum differs",
                Cause::Unclassified,
            ),
            (
                "curl: (7) Failed to connect to a.test\nx.tgz: FAILED",
                Cause::Unclassified,
            ),
            (
                "connection timed out, trying again\nError: the schema has no column `id`",
                Cause::Unclassified,
            ),
            (
                "connection refused\nERROR: out of memory",
                Cause::OutOfMemory,
            ),
            // What follows from it, and what only counts.
            (
                "curl: (7) Failed to connect to a.test\nmake: *** [Makefile:2: fetch] Error 7",
                Cause::NetworkIo,
            ),
            (
                "connect: connection refused\nERROR: cannot fetch the schema",
                Cause::NetworkIo,
            ),
            (
                "FAIL db: connection refused\n1 test failed",
                Cause::NetworkIo,
            ),
            (
                "FAILED: checksum differs\nFATAL: connection refused",
                Cause::NetworkIo,
            ),
        ] {
            let found = of(FailureKind::Other, &format!("it ended with 1\n{said}"));
            assert_eq!(found, expected, "{said}");
        }
    }
}
