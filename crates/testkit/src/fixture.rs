//! Plans to begin a test with.

use std::collections::BTreeMap;

use gonogo_core::{Digest, Share, Span};
use gonogo_release::approval::ApprovalPolicy;
use gonogo_release::effect::{Observed, ObservedSlot};
use gonogo_release::plan::{
    Artifact, Budget, Checks, Deployed, Drain, Gates, PlanBody, PlanKind, Protocol, RateCheck,
    Ready, ReadyProbe, RollbackTarget, Stage, Strategy, TargetSpec, VersionSpec, resolve,
};

/// A version named `version` with one artifact.
pub fn version(version: &str) -> VersionSpec {
    VersionSpec {
        version: version.into(),
        run: vec!["./bin/shop".into()],
        env: BTreeMap::new(),
        env_from: Vec::new(),
        port_env: "PORT".into(),
        artifacts: vec![Artifact {
            path: "./bin/shop".into(),
            sha256: Digest::of(version.as_bytes()),
            bytes: 7,
            executable: true,
        }],
        ready: Ready {
            probe: ReadyProbe::Http("/readyz".into()),
            interval: Span::from_millis(100),
            timeout: Span::from_secs(1),
            within: Span::from_secs(15),
        },
        drain: Drain {
            signal: "TERM".into(),
            within: Span::from_secs(5),
        },
        protocol: Protocol::Http1,
    }
}

/// A plan for `to` over `from` with these stage weights in per cent; `from` serves everything in slot `a`.
pub fn plan(from: Option<&str>, to: &str, weights: &[u32]) -> PlanBody {
    let to = version(to);
    let slot = if from.is_some() { "b" } else { "a" };
    let from = from.map(|name| Deployed {
        slot: "a".into(),
        version: name.into(),
        content: version(name)
            .content()
            .expect("a fixture has a canonical form"),
    });
    let strategy = Strategy {
        name: "default".into(),
        stages: weights
            .iter()
            .map(|w| Stage {
                weight: Share::from_percent(*w),
                bake: Span::from_secs(1),
                within: Span::from_secs(60),
            })
            .collect(),
        soak: Span::from_secs(2),
        promote_within: Span::from_secs(30),
        sample_every: Span::from_secs(1),
    };
    let base = Observed {
        generation: 7,
        slots: from
            .iter()
            .map(|d| ObservedSlot {
                slot: d.slot.clone(),
                version: d.version.clone(),
                content: d.content,
                weight: 10_000,
                ready: true,
            })
            .collect(),
    };
    PlanBody {
        service: "shop".into(),
        environment: "local".into(),
        kind: PlanKind::Release,
        target: TargetSpec::Host {
            listen: "127.0.0.1:8080".into(),
            sticky_cookie: None,
        },
        steps: resolve(from.as_ref(), &to, slot, &strategy),
        rollback: from
            .clone()
            .map_or(RollbackTarget::Nothing, RollbackTarget::Version),
        budget: Budget::of(strategy.sample_every),
        from,
        to,
        slot: slot.into(),
        base,
        strategy,
        checks: checks(),
        gates: Gates::None,
        approval: ApprovalPolicy {
            own: true,
            required: 1,
            roles: Vec::new(),
            approvers: Vec::new(),
            requesters: Vec::new(),
            max_sla: Span::from_secs(3600),
            rollback_preapproved: false,
        },
        approval_before: None,
        witnesses: None,
        config: Digest::of(b"config"),
        tool: "gonogo 0.0.0".into(),
    }
}

/// The default checks.
pub fn checks() -> Checks {
    let percent = |margin, limit| RateCheck {
        margin: Share::from_percent(margin),
        limit: Share::from_percent(limit),
    };
    Checks {
        name: "default".into(),
        min_requests: 100,
        errors: percent(1, 2),
        slow: percent(2, 10),
        client_errors: percent(5, 50),
        slow_over: Span::from_millis(250),
        alpha_abort: Share::from_percent(1),
        alpha_promote: Share::from_percent(5),
    }
}
