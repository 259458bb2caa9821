//! What a rollback would go back to, and what that changes: chosen once, for showing and for doing.

use gonogo_core::{Digest, Reason};
use gonogo_release::effect::Observed;
use gonogo_release::known_good::{Good, line};
use gonogo_release::pin::{self, Pin};
use gonogo_release::plan::{PlanKind, VersionSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Environment;
use crate::controls::goodness::{self, FileDoc};
use crate::controls::pinning;
use crate::planning::{self, Difference};
use crate::{AppError, Workspace, hosting};

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

/// Chooses among known-good versions, oldest first: the one that is named, else the pinned one, else the newest on the line before the
/// serving one. A pin to what is not known-good here, or serves, is gone past.
pub(crate) fn choose<'a>(
    known: &'a [Good],
    serving: Option<Digest>,
    pin: Option<&Pin>,
    wanted: Option<&dyn Fn(&Good) -> bool>,
) -> Option<&'a Good> {
    let other = |g: &&Good| Some(g.content) != serving;
    if let Some(wanted) = wanted {
        return known.iter().rev().filter(other).find(|g| wanted(g));
    }
    let pinned = pin.and_then(|p| {
        known
            .iter()
            .rev()
            .filter(other)
            .find(|g| g.content == p.content)
    });
    pinned.or_else(|| line(known).into_iter().find(other))
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
            Some(plan.body.to.content()?)
        }
        None => None,
    };
    let fits = |g: &Good| match (planned, to) {
        (Some(content), _) => g.content == content,
        (None, to) => to == Some(g.version.as_str()),
    };
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
    /// Operations that are looked at, newest first.
    const LOOKED_AT: u32 = 100;
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
    let mut names: Vec<&str> = Vec::new();
    for one in known.iter().rev().filter(|k| Some(k.content) != serving) {
        if !names.contains(&one.version.as_str()) {
            names.push(&one.version);
        }
    }
    let text = match (to, names.as_slice()) {
        (Some(version), []) => match known.iter().rev().find(|k| Some(k.content) == serving) {
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
        (None, []) => format!("no known-good version to go back to in `{environment}`"),
        (None, names) => format!(
            "no known-good version came before the serving one in `{environment}`; after it came {}",
            names.join(", ")
        ),
    };
    let error = AppError::new(Reason::NoKnownGood, text);
    match names.first() {
        Some(name) => error.hint(format!(
            "name the version: `gonogo rollback --to {name} --yes`"
        )),
        None => error,
    }
}
