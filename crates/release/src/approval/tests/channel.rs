//! Voices that were taken back, superseded, given by login or on somebody's behalf, and the broken glass.

use super::*;
use crate::approval::glass;

/// The policy with everything that the channel admits.
pub(super) fn open() -> ApprovalPolicy {
    ApprovalPolicy {
        login: true,
        delegation: Some(Span::from_secs(8 * 3600)),
        break_glass: vec![BreakGlass {
            name: "outage".into(),
            who: vec![Requester {
                id: "ravi".into(),
                key: key("ravi"),
            }],
            lasts: Span::from_secs(1800),
            uses: 2,
            review_within: Span::from_secs(86_400),
            pages: "on-call".into(),
        }],
        ..policy()
    }
}

/// A delegation from `from` to `to`, given an hour ago, for two hours.
fn lent(from: &str, to: &str) -> Delegated {
    Delegated {
        delegation: Delegation {
            delegation_id: format!("dlg_{from}{to}"),
            from: from.into(),
            to: to.into(),
            to_key: key(to),
            environments: vec![ENVIRONMENT.into()],
            given_at: at(NOW - 3_600_000).to_string(),
            until: at(NOW + 3_600_000).to_string(),
            ..Delegation::default()
        },
        key: Some(key(from)),
        ..Delegated::default()
    }
}

/// A voice of `from` that `to` carries.
pub(super) fn carried(n: u8, from: &str, role: &str, to: &str) -> Presented {
    let lent = lent(from, to);
    let mut one = given(n, to, role);
    one.approval.delegation = lent.delegation.delegation_id.clone();
    one.approval.delegated_by = from.into();
    one.delegation = Some(lent);
    one
}

/// The same voice by login instead of a key.
pub(super) fn by_login(mut one: Presented) -> Presented {
    one.approval.means = "token:tok_000000000000".into();
    one.key = None;
    one.by_server = true;
    one
}

type Change = fn(&mut Presented);

/// Changes of a good voice by login.
const LOGIN: [(&str, Reason, Change); 3] = [
    ("approval.signature", Reason::ApprovalInvalid, |p| {
        p.by_server = false;
    }),
    // A key that signed is no login, whatever the words say.
    ("approval.signature", Reason::ApprovalInvalid, |p| {
        p.key = Some(key("dana"));
    }),
    ("approval.approverId.listed", Reason::ApprovalInvalid, |p| {
        p.approval.approver_id = "zoe".into();
    }),
];

/// Changes of any good voice.
const ANY: [(&str, Reason, Change); 2] = [
    ("approval.notRevoked", Reason::ApprovalRevoked, |p| {
        p.revoked_by = Some("dana".into());
    }),
    ("approval.notSuperseded", Reason::PlanSuperseded, |p| {
        p.superseded = true;
    }),
];

fn words(p: &mut Presented) -> &mut Delegation {
    &mut p.delegation.as_mut().unwrap().delegation
}

/// Changes of a good voice that somebody else carries.
const CARRIED: [(&str, Change); 15] = [
    ("approval.delegation.known", |p| p.delegation = None),
    ("approval.delegation.known", |p| {
        p.approval.delegation = "dlg_other".into();
    }),
    ("approval.delegation.known", |p| {
        p.approval.delegated_by = "noor".into();
    }),
    // Without the name of whose voice it is, it is nobody's.
    ("approval.delegation.known", |p| {
        p.approval.delegated_by.clear();
    }),
    ("approval.delegation.from.listed", |p| {
        p.delegation.as_mut().unwrap().key = None;
    }),
    ("approval.delegation.from.listed", |p| {
        p.delegation.as_mut().unwrap().key = Some(key("zoe"));
    }),
    ("approval.delegation.to.match", |p| {
        words(p).to = "eve".into()
    }),
    ("approval.delegation.to.match", |p| {
        words(p).to_key = key("eve");
    }),
    ("approval.delegation.to.match", |p| words(p).to_key.clear()),
    ("approval.delegation.environment", |p| {
        words(p).environments = vec!["staging".into()];
    }),
    // Not yet when it was given, not any more now, over exactly now, and for too long.
    ("approval.delegation.inForce", |p| {
        words(p).given_at = at(NOW - 30_000).to_string();
    }),
    ("approval.delegation.inForce", |p| {
        words(p).until = at(NOW - 1).to_string();
    }),
    ("approval.delegation.inForce", |p| {
        words(p).until = at(NOW).to_string();
    }),
    ("approval.delegation.inForce", |p| {
        words(p).until = at(NOW + 8 * 3_600_000).to_string();
    }),
    ("approval.delegation.notWithdrawn", |p| {
        p.delegation.as_mut().unwrap().withdrawn_by = Some("dana".into());
    }),
];

/// Every token of the channel, as the tables below emit them.
pub(super) fn every_token() -> Vec<String> {
    let mut all: Vec<String> = CARRIED.iter().map(|(t, _)| (*t).to_owned()).collect();
    all.extend(LOGIN.iter().chain(&ANY).map(|(t, _, _)| (*t).to_owned()));
    all.push("approval.login.allowed".into());
    all.push("approval.delegation.allowed".into());
    all
}

fn refusal(one: Presented, policy: &ApprovalPolicy) -> (Vec<String>, Vec<Reason>) {
    let refused = judge(&[one], policy).unwrap_err();
    (refused.missing_fields, refused.reasons)
}

#[test]
fn a_voice_that_was_taken_back_or_superseded_counts_no_more() {
    for (token, reason, change) in ANY {
        let mut one = dana();
        change(&mut one);
        assert_eq!(
            refusal(one, &policy()),
            (vec![token.to_owned()], vec![reason])
        );
    }
}

#[test]
fn a_yes_that_was_taken_back_takes_no_no_back() {
    let mut no = given(3, "dana", "release-manager");
    no.approval.decision = "rejected".into();
    no.approval.decided_at = at(NOW - 120_000).to_string();
    let mut yes = dana();
    assert!(judge(&[no.clone(), yes.clone()], &policy()).is_ok());
    yes.revoked_by = Some("dana".into());
    let all = [no.clone(), yes, noor()];
    assert_eq!(tokens(judge(&all, &policy())), ["approval.notRejected"]);
    // By login dana takes back what her key said; somebody who writes her name does not.
    let login = by_login(dana());
    assert!(judge(&[no.clone(), login.clone()], &open()).is_ok());
    let mut forged = login;
    forged.by_server = false;
    let all = [no, forged, noor()];
    assert_eq!(tokens(judge(&all, &open())), ["approval.notRejected"]);
}

#[test]
fn a_login_speaks_where_the_policy_says_so_and_a_server_vouches() {
    assert!(judge(&[by_login(dana())], &open()).is_ok());
    assert_eq!(
        refusal(by_login(dana()), &policy()),
        (
            vec!["approval.login.allowed".to_owned()],
            vec![Reason::ApprovalKeyRequired]
        )
    );
    for (token, reason, change) in LOGIN {
        let mut one = by_login(dana());
        change(&mut one);
        assert_eq!(
            refusal(one, &open()),
            (vec![token.to_owned()], vec![reason])
        );
    }
    // The requester's login is the requester.
    let (_, reasons) = refusal(by_login(given(1, "rita", "release-manager")), &open());
    assert_eq!(reasons, [Reason::ApprovalSelfGiven]);
}

#[test]
fn a_delegate_speaks_for_who_delegated_and_every_rule_of_it_counts() {
    let good = || carried(1, "dana", "release-manager", "zoe");
    assert!(judge(&[good()], &open()).is_ok());
    assert_eq!(
        refusal(good(), &policy()).0,
        ["approval.delegation.allowed"]
    );
    for (token, change) in CARRIED {
        let mut one = good();
        change(&mut one);
        let (tokens, reasons) = refusal(one, &open());
        assert!(tokens.contains(&token.to_owned()), "{token}: {tokens:?}");
        assert_eq!(reasons, [Reason::DelegationInvalid], "{token}");
    }
    // Who delegated must have that role.
    let wrong = carried(1, "dana", "sre", "zoe");
    assert_eq!(
        refusal(wrong, &open()).0,
        ["approval.delegation.from.listed"]
    );
}

#[test]
fn nobody_approves_their_own_plan_through_another() {
    // Rita asks; neither her delegate, nor she as somebody's delegate, is a second person.
    for one in [
        carried(1, "rita", "release-manager", "zoe"),
        carried(1, "dana", "release-manager", "rita"),
        by_login(carried(1, "dana", "release-manager", "rita")),
        by_login(carried(1, "rita", "release-manager", "zoe")),
    ] {
        let (_, reasons) = refusal(one, &open());
        assert_eq!(reasons, [Reason::ApprovalSelfGiven]);
    }
    // Nor the person for whom an agent asks.
    let requester_key = key("bot");
    let policy = ApprovalPolicy {
        requesters: vec![Requester {
            id: "bot".into(),
            key: requester_key.clone(),
        }],
        ..open()
    };
    let demand = Demand {
        fingerprint: fingerprint(),
        environment: ENVIRONMENT,
        policy: &policy,
        before: None,
        requester: "bot",
        requester_key: &requester_key,
        on_behalf_of: Some("dana"),
        also: &[],
        back: false,
        now: at(NOW),
    };
    let one = carried(1, "dana", "release-manager", "zoe");
    let refused = check(&[one], &demand).unwrap_err();
    assert_eq!(refused.reasons, [Reason::ApprovalSelfGiven]);
}

#[test]
fn a_person_speaks_once_and_a_voice_counts_once() {
    let two = ApprovalPolicy {
        required: 2,
        ..open()
    };
    let dana_by = |n, who: &str| carried(n, "dana", "release-manager", who);
    let one_voice: [(&str, Vec<Presented>); 6] = [
        ("the person and a delegate", vec![dana(), dana_by(2, "zoe")]),
        (
            "two delegates of one person",
            vec![dana_by(1, "zoe"), dana_by(2, "yan")],
        ),
        (
            "the same by login",
            vec![by_login(dana_by(1, "zoe")), by_login(dana_by(2, "yan"))],
        ),
        (
            "key and login",
            vec![dana(), by_login(given(2, "dana", "release-manager"))],
        ),
        (
            "an approver who carries another's voice beside their own",
            vec![noor(), dana_by(1, "noor")],
        ),
        (
            "one delegate of two",
            vec![dana_by(1, "zoe"), carried(2, "noor", "sre", "zoe")],
        ),
    ];
    for (what, all) in one_voice {
        assert_eq!(tokens(judge(&all, &two)), ["approval.quorum"], "{what}");
    }
    // Two people who carry two voices are two, in any order and beside any others.
    let all = [
        dana_by(1, "noor"),
        given(2, "noor", "sre"),
        dana_by(3, "zoe"),
    ];
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let all = order.map(|i: usize| all[i].clone());
        assert_eq!(judge(&all, &two).unwrap().approvals.len(), 2, "{order:?}");
    }
}

fn glass_by(who: &str) -> Broken {
    Broken {
        said: Break {
            incident_id: IncidentId::mint([7; 8]).to_string(),
            policy: "outage".into(),
            by: who.into(),
            reason: "the shop is down".into(),
            environment: ENVIRONMENT.into(),
            plan_fingerprint: fingerprint().to_string(),
            at: at(NOW - 60_000).to_string(),
            means: String::new(),
        },
        key: Some(key(who)),
        ..Broken::default()
    }
}

fn demand<'a>(
    policy: &'a ApprovalPolicy,
    before: Option<&'a ApprovalPolicy>,
    requester_key: &'a str,
) -> Demand<'a> {
    Demand {
        fingerprint: fingerprint(),
        environment: ENVIRONMENT,
        policy,
        before,
        requester: "rita",
        requester_key,
        on_behalf_of: None,
        also: &[],
        back: false,
        now: at(NOW),
    }
}

#[test]
fn a_broken_glass_stands_in_the_place_of_approvals_and_of_nothing_else() {
    let (policy, rita) = (open(), key("rita"));
    let demand = demand(&policy, None, &rita);
    let approved = check_with(&[], &[glass_by("ravi")], &demand).unwrap();
    assert_eq!(approved.approvals, []);
    assert_eq!(approved.glass, Some(IncidentId::mint([7; 8])));
    // Where nothing is missing it is not used.
    let approved = check_with(&[dana()], &[glass_by("ravi")], &demand).unwrap();
    assert_eq!((approved.approvals.len(), approved.glass), (1, None));
    // A no stands.
    let mut no = noor();
    no.approval.decision = "rejected".into();
    let refused = check_with(&[no], &[glass_by("ravi")], &demand).unwrap_err();
    assert!(
        refused
            .missing_fields
            .contains(&"approval.notRejected".into())
    );
    // So does the question who asked.
    let stranger = key("somebody");
    let demand = Demand {
        requester: "somebody",
        requester_key: &stranger,
        ..demand
    };
    let refused = check_with(&[], &[glass_by("ravi")], &demand).unwrap_err();
    assert!(refused.reasons.contains(&Reason::RequesterUnlisted));
}

type Spoil = fn(&mut Broken);

#[test]
fn every_rule_of_a_broken_glass_counts() {
    let (policy, rita) = (open(), key("rita"));
    let demand = demand(&policy, None, &rita);
    let cases: [(&str, Spoil); 17] = [
        ("breakGlass.incidentId", |b| b.said.incident_id = "x".into()),
        ("breakGlass.reason", |b| b.said.reason = " \t".into()),
        ("breakGlass.environment.match", |b| {
            b.said.environment = "staging".into();
        }),
        ("breakGlass.planFingerprint.match", |b| {
            b.said.plan_fingerprint = Fingerprint::of("another").unwrap().to_string();
        }),
        ("breakGlass.singleUse", |b| {
            b.used_by = Some(OperationId::mint([1; 8]));
        }),
        ("breakGlass.incidentOpen", |b| b.closed = true),
        ("breakGlass.notSuperseded", |b| b.superseded = true),
        ("breakGlass.signature", |b| b.key = None),
        ("breakGlass.signature", |b| b.said.means = "token:x".into()),
        ("breakGlass.signature", |b| {
            b.said.means = "token:x".into();
            b.key = None;
        }),
        ("breakGlass.policy", |b| b.said.policy = "other".into()),
        ("breakGlass.who", |b| b.said.by = "dana".into()),
        ("breakGlass.who", |b| b.key = Some(key("dana"))),
        ("breakGlass.uses", |b| b.open = 2),
        ("breakGlass.inTime", |b| {
            b.said.at = at(NOW - 1_800_000).to_string();
        }),
        ("breakGlass.inTime", |b| {
            b.said.at = at(NOW + 60_000).to_string();
        }),
        ("breakGlass.inTime", |b| b.said.at = "soon".into()),
    ];
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (token, spoil) in cases {
        let mut one = glass_by("ravi");
        spoil(&mut one);
        let refused = check_break(&one, &demand).unwrap_err();
        assert!(
            refused.missing_fields.contains(&token.into()),
            "{token}: {refused:?}"
        );
        assert_eq!(refused.reasons, [Reason::BreakGlassRefused]);
        assert!(check_with(&[], &[one], &demand).is_err(), "{token}");
        seen.insert(token);
    }
    let known: BTreeSet<&str> = glass::TOKENS.iter().map(|(t, _)| *t).collect();
    assert_eq!(seen, known);
    // By login, where a server vouches and the policy takes that.
    let mut login = glass_by("ravi");
    login.said.means = "token:x".into();
    login.key = None;
    login.by_server = true;
    assert!(check_break(&login, &demand).is_ok());
}

#[test]
fn a_policy_that_is_new_breaks_no_glass_yet() {
    let (now, before, rita) = (open(), policy(), key("rita"));
    assert!(now.weakens(&before));
    let demand = demand(&now, Some(&before), &rita);
    let refused = check_break(&glass_by("ravi"), &demand).unwrap_err();
    assert_eq!(refused.missing_fields, ["breakGlass.policy"]);
}

#[test]
fn login_delegation_and_break_glass_each_weaken_a_policy() {
    let all = open();
    for one in [
        ApprovalPolicy {
            login: true,
            ..policy()
        },
        ApprovalPolicy {
            delegation: all.delegation,
            ..policy()
        },
        ApprovalPolicy {
            break_glass: all.break_glass.clone(),
            ..policy()
        },
    ] {
        assert!(one.weakens(&policy()) && !policy().weakens(&one));
        assert!(!one.weakens(&one));
    }
}

#[test]
fn what_the_channel_adds_is_not_in_older_plans_and_approvals() {
    let text = |value: serde_json::Value| value.to_string();
    let policy = text(serde_json::to_value(policy()).unwrap());
    let approval = text(serde_json::to_value(dana().approval).unwrap());
    for key in ["login", "delegation", "break_glass", "means", "delegatedBy"] {
        assert!(!policy.contains(key) && !approval.contains(key), "{key}");
    }
}
