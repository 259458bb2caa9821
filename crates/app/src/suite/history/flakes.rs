//! Which tests are flaky over the recorded runs, and what of the budgets they use.

use std::collections::BTreeMap;

use gonogo_core::{Span, Timestamp};
use gonogo_suite::TestVerdict;
use gonogo_suite::flake::{
    Budgets, Counting, FlakeStat, Gathered, Rules, RunMark, Said, State, draft,
};
use gonogo_suite::run::Retry;
use serde::Serialize;

use super::{History, Unusable, Window, variant_text};
use crate::AppError;
use crate::home::Home;

/// The schema.
const SCHEMA: &str = "gonogo.suite.flakes.v1";

/// Most tests that are kept.
const TESTS: usize = 2_000_000;

/// A test that is not simply good.
#[derive(Debug, Clone, Serialize)]
pub struct Flaky {
    /// The target that runs it.
    pub target: String,
    /// Its variant, in parts.
    pub selector: BTreeMap<String, String>,
    /// Whether the history is enough for a quarantine.
    pub can_be_quarantined: bool,
    /// What the history says of it.
    #[serde(flatten)]
    pub stat: FlakeStat,
}

/// A run that does not count.
#[derive(Debug, Clone, Serialize)]
pub struct Ignored {
    /// The run.
    pub run_id: String,
    /// When it began.
    pub at: Timestamp,
    /// Why.
    pub why: String,
}

/// The flakiness of a project's tests.
#[derive(Debug, Serialize)]
pub struct Flakes {
    /// `gonogo.suite.flakes.v1`.
    pub schema: &'static str,
    /// When it was made.
    pub generated_at: Timestamp,
    /// How far back verdicts count.
    pub window: Span,
    /// Runs that were read.
    pub runs: usize,
    /// Runs that are recorded and older than what was asked for.
    pub older_runs: usize,
    /// Runs that were merged of shards that are here themselves.
    pub merged_runs: usize,
    /// Runs in which nearly everything failed.
    pub ignored_runs: Vec<Ignored>,
    /// What could not be read, or was changed.
    pub unusable: Vec<Unusable>,
    /// Tests, on each variant, by what they are.
    pub by_state: BTreeMap<State, u64>,
    /// Verdicts on tests that are beyond what is kept.
    pub beyond: u64,
    /// Tests that are flaky, broken, suspect or recovered: the worst first.
    pub tests: Vec<Flaky>,
    /// What they use of the budgets.
    pub budgets: Budgets,
}

impl Flakes {
    /// How many tests are this.
    pub fn count(&self, state: State) -> u64 {
        self.by_state.get(&state).copied().unwrap_or(0)
    }
}

/// Reads the history and says which tests are flaky.
///
/// # Errors
/// The ledger's; a list of tests that cannot be read.
pub fn flakes(home: &Home, window: &Window) -> Result<Flakes, AppError> {
    let rules = Rules {
        window: window.since.unwrap_or(Rules::default().window),
        ..Rules::default()
    };
    let window = Window {
        since: Some(rules.window),
        ..*window
    };
    let mut history = History::find(home, &window)?;
    let now = home.clock.now().wall;
    let mut gathered = Gathered::new(TESTS);
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    history.read(|run, target, light| {
        // What came from a cache did not run.
        if light.cached {
            return;
        }
        let number = match numbers.get(&run.run_id) {
            Some(number) => *number,
            None => {
                let mark = RunMark {
                    id: run.run_id.clone(),
                    tree: run.tree.clone(),
                    variant: variant_text(&run.variant),
                    at: run.at,
                };
                let Some(number) = gathered.run(mark) else {
                    return;
                };
                numbers.insert(run.run_id.clone(), number);
                number
            }
        };
        let said = Said {
            verdict: light.verdict,
            signature: light.signature.as_ref(),
            cause: light.cause.as_ref(),
        };
        gathered.add(number, &target.target, &light.test, said);
    })?;
    for run in &history.runs {
        let Some(number) = numbers.get(&run.run_id) else {
            continue;
        };
        for retried in &run.retries {
            let (verdict, signature) = match &retried.retry {
                Retry::Passed { .. } => (TestVerdict::Passed, None),
                Retry::Failed { signature, .. } => (TestVerdict::Failed, signature.as_ref()),
                Retry::NotRun { .. } => continue,
            };
            let said = Said {
                verdict,
                signature,
                cause: None,
            };
            gathered.again(*number, &retried.target, &retried.test, said);
        }
    }
    let variants: BTreeMap<String, BTreeMap<String, String>> = history
        .runs
        .iter()
        .map(|run| (variant_text(&run.variant), run.variant.clone()))
        .collect();
    let mut counting = Counting::default();
    let mut by_state: BTreeMap<State, u64> = BTreeMap::new();
    let mut tests = Vec::new();
    gathered.each(now, &rules, |target, stat| {
        counting.add(target, &stat);
        *by_state.entry(stat.state).or_default() += 1;
        if !matches!(stat.state, State::Healthy | State::NoData) {
            tests.push(Flaky {
                target: target.to_owned(),
                selector: variants.get(&stat.variant).cloned().unwrap_or_default(),
                can_be_quarantined: draft(&stat, &rules, now, None).is_ok(),
                stat,
            });
        }
    });
    tests.sort_by(|a, b| {
        let key = |f: &Flaky| {
            let order = match f.stat.state {
                State::Flaky => 0,
                State::Broken => 1,
                State::Suspect => 2,
                _ => 3,
            };
            (order, std::cmp::Reverse(f.stat.mixed))
        };
        key(a)
            .cmp(&key(b))
            .then_with(|| (&a.target, &a.stat.test).cmp(&(&b.target, &b.stat.test)))
    });
    let ignored = gathered.storms(&rules);
    let share = rules.storm_share * 100.0;
    Ok(Flakes {
        schema: SCHEMA,
        generated_at: now,
        window: rules.window,
        runs: gathered.runs().len(),
        older_runs: history.older,
        merged_runs: history.merged,
        ignored_runs: ignored
            .into_iter()
            .map(|run| Ignored {
                run_id: run.id.clone(),
                at: run.at,
                why: format!("more than {share} % of its tests failed"),
            })
            .collect(),
        by_state,
        beyond: gathered.beyond(),
        tests,
        budgets: counting.done(&rules),
        unusable: std::mem::take(&mut history.unusable),
    })
}
