//! What a gate checks: its kinds and their parameters.

use std::collections::BTreeMap;
use std::fmt;

use gonogo_core::{Share, Span};
use regex::Regex;
use serde_json::Value;

use super::computed::{Computed, PlatformCheck, RubricCheck};
use crate::coverage::{Globs, Paths};

/// Which tree evidence must be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trees {
    /// The one under judgement.
    Same,
    /// Any: the policy says so.
    Any,
}

/// How old evidence may be, and of which tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    /// Oldest.
    pub max_age: Span,
    /// Which tree.
    pub tree: Trees,
}

/// What is done with the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline {
    /// There must be one.
    Required,
    /// Where the ledger has an earlier run, it must be comparable; a project's first run needs none.
    IfRecorded,
    /// None is looked at.
    Ignored,
}

/// A value in a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which document.
    pub document: String,
    /// JSON pointer (RFC 6901).
    pub pointer: String,
}

impl Place {
    /// Reads `path/to/file.json#/pointer`.
    ///
    /// # Errors
    /// A text that says what is missing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((document, pointer)) = text.rsplit_once('#') else {
            return Err(format!(
                "`{text}` names no place: expected `document.json#/pointer`"
            ));
        };
        if document.is_empty() {
            return Err(format!("`{text}` names no document"));
        }
        check_pointer(pointer)?;
        Ok(Self {
            document: document.to_owned(),
            pointer: pointer.to_owned(),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.document, self.pointer)
    }
}

/// Says whether a text is a JSON pointer.
pub(super) fn check_pointer(text: &str) -> Result<(), String> {
    let escapes = text
        .split('~')
        .skip(1)
        .all(|rest| rest.starts_with(['0', '1']));
    if (text.is_empty() || text.starts_with('/')) && escapes {
        Ok(())
    } else {
        Err(format!(
            "`{text}` is no JSON pointer: it begins with `/`, and `~` stands as `~0`"
        ))
    }
}

/// What a value is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// Nothing: the value must be there.
    None,
    /// A JSON value.
    Value(Value),
}

/// How.
#[derive(Debug, Clone)]
pub enum Op {
    /// Equal, of the same type; numbers by value.
    Eq,
    /// Not equal, of the same type.
    Ne,
    /// Numbers.
    Lt,
    /// Numbers.
    Le,
    /// Numbers.
    Gt,
    /// Numbers.
    Ge,
    /// A text within a text, an element of a list, a key of an object.
    Contains,
    /// A text, by a pattern.
    Matches(Regex),
    /// It is there and not null.
    Exists,
}

impl Op {
    /// The word in files.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Contains => "contains",
            Self::Matches(_) => "matches",
            Self::Exists => "exists",
        }
    }
}

impl PartialEq for Op {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Matches(a), Self::Matches(b)) => a.as_str() == b.as_str(),
            _ => self.word() == other.word(),
        }
    }
}

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Where the value is.
    pub pointer: String,
    /// How it is compared.
    pub op: Op,
    /// With what.
    pub value: Operand,
}

/// Runs of targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuiteCheck {
    /// All targets of this profile, in whichever runs.
    pub profile: Option<String>,
    /// These targets, in any run.
    pub targets: Vec<String>,
    /// How old a run may be; its tree is always the one under judgement.
    pub max_age: Span,
    /// What is done with the comparison.
    pub baseline: Baseline,
    /// The fewest tests that must run, over all targets.
    pub min_tests: u64,
}

/// Floors of one module; absent ones are not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Floors {
    /// Lines.
    pub line: Option<Share>,
    /// Functions.
    pub function: Option<Share>,
    /// Branches.
    pub branch: Option<Share>,
}

/// A bound of a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Floor {
    /// It must not be lower.
    pub at_least: Share,
    /// The whole must not be smaller.
    pub min_denominator: u64,
}

/// Which budgets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Budgets {
    /// All that the project declares; where it declares none, the gate is not asked.
    Declared,
    /// These.
    Named(Vec<String>),
}

/// What a gate checks.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// Runs of targets.
    Suite(SuiteCheck),
    /// A document's schema.
    Schema {
        /// Which.
        document: String,
        /// Where it says its schema.
        pointer: String,
        /// The schema.
        schema: String,
        /// Age and tree.
        age: Age,
    },
    /// Values of a document.
    Json {
        /// Which.
        document: String,
        /// All must hold.
        rules: Vec<Rule>,
        /// Age and tree.
        age: Age,
    },
    /// Counts that add up.
    Counts {
        /// Which.
        document: String,
        /// A number, or a list whose length counts.
        total: String,
        /// Numbers, or lists whose lengths count.
        parts: Vec<String>,
        /// Age and tree.
        age: Age,
    },
    /// A share.
    Percentage {
        /// Which.
        document: String,
        /// Where the part is; without a denominator it is the per cent themselves.
        numerator: String,
        /// Where the whole is.
        denominator: Option<String>,
        /// The bound.
        floor: Floor,
        /// Age and tree.
        age: Age,
    },
    /// A time within a document.
    MaxAge {
        /// Where it is.
        place: Place,
        /// How old.
        within: Span,
        /// Which tree.
        tree: Trees,
    },
    /// Documents that belong together.
    Lineage {
        /// Values that must be the same text.
        equal: Vec<Place>,
        /// Pairs: the first is within the second.
        contained: Vec<(Place, Place)>,
        /// Times that lie close to each other.
        times: Vec<Place>,
        /// How close.
        within: Span,
        /// Age and tree.
        age: Age,
    },
    /// A command that was run and recorded.
    Command {
        /// It.
        argv: Vec<String>,
        /// The exit code that is good.
        expect: i32,
        /// Age and tree.
        age: Age,
    },
    /// Coverage.
    Coverage {
        /// The report: a path in the project, or `run:SUITE/PATH`.
        report: String,
        /// The files of each module.
        modules: BTreeMap<String, Globs>,
        /// How the report's names become paths.
        paths: Paths,
        /// Floors by module; `*` is the whole.
        floors: BTreeMap<String, Floors>,
        /// What should be reached; that it is not is told and holds nothing.
        targets: BTreeMap<String, Floors>,
        /// Age and tree.
        age: Age,
    },
    /// A dry run's sign-off.
    DryRun {
        /// The least counted duration.
        min_duration: Span,
        /// The least share of it that was up.
        min_uptime: Share,
        /// How old.
        max_age: Span,
    },
    /// Readiness of surfaces.
    Readiness {
        /// These; empty means all that there are.
        surfaces: Vec<String>,
        /// How old.
        max_age: Span,
    },
    /// A drill.
    Drill {
        /// Its name.
        name: String,
        /// How old.
        max_age: Span,
    },
    /// Something that is computed from files.
    Computed(Computed),
    /// A rubric of coverage.
    Rubric {
        /// What is compared.
        check: RubricCheck,
        /// Age and tree of the report.
        age: Age,
    },
    /// Runs of several variants.
    Platforms(PlatformCheck),
    /// A certification contract: hard gates over the other gates of the lane. Judged last.
    Contract {
        /// The file with the contract.
        file: String,
    },
    /// Performance budgets.
    Perf {
        /// Which.
        budgets: Budgets,
        /// How old.
        max_age: Span,
    },
}

impl Check {
    /// The word in files.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Suite(_) => "suite",
            Self::Schema { .. } => "schema",
            Self::Json { .. } => "json",
            Self::Counts { .. } => "counts",
            Self::Percentage { .. } => "percentage",
            Self::MaxAge { .. } => "max_age",
            Self::Lineage { .. } => "lineage",
            Self::Command { .. } => "command",
            Self::Coverage { .. } => "coverage",
            Self::DryRun { .. } => "dry_run",
            Self::Readiness { .. } => "readiness",
            Self::Drill { .. } => "drill",
            Self::Perf { .. } => "perf",
            Self::Computed(computed) => computed.kind(),
            Self::Rubric { .. } => "rubric",
            Self::Platforms(_) => "platforms",
            Self::Contract { .. } => "contract",
        }
    }

    /// The documents that it reads.
    pub fn documents(&self) -> Vec<&str> {
        match self {
            Self::Schema { document, .. }
            | Self::Json { document, .. }
            | Self::Counts { document, .. }
            | Self::Percentage { document, .. } => vec![document],
            Self::MaxAge { place, .. } => vec![&place.document],
            Self::Lineage {
                equal,
                contained,
                times,
                ..
            } => {
                let pairs = contained.iter().flat_map(|(a, b)| [a, b]);
                let all = equal.iter().chain(pairs).chain(times);
                let mut names: Vec<&str> = all.map(|p| p.document.as_str()).collect();
                names.sort_unstable();
                names.dedup();
                names
            }
            _ => Vec::new(),
        }
    }
}

/// A finite number.
pub(crate) fn number(value: &Value) -> Option<f64> {
    value.as_f64().filter(|n| n.is_finite())
}

/// Compiles a pattern of a bounded size.
pub(super) fn pattern(text: &str) -> Result<Regex, String> {
    regex::RegexBuilder::new(text)
        .size_limit(1 << 20)
        .build()
        .map_err(|e| format!("`{text}` is no pattern: {e}"))
}

/// A text that a pattern matches, if one is found easily. The selftest makes good documents with it.
pub(crate) fn matching(pattern: &Regex) -> Option<String> {
    use regex_syntax::hir::{Class, Hir, HirKind};
    fn write(hir: &Hir, out: &mut String) -> Option<()> {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => out.push_str(std::str::from_utf8(&literal.0).ok()?),
            HirKind::Class(Class::Unicode(class)) => {
                let ranges = class.ranges();
                let plain = ('a'..='z')
                    .chain('0'..='9')
                    .find(|c| ranges.iter().any(|r| (r.start()..=r.end()).contains(c)));
                out.push(plain.or_else(|| ranges.first().map(|r| r.start()))?);
            }
            HirKind::Class(Class::Bytes(class)) => {
                let byte = class.ranges().first()?.start();
                out.push(char::from(byte));
            }
            HirKind::Repetition(again) => {
                for _ in 0..again.min {
                    write(&again.sub, out)?;
                }
            }
            HirKind::Capture(capture) => write(&capture.sub, out)?,
            HirKind::Concat(parts) => parts.iter().try_for_each(|p| write(p, out))?,
            HirKind::Alternation(parts) => write(parts.first()?, out)?,
        }
        Some(())
    }
    let hir = regex_syntax::parse(pattern.as_str()).ok()?;
    let mut text = String::new();
    write(&hir, &mut text)?;
    pattern.is_match(&text).then_some(text)
}
