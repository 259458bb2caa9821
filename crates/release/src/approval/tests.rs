//! Tests of the approval rules: each token alone and in company, edges of time, who counts as whom, and that no single
//! change of a valid approval passes.

use std::collections::BTreeSet;

use super::*;

mod askers;
mod channel;
mod vetoes;
mod voices;

const NOW: i64 = 1_795_000_000_000;
const ENVIRONMENT: &str = "prod";

fn fingerprint() -> Fingerprint {
    Fingerprint::of("the plan").unwrap()
}

fn key(who: &str) -> String {
    gonogo_core::Digest::of(who.as_bytes()).hex()
}

fn approver(id: &str, role: &str) -> Approver {
    Approver {
        id: id.into(),
        role: role.into(),
        key: key(id),
    }
}

fn policy() -> ApprovalPolicy {
    ApprovalPolicy {
        own: false,
        required: 1,
        roles: vec!["release-manager".into(), "sre".into()],
        approvers: vec![
            approver("dana", "release-manager"),
            approver("noor", "sre"),
            approver("ravi", "sre"),
            approver("rita", "release-manager"),
        ],
        requesters: vec![Requester {
            id: "rita".into(),
            key: key("rita"),
        }],
        max_sla: Span::from_secs(3600),
        ..ApprovalPolicy::default()
    }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

/// A valid approval by `id` in `role`, a minute old and good for half an hour.
fn given(n: u8, id: &str, role: &str) -> Presented {
    Presented {
        approval: Approval {
            approval_id: ApprovalId::mint([n; 8]).to_string(),
            approver_id: id.into(),
            approver_role: role.into(),
            decision: "approved".into(),
            decided_at: at(NOW - 60_000).to_string(),
            sla_minutes: 30,
            environment: ENVIRONMENT.into(),
            plan_fingerprint: fingerprint().to_string(),
            note: "looks fine".into(),
            ..Approval::default()
        },
        key: Some(key(id)),
        ..Presented::default()
    }
}

fn dana() -> Presented {
    given(1, "dana", "release-manager")
}

fn noor() -> Presented {
    given(2, "noor", "sre")
}

fn judge_at(
    presented: &[Presented],
    policy: &ApprovalPolicy,
    now: i64,
) -> Result<Approved, Refusal> {
    let requester_key = key("rita");
    check(
        presented,
        &Demand {
            fingerprint: fingerprint(),
            environment: ENVIRONMENT,
            policy,
            before: None,
            requester: "rita",
            requester_key: &requester_key,
            on_behalf_of: None,
            also: &[],
            back: false,
            now: at(now),
        },
    )
}

fn judge(presented: &[Presented], policy: &ApprovalPolicy) -> Result<Approved, Refusal> {
    judge_at(presented, policy, NOW)
}

fn tokens(result: Result<Approved, Refusal>) -> Vec<String> {
    result.expect_err("must be refused").missing_fields
}

/// Applies `change` to a valid approval and returns the tokens of the refusal.
fn broken_by(change: impl FnOnce(&mut Presented)) -> Vec<String> {
    let mut one = dana();
    change(&mut one);
    tokens(judge(&[one], &policy()))
}

#[test]
fn a_valid_approval_passes_and_names_itself() {
    let approved = judge(&[dana()], &policy()).unwrap();
    assert_eq!(approved.approvals, [ApprovalId::mint([1; 8])]);
}

#[test]
fn each_rule_has_its_own_token() {
    type Change = fn(&mut Presented);
    let cases: &[(&[&str], Change)] = &[
        (&["approval.approvalId"], |p| {
            p.approval.approval_id = " ".into()
        }),
        (&["approval.approvalId.format"], |p| {
            p.approval.approval_id = "apr_1".into()
        }),
        (&["approval.approvalId.format"], |p| {
            p.approval.approval_id = "pln_000000000000".into()
        }),
        (
            &[
                "approval.approverRole",
                "approval.approverRole.allowed",
                "approval.approverId.listed",
            ],
            |p| p.approval.approver_role = String::new(),
        ),
        (
            &[
                "approval.approverRole.allowed",
                "approval.approverId.listed",
            ],
            |p| p.approval.approver_role = "developer".into(),
        ),
        // An allowed role that is not this approver's.
        (&["approval.approverId.listed"], |p| {
            p.approval.approver_role = "sre".into()
        }),
        (
            &["approval.approverId", "approval.approverId.listed"],
            |p| p.approval.approver_id = "\t".into(),
        ),
        (&["approval.approverId.listed"], |p| {
            p.approval.approver_id = "eve".into()
        }),
        // Somebody else's name over one's own key.
        (&["approval.approverId.listed"], |p| {
            p.approval.approver_id = "noor".into()
        }),
        (&["approval.approverId.listed"], |p| {
            p.key = Some(key("noor"))
        }),
        (&["approval.decision"], |p| {
            p.approval.decision = String::new()
        }),
        (
            &["approval.decision.approved", "approval.notRejected"],
            |p| p.approval.decision = "rejected".into(),
        ),
        (&["approval.decision.approved"], |p| {
            p.approval.decision = "Approved".into()
        }),
        (&["approval.decision.approved"], |p| {
            p.approval.decision = "approved ".into()
        }),
        (&["approval.decidedAt"], |p| {
            p.approval.decided_at = String::new()
        }),
        (&["approval.slaMinutes", "approval.notExpired"], |p| {
            p.approval.sla_minutes = 0
        }),
        (&["approval.slaMinutes.withinThreshold"], |p| {
            p.approval.sla_minutes = 61
        }),
        (&["approval.environment"], |p| {
            p.approval.environment = String::new()
        }),
        (&["approval.environment.match"], |p| {
            p.approval.environment = "staging".into()
        }),
        (&["approval.environment.match"], |p| {
            p.approval.environment = "PROD".into()
        }),
        (&["approval.planFingerprint"], |p| {
            p.approval.plan_fingerprint = String::new()
        }),
        (&["approval.planFingerprint.match"], |p| {
            p.approval.plan_fingerprint = fingerprint().short()
        }),
        (&["approval.planFingerprint.match"], |p| {
            p.approval.plan_fingerprint = Fingerprint::of("another plan").unwrap().to_string();
        }),
        (&["approval.planFingerprint.match"], |p| {
            p.approval.plan_fingerprint = p.approval.plan_fingerprint.to_uppercase();
        }),
        (&["approval.singleUse"], |p| {
            p.used_by = Some(OperationId::mint([7; 8]))
        }),
        (&["approval.signature", "approval.approverId.listed"], |p| {
            p.key = None
        }),
    ];
    for (want, change) in cases {
        assert_eq!(broken_by(change), *want);
    }
}

#[test]
fn garbage_dates_are_named_and_never_count_as_a_time() {
    for text in [
        "yesterday",
        "2026-13-01T00:00:00Z",
        "2026-11-18",
        "2026-11-18T11:06:40",
        "1795000000000",
        " ",
        "2026-11-18T11:06:40Z ",
    ] {
        assert_eq!(
            broken_by(|p| p.approval.decided_at = text.into()),
            ["approval.decidedAt.format"],
            "{text}"
        );
    }
}

#[test]
fn every_emitted_token_is_in_the_reference_and_the_other_way_round() {
    let known: BTreeSet<&str> = TOKENS.iter().map(|(token, _)| *token).collect();
    assert_eq!(known.len(), TOKENS.len());
    let mut seen: BTreeSet<String> = BTreeSet::new();
    seen.extend(tokens(judge(&[], &policy())));
    let mut two = policy();
    two.required = 2;
    seen.extend(tokens(judge(&[dana()], &two)));
    let blank = Presented {
        approval: Approval::default(),
        used_by: Some(OperationId::mint([1; 8])),
        ..Presented::default()
    };
    seen.extend(tokens(judge(&[blank], &policy())));
    let wrong = Presented {
        approval: Approval {
            approval_id: "x".into(),
            approver_id: "rita".into(),
            approver_role: "x".into(),
            decision: "x".into(),
            decided_at: "x".into(),
            sla_minutes: 10_000,
            environment: "x".into(),
            plan_fingerprint: "x".into(),
            ..Approval::default()
        },
        ..Presented::default()
    };
    seen.extend(tokens(judge(&[wrong], &policy())));
    seen.extend(broken_by(|p| {
        p.approval.decided_at = at(NOW + 60_000).to_string()
    }));
    seen.extend(broken_by(|p| p.approval.decision = "rejected".into()));
    let mut nobody = policy();
    nobody.requesters.clear();
    nobody.approvers.clear();
    seen.extend(tokens(judge(&[dana()], &nobody)));
    // Seen in tests of their own.
    seen.insert("approval.policyBefore".into());
    seen.extend(channel::every_token());
    seen.extend(broken_by(|p| p.approval.decided_at = at(0).to_string()));
    assert_eq!(
        seen.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        known
    );
}

#[test]
fn all_broken_rules_are_listed_together_in_the_order_of_the_reference() {
    let blank = Presented {
        approval: Approval::default(),
        used_by: Some(OperationId::mint([1; 8])),
        ..Presented::default()
    };
    let refusal = judge(&[blank], &policy()).unwrap_err();
    assert_eq!(
        refusal.missing_fields,
        [
            "approval.approvalId",
            "approval.approverRole",
            "approval.approverId",
            "approval.decision",
            "approval.decidedAt",
            "approval.slaMinutes",
            "approval.environment",
            "approval.planFingerprint",
            "approval.singleUse",
            "approval.signature",
            "approval.approverRole.allowed",
            "approval.approverId.listed",
        ]
    );
    assert_eq!(
        refusal.reasons,
        [Reason::ApprovalInvalid, Reason::ApprovalReused]
    );
    let position = |token: &String| TOKENS.iter().position(|(t, _)| t == token).unwrap();
    assert!(refusal.missing_fields.iter().map(position).is_sorted());
    assert!(
        refusal
            .to_string()
            .starts_with("approval required: approval.approvalId, approval.approverRole")
    );
}

#[test]
fn an_approval_ends_exactly_at_its_end() {
    let one = dana();
    let end = NOW - 60_000 + 30 * 60_000;
    assert!(judge_at(std::slice::from_ref(&one), &policy(), end - 1).is_ok());
    for now in [end, end + 1, end + 86_400_000] {
        let refusal = judge_at(std::slice::from_ref(&one), &policy(), now).unwrap_err();
        assert_eq!(refusal.missing_fields, ["approval.notExpired"]);
        assert_eq!(refusal.reasons, [Reason::ApprovalExpired]);
    }
}

#[test]
fn a_decision_may_lie_ahead_by_the_skew_and_no_more() {
    let ahead = |ms: i64| {
        let mut one = dana();
        one.approval.decided_at = at(NOW + ms).to_string();
        judge(&[one], &policy())
    };
    assert!(ahead(0).is_ok());
    assert!(ahead(5_000).is_ok());
    assert_eq!(tokens(ahead(5_001)), ["approval.decidedAt.notInFuture"]);
    // Far in the future it is refused for that and not taken as fresh for ever.
    assert_eq!(
        tokens(ahead(365 * 86_400_000)),
        ["approval.decidedAt.notInFuture"]
    );
}

#[test]
fn a_fixed_old_date_expires_and_an_offset_is_understood() {
    for old in [
        "2020-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "1900-01-01T00:00:00Z",
    ] {
        assert_eq!(
            broken_by(|p| p.approval.decided_at = old.into()),
            ["approval.notExpired"],
            "{old}"
        );
    }
    let mut one = dana();
    one.approval.decided_at = "2026-11-18T12:06:00+01:00".into();
    assert!(judge(&[one], &policy()).is_ok());
}

#[test]
fn the_longest_sla_is_allowed_and_longer_is_not() {
    let mut one = dana();
    one.approval.sla_minutes = 60;
    assert!(judge(std::slice::from_ref(&one), &policy()).is_ok());
    let mut short = policy();
    short.max_sla = Span::from_secs(3599);
    assert_eq!(
        tokens(judge(&[one], &short)),
        ["approval.slaMinutes.withinThreshold"]
    );
}

#[test]
fn an_sla_beyond_all_numbers_is_too_long() {
    for minutes in [
        u64::MAX,
        u64::MAX / 60,
        u64::MAX / 60_000 + 1,
        i64::MAX as u64 / 60_000 + 1,
    ] {
        let named = broken_by(|p| p.approval.sla_minutes = minutes);
        assert!(
            named.contains(&"approval.slaMinutes.withinThreshold".to_owned()),
            "{minutes}: {named:?}"
        );
    }
}

#[test]
fn a_used_approval_is_spent() {
    let mut one = dana();
    one.used_by = Some(OperationId::mint([9; 8]));
    let refusal = judge(&[one], &policy()).unwrap_err();
    assert_eq!(refusal.missing_fields, ["approval.singleUse"]);
    assert_eq!(refusal.reasons, [Reason::ApprovalReused]);
}

#[test]
fn the_requester_is_known_by_name_and_by_key() {
    // Listed, right role, own name and key.
    let own = given(3, "rita", "release-manager");
    let refusal = judge(&[own], &policy()).unwrap_err();
    assert_eq!(refusal.missing_fields, ["approval.approverId.notRequester"]);
    assert_eq!(refusal.reasons, [Reason::ApprovalSelfGiven]);
    // Another name over the requester's key, listed so.
    let mut alias = policy();
    alias.approvers.push(Approver {
        key: key("rita"),
        ..approver("alias", "sre")
    });
    let mut one = given(3, "alias", "sre");
    one.key = Some(key("rita"));
    assert_eq!(
        tokens(judge(&[one], &alias)),
        ["approval.approverId.notRequester"]
    );
    // The requester's name over another key, listed so.
    let mut second = policy();
    second.approvers.push(Approver {
        key: key("second"),
        ..approver("rita", "sre")
    });
    let mut one = given(3, "rita", "sre");
    one.key = Some(key("second"));
    assert_eq!(
        tokens(judge(&[one], &second)),
        ["approval.approverId.notRequester"]
    );
}

#[test]
fn where_self_is_allowed_only_the_requesters_own_key_is_enough() {
    let alone = ApprovalPolicy {
        own: true,
        required: 1,
        roles: Vec::new(),
        approvers: Vec::new(),
        requesters: Vec::new(),
        max_sla: Span::from_secs(3600),
        ..ApprovalPolicy::default()
    };
    assert!(judge(&[given(1, "rita", "owner")], &alone).is_ok());
    // Anybody else, the requester's name over a foreign key, a foreign name over the requester's key, no signature.
    assert_eq!(
        tokens(judge(&[dana()], &alone)),
        ["approval.approverId.listed"]
    );
    let mut foreign = given(1, "rita", "owner");
    foreign.key = Some(key("eve"));
    assert_eq!(
        tokens(judge(&[foreign], &alone)),
        ["approval.approverId.listed"]
    );
    let mut named = given(1, "eve", "owner");
    named.key = Some(key("rita"));
    assert_eq!(
        tokens(judge(&[named], &alone)),
        ["approval.approverId.listed"]
    );
    let mut unsigned = given(1, "rita", "owner");
    unsigned.key = None;
    assert_eq!(
        tokens(judge(&[unsigned], &alone)),
        ["approval.signature", "approval.approverId.listed"]
    );
    // Roles still bind.
    let mut roles = alone;
    roles.roles = vec!["sre".into()];
    assert_eq!(
        tokens(judge(&[given(1, "rita", "owner")], &roles)),
        ["approval.approverRole.allowed"]
    );
    assert!(judge(&[given(1, "rita", "sre")], &roles).is_ok());
}

#[test]
fn an_absent_signature_is_not_an_empty_key() {
    // A requester or an approver whose key id is empty must not be matched by the absence of a signature.
    let mut empty = policy();
    empty.own = true;
    empty.approvers = vec![Approver {
        key: String::new(),
        ..approver("dana", "release-manager")
    }];
    let mut one = dana();
    one.key = None;
    assert!(tokens(judge(&[one], &empty)).contains(&"approval.signature".to_owned()));
}

#[test]
fn without_roles_the_approvers_decide_alone() {
    let mut open = policy();
    open.roles.clear();
    assert!(judge(&[dana()], &open).is_ok());
    assert_eq!(
        tokens(judge(&[given(1, "eve", "release-manager")], &open)),
        ["approval.approverId.listed"]
    );
    // Roles name what is allowed, not who.
    let mut nobody = policy();
    nobody.approvers.clear();
    assert_eq!(
        tokens(judge(&[dana()], &nobody)),
        ["approval.approverId.listed"]
    );
}

#[test]
fn a_quorum_is_of_different_people_with_different_keys() {
    let mut two = policy();
    two.required = 2;
    let both = judge(&[dana(), noor()], &two).unwrap();
    assert_eq!(both.approvals.len(), 2);
    let quorum =
        |presented: &[Presented], policy: &ApprovalPolicy| tokens(judge(presented, policy));
    // One alone, one twice, one person under two approvals.
    assert_eq!(quorum(&[dana()], &two), ["approval.quorum"]);
    assert_eq!(quorum(&[dana(), dana()], &two), ["approval.quorum"]);
    assert_eq!(
        quorum(&[dana(), given(5, "dana", "release-manager")], &two),
        ["approval.quorum"]
    );
    // One person with two keys.
    let mut keys = two.clone();
    keys.approvers.push(Approver {
        key: key("dana's other"),
        ..approver("dana", "sre")
    });
    let mut other = given(5, "dana", "sre");
    other.key = Some(key("dana's other"));
    assert_eq!(quorum(&[dana(), other], &keys), ["approval.quorum"]);
    // One key under two names.
    let mut names = two.clone();
    names.approvers.push(Approver {
        key: key("dana"),
        ..approver("dora", "sre")
    });
    let mut dora = given(6, "dora", "sre");
    dora.key = Some(key("dana"));
    assert_eq!(quorum(&[dana(), dora.clone()], &names), ["approval.quorum"]);
    assert_eq!(
        judge(&[dana(), dora, noor()], &names)
            .unwrap()
            .approvals
            .len(),
        2
    );
    // A fallen one does not count, and its rule is listed with the quorum.
    let mut late = noor();
    late.approval.decided_at = at(0).to_string();
    let refusal = judge(&[dana(), late], &two).unwrap_err();
    assert_eq!(
        refusal.missing_fields,
        ["approval.notExpired", "approval.quorum"]
    );
    assert_eq!(
        refusal.reasons,
        [Reason::ApprovalExpired, Reason::ApprovalQuorum]
    );
}

#[test]
fn a_shared_key_does_not_silence_a_person_who_has_another() {
    let mut two = policy();
    two.required = 2;
    two.approvers.push(Approver {
        key: key("dana"),
        ..approver("noor", "sre")
    });
    let mut shared = noor();
    shared.key = Some(key("dana"));
    let proper = given(8, "noor", "sre");
    // Noor's first approval is over dana's key and counts for nobody; her second is over her own.
    assert_eq!(
        judge(&[dana(), shared, proper], &two)
            .unwrap()
            .approvals
            .len(),
        2
    );
}

#[test]
fn a_quorum_does_not_depend_on_fallen_ones_beside_it() {
    let mut late = noor();
    late.approval.decided_at = at(0).to_string();
    let approved = judge(&[late, dana()], &policy()).unwrap();
    assert_eq!(approved.approvals, [ApprovalId::mint([1; 8])]);
}

#[test]
fn nothing_presented_is_missing_and_required_zero_means_one() {
    let refusal = judge(&[], &policy()).unwrap_err();
    assert_eq!(refusal.missing_fields, ["approval"]);
    assert_eq!(refusal.reasons, [Reason::ApprovalMissing]);
    let mut zero = policy();
    zero.required = 0;
    assert_eq!(tokens(judge(&[], &zero)), ["approval"]);
    assert!(judge(&[dana()], &zero).is_ok());
    let mut many = policy();
    many.required = u32::MAX;
    assert_eq!(tokens(judge(&[dana(), noor()], &many)), ["approval.quorum"]);
}

#[test]
fn repeated_faults_are_listed_once() {
    let mut a = dana();
    let mut b = noor();
    a.approval.environment = "x".into();
    b.approval.environment = "y".into();
    assert_eq!(
        tokens(judge(&[a, b], &policy())),
        ["approval.environment.match"]
    );
}

/// Every way to change one character of a text, and some ways to change its length.
fn mutations(text: &str) -> Vec<String> {
    let mut out: Vec<String> = vec![
        String::new(),
        format!("{text} "),
        format!(" {text}"),
        format!("{text}\0"),
        text.chars().skip(1).collect(),
        text.to_uppercase(),
        format!("{text}{text}"),
    ];
    for (i, c) in text.char_indices() {
        for other in ['0', '1', 'z', '-', '\u{200b}'] {
            let mut changed = text.to_owned();
            changed.replace_range(i..i + c.len_utf8(), &other.to_string());
            out.push(changed);
        }
    }
    out.retain(|t| t != text);
    out
}

#[test]
fn no_change_of_a_single_field_passes() {
    type Field = fn(&mut Presented) -> &mut String;
    let fields: &[(&str, Field)] = &[
        ("approverId", |p| &mut p.approval.approver_id),
        ("approverRole", |p| &mut p.approval.approver_role),
        ("decision", |p| &mut p.approval.decision),
        ("environment", |p| &mut p.approval.environment),
        ("planFingerprint", |p| &mut p.approval.plan_fingerprint),
        ("key", |p| p.key.as_mut().unwrap()),
    ];
    let mut tried = 0;
    for (name, field) in fields {
        let text = field(&mut dana()).clone();
        for changed in mutations(&text) {
            let mut one = dana();
            *field(&mut one) = changed.clone();
            assert!(judge(&[one], &policy()).is_err(), "{name}: {changed:?}");
            tried += 1;
        }
    }
    assert!(tried > 500, "{tried}");
    // The id, the time and the SLA have many valid values; the signature over all fields binds them. A value that passes
    // must be one that is valid in itself.
    for changed in mutations(&dana().approval.approval_id) {
        let mut one = dana();
        one.approval.approval_id = changed.clone();
        assert_eq!(
            judge(&[one], &policy()).is_ok(),
            changed.parse::<ApprovalId>().is_ok(),
            "{changed:?}"
        );
    }
    for changed in mutations(&dana().approval.decided_at) {
        let mut one = dana();
        one.approval.decided_at = changed.clone();
        let passes = judge(&[one], &policy()).is_ok();
        let valid = changed.parse::<Timestamp>().is_ok_and(|t| {
            let age = NOW - t.as_millis();
            (-5_000..30 * 60_000).contains(&age)
        });
        assert_eq!(passes, valid, "{changed:?}");
    }
    for minutes in [0, 1, 2, 29, 59, 60, 61, 1 << 40, u64::MAX] {
        let mut one = dana();
        one.approval.sla_minutes = minutes;
        assert_eq!(
            judge(&[one], &policy()).is_ok(),
            (2..=60).contains(&minutes),
            "{minutes}"
        );
    }
}

#[test]
fn the_stored_form_keeps_its_names_and_refuses_others() {
    let text = serde_json::to_string(&dana().approval).unwrap();
    for name in [
        "approvalId",
        "approverRole",
        "slaMinutes",
        "planFingerprint",
        "decidedAt",
    ] {
        assert!(text.contains(&format!("\"{name}\":")), "{text}");
    }
    assert_eq!(
        serde_json::from_str::<Approval>(&text).unwrap(),
        dana().approval
    );
    // An absent field reads as empty and is then named; an unknown one is refused.
    let sparse: Approval = serde_json::from_str("{}").unwrap();
    assert_eq!(sparse, Approval::default());
    assert!(serde_json::from_str::<Approval>("{\"approvedBy\":\"dana\"}").is_err());
}

#[test]
fn the_way_back_can_be_approved_beforehand_and_nothing_else_can() {
    let policy = ApprovalPolicy {
        rollback_preapproved: true,
        ..policy()
    };
    let requester_key = key("rita");
    let demand = |policy, back| Demand {
        fingerprint: fingerprint(),
        environment: ENVIRONMENT,
        policy,
        before: None,
        requester: "rita",
        requester_key: &requester_key,
        on_behalf_of: None,
        also: &[],
        back,
        now: at(NOW),
    };
    let none = check(&[], &demand(&policy, true)).unwrap();
    assert!(none.approvals.is_empty());
    assert!(check(&[], &demand(&policy, false)).is_err());
    // A policy that says so only since the last operation is held to what was before.
    let before = ApprovalPolicy {
        rollback_preapproved: false,
        ..policy.clone()
    };
    assert!(policy.weakens(&before) && !before.weakens(&policy));
    let held = Demand {
        before: Some(&before),
        ..demand(&policy, true)
    };
    assert!(check(&[], &held).is_err());
}
