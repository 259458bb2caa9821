//! Who is one: over chains of delegations, shared keys and many names, no more voices than people.

use super::channel::{by_login, carried, open};
use super::*;

fn needs(required: u32) -> ApprovalPolicy {
    let mut policy = open();
    policy.approvers.push(approver("erik", "sre"));
    ApprovalPolicy { required, ..policy }
}

#[test]
fn a_chain_of_delegations_is_no_second_voice() {
    let two = needs(2);
    let zed_for_dana = carried(1, "dana", "release-manager", "zed");
    let dana_for_erik = carried(2, "erik", "sre", "dana");
    for all in [
        [zed_for_dana.clone(), dana_for_erik.clone()],
        [dana_for_erik.clone(), zed_for_dana.clone()],
        [by_login(zed_for_dana.clone()), dana_for_erik.clone()],
        [zed_for_dana.clone(), by_login(dana_for_erik.clone())],
        [
            by_login(zed_for_dana.clone()),
            by_login(dana_for_erik.clone()),
        ],
        // For each other.
        [
            carried(3, "dana", "release-manager", "erik"),
            dana_for_erik.clone(),
        ],
    ] {
        assert_eq!(tokens(judge(&all, &two)), ["approval.quorum"], "{all:#?}");
    }
    // Somebody of whom neither of them is one makes two, beside the chain, too.
    let all = [zed_for_dana, dana_for_erik, noor()];
    assert_eq!(judge(&all, &two).unwrap().approvals.len(), 2);
    assert_eq!(tokens(judge(&all, &needs(3))), ["approval.quorum"]);
}

#[test]
fn one_key_of_two_delegates_is_one_voice() {
    let two = needs(2);
    let with_key = |mut one: Presented| {
        one.delegation.as_mut().unwrap().delegation.to_key = key("shared");
        one.key = Some(key("shared"));
        one
    };
    let zoe = with_key(carried(1, "dana", "release-manager", "zoe"));
    let yan = with_key(carried(2, "noor", "sre", "yan"));
    for all in [
        [zoe.clone(), yan.clone()],
        // A login shows no key; the delegation names it.
        [by_login(zoe.clone()), by_login(yan.clone())],
        [zoe.clone(), by_login(yan.clone())],
        [by_login(zoe.clone()), yan.clone()],
    ] {
        assert_eq!(tokens(judge(&all, &two)), ["approval.quorum"], "{all:#?}");
    }
    // The delegate's key is a listed approver's, who speaks, too.
    let mut hidden = carried(3, "dana", "release-manager", "zoe");
    hidden.delegation.as_mut().unwrap().delegation.to_key = key("noor");
    let all = [by_login(hidden), noor()];
    assert_eq!(tokens(judge(&all, &two)), ["approval.quorum"]);
}

#[test]
fn what_joins_two_delegates_joins_them_for_good() {
    // zoe with two keys, of which yan has the second: all of it is one person.
    let with_key = |mut one: Presented, of: &str| {
        one.delegation.as_mut().unwrap().delegation.to_key = key(of);
        one.key = Some(key(of));
        one
    };
    let first = with_key(carried(1, "dana", "release-manager", "zoe"), "first");
    let second = with_key(carried(2, "erik", "sre", "zoe"), "second");
    let yan = with_key(carried(3, "noor", "sre", "yan"), "second");
    let all = [first.clone(), second, yan.clone()];
    assert_eq!(tokens(judge(&all, &needs(2))), ["approval.quorum"]);
    // Without what joins them nobody can know.
    assert!(judge(&[first, yan], &needs(2)).is_ok());
}

#[test]
fn two_names_that_share_a_key_are_one_where_no_key_was_shown() {
    let mut two = needs(2);
    let also = |id: &str, key_of: &str| Approver {
        key: key(key_of),
        ..approver(id, "sre")
    };
    two.approvers
        .extend([also("noor", "old"), also("ravi", "old")]);
    let all = [by_login(noor()), by_login(given(3, "ravi", "sre"))];
    assert_eq!(tokens(judge(&all, &two)), ["approval.quorum"]);
    let all = [by_login(noor()), by_login(dana())];
    assert_eq!(judge(&all, &two).unwrap().approvals.len(), 2);
}

/// Numbers that follow from a seed (splitmix64, Steele, Lea and Flood 2014).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % end as u64).unwrap()
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

/// Everything that the approval joins: who signs, with which key, for whom.
fn joined(one: &Presented) -> BTreeSet<String> {
    let mut all = BTreeSet::from([
        format!("name {}", one.approval.approver_id),
        format!("name {}", one.voice_of()),
    ]);
    let keys = [
        one.key.clone(),
        one.delegation.as_ref().map(|d| d.delegation.to_key.clone()),
        one.delegation.as_ref().and_then(|d| d.key.clone()),
    ];
    all.extend(keys.into_iter().flatten().map(|k| format!("key {k}")));
    all
}

/// How many groups there are of which no two have anything in common.
fn groups(all: &[BTreeSet<String>]) -> usize {
    let mut groups: Vec<BTreeSet<String>> = Vec::new();
    for one in all {
        let (touched, mut rest): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|g| !g.is_disjoint(one));
        rest.push(touched.into_iter().flatten().chain(one.clone()).collect());
        groups = rest;
    }
    groups.len()
}

#[test]
fn there_are_never_more_voices_than_people_who_have_nothing_in_common() {
    const LISTED: [(&str, &str); 4] = [
        ("dana", "release-manager"),
        ("noor", "sre"),
        ("ravi", "sre"),
        ("erik", "sre"),
    ];
    let keys = ["dana", "noor", "zoe", "yan", "spare"];
    let (mut met, mut missed) = (0, 0);
    for seed in 0..4_000 {
        let mut n = Numbers(seed);
        let mut all = Vec::new();
        for i in 0..=n.below(6) {
            let id = u8::try_from(i + 1).unwrap();
            let (owner, role) = LISTED[n.below(LISTED.len())];
            let mut one = match n.below(4) {
                0 => given(id, owner, role),
                _ => {
                    let speaker = n.one_of(&["zoe", "yan", "dana", "noor", "erik"]);
                    let with = key(n.one_of(&keys));
                    let mut one = carried(id, owner, role, speaker);
                    one.delegation.as_mut().unwrap().delegation.to_key = with.clone();
                    one.key = Some(with);
                    one
                }
            };
            if n.below(3) == 0 {
                one = by_login(one);
            }
            all.push(one);
        }
        for required in 1..=4 {
            match judge(&all, &needs(required)) {
                Err(_) => missed += 1,
                Ok(approved) => {
                    met += 1;
                    let counted = |one: &&Presented| {
                        let id = one.approval.approval_id.parse();
                        id.is_ok_and(|id| approved.approvals.contains(&id))
                    };
                    let counted: Vec<_> = all.iter().filter(counted).map(joined).collect();
                    assert_eq!(counted.len(), approved.approvals.len());
                    let people = groups(&counted);
                    assert!(
                        approved.approvals.len() <= people,
                        "seed {seed}: {} voices of {people}: {counted:#?}",
                        approved.approvals.len()
                    );
                }
            }
        }
    }
    assert!(met > 2_000 && missed > 2_000, "{met} met, {missed} missed");
}
