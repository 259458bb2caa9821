//! Which approvals count together: each person takes part in one of them, whether they speak or are spoken for. Somebody's delegate and
//! that somebody as another's delegate are no two voices. One person with two keys, or one key under two names, is one person.

use std::collections::{BTreeMap, BTreeSet};

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
    let people = People::of(policy, &good);
    let mut all: Vec<(Voice, ApprovalId)> = Vec::new();
    for (given, id) in good {
        let voice = people.voice(given);
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

fn goes_with(all: &[(Voice, ApprovalId)], chosen: &[usize], i: usize) -> bool {
    chosen.iter().all(|c| !all[*c].0.is_one_with(&all[i].0))
}

/// Looks for `required` that go together among those from `from` on.
fn search(
    all: &[(Voice, ApprovalId)],
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

/// Who takes part in an approval: who speaks, and for whom.
#[derive(PartialEq)]
struct Voice(BTreeSet<usize>);

impl Voice {
    fn is_one_with(&self, other: &Self) -> bool {
        !self.0.is_disjoint(&other.0)
    }
}

/// What stands for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sign<'a> {
    Name(&'a str),
    Key(&'a str),
}

/// The people behind names and keys: a delegate is listed nowhere, so whatever was seen together of one is theirs. A listed approver is who
/// the policy says, with the key that they used.
struct People<'a> {
    policy: &'a ApprovalPolicy,
    known: BTreeMap<Sign<'a>, usize>,
    /// For each sign another one of the same person, itself at the end.
    same: Vec<usize>,
}

impl<'a> People<'a> {
    /// Those who take part in these approvals.
    fn of(policy: &'a ApprovalPolicy, good: &[(&'a Presented, ApprovalId)]) -> Self {
        let mut all = Self {
            policy,
            known: BTreeMap::new(),
            same: Vec::new(),
        };
        for (given, _) in good {
            for sign in all.signs(given) {
                all.sign(sign);
            }
            if let Some(lent) = &given.delegation {
                let said = &lent.delegation;
                all.join(&said.to, &said.to_key);
                all.join(&said.to, given.key.as_deref().unwrap_or_default());
            }
        }
        all
    }

    /// Everything that stands for somebody who takes part: who signs, with what, for whom, and with what they were named.
    fn signs(&self, given: &'a Presented) -> Vec<Sign<'a>> {
        let policy = self.policy;
        let listed = |id: &'a str| {
            let of_it = policy.approvers.iter().filter(move |a| a.id == id);
            of_it.map(|a| Sign::Key(a.key.as_str()))
        };
        let (speaker, owner) = (given.approval.approver_id.as_str(), given.voice_of());
        let mut all = vec![Sign::Name(speaker), Sign::Name(owner)];
        match &given.key {
            Some(key) => all.push(Sign::Key(key)),
            // A login has no key; the person has.
            None => all.extend(listed(speaker)),
        }
        if owner != speaker {
            all.extend(listed(owner));
        }
        if let Some(lent) = &given.delegation {
            all.push(Sign::Key(&lent.delegation.to_key));
            all.extend(lent.key.as_deref().map(Sign::Key));
        }
        // Whoever speaks by login alone was named without a key.
        all.retain(|sign| *sign != Sign::Key(""));
        all
    }

    fn join(&mut self, name: &'a str, key: &'a str) {
        if key.is_empty() {
            return;
        }
        let (name, key) = (self.sign(Sign::Name(name)), self.sign(Sign::Key(key)));
        let (name, key) = (self.end(name), self.end(key));
        self.same[key] = name;
    }

    fn sign(&mut self, sign: Sign<'a>) -> usize {
        let next = self.same.len();
        let at = *self.known.entry(sign).or_insert(next);
        if at == next {
            self.same.push(at);
        }
        at
    }

    fn end(&self, mut at: usize) -> usize {
        while self.same[at] != at {
            at = self.same[at];
        }
        at
    }

    fn voice(&self, given: &'a Presented) -> Voice {
        let signs = self.signs(given);
        let known = signs.iter().filter_map(|sign| self.known.get(sign));
        Voice(known.map(|at| self.end(*at)).collect())
    }
}
