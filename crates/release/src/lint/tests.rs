//! Table tests of the lint: each fault alone, and what traffic and people make of a plan.

use std::collections::BTreeMap;

use gonogo_core::Digest;

use super::*;
use crate::approval::{ApprovalPolicy, Approver, Requester};
use crate::effect::{Observed, ObservedSlot};
use crate::plan::{
    Artifact, Budget, Checks, Drain, Gates, PlanKind, Protocol, RateCheck, Ready, ReadyProbe,
    Stage, Strategy, VersionSpec,
};

fn percent(n: u32) -> Share {
    Share::from_percent(n)
}

fn secs(n: u64) -> Span {
    Span::from_secs(n)
}

fn good() -> PlanBody {
    let from = Deployed {
        slot: "a".into(),
        version: "1".into(),
        content: Digest::of(b"one"),
    };
    let artifact = Artifact {
        path: "./bin/shop".into(),
        sha256: Digest::of(b"shop"),
        bytes: 4,
        executable: true,
    };
    let to = VersionSpec {
        version: "2".into(),
        run: vec!["./bin/shop".into()],
        env: BTreeMap::new(),
        env_from: vec!["DATABASE_URL".into()],
        port_env: "PORT".into(),
        artifacts: vec![artifact],
        ready: Ready {
            probe: ReadyProbe::Tcp,
            interval: Span::from_millis(100),
            timeout: secs(1),
            within: secs(15),
        },
        drain: Drain {
            signal: "TERM".into(),
            within: secs(10),
        },
        protocol: Protocol::Http1,
    };
    let stage = |n| Stage {
        weight: percent(n),
        bake: secs(10),
        within: secs(120),
    };
    let strategy = Strategy {
        name: "default".into(),
        stages: vec![stage(5), stage(25)],
        soak: secs(30),
        promote_within: secs(30),
        sample_every: Span::from_millis(500),
    };
    let slot = ObservedSlot {
        slot: "a".into(),
        version: "1".into(),
        content: from.content,
        weight: 10_000,
        ready: true,
    };
    let mut body = PlanBody {
        service: "shop".into(),
        environment: "local".into(),
        kind: PlanKind::Release,
        target: TargetSpec::Host {
            listen: "127.0.0.1:8080".into(),
            sticky_cookie: None,
        },
        from: Some(from.clone()),
        to,
        slot: "b".into(),
        base: Observed {
            generation: 1,
            slots: vec![slot],
        },
        rollback: RollbackTarget::Version(from),
        strategy,
        checks: Checks {
            name: "default".into(),
            min_requests: 100,
            errors: RateCheck {
                margin: percent(1),
                limit: percent(5),
            },
            slow: RateCheck {
                margin: percent(2),
                limit: percent(10),
            },
            client_errors: RateCheck {
                margin: percent(5),
                limit: percent(50),
            },
            slow_over: Span::from_millis(250),
            alpha_abort: percent(1),
            alpha_promote: percent(5),
        },
        gates: Gates::None,
        approval: ApprovalPolicy {
            own: true,
            required: 1,
            roles: Vec::new(),
            approvers: Vec::new(),
            requesters: dana(),
            max_sla: secs(3600),
            ..ApprovalPolicy::default()
        },
        approval_before: None,
        witnesses: None,
        steps: Vec::new(),
        budget: Budget::of(Span::from_millis(500)),
        config: Digest::of(b"config"),
        tool: "0.1.0".into(),
    };
    settle(&mut body);
    body
}

/// Who asks in these tests.
fn dana() -> Vec<Requester> {
    vec![Requester {
        id: "dana".into(),
        key: "k-dana".into(),
    }]
}

/// Derives what a planner derives.
fn settle(body: &mut PlanBody) {
    body.steps = resolve(body.from.as_ref(), &body.to, &body.slot, &body.strategy);
    body.budget = Budget::of(body.strategy.sample_every);
}

fn facts() -> Facts<'static> {
    Facts {
        requester: "dana",
        requester_key: "k-dana",
        on_path: None,
        present: None,
        agent_answers: false,
        requests_per_minute: Some(60_000),
        pin: None,
    }
}

fn first_release(body: &mut PlanBody) {
    body.from = None;
    body.rollback = RollbackTarget::Nothing;
    body.base.slots.clear();
}

fn approver(id: &str, role: &str) -> Approver {
    Approver {
        id: id.into(),
        role: role.into(),
        key: format!("k-{id}"),
    }
}

#[test]
fn a_good_plan_has_no_finding() {
    assert_eq!(lint(&good(), &facts()), []);
}

#[test]
fn each_fault_is_found_alone() {
    use Severity::{Error, Warning};
    type Change = fn(&mut PlanBody);
    let cases: &[(&str, Severity, Change)] = &[
        ("holds the version that serves", Error, |b| {
            b.slot = "a".into()
        }),
        ("slot `b` is in use already", Error, |b| {
            let mut other = b.base.slots[0].clone();
            other.slot = "b".into();
            other.weight = 0;
            b.base.slots.push(other);
        }),
        ("rollback target is not", Error, |b| {
            b.rollback = RollbackTarget::Nothing
        }),
        ("this is a first release", Warning, first_release),
        (
            "`bake` 10s and two samples of 500ms are longer than `within` 10s",
            Error,
            |b| {
                b.strategy.stages[1].bake = secs(10);
                b.strategy.stages[1].within = secs(10);
                b.checks.errors.margin = percent(50);
                b.checks.slow.margin = percent(50);
            },
        ),
        ("stage 2 (5%) must lie above 5%", Error, |b| {
            b.strategy.stages[1].weight = percent(5)
        }),
        (
            "stage 2 (100%) must lie above 5% and below 100%",
            Error,
            |b| b.strategy.stages[1].weight = percent(100),
        ),
        ("`sample_every` is 0s", Error, |b| {
            b.strategy.sample_every = Span::ZERO
        }),
        ("`soak` 500ms is shorter than two samples", Error, |b| {
            b.strategy.soak = Span::from_millis(500)
        }),
        ("`promote_within` 1ms is shorter", Error, |b| {
            b.strategy.promote_within = Span::from_millis(1)
        }),
        ("`errors.margin` of checks `default` is 0%", Error, |b| {
            b.checks.errors.margin = Share::ZERO
        }),
        ("`slow.limit` of checks `default` is 100%", Error, |b| {
            b.checks.slow.limit = Share::FULL
        }),
        ("`alpha_abort` of checks `default` is 0%", Error, |b| {
            b.checks.alpha_abort = Share::ZERO
        }),
        ("would pass on no data", Error, |b| {
            b.checks.min_requests = 0
        }),
        ("`./bin/shop` is not executable", Error, |b| {
            b.to.artifacts[0].executable = false
        }),
        (
            "`bin/shop` is a relative path and not an artifact",
            Error,
            |b| b.to.run[0] = "bin/shop".into(),
        ),
        ("`/bin/shop` is not an artifact", Warning, |b| {
            b.to.run[0] = "/bin/shop".into()
        }),
        ("nothing pins what runs", Warning, |b| {
            b.to.run[0] = "/bin/shop".into();
            b.to.artifacts.clear();
        }),
        ("has no program to run", Error, |b| b.to.run.clear()),
        ("at most 0 can be given", Error, |b| b.approval.own = false),
        (
            "demands 2 approvals, and at most 1 can be given",
            Error,
            |b| b.approval.required = 2,
        ),
        (
            "`listen` 0.0.0.0:80 is open to other machines",
            Warning,
            |b| listen(b, "0.0.0.0:80"),
        ),
        ("`listen` 127.0.0.1:0 has no fixed port", Error, |b| {
            listen(b, "127.0.0.1:0")
        }),
        ("`listen` localhost:80 is not an IP address", Error, |b| {
            listen(b, "localhost:80")
        }),
        ("may go on serving for 90600ms", Warning, |b| {
            b.strategy.sample_every = secs(30)
        }),
    ];
    for (said, severity, change) in cases {
        let mut body = good();
        change(&mut body);
        settle(&mut body);
        let found = lint(&body, &facts());
        assert!(!found.is_empty(), "not found: {said}");
        let texts: Vec<&str> = found.iter().map(|f| f.text.as_str()).collect();
        // A long sample period also makes stages and soak too short, which is said too.
        if !said.contains("90600ms") {
            assert_eq!(found.len(), 1, "{said}: {texts:?}");
        }
        let one = found.iter().find(|f| f.text.contains(said));
        let one = one.unwrap_or_else(|| panic!("{said}: {texts:?}"));
        assert_eq!(
            (one.severity, one.reason),
            (*severity, Reason::PlanLint),
            "{said}"
        );
        assert!(!one.hint.is_empty());
    }
    let mut body = good();
    body.steps.pop();
    assert!(
        lint(&body, &facts())[0]
            .text
            .contains("the steps do not follow")
    );
}

fn listen(body: &mut PlanBody, address: &str) {
    body.target = TargetSpec::Host {
        listen: address.into(),
        sticky_cookie: None,
    };
}

#[test]
fn the_same_content_at_full_weight_is_nothing_to_do() {
    let mut body = good();
    let content = body.to.content().unwrap();
    body.from.as_mut().unwrap().content = content;
    body.base.slots[0].content = content;
    let found = lint(&body, &facts());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].reason, Reason::NothingToDo);
    // Not all traffic, or not ready: there is something to do.
    for change in [
        |s: &mut ObservedSlot| s.weight = 9_999,
        |s: &mut ObservedSlot| s.ready = false,
    ] {
        let mut other = body.clone();
        change(&mut other.base.slots[0]);
        assert!(
            lint(&other, &facts())
                .iter()
                .all(|f| f.reason != Reason::NothingToDo)
        );
    }
    // Another content of the same version is a release.
    body.to.env.insert("LOG".into(), "debug".into());
    assert!(
        lint(&body, &facts())
            .iter()
            .all(|f| f.reason != Reason::NothingToDo)
    );
}

#[test]
fn a_bare_program_must_be_on_the_path() {
    let mut body = good();
    body.to.run = vec!["python3".into(), "./bin/shop".into()];
    let only = |known: &'static str| move |name: &str| name == known;
    let (python, perl) = (only("python3"), only("perl"));
    let questions: [(Option<Question<'_>>, usize); 3] =
        [(None, 0), (Some(&python), 0), (Some(&perl), 1)];
    for (i, (on_path, errors)) in questions.into_iter().enumerate() {
        let found = lint(&body, &Facts { on_path, ..facts() });
        assert_eq!(found.len(), errors, "{i}: {found:?}");
        assert!(found.iter().all(|f| f.severity == Severity::Error));
    }
}

#[test]
fn absent_variables_block_only_where_the_agent_answers() {
    let body = good();
    let (none, all) = (|_: &str| false, |_: &str| true);
    let questions: [(Option<Question<'_>>, bool, Option<Severity>); 4] = [
        (None, true, None),
        (Some(&all), true, None),
        (Some(&none), false, Some(Severity::Warning)),
        (Some(&none), true, Some(Severity::Error)),
    ];
    for (i, (present, agent_answers, severity)) in questions.into_iter().enumerate() {
        let facts = Facts {
            present,
            agent_answers,
            ..facts()
        };
        let found = lint(&body, &facts);
        let severities: Vec<Severity> = found.iter().map(|f| f.severity).collect();
        assert_eq!(severities, Vec::from_iter(severity), "{i}");
        assert!(found.iter().all(|f| f.text.contains("DATABASE_URL")));
    }
}

#[test]
fn a_planner_knows_its_own_machine_only() {
    let yes = |_: &str| true;
    let facts = Facts::new("dana", &yes, &yes);
    assert_eq!(lint(&good(), &facts), []);
    // The requester's key is not known; an approver's empty key is not taken for it.
    let mut body = good();
    body.approval.own = false;
    body.approval.approvers = vec![Approver {
        key: String::new(),
        ..approver("noor", "rm")
    }];
    assert_eq!(lint(&body, &facts), []);
}

#[test]
fn traffic_decides_whether_a_stage_can_pass() {
    let body = good();
    let with = |rate| {
        lint(
            &body,
            &Facts {
                requests_per_minute: rate,
                ..facts()
            },
        )
    };
    // A flawless release needs some hundreds of requests; 5 % of 60 a minute in 2 minutes are 6.
    let slow = with(Some(60));
    assert!(
        slow.iter()
            .any(|f| f.text.starts_with("stage 1 (5%) needs ")),
        "{slow:?}"
    );
    assert!(
        slow.iter().any(|f| f.text.starts_with("the soak needs ")),
        "{slow:?}"
    );
    assert!(slow.iter().all(|f| f.severity == Severity::Warning));
    assert_eq!(with(Some(600_000)), []);
    assert_eq!(with(None), []);
    let none = with(Some(0));
    assert_eq!(none.len(), 3, "{none:?}");
}

#[test]
fn the_bound_is_what_a_flawless_release_needs() {
    use gonogo_stats::{Count, non_inferior};
    // Just below the bound of stage 1 there is a warning, at the bound there is none.
    let mut body = good();
    body.checks.min_requests = 1;
    body.strategy.stages.truncate(1);
    body.strategy.stages[0] = Stage {
        weight: percent(50),
        bake: secs(1),
        within: secs(60),
    };
    settle(&mut body);
    let passes = |n| {
        let flawless = Count::new(n, 0).unwrap();
        non_inferior(flawless, flawless, 0.01, 0.05).unwrap().passes
    };
    let needed = (1..100_000).find(|n| passes(*n)).unwrap();
    let stage = |rate| {
        let found = lint(
            &body,
            &Facts {
                requests_per_minute: Some(rate),
                ..facts()
            },
        );
        found.iter().any(|f| f.text.starts_with("stage 1"))
    };
    assert!(!stage(needed * 2), "{needed}");
    assert!(stage(needed * 2 - 2), "{needed}");
}

#[test]
fn without_a_known_rate_only_the_impossible_is_said() {
    let mut body = good();
    let unknown = Facts {
        requests_per_minute: None,
        pin: None,
        ..facts()
    };
    body.checks.min_requests = 100_000;
    let busy = lint(&body, &unknown);
    assert!(
        busy.iter()
            .any(|f| f.severity == Severity::Warning && f.text.contains("16667 requests a second")),
        "{busy:?}"
    );
    body.checks.min_requests = 1_000_000_000;
    let impossible = lint(&body, &unknown);
    assert!(impossible.iter().any(
        |f| f.severity == Severity::Error && f.text.starts_with("stage 1 (5%) can never pass")
    ));
}

#[test]
fn who_asks_without_being_known_is_told_at_once() {
    let mut body = good();
    for (id, key, fine) in [
        ("dana", "k-dana", true),
        ("dana", "k-other", false),
        ("ghost", "k-dana", false),
    ] {
        let facts = Facts {
            requester: id,
            requester_key: key,
            ..facts()
        };
        let reasons: Vec<Reason> = lint(&body, &facts).iter().map(|f| f.reason).collect();
        let wanted: &[Reason] = if fine {
            &[]
        } else {
            &[Reason::RequesterUnlisted]
        };
        assert_eq!(reasons, wanted, "{id} {key}");
    }
    body.approval.requesters.clear();
    let ghost = Facts {
        requester: "ghost",
        requester_key: "k-ghost",
        ..facts()
    };
    assert_eq!(
        lint(&body, &ghost),
        [],
        "self is allowed, and nobody is named"
    );
}

#[test]
fn an_approval_that_nobody_can_give_is_an_error() {
    let cases = [
        // own, required, roles, approvers, blocked
        (false, 1, vec![], vec![approver("dana", "rm")], true),
        (false, 1, vec![], vec![approver("noor", "rm")], false),
        (
            false,
            2,
            vec![],
            vec![approver("dana", "rm"), approver("noor", "rm")],
            true,
        ),
        (
            true,
            2,
            vec![],
            vec![approver("dana", "rm"), approver("noor", "rm")],
            false,
        ),
        (true, 2, vec![], vec![approver("noor", "rm")], false),
        (true, 3, vec![], vec![approver("noor", "rm")], true),
        (false, 1, vec!["rm"], vec![approver("noor", "dev")], true),
        (
            false,
            1,
            vec!["rm", "dev"],
            vec![approver("noor", "dev")],
            false,
        ),
        (
            false,
            2,
            vec![],
            vec![approver("noor", "rm"), approver("noor", "dev")],
            true,
        ),
        (false, 0, vec![], vec![], true),
    ];
    for (own, required, roles, approvers, blocked) in cases {
        let mut body = good();
        body.approval = ApprovalPolicy {
            own,
            required,
            roles: roles.iter().map(|r| (*r).to_owned()).collect(),
            approvers: approvers.clone(),
            requesters: dana(),
            max_sla: secs(60),
            ..ApprovalPolicy::default()
        };
        let found = lint(&body, &facts());
        assert_eq!(
            !found.is_empty(),
            blocked,
            "{own} {required} {roles:?} {approvers:?}: {found:?}"
        );
    }
    // The same key under another name is still the requester's.
    let mut body = good();
    body.approval.own = false;
    body.approval.approvers = vec![Approver {
        key: "k-dana".into(),
        ..approver("noor", "rm")
    }];
    let found = lint(&body, &facts());
    assert!(
        found[0]
            .text
            .ends_with("because `dana` asks and may not approve too"),
        "{found:?}"
    );
}

#[test]
fn errors_come_before_warnings() {
    let mut body = good();
    listen(&mut body, "0.0.0.0:80");
    body.to.artifacts.clear();
    body.approval.own = false;
    let severities: Vec<Severity> = lint(&body, &facts()).iter().map(|f| f.severity).collect();
    assert!(
        severities.is_sorted()
            && severities.contains(&Severity::Error)
            && severities.contains(&Severity::Warning)
    );
}
