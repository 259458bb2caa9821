//! Whether a plan can be executed at all. The machine asks before it begins, so that no plan is carried out whose checks
//! cannot fail or whose steps leave something out, whoever wrote it. Lint says more, earlier and more kindly.

use super::{PlanBody, RollbackTarget, StepKind};

/// Returns why the machine would refuse `plan` before it does anything; none if it would not.
pub fn unsound(plan: &PlanBody) -> Option<String> {
    settings(plan)
        .or_else(|| slots(plan))
        .or_else(|| steps(plan))
}

/// A check whose limit or level is not strictly between 0 and 1 is no check.
fn settings(plan: &PlanBody) -> Option<String> {
    let checks = &plan.checks;
    [
        ("errors.margin", checks.errors.margin),
        ("errors.limit", checks.errors.limit),
        ("slow.margin", checks.slow.margin),
        ("slow.limit", checks.slow.limit),
        ("client_errors.margin", checks.client_errors.margin),
        ("client_errors.limit", checks.client_errors.limit),
        ("alpha_abort", checks.alpha_abort),
        ("alpha_promote", checks.alpha_promote),
    ]
    .into_iter()
    .find(|(_, share)| !(0.0 < share.fraction() && share.fraction() < 1.0))
    .map(|(name, share)| {
        format!("check `{name}` is {share}, which is not between 0% and 100%, so it cannot judge")
    })
}

fn slots(plan: &PlanBody) -> Option<String> {
    let serving = plan.base.slots.iter().filter(|s| s.weight > 0);
    let serving: Vec<_> = serving
        .map(|s| (&s.slot, &s.version, s.content, s.weight))
        .collect();
    let from = plan.from.as_ref();
    let wanted: Vec<_> = from
        .map(|d| (&d.slot, &d.version, d.content, 10_000))
        .into_iter()
        .collect();
    if serving != wanted {
        return Some(
            "the base state does not serve all traffic with the version that the plan starts from"
                .into(),
        );
    }
    if from.is_some_and(|d| d.slot == plan.slot) {
        return Some(format!(
            "slot `{}` holds the version that serves",
            plan.slot
        ));
    }
    let back = match &plan.rollback {
        RollbackTarget::Version(version) => Some(version),
        RollbackTarget::Nothing => None,
    };
    (back != from)
        .then(|| "the rollback target is not the version that the plan starts from".into())
}

fn steps(plan: &PlanBody) -> Option<String> {
    let mut rest = plan.steps.as_slice();
    let mut next = |fits: &dyn Fn(&StepKind) -> bool| match rest.split_first() {
        Some((step, tail)) if fits(&step.kind) && step.class == step.kind.class() => {
            rest = tail;
            true
        }
        _ => false,
    };
    let from = plan.from.as_ref();
    let begins = next(&|k| *k == StepKind::Preflight)
        && next(&|k| *k == StepKind::Gates)
        && next(&|k| matches!(k, StepKind::Deploy { slot } if *slot == plan.slot));
    if begins && from.is_some() {
        while next(
            &|k| matches!(k, StepKind::Stage { weight, .. } if (1..10_000).contains(&weight.basis_points())),
        ) {}
    }
    let serves =
        next(&|k| *k == StepKind::Promote) && next(&|k| matches!(k, StepKind::Soak { .. }));
    let retires = from.is_none_or(|old| {
        next(&|k| matches!(k, StepKind::Drain { slot } if *slot == old.slot))
            && next(&|k| matches!(k, StepKind::Stop { slot } if *slot == old.slot))
    });
    (!(begins && serves && retires && rest.is_empty())).then(|| {
        "the steps are not preflight, gates, deploy, stages, promote, soak and the end of the old version, in this order and complete".into()
    })
}
