//! Which approvals count together: each person speaks once, and each person's voice counts once, whoever carried it. One person with two
//! keys, or one key under two names, is one.

use gonogo_core::id::ApprovalId;

use super::{ApprovalPolicy, Presented};

/// How many choices are tried before it is said that there is none: more than any honest quorum needs.
const TRIES: u32 = 100_000;

/// A choice of `good` approvals that go together: the first that do, or, where those are fewer than `required`, others that are enough.
pub(super) fn counting(
    policy: &ApprovalPolicy,
    good: Vec<(&Presented, ApprovalId)>,
    required: usize,
) -> Vec<ApprovalId> {
    let mut all: Vec<(Voice<'_>, ApprovalId)> = Vec::new();
    for (given, id) in good {
        let voice = Voice::of(given, policy);
        // The same voice again adds nothing.
        if all.iter().all(|(known, _)| *known != voice) {
            all.push((voice, id));
        }
    }
    let mut chosen: Vec<usize> = Vec::new();
    for i in 0..all.len() {
        if goes_with(&all, &chosen, i) {
            chosen.push(i);
        }
    }
    if chosen.len() < required {
        let mut other = Vec::new();
        let mut tries = TRIES;
        if search(&all, 0, required, &mut other, &mut tries) {
            chosen = other;
        }
    }
    let ids = all.into_iter().enumerate();
    ids.filter(|(i, _)| chosen.contains(i))
        .map(|(_, (_, id))| id)
        .collect()
}

fn goes_with(all: &[(Voice<'_>, ApprovalId)], chosen: &[usize], i: usize) -> bool {
    chosen.iter().all(|c| !all[*c].0.is_one_with(&all[i].0))
}

/// Looks for `required` that go together among those from `from` on.
fn search(
    all: &[(Voice<'_>, ApprovalId)],
    from: usize,
    required: usize,
    chosen: &mut Vec<usize>,
    tries: &mut u32,
) -> bool {
    if chosen.len() == required {
        return true;
    }
    for i in from..all.len() {
        if all.len() - i + chosen.len() < required || *tries == 0 {
            return false;
        }
        *tries -= 1;
        if goes_with(all, chosen, i) {
            chosen.push(i);
            if search(all, i + 1, required, chosen, tries) {
                return true;
            }
            chosen.pop();
        }
    }
    false
}

/// Who speaks, and whose voice it is: names and the keys that stand for them.
#[derive(PartialEq)]
struct Voice<'a> {
    speaker: (&'a str, Vec<&'a str>),
    owner: (&'a str, Vec<&'a str>),
}

impl<'a> Voice<'a> {
    fn of(given: &'a Presented, policy: &'a ApprovalPolicy) -> Self {
        let listed = |id: &str| {
            let of_it = policy.approvers.iter().filter(|a| a.id == id);
            of_it.map(|a| a.key.as_str()).collect()
        };
        let speaker = given.approval.approver_id.as_str();
        let keys = match &given.key {
            Some(key) => vec![key.as_str()],
            // A login has no key; the person has.
            None => listed(speaker),
        };
        let owner = if given.approval.delegated_by.is_empty() {
            (speaker, keys.clone())
        } else {
            (given.voice_of(), listed(given.voice_of()))
        };
        Self {
            speaker: (speaker, keys),
            owner,
        }
    }

    fn is_one_with(&self, other: &Self) -> bool {
        let same = |a: &(&str, Vec<&str>), b: &(&str, Vec<&str>)| {
            a.0 == b.0 || a.1.iter().any(|key| b.1.contains(key))
        };
        same(&self.speaker, &other.speaker) || same(&self.owner, &other.owner)
    }
}
