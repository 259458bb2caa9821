//! Causes that a failure's type tells: the exception's name, how an expectation begins, the code that a process ended with.

use super::{Cause, network};
use crate::Failure;

/// Types of errors by the end of their names, in small letters, and what they are. The longer come first where one ends another.
const TYPES: &[(&str, Cause)] = &[
    ("assertionerror", Cause::AssertionFailure),
    ("assertionfailederror", Cause::AssertionFailure),
    ("multiplefailureserror", Cause::AssertionFailure),
    ("comparisonfailure", Cause::AssertionFailure),
    ("expectationnotmeterror", Cause::AssertionFailure),
    ("expectationfailedexception", Cause::AssertionFailure),
    ("assertfailedexception", Cause::AssertionFailure),
    ("assertionexception", Cause::AssertionFailure),
    ("xunit.sdk.equalexception", Cause::AssertionFailure),
    ("failure.assertion", Cause::AssertionFailure),
    ("err_assertion", Cause::AssertionFailure),
    ("timeouterror", Cause::Timeout),
    ("timeoutexception", Cause::Timeout),
    ("timeoutexpired", Cause::Timeout),
    ("testtimedoutexception", Cause::Timeout),
    ("readtimeout", Cause::Timeout),
    ("connecttimeout", Cause::Timeout),
    ("etimedout", Cause::Timeout),
    ("connectionrefusederror", Cause::NetworkIo),
    ("connectionreseterror", Cause::NetworkIo),
    ("connectionabortederror", Cause::NetworkIo),
    ("connectionerror", Cause::NetworkIo),
    ("connectexception", Cause::NetworkIo),
    ("socketexception", Cause::NetworkIo),
    ("unknownhostexception", Cause::NetworkIo),
    ("noroutetohostexception", Cause::NetworkIo),
    ("brokenpipeerror", Cause::NetworkIo),
    ("gaierror", Cause::NetworkIo),
    ("clientconnectorerror", Cause::NetworkIo),
    ("maxretryerror", Cause::NetworkIo),
    ("econnrefused", Cause::NetworkIo),
    ("econnreset", Cause::NetworkIo),
    ("enotfound", Cause::NetworkIo),
    ("permissionerror", Cause::PermissionDenied),
    ("accessdeniedexception", Cause::PermissionDenied),
    ("unauthorizedaccessexception", Cause::PermissionDenied),
    ("filenotfounderror", Cause::MissingFile),
    ("filenotfoundexception", Cause::MissingFile),
    ("nosuchfileexception", Cause::MissingFile),
    ("modulenotfounderror", Cause::MissingFile),
    ("module_not_found", Cause::MissingFile),
    ("memoryerror", Cause::OutOfMemory),
    ("outofmemoryerror", Cause::OutOfMemory),
    ("outofmemoryexception", Cause::OutOfMemory),
    ("bad_alloc", Cause::OutOfMemory),
    ("stackoverflowerror", Cause::Panic),
    ("syntaxerror", Cause::CompileError),
    ("indentationerror", Cause::CompileError),
    ("compilationerror", Cause::CompileError),
];

/// How messages of expectations begin, in small letters.
const EXPECTATIONS: &[&str] = &[
    "assert ",
    "assert(",
    "assert_",
    "assertion ",
    "assertion:",
    "assertionerror",
    "expect(",
    "expected ",
    "expected:",
    "expected <",
    "failed asserting",
    "failure/error: expect",
    "values are not equal",
    "not equal:",
    "error trace:",
];

/// The cause that class and message tell by their form.
pub(super) fn of(failure: &Failure) -> Option<Cause> {
    // A file of tests that could not be loaded was never built, whatever it missed.
    if failure
        .trace
        .trim_start()
        .starts_with("ImportError while importing test module")
    {
        return Some(Cause::CompileError);
    }
    let first = failure
        .message
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    // What tools that fetch say: of two lines, the second may be why.
    let mut lines = failure.message.lines().take(2).map(str::trim);
    let is_npm = failure.trace.starts_with("npm err") || failure.trace.starts_with("npm ERR!");
    let is_log = first.starts_with("it ended with ");
    if is_npm && network::is_code(&failure.class) || !is_log && lines.any(network::is_told) {
        return Some(Cause::NetworkIo);
    }
    if !is_npm && is_lint(&failure.class) {
        return Some(Cause::LintFailure);
    }
    named(&failure.class)
        .or_else(|| headed(first))
        .or_else(|| ended(first))
}

/// Whether a class is a rule of a linter: `F401`, `mypy.assignment`, `pyright.reportMissing`.
fn is_lint(class: &str) -> bool {
    let digits = class.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let is_code = !class.starts_with("HTTP")
        && (1..=5).contains(&(class.len() - digits.len()))
        && (3..=4).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit());
    let tool = class.split('.').next().unwrap_or_default();
    is_code || matches!(tool, "mypy" | "pyright")
}

/// The cause of an error's type.
fn named(name: &str) -> Option<Cause> {
    let name = name.trim().to_lowercase();
    TYPES
        .iter()
        .find(|(end, _)| name.ends_with(end))
        .map(|(_, cause)| cause.clone())
}

/// The cause of a message that begins with a type, or as an expectation does.
fn headed(line: &str) -> Option<Cause> {
    let small = line.to_lowercase();
    if EXPECTATIONS.iter().any(|start| small.starts_with(start)) {
        return Some(Cause::AssertionFailure);
    }
    let head = line.split([':', ' ']).next().unwrap_or_default();
    let head = head.trim_end_matches(['(', ')']);
    head.bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$'))
        .then(|| named(head))
        .flatten()
}

/// The cause of the code that a command ended with, where that code has one meaning: shells (POSIX 2.8.2) and `timeout`.
fn ended(line: &str) -> Option<Cause> {
    match line.strip_prefix("it ended with ")?.parse().ok()? {
        124 => Some(Cause::Timeout),
        126 => Some(Cause::PermissionDenied),
        127 => Some(Cause::MissingFile),
        129..=159 => Some(Cause::Signal),
        _ => None,
    }
}
