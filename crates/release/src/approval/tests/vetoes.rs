//! Rejections, which are vetoes, and who may ask.

use super::*;

/// A rejection by `id`, given `ms` from now.
fn no(n: u8, id: &str, role: &str, ms: i64) -> Presented {
    let mut one = given(n, id, role);
    one.approval.decision = "rejected".into();
    one.approval.decided_at = at(NOW + ms).to_string();
    one
}

#[test]
fn a_rejection_is_a_veto_that_no_quorum_outvotes_and_no_time_ends() {
    let rejected = || no(9, "noor", "sre", -30_000);
    assert_eq!(
        tokens(judge(&[rejected()], &policy())),
        ["approval.decision.approved", "approval.notRejected"]
    );
    let ravi = given(3, "ravi", "sre");
    let mut two = policy();
    two.required = 2;
    for presented in [
        vec![dana(), ravi.clone(), rejected()],
        vec![rejected(), dana(), ravi.clone()],
    ] {
        let refusal = judge(&presented, &two).unwrap_err();
        assert_eq!(refusal.missing_fields, ["approval.notRejected"]);
        assert_eq!(refusal.reasons, [Reason::ApprovalRejected]);
    }
    // Not by time, not by having been looked at before, not by a length of nothing.
    let mut old = rejected();
    old.approval.decided_at = at(0).to_string();
    old.approval.sla_minutes = 0;
    old.used_by = Some(OperationId::mint([1; 8]));
    assert_eq!(
        tokens(judge(&[dana(), old], &policy())),
        ["approval.notRejected"]
    );
    // Who asked may withdraw.
    assert_eq!(
        tokens(judge(&[dana(), no(9, "rita", "any", -1)], &policy())),
        ["approval.notRejected"]
    );
}

#[test]
fn a_yes_before_a_no_is_none_again_by_a_later_yes() {
    let yes = |n: u8, ms: i64| {
        let mut one = given(n, "noor", "sre");
        one.approval.decided_at = at(NOW + ms).to_string();
        one
    };
    let (first, last) = (yes(1, -40_000), yes(2, -20_000));
    let all = [first, no(9, "noor", "sre", -30_000), last.clone()];
    let counted = judge(&all, &policy()).unwrap();
    let ids: Vec<String> = counted.approvals.iter().map(ToString::to_string).collect();
    assert_eq!(ids, [last.approval.approval_id]);
    // Used up, the later one leaves none.
    let mut used = all;
    used[2].used_by = Some(OperationId::mint([1; 8]));
    assert!(judge(&used, &policy()).is_err());
}

#[test]
fn only_the_rejecters_own_later_approval_takes_a_rejection_back() {
    let yes = |ms: i64| {
        let mut one = noor();
        one.approval.decided_at = at(NOW + ms).to_string();
        one
    };
    assert!(judge(&[no(9, "noor", "sre", -30_000), yes(-29_999)], &policy()).is_ok());
    for ms in [-30_000, -30_001] {
        let presented = [no(9, "noor", "sre", -30_000), yes(ms), dana()];
        assert_eq!(
            tokens(judge(&presented, &policy())),
            ["approval.notRejected"],
            "{ms}"
        );
    }
    // Another's approval, the same name over another key, and an approval of another plan do not.
    let mut foreign = yes(-1);
    foreign.key = Some(key("dana"));
    let mut elsewhere = yes(-1);
    elsewhere.approval.plan_fingerprint = Fingerprint::of("another plan").unwrap().to_string();
    for later in [dana(), foreign, elsewhere] {
        let presented = [no(9, "noor", "sre", -90_000), later, dana()];
        assert_eq!(
            tokens(judge(&presented, &policy())),
            ["approval.notRejected"]
        );
    }
}

#[test]
fn who_may_not_approve_may_not_veto() {
    type Change = fn(&mut Presented);
    let changes: &[(&str, Change)] = &[
        ("approval.signature", |p| p.key = None),
        ("approval.approverId.listed", |p| p.key = Some(key("eve"))),
        ("approval.approverId.listed", |p| {
            p.approval.approver_id = "eve".into()
        }),
        ("approval.environment.match", |p| {
            p.approval.environment = "staging".into()
        }),
        ("approval.planFingerprint.match", |p| {
            p.approval.plan_fingerprint = Fingerprint::of("another plan").unwrap().to_string()
        }),
        ("approval.decidedAt.notInFuture", |p| {
            p.approval.decided_at = at(NOW + 60_000).to_string()
        }),
    ];
    let (policy, requester_key) = (policy(), key("rita"));
    let demand = Demand {
        fingerprint: fingerprint(),
        environment: ENVIRONMENT,
        policy: &policy,
        before: None,
        requester: "rita",
        requester_key: &requester_key,
        on_behalf_of: None,
        also: &[],
        back: false,
        now: at(NOW),
    };
    assert_eq!(check_rejection(&no(9, "noor", "sre", 0), &demand), Ok(()));
    for (token, change) in changes {
        let mut one = no(9, "noor", "sre", 0);
        change(&mut one);
        let refusal = check_rejection(&one, &demand).unwrap_err();
        assert!(refusal.missing_fields.iter().any(|t| t == token), "{token}");
        assert!(judge(&[dana(), one], &policy).is_ok(), "{token}");
    }
}

#[test]
fn who_asks_must_be_known_unless_anybody_may_approve_their_own() {
    let asks = |policy: &ApprovalPolicy, id: &str, of: &str| {
        let requester_key = key(of);
        let demand = Demand {
            fingerprint: fingerprint(),
            environment: ENVIRONMENT,
            policy,
            before: None,
            requester: id,
            requester_key: &requester_key,
            on_behalf_of: None,
            also: &[],
            back: false,
            now: at(NOW),
        };
        check(&[dana()], &demand).map_err(|r| (r.missing_fields, r.reasons))
    };
    let unlisted = Err((
        vec!["approval.requester.listed".to_owned()],
        vec![Reason::RequesterUnlisted],
    ));
    // A requester, another approver.
    assert!(asks(&policy(), "rita", "rita").is_ok());
    assert!(asks(&policy(), "noor", "noor").is_ok());
    // A name made up on the spot, somebody's name over another key, somebody's key under another name.
    assert_eq!(asks(&policy(), "ghost", "ghost"), unlisted);
    assert_eq!(asks(&policy(), "rita", "ghost"), unlisted);
    assert_eq!(asks(&policy(), "ghost", "rita"), unlisted);
    // Where the requester may approve, anybody may ask, unless it is said who may.
    let mut own = policy();
    own.own = true;
    assert_eq!(asks(&own, "ghost", "ghost"), unlisted);
    own.requesters.clear();
    assert!(asks(&own, "ghost", "ghost").is_ok());
    assert!(own.knows("ghost") && !policy().knows("ghost") && policy().knows("dana"));
}

#[test]
fn what_asks_for_less_is_known() {
    let before = policy();
    assert!(!before.weakens(&before));
    type Change = fn(&mut ApprovalPolicy);
    let weaker: [(&str, Change); 8] = [
        ("own", |p| p.own = true),
        ("required", |p| p.required = 1),
        ("time", |p| p.max_sla = Span::from_secs(3601)),
        ("another role", |p| p.roles.push("dev".into())),
        ("any role", |p| p.roles.clear()),
        ("another approver", |p| {
            p.approvers.push(approver("eve", "sre"))
        }),
        ("another key", |p| p.approvers[0].key = key("eve")),
        ("another requester", |p| {
            p.requesters.push(Requester {
                id: "eve".into(),
                key: key("eve"),
            })
        }),
    ];
    let mut strict = before.clone();
    strict.required = 2;
    for (what, change) in weaker {
        let mut now = strict.clone();
        change(&mut now);
        assert!(now.weakens(&strict), "{what}");
    }
    // More of everything is not less; nor is anything where the requester's own word was enough.
    let mut more = before.clone();
    more.required = 3;
    more.max_sla = Span::from_secs(60);
    more.approvers.pop();
    more.roles.pop();
    assert!(!more.weakens(&before));
    let mut open = before.clone();
    open.own = true;
    assert!(!before.weakens(&open) && !open.weakens(&open));
    // The requester's word and another's is more than the requester's word.
    let mut two = open.clone();
    two.required = 2;
    assert!(open.weakens(&two) && !two.weakens(&open));
    // Nobody in particular may ask: that is everybody.
    let mut anybody = two.clone();
    anybody.requesters.clear();
    assert!(anybody.weakens(&two) && !two.weakens(&anybody));
}

#[test]
fn a_weaker_policy_must_hold_beside_the_one_before_it() {
    let (before, rita) = (policy(), key("rita"));
    let now = ApprovalPolicy {
        own: true,
        roles: Vec::new(),
        approvers: Vec::new(),
        requesters: Vec::new(),
        ..policy()
    };
    let demand = Demand {
        fingerprint: fingerprint(),
        environment: ENVIRONMENT,
        policy: &now,
        before: Some(&before),
        requester: "rita",
        requester_key: &rita,
        on_behalf_of: None,
        also: &[],
        back: false,
        now: at(NOW),
    };
    let own = given(7, "rita", "release-manager");
    let refusal = check(std::slice::from_ref(&own), &demand).unwrap_err();
    assert_eq!(
        refusal.missing_fields,
        ["approval.approverId.notRequester", "approval.policyBefore"]
    );
    assert_eq!(
        refusal.reasons,
        [Reason::ApprovalSelfGiven, Reason::ApprovalWeakened]
    );
    // Each may say what one of the policies wants to hear; both together are heard.
    assert_eq!(check_alone(&own, &demand), Ok(()));
    assert_eq!(check_alone(&dana(), &demand), Ok(()));
    assert!(check_alone(&given(8, "eve", "sre"), &demand).is_err());
    let refusal = check(&[dana()], &demand).unwrap_err();
    assert_eq!(refusal.missing_fields, ["approval.approverId.listed"]);
    assert_eq!(
        check(&[dana(), own.clone()], &demand)
            .unwrap()
            .approvals
            .len(),
        2
    );
    // A no of those who had a say before still counts.
    let presented = [dana(), own, no(9, "noor", "sre", -1)];
    let refusal = check(&presented, &demand).unwrap_err();
    assert_eq!(
        refusal.missing_fields,
        ["approval.notRejected", "approval.policyBefore"]
    );
}
