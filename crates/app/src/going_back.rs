//! What a rollback would go back to, and what that changes: chosen once, for showing and for doing.

use gonogo_core::{Digest, Reason};
use gonogo_release::effect::Observed;
use gonogo_release::known_good::{Good, line};
use gonogo_release::machine::Ending;
use gonogo_release::pin::{self, Pin};
use gonogo_release::plan::{Plan, PlanKind, VersionSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Environment;
use crate::controls::goodness::{self, FileDoc};
use crate::controls::pinning;
use crate::doors::answered;
use crate::planning::{self, Difference};
use crate::{AppError, Workspace, hosting};

/// Operations that are looked at, newest first.
const LOOKED_AT: u32 = 100;

/// The version to go back to.
pub(crate) struct Chosen {
    /// What shows that it is good.
    pub(crate) good: Good,
    /// What ran then, to the byte.
    pub(crate) spec: VersionSpec,
    /// Where its files are.
    pub(crate) files: Vec<FileDoc>,
    /// The pin to another version that this goes past.
    pub(crate) past: Option<Pin>,
}

/// What a rollback would do.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GoesBack {
    /// Where.
    pub environment: String,
    /// The version that serves now, if one does.
    pub from: Option<String>,
    /// Digest of its whole description.
    pub from_content: Option<Digest>,
    /// The version that it would go back to.
    pub to: String,
    /// Digest of its whole description.
    pub to_content: Digest,
    /// The operation that showed that version to be good.
    pub evidence: gonogo_core::id::OperationId,
    /// Who called it known-good; none where the operation itself showed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said_by: Option<String>,
    /// What differs between the two: `was` serves now, `is` would.
    pub differences: Vec<Difference>,
    /// The files that it would run, and where they are.
    pub files: Vec<FileDoc>,
    /// Whether it needs no further approval.
    pub preapproved: bool,
    /// The pin to another version that it would go past: no pin keeps anybody from going back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past_pin: Option<Pin>,
}

/// Chooses on the line of known-good versions (`known` is oldest first): the one that is named, else the pinned one, else the newest
/// before the serving one. A pin to what is not on the line, or serves, is gone past. What was left by a rollback is not on the line: going
/// there again is going forward, which is a release.
pub(crate) fn choose<'a>(
    known: &'a [Good],
    serving: Option<Digest>,
    pin: Option<&Pin>,
    wanted: Option<&dyn Fn(&Good) -> bool>,
) -> Option<&'a Good> {
    let mut line = line(known);
    line.retain(|g| Some(g.content) != serving);
    if let Some(wanted) = wanted {
        return line.into_iter().find(|g| wanted(g));
    }
    let pinned = pin.and_then(|p| line.iter().find(|g| g.content == p.content));
    pinned.or(line.first()).copied()
}

/// The version to go back to from what `base` reports. `to` names it: a known-good version, or a plan that went to one.
///
/// # Errors
/// [`Reason::NoKnownGood`], [`Reason::KnownGoodGone`].
pub(crate) fn target(
    ws: &Workspace,
    environment: &Environment,
    base: &Observed,
    to: Option<&str>,
) -> Result<Chosen, AppError> {
    let serving = base.slots.iter().find(|s| s.weight > 0).map(|s| s.content);
    let known = goodness::shown(ws, &environment.name)?;
    let pin = pinning::over(ws, &environment.name, PlanKind::Rollback)?;
    // A version may have a plan's name; then the version is meant.
    let named = to.filter(|to| known.iter().all(|g| g.version != *to));
    let planned = match named.filter(|to| to.starts_with("pln_")) {
        Some(plan) => {
            let plan = planning::read(ws, &planning::find(ws, plan)?)?;
            let content = plan.body.to.content()?;
            if !went(ws, environment, &plan, content)? {
                let text = format!(
                    "plan `{}` never went to a version that is known-good in `{}`",
                    plan.id, environment.name
                );
                return Err(AppError::new(Reason::NoKnownGood, text).hint(
                    "name a plan that was carried out, or a version of `gonogo known-good list`",
                ));
            }
            Some((content, plan.body.to.version))
        }
        None => None,
    };
    let fits = |g: &Good| match (&planned, to) {
        (Some((content, _)), _) => g.content == *content,
        (None, to) => to == Some(g.version.as_str()),
    };
    let to = planned.as_ref().map(|(_, version)| version.as_str()).or(to);
    let wanted: Option<&dyn Fn(&Good) -> bool> = to.is_some().then_some(&fits);
    let Some(good) = choose(&known, serving, pin.as_ref(), wanted) else {
        return Err(nothing_good(&environment.name, &known, serving, to));
    };
    let content = Some(good.content);
    let past = pin
        .as_ref()
        .filter(|p| pin::blocks(p, &good.version, content).is_some());
    let spec = goodness::spec(ws, good)?;
    let files = goodness::files(ws, environment, &spec, good.content);
    if !goodness::is_present(&files) {
        return Err(gone(&environment.name, good, &files));
    }
    Ok(Chosen {
        good: good.clone(),
        past: past.cloned(),
        spec,
        files,
    })
}

/// Whether a plan was carried out here, and its version came to serve.
fn went(
    ws: &Workspace,
    environment: &Environment,
    plan: &Plan,
    content: Digest,
) -> Result<bool, AppError> {
    if plan.body.environment != environment.name {
        return Ok(false);
    }
    for operation in ws
        .store
        .operations("", Some(&environment.name), LOOKED_AT)?
    {
        let is = operation.plan == plan.id;
        let promoted = operation.terminal.as_ref().map(|t| t.result) == Some(Ending::Promoted);
        if is && (promoted || answered(ws, &operation, content)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Says what a rollback would do. Nothing is kept and nothing is changed.
///
/// # Errors
/// As the rollback itself would be refused; the agent does not answer.
pub fn preview(
    ws: &Workspace,
    environment: Option<&str>,
    to: Option<&str>,
) -> Result<GoesBack, AppError> {
    let environment = ws.config.environment(environment)?;
    // Where nothing is known-good there may never have been an agent to ask.
    let known = goodness::shown(ws, &environment.name)?;
    if known.is_empty() {
        return Err(nothing_good(&environment.name, &known, None, to));
    }
    let base = hosting::observe(ws, environment)?;
    let chosen = target(ws, environment, &base, to)?;
    let serving = base.slots.iter().find(|s| s.weight > 0);
    let before = serving
        .map(|s| running(ws, environment, s.content))
        .transpose()?;
    let differences = match before.flatten() {
        Some(before) => planning::differences_of(&before, &chosen.spec)?,
        None => Vec::new(),
    };
    Ok(GoesBack {
        environment: environment.name.clone(),
        from: serving.map(|s| s.version.clone()),
        from_content: serving.map(|s| s.content),
        to: chosen.good.version,
        to_content: chosen.good.content,
        evidence: chosen.good.operation,
        said_by: chosen.good.said_by,
        differences,
        files: chosen.files,
        preapproved: environment.approval.rollback_preapproved,
        past_pin: chosen.past,
    })
}

/// The description of a version that runs, from the plan that brought it.
fn running(
    ws: &Workspace,
    environment: &Environment,
    content: Digest,
) -> Result<Option<VersionSpec>, AppError> {
    for operation in ws
        .store
        .operations("", Some(&environment.name), LOOKED_AT)?
    {
        let to = crate::applying::plan_of(ws, &operation.plan)?.body.to;
        if to.content()? == content {
            return Ok(Some(to));
        }
    }
    Ok(None)
}

fn gone(environment: &str, good: &Good, files: &[FileDoc]) -> AppError {
    let missing: Vec<&str> = files
        .iter()
        .filter(|f| !f.kept && !f.in_project)
        .map(|f| f.path.as_str())
        .collect();
    let what = match missing.as_slice() {
        [] => "its files are partly kept and partly in the project, and nowhere whole".to_owned(),
        missing => format!("gone or changed: {}", missing.join(", ")),
    };
    let text = format!(
        "version `{}` is known-good in `{environment}` and cannot be run as it was: {what}",
        good.version
    );
    AppError::new(Reason::KnownGoodGone, text)
}

fn nothing_good(
    environment: &str,
    known: &[Good],
    serving: Option<Digest>,
    to: Option<&str>,
) -> AppError {
    let line = line(known);
    let mut names: Vec<&str> = Vec::new();
    for one in line.iter().filter(|k| Some(k.content) != serving) {
        if !names.contains(&one.version.as_str()) {
            names.push(&one.version);
        }
    }
    let left = |name: &str| {
        let mut of_name = known.iter().rev().filter(|k| k.version == name);
        of_name.find(|k| Some(k.content) != serving)
    };
    let text = match (to, names.as_slice()) {
        (Some(version), _) if left(version).is_some() => {
            let text = format!(
                "`{version}` was known-good in `{environment}` and was left by a rollback, so going there is going forward: a release, which is approved, gated and frozen like any other"
            );
            return AppError::new(Reason::NoKnownGood, text)
                .hint(format!(
                    "release it: `gonogo release --env {environment} --to {version}`"
                ))
                .hint(format!(
                    "or have somebody who may approve there say that it is good: `gonogo known-good promote {version} --env {environment} --why TEXT`"
                ));
        }
        (Some(version), []) => match line.iter().find(|k| Some(k.content) == serving) {
            Some(one) => format!(
                "`{version}` is not known-good in `{environment}`, or serves already; known-good there is `{}` alone, which serves",
                one.version
            ),
            None => {
                format!("`{version}` is not known-good in `{environment}`, and no other version is")
            }
        },
        (Some(version), names) => format!(
            "`{version}` is not known-good in `{environment}`, or serves already; known-good besides the serving one: {}",
            names.join(", ")
        ),
        (None, _) => match left_names(known, serving).as_slice() {
            [] => format!("no known-good version to go back to in `{environment}`"),
            left => format!(
                "no known-good version came before the serving one in `{environment}`; left by a rollback: {}; going there again is a release",
                left.join(", ")
            ),
        },
    };
    let error = AppError::new(Reason::NoKnownGood, text);
    match names.first() {
        Some(name) => error.hint(format!(
            "name the version: `gonogo rollback --env {environment} --to {name} --yes`"
        )),
        None => error,
    }
}

/// Names of known-good versions that do not serve, the newest first.
fn left_names(known: &[Good], serving: Option<Digest>) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for one in known.iter().rev().filter(|k| Some(k.content) != serving) {
        if !names.contains(&one.version.as_str()) {
            names.push(&one.version);
        }
    }
    names
}
