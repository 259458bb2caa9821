//! Whether the checks can be proven in the time that the strategy gives them.
//!
//! The bound is the best case: a release without a single bad answer on either side. What that needs, every release needs.

use gonogo_core::{Share, Span};
use gonogo_stats::{Count, more_needed_below_limit, share_minimum};

use super::{Facts, Findings};
use crate::judge::SHARE_ALPHA;
use crate::plan::{Checks, PlanBody};

/// Requests beyond which nothing is ever proven.
const CAP: u64 = 1_000_000_000;
/// Requests a second that no single machine answers.
const IMPOSSIBLE: f64 = 1e6;
/// Requests a second that are worth a warning where the rate is not known.
const BUSY: f64 = 1e4;

pub(super) fn lint(body: &PlanBody, facts: &Facts<'_>, found: &mut Findings) {
    if !ranges(&body.checks, found) {
        return;
    }
    if body.from.is_some() {
        stages(body, facts, found);
    }
    // The soak watches alone, against absolute limits; the step's time is the soak and the time to measure promotion.
    let checks = &body.checks;
    let limits = [
        checks.errors.limit,
        checks.slow.limit,
        checks.client_errors.limit,
    ];
    let alone = Demand {
        what: "the soak".into(),
        fix: "set a longer `soak`, or wider limits",
        share: Share::FULL,
        needed: requests(&body.checks, limits, |limit, alpha| {
            more_needed_below_limit(Count::ZERO, limit, alpha, CAP)
        }),
        within: body.strategy.soak.plus(body.strategy.promote_within),
    };
    alone.lint(facts, found);
}

fn stages(body: &PlanBody, facts: &Facts<'_>, found: &mut Findings) {
    let checks = &body.checks;
    let margins = [
        checks.errors.margin,
        checks.slow.margin,
        checks.client_errors.margin,
    ];
    // Without a bad answer on either side stable's lower bound is 0, and the comparison is that of the new version's
    // upper bound, which has half of alpha, with the margin.
    let needed = requests(&body.checks, margins, |margin, alpha| {
        more_needed_below_limit(Count::ZERO, margin, alpha / 2.0, CAP)
    });
    for (i, stage) in body.strategy.stages.iter().enumerate() {
        // The served share must be measured too: that counts requests of both versions.
        let total = share_minimum(stage.weight.fraction(), SHARE_ALPHA).unwrap_or(u64::MAX);
        let measured = (total as f64 * stage.weight.fraction()).ceil() as u64;
        let demand = Demand {
            what: format!("stage {} ({})", i + 1, stage.weight),
            fix: "set a longer `within`, a wider `margin` or a greater `weight`",
            share: stage.weight,
            needed: needed.map(|n| n.max(measured)),
            within: stage.within,
        };
        demand.lint(facts, found);
    }
}

/// Whether the checks' settings are ones that the statistics accept. The configuration refuses others, but a plan may
/// come from elsewhere.
fn ranges(checks: &Checks, found: &mut Findings) -> bool {
    let open = |share: Share| share > Share::ZERO && share < Share::FULL;
    let mut fine = true;
    for (name, share) in [
        ("errors.margin", checks.errors.margin),
        ("errors.limit", checks.errors.limit),
        ("slow.margin", checks.slow.margin),
        ("slow.limit", checks.slow.limit),
        ("client_errors.margin", checks.client_errors.margin),
        ("client_errors.limit", checks.client_errors.limit),
        ("alpha_abort", checks.alpha_abort),
        ("alpha_promote", checks.alpha_promote),
    ] {
        if !open(share) {
            fine = false;
            found.error(
                format!(
                    "`{name}` of checks `{}` is {share}; it must lie between 0% and 100%",
                    checks.name
                ),
                format!("correct `{name}`"),
            );
        }
    }
    if checks.min_requests == 0 {
        fine = false;
        found.error(
            format!(
                "checks `{}` would pass on no data: `min_requests` is 0",
                checks.name
            ),
            "set `min_requests` to at least 1",
        );
    }
    fine
}

/// Requests of the new version until both rates and `min_requests` are satisfied; none if never.
fn requests(
    checks: &Checks,
    bounds: [Share; 3],
    needed: impl Fn(f64, f64) -> Result<Option<u64>, gonogo_stats::Error>,
) -> Option<u64> {
    let alpha = checks.alpha_promote.fraction();
    bounds
        .into_iter()
        .try_fold(checks.min_requests, |most, bound| {
            let more = needed(bound.fraction(), alpha).ok().flatten()?;
            Some(most.max(more))
        })
}

/// What one step needs and what it has.
struct Demand {
    what: String,
    fix: &'static str,
    share: Share,
    /// Requests of the new version; none if no number is enough.
    needed: Option<u64>,
    within: Span,
}

impl Demand {
    fn lint(&self, facts: &Facts<'_>, found: &mut Findings) {
        let Self {
            what,
            share,
            within,
            ..
        } = self;
        let Some(needed) = self.needed else {
            found.error(
                format!("{what} can never pass: no number of requests proves its checks"),
                self.fix,
            );
            return;
        };
        let seconds = within.as_millis() as f64 / 1000.0;
        // All requests a second of which `share` gives `needed` in time; infinite where either is zero.
        let rate = needed as f64 / (seconds * share.fraction());
        match facts.requests_per_minute {
            Some(known) if rate > known as f64 / 60.0 => found.warning(
                format!(
                    "{what} needs {needed} requests of the new version in {within}, and {known} a minute give it about {:.0}",
                    known as f64 / 60.0 * share.fraction() * seconds
                ),
                self.fix,
            ),
            Some(_) => {}
            None if rate > IMPOSSIBLE => found.error(
                format!("{what} can never pass: {needed} requests of the new version in {within} are more than one machine answers"),
                self.fix,
            ),
            None if rate > BUSY => found.warning(
                format!("{what} needs {needed} requests of the new version in {within}: {rate:.0} requests a second in all"),
                self.fix,
            ),
            None => {}
        }
    }
}
