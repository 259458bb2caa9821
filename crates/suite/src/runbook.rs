//! The runbook: failures that are known, how they are recognised, and what to do about each, as data.
//!
//! A file ([`SCHEMA`]) has entries; an entry says which lines of a log, which failure signatures or which class of causes give it away, what
//! it means, which artifacts to look at, which command shows it again, and how to mend it. [`Matcher`] looks a log up at more than a gigabyte
//! a second, however many entries there are; [`lint`] proves that what the entries name exists. Pure: the log is fed to it.

mod cargo;
mod clean;
mod entry;
mod failure;
mod file;
mod found;
mod grams;
mod lint;
mod makefile;
mod matcher;
mod npm;
mod packed;
mod places;
mod prove;
mod required;
mod search;

pub use entry::{Entry, Pattern, Runbook, Severity};
pub use file::{Fault, Faults, MAX_BYTES, SCHEMA};
pub use found::{By, FailureMatch, FailureMatches, MATCH_SCHEMA, Match, Matches, Spot};
pub use lint::{Existing, Finding, LINT_SCHEMA, Level, Lint, lint};
pub use matcher::{Matcher, MatcherError};
pub use places::{PLACEHOLDERS, fill};
pub use prove::{Parse, Refusal, RefusalKind, Tree};
pub use search::{Limits, Search, read};

/// The file of the entries that come with gonogo.
pub const BUILT_IN: &str = include_str!("runbook/built_in.toml");
