//! Plan lint: what cannot work, found before anybody approves.
//!
//! Pure like all rules: what only the outside knows (is the program there, who asks, how much traffic) comes in as
//! [`Facts`], and a fact that nobody knows is `None` and accuses nothing. Invariants: findings come in a fixed order,
//! errors before warnings; a plan with an error must not be stored; a warning is shown to the approver and blocks nothing.

use std::net::SocketAddr;

use gonogo_core::{Reason, Share, Span};

use crate::plan::{Deployed, PlanBody, PlanKind, RollbackTarget, TargetSpec, resolve};

mod people;
mod proof;

/// Something that is wrong with a plan, or that an approver should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// [`Reason::PlanLint`], or a reason of its own where one exists.
    pub reason: Reason,
    /// Whether it blocks.
    pub severity: Severity,
    /// What is wrong, on which object, why.
    pub text: String,
    /// What to do.
    pub hint: String,
}

/// Whether a finding blocks the plan. Errors sort first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The plan must not be stored.
    Error,
    /// The approver should know.
    Warning,
}

/// What the caller knows of the world. Questions are asked only where the plan depends on the answer.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// Who asks.
    pub requester: &'a str,
    /// Key id of who asks; empty if not known.
    pub requester_key: &'a str,
    /// Whether a program given by its bare name is on the `PATH`.
    pub on_path: Option<Question<'a>>,
    /// Whether a variable is set.
    pub present: Option<Question<'a>>,
    /// Whether `present` answers for the agent, where versions start, and not for the planner alone.
    pub agent_answers: bool,
    /// Requests in a minute, both versions together.
    pub requests_per_minute: Option<u64>,
    /// What the environment's service is pinned to.
    pub pin: Option<&'a crate::pin::Pin>,
}

/// A question about the world, by name.
pub type Question<'a> = &'a dyn Fn(&str) -> bool;

impl<'a> Facts<'a> {
    /// Facts of a planner that knows its own machine: `on_path` and `present` answer for it, traffic is not known.
    pub fn new(requester: &'a str, on_path: Question<'a>, present: Question<'a>) -> Self {
        Self {
            requester,
            requester_key: "",
            on_path: Some(on_path),
            present: Some(present),
            agent_answers: false,
            requests_per_minute: None,
            pin: None,
        }
    }
}

/// Longest promise from fault to zero that goes without a warning.
const LONG_BUDGET: Span = Span::from_secs(60);

/// Lints `body`. Empty means that nothing speaks against it.
///
/// [`Reason::NothingToDo`] comes alone: the target is as wanted already, so nothing else matters.
pub fn lint(body: &PlanBody, facts: &Facts<'_>) -> Vec<Finding> {
    if let Some(same) = body.from.as_ref().filter(|from| serves_already(body, from)) {
        return vec![Finding {
            reason: Reason::NothingToDo,
            severity: Severity::Error,
            text: format!(
                "version `{}` serves all traffic already, with the same content",
                same.version
            ),
            hint: "nothing; or name another version".into(),
        }];
    }
    let mut found = Findings::default();
    let to = &body.to;
    let pinned = facts
        .pin
        .and_then(|p| crate::pin::blocks(p, &to.version, to.content().ok()));
    if let Some(text) = pinned {
        // No pin keeps anybody from going back; it is told.
        match body.kind {
            PlanKind::Release => {
                let hint = Reason::PinActive.next_action();
                found.add(Reason::PinActive, Severity::Error, text, hint);
            }
            PlanKind::Rollback => found.add(
                Reason::PinActive,
                Severity::Warning,
                format!("this goes back past a pin: {text}"),
                "move the pin to it, or take it away: the next release is held to it",
            ),
        }
    }
    shape(body, &mut found);
    timing(body, &mut found);
    proof::lint(body, facts, &mut found);
    program(body, facts, &mut found);
    people::lint(body, facts, &mut found);
    surroundings(body, &mut found);
    found.0.sort_by_key(|f| f.severity);
    found.0
}

/// Collects findings.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn error(&mut self, text: impl Into<String>, hint: impl Into<String>) {
        self.add(Reason::PlanLint, Severity::Error, text, hint);
    }

    fn warning(&mut self, text: impl Into<String>, hint: impl Into<String>) {
        self.add(Reason::PlanLint, Severity::Warning, text, hint);
    }

    fn add(
        &mut self,
        reason: Reason,
        severity: Severity,
        text: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.0.push(Finding {
            reason,
            severity,
            text: text.into(),
            hint: hint.into(),
        });
    }
}

fn serves_already(body: &PlanBody, from: &Deployed) -> bool {
    let whole = body
        .base
        .slots
        .iter()
        .any(|s| s.slot == from.slot && s.weight == 10_000 && s.ready);
    whole
        && body
            .to
            .content()
            .is_ok_and(|content| content == from.content)
}

/// Whether the parts of the plan belong together.
fn shape(body: &PlanBody, found: &mut Findings) {
    if body
        .from
        .as_ref()
        .is_some_and(|from| from.slot == body.slot)
    {
        found.error(
            format!(
                "slot `{}` holds the version that serves; the new version needs another",
                body.slot
            ),
            "plan again; if it stays so, look at the slots with `gonogo status`",
        );
    } else if body.base.slots.iter().any(|s| s.slot == body.slot) {
        found.error(
            format!("slot `{}` is in use already", body.slot),
            "free it: cancel or finish the operation that uses it, then plan again",
        );
    }
    let back = match &body.rollback {
        RollbackTarget::Version(version) => Some(version),
        RollbackTarget::Nothing => None,
    };
    if back != body.from.as_ref() {
        found.error(
            "the rollback target is not the version that serves now",
            "plan again",
        );
    }
    if body.steps != resolve(body.from.as_ref(), &body.to, &body.slot, &body.strategy) {
        found.error("the steps do not follow from the strategy", "plan again");
    }
    if let (None, RollbackTarget::Nothing) = (&body.from, &body.rollback) {
        found.warning(
            "this is a first release: there is nothing to roll back to, so a rollback serves nothing",
            "nothing; the soak judges it by absolute limits alone",
        );
    }
}

/// Whether every step has time for what it must do.
fn timing(body: &PlanBody, found: &mut Findings) {
    let strategy = &body.strategy;
    let sample = strategy.sample_every;
    let two = sample.plus(sample);
    if sample == Span::ZERO {
        found.error(
            "`sample_every` is 0s: nothing would be measured",
            "set 100ms to 60s",
        );
    }
    let mut before = Share::ZERO;
    for (i, stage) in strategy.stages.iter().enumerate() {
        let n = i + 1;
        if stage.weight <= before || stage.weight == Share::FULL {
            found.error(
                format!(
                    "stage {n} ({}) must lie above {before} and below 100%",
                    stage.weight
                ),
                "let the weights of `stages` grow",
            );
        }
        before = stage.weight;
        if stage.bake.plus(two) > stage.within {
            found.error(
                format!(
                    "stage {n} ({}) cannot pass: `bake` {} and two samples of {sample} are longer than `within` {}",
                    stage.weight, stage.bake, stage.within
                ),
                "set a longer `within` or a shorter `bake`",
            );
        }
    }
    if strategy.soak < two {
        found.error(
            format!(
                "`soak` {} is shorter than two samples of {sample}",
                strategy.soak
            ),
            "set a longer `soak`",
        );
    }
    if strategy.promote_within < two {
        found.error(
            format!(
                "`promote_within` {} is shorter than two samples of {sample}",
                strategy.promote_within
            ),
            "set a longer `promote_within`",
        );
    }
    if body.budget.total > LONG_BUDGET {
        found.warning(
            format!(
                "a fault may go on serving for {} before traffic is measured to be back",
                body.budget.total
            ),
            "set a shorter `sample_every`",
        );
    }
}

/// Whether the version's program can start, and whether the plan pins it.
fn program(body: &PlanBody, facts: &Facts<'_>, found: &mut Findings) {
    let to = &body.to;
    let Some(program) = to.run.first().filter(|p| !p.is_empty()) else {
        found.error(
            format!("version `{}` has no program to run", to.version),
            "set `run`",
        );
        return;
    };
    match to.artifacts.iter().find(|a| a.path == *program) {
        Some(artifact) if !artifact.executable => found.error(
            format!("`{program}` is not executable"),
            format!("chmod +x {program}"),
        ),
        Some(_) => {}
        None if !program.contains('/') => {
            if facts.on_path.is_some_and(|on_path| !on_path(program)) {
                found.error(
                    format!("`{program}` is not an artifact and was not found on the PATH"),
                    "install it, or list its path in `artifacts`",
                );
            }
        }
        None if program.starts_with('/') => {
            if !to.artifacts.is_empty() {
                found.warning(
                    format!("`{program}` is not an artifact, so nothing pins what runs"),
                    "list it in `artifacts`",
                );
            }
        }
        None => found.error(
            format!(
                "`{program}` is a relative path and not an artifact, so the agent cannot find it"
            ),
            "list it in `artifacts`, spelled exactly as in `run`",
        ),
    }
    if to.artifacts.is_empty() {
        found.warning(
            format!(
                "version `{}` has no artifacts: nothing pins what runs",
                to.version
            ),
            "list the program and its files in `artifacts`",
        );
    }
    let absent = |name: &&String| facts.present.is_some_and(|present| !present(name));
    for name in to.env_from.iter().filter(absent) {
        if facts.agent_answers {
            found.error(
                format!("`{name}` of `env_from` is not set where the agent runs"),
                format!("set `{name}` and start the agent again"),
            );
        } else {
            found.warning(
                format!(
                    "`{name}` of `env_from` is not set here; it must be set where the agent runs"
                ),
                format!("check that the agent was started with `{name}`"),
            );
        }
    }
}

fn surroundings(body: &PlanBody, found: &mut Findings) {
    let TargetSpec::Host { listen, .. } = &body.target;
    match listen.parse::<SocketAddr>() {
        Ok(address) if address.port() == 0 => {
            found.error(format!("`listen` {listen} has no fixed port"), "set a port");
        }
        Ok(address) if !address.ip().is_loopback() => found.warning(
            format!("`listen` {listen} is open to other machines, without TLS"),
            "listen on 127.0.0.1 behind something that ends TLS, or accept this",
        ),
        Ok(_) => {}
        Err(_) => found.error(
            format!("`listen` {listen} is not an IP address and a port"),
            "write it like `127.0.0.1:8080`",
        ),
    }
}

#[cfg(test)]
mod tests;
