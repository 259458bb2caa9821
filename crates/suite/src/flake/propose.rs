//! Proposals of quarantine: everything that a record needs, filled from the history; a person adds owner, issue and expiry.
//!
//! A proposal excuses nothing. It covers one signature of one test on one variant, so another failure of the same test still blocks.

use gonogo_core::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use super::stat::distinct;
use super::{Class, FlakeStat, Rules, State};
use crate::{Signature, TestId};

/// The longest that any quarantine may last, whatever its class and the policy.
const LONGEST: Span = Span::from_secs(30 * 86_400);

/// What a person adds.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who mends it.
    pub owner: &'a str,
    /// Where it is tracked.
    pub issue: &'a str,
    /// How to run the one test.
    pub repro: &'a str,
    /// Now.
    pub created: Timestamp,
    /// When it blocks again; `None` takes the longest that the class allows.
    pub expires: Option<Timestamp>,
    /// The longest that the policy allows; the class's own if there is none.
    pub longest: Option<Span>,
}

/// A quarantine that may be recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// The test.
    pub test: TestId,
    /// The one variant.
    pub variant: String,
    /// The one way to fail.
    pub signature: Signature,
    /// Why it flakes.
    pub category: Class,
    /// Who mends it.
    pub owner: String,
    /// Where it is tracked.
    pub issue: String,
    /// What the history says.
    pub reason: String,
    /// Runs that failed so, and runs of the same trees that passed: at least two, and one of each.
    pub evidence: Vec<String>,
    /// Trees that have both.
    pub trees: Vec<String>,
    /// How to run the one test.
    pub repro: String,
    /// When it began.
    pub created: Timestamp,
    /// When it blocks again.
    pub expires: Timestamp,
    /// How often it may be prolonged.
    pub max_renewals: u32,
    /// `report_only`: it still runs, and its failures are told apart.
    pub mode: String,
    /// When it is to be taken out.
    pub remove_when: String,
}

/// Why there is no proposal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// It is not flaky.
    #[error("`{test}` is {} and not flaky: a quarantine would hide what is no flake", .state.word())]
    NotFlaky {
        /// The test.
        test: String,
        /// What it is.
        state: State,
    },
    /// A field is empty.
    #[error("the {0} of a quarantine is empty: fill it in")]
    Empty(&'static str),
    /// The expiry is not after the creation.
    #[error("the quarantine would end at {expires}, not after its beginning at {created}")]
    Inverted {
        /// The beginning.
        created: Timestamp,
        /// The end.
        expires: Timestamp,
    },
    /// It would last too long.
    #[error(
        "the quarantine would last longer than {longest}, the most for its class: end it at {latest} at the latest"
    )]
    TooLong {
        /// The most.
        longest: Span,
        /// The latest end.
        latest: Timestamp,
    },
    /// No way to fail has a signature, a failing and a passing run.
    #[error(
        "no failure of `{0}` has a signature and two runs, one that failed and one that passed: nothing can be quarantined by it"
    )]
    NoEvidence(String),
}

/// What the history alone says of a quarantine: all of a [`Proposal`] but what a person must say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// The test.
    pub test: TestId,
    /// The one variant.
    pub variant: String,
    /// The one way to fail.
    pub signature: Signature,
    /// Why it flakes.
    pub category: Class,
    /// What the history says.
    pub told: String,
    /// Runs that failed so, and runs of the same trees that passed: at least two.
    pub evidence: Vec<String>,
    /// Trees that have both.
    pub trees: Vec<String>,
    /// When it begins.
    pub created: Timestamp,
    /// The latest time at which it must block again.
    pub latest: Timestamp,
    /// When it may be taken out, as far as the history can say.
    pub recovers: String,
}

/// Drafts a quarantine for each way in which a flaky test fails. `longest` is what the policy allows, where it allows less than the class.
///
/// # Errors
/// It is not flaky; no failure has a signature and two runs.
pub fn draft(
    stat: &FlakeStat,
    rules: &Rules,
    created: Timestamp,
    longest: Option<Span>,
) -> Result<Vec<Draft>, Vec<ProposalError>> {
    let mut errors = Vec::new();
    if stat.state != State::Flaky {
        errors.push(ProposalError::NotFlaky {
            test: stat.test.to_string(),
            state: stat.state,
        });
    }
    let class = stat.class.unwrap_or(Class::Logic);
    let latest = created.after(longest.unwrap_or(class.longest()).min(LONGEST));
    let proven = |f: &&super::FlakeFailure| {
        !f.failed_in.is_empty() && !f.passed_in.is_empty() && distinct(f) >= 2
    };
    let of = |f: &super::FlakeFailure| {
        let mut evidence = f.failed_in.clone();
        evidence.extend(
            f.passed_in
                .iter()
                .filter(|r| !f.failed_in.contains(r))
                .cloned(),
        );
        Some(Draft {
            test: stat.test.clone(),
            variant: stat.variant.clone(),
            signature: f.signature.clone()?,
            category: class,
            told: format!(
                "{} mixed verdicts on {} of {} trees in {} runs within {}; this failure {} times",
                stat.mixed, stat.mixed_trees, stat.trees, stat.runs, stat.window, f.fails
            ),
            evidence,
            trees: f.trees.clone(),
            created,
            latest,
            recovers: format!(
                "{} passes in a row, or {} without a flake and {} stress repeats that pass",
                rules.recover_passes, rules.recover_after, rules.recover_stress
            ),
        })
    };
    let drafts: Vec<Draft> = stat.failures.iter().filter(proven).filter_map(of).collect();
    if drafts.is_empty() {
        errors.push(ProposalError::NoEvidence(stat.test.to_string()));
    }
    match errors.is_empty() {
        true => Ok(drafts),
        false => Err(errors),
    }
}

/// Proposes a quarantine for each way in which a flaky test fails.
///
/// # Errors
/// All that stands against it, at least one.
pub fn propose(
    stat: &FlakeStat,
    rules: &Rules,
    request: &Request<'_>,
) -> Result<Vec<Proposal>, Vec<ProposalError>> {
    let (drafts, mut errors) = match draft(stat, rules, request.created, request.longest) {
        Ok(drafts) => (drafts, Vec::new()),
        Err(errors) => (Vec::new(), errors),
    };
    for (what, text) in [
        ("owner", request.owner),
        ("issue", request.issue),
        ("replay command", request.repro),
    ] {
        if text.trim().is_empty() {
            errors.push(ProposalError::Empty(what));
        }
    }
    let class = stat.class.unwrap_or(Class::Logic);
    let longest = request.longest.unwrap_or(class.longest()).min(LONGEST);
    let latest = request.created.after(longest);
    let expires = request.expires.unwrap_or(latest);
    if expires <= request.created {
        let created = request.created;
        errors.push(ProposalError::Inverted { created, expires });
    } else if expires > latest {
        errors.push(ProposalError::TooLong { longest, latest });
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let of = |draft: Draft| Proposal {
        test: draft.test,
        variant: draft.variant,
        signature: draft.signature,
        category: draft.category,
        owner: request.owner.trim().to_owned(),
        issue: request.issue.trim().to_owned(),
        reason: draft.told,
        evidence: draft.evidence,
        trees: draft.trees,
        repro: request.repro.trim().to_owned(),
        created: draft.created,
        expires,
        max_renewals: 1,
        mode: "report_only".to_owned(),
        remove_when: draft.recovers,
    };
    Ok(drafts.into_iter().map(of).collect())
}
