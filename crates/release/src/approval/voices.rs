//! Which approvals count together: each person speaks once, and each person's voice counts once, whoever carried it.

use std::collections::BTreeMap;

use gonogo_core::id::ApprovalId;

use super::{ApprovalPolicy, Presented};

/// The largest choice of `good` approvals of which no two have the same speaker, and no two are the same person's voice. Names and keys
/// that go together are one person.
pub(super) fn counting(
    policy: &ApprovalPolicy,
    good: Vec<(&Presented, ApprovalId)>,
) -> Vec<ApprovalId> {
    let mut people = People::default();
    for one in &policy.approvers {
        people.join(&name(&one.id), &key(&one.key));
    }
    for (given, _) in &good {
        if let Some(id) = &given.key {
            people.join(&name(&given.approval.approver_id), &key(id));
        }
    }
    let edges: Vec<(usize, usize)> = good
        .iter()
        .map(|(given, _)| {
            let speaker = people.person(&name(&given.approval.approver_id));
            (speaker, people.person(&name(given.voice_of())))
        })
        .collect();
    let mut chosen: BTreeMap<usize, usize> = BTreeMap::new();
    let mut tried: Vec<usize> = Vec::new();
    for (speaker, _) in &edges {
        if !tried.contains(speaker) {
            tried.push(*speaker);
            place(*speaker, &edges, &mut chosen, &mut Vec::new());
        }
    }
    let mut count: Vec<usize> = chosen.into_values().collect();
    count.sort_unstable();
    let mut ids: Vec<Option<ApprovalId>> = good.into_iter().map(|(_, id)| Some(id)).collect();
    count
        .into_iter()
        .filter_map(|i| ids.get_mut(i).and_then(Option::take))
        .collect()
}

/// Finds a voice for a speaker, and another one for who had it where that helps (Kuhn's algorithm).
fn place(
    speaker: usize,
    edges: &[(usize, usize)],
    chosen: &mut BTreeMap<usize, usize>,
    seen: &mut Vec<usize>,
) -> bool {
    for (i, (_, voice)) in edges.iter().enumerate().filter(|(_, e)| e.0 == speaker) {
        if seen.contains(voice) {
            continue;
        }
        seen.push(*voice);
        let free = match chosen.get(voice).copied() {
            None => true,
            Some(other) => place(edges[other].0, edges, chosen, seen),
        };
        if free {
            chosen.insert(*voice, i);
            return true;
        }
    }
    false
}

fn name(id: &str) -> String {
    format!("name {id}")
}

fn key(id: &str) -> String {
    format!("key {id}")
}

/// Names and keys, and which of them are one person.
#[derive(Default)]
struct People {
    known: BTreeMap<String, usize>,
    parents: Vec<usize>,
}

impl People {
    fn node(&mut self, word: &str) -> usize {
        if let Some(known) = self.known.get(word) {
            return *known;
        }
        let node = self.parents.len();
        self.parents.push(node);
        self.known.insert(word.to_owned(), node);
        node
    }

    fn root(&self, mut node: usize) -> usize {
        while self.parents[node] != node {
            node = self.parents[node];
        }
        node
    }

    fn join(&mut self, a: &str, b: &str) {
        let (a, b) = (self.node(a), self.node(b));
        let (a, b) = (self.root(a), self.root(b));
        self.parents[b] = a;
    }

    fn person(&mut self, word: &str) -> usize {
        let node = self.node(word);
        self.root(node)
    }
}
