//! Who asked for a plan, first or later, is no voice about it.

use super::*;

#[test]
fn the_person_for_whom_an_agent_asked_is_the_requester_too() {
    let agent_key = key("bot");
    let asked_by_agent = |policy: &ApprovalPolicy, presented: &[Presented], person: &str| {
        check(
            presented,
            &Demand {
                fingerprint: fingerprint(),
                environment: ENVIRONMENT,
                policy,
                before: None,
                requester: "bot",
                requester_key: &agent_key,
                on_behalf_of: Some(person),
                also: &[],
                back: false,
                now: at(NOW),
            },
        )
    };
    let mut policy = policy();
    policy.requesters.push(Requester {
        id: "bot".into(),
        key: key("bot"),
    });
    assert!(asked_by_agent(&policy, &[dana()], "rita").is_ok());
    let refused = asked_by_agent(&policy, &[dana()], "dana").expect_err("dana asked by an agent");
    assert_eq!(refused.missing_fields, ["approval.approverId.notRequester"]);
    assert_eq!(refused.reasons, [Reason::ApprovalSelfGiven]);
}

#[test]
fn whoever_asks_later_is_barred_too_and_so_is_who_asked_first() {
    let (policy, rita, agent) = (policy(), key("rita"), key("bot"));
    let later = |id: &str, key: &str, person: Option<&str>| Asker {
        id: id.into(),
        key: key.into(),
        on_behalf_of: person.map(str::to_owned),
    };
    let judged = |also: &[Asker]| {
        let demand = Demand {
            fingerprint: fingerprint(),
            environment: ENVIRONMENT,
            policy: &policy,
            before: None,
            requester: "rita",
            requester_key: &rita,
            on_behalf_of: Some("ravi"),
            also,
            back: false,
            now: at(NOW),
        };
        check(&[dana()], &demand).map_err(|refused| refused.missing_fields)
    };
    assert!(judged(&[]).is_ok());
    assert!(judged(&[later("bot", &agent, Some("erin"))]).is_ok());
    for also in [
        [later("dana", "another", None)],
        [later("somebody", &key("dana"), None)],
        [later("bot", &agent, Some("dana"))],
    ] {
        let refused = judged(&also).unwrap_err();
        assert_eq!(refused, ["approval.approverId.notRequester"], "{also:?}");
    }
}
