//! Known-good versions with their evidence, and people who say that one is.

use gonogo_core::id::OperationId;
use gonogo_core::{Digest, Reason, Timestamp};
use gonogo_release::approval::ApprovalPolicy;
use gonogo_release::known_good::{Good, Ran, may_promote};
use gonogo_release::machine::Ending;
use gonogo_release::plan::{PlanKind, VersionSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::words::Words;
use super::{force, keep};
use crate::access::tokens;
use crate::config::Environment;
use crate::doors::{answered, effects_of};
use crate::identity::nonce;
use crate::{AppError, Workspace, applying, approving, hosting, planning};

/// Where people's words about versions are recorded.
pub const STREAM: &str = "control/known-good";
/// Kind of such a record.
pub const SAID: &str = "known-good";

/// Most known-good versions that are looked at, newest first.
const LOOKED_AT: u32 = 100;
/// Most operations that are looked at for how a version ended.
const OPERATIONS: u32 = 500;

/// That a person calls a version known-good. A stored format.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Said {
    /// Where.
    pub environment: String,
    /// The version's name.
    pub version: String,
    /// Digest of its whole description.
    pub content: Digest,
    /// The last operation in which it was ready and was given requests.
    pub operation: OperationId,
    /// How that operation ended.
    pub ended: String,
    /// Who says so.
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Digest of the approval policy that it was judged by beside the file's: the one that the environment's newest operation was held to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Digest>,
}

/// A known-good version with its evidence.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GoodDoc {
    /// The version's name.
    pub version: String,
    /// Digest of its whole description.
    pub content: Digest,
    /// The operation that ran it.
    pub operation: OperationId,
    /// When it was shown, or said.
    pub at: Timestamp,
    /// Who said so; none where the operation itself showed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said_by: Option<String>,
    /// Whether it serves now.
    pub serves: bool,
    /// Whether the environment is pinned to it.
    pub pinned: bool,
    /// Whether a plain rollback would go there.
    pub next: bool,
    /// Its files.
    pub files: Vec<FileDoc>,
    /// Whether it can still be run to the byte.
    pub present: bool,
}

/// A file of a known-good version.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileDoc {
    /// Its path.
    pub path: String,
    /// Its digest.
    pub sha256: Digest,
    /// Whether the agent kept it, to the byte.
    pub kept: bool,
    /// Whether the project still has it, to the byte.
    pub in_project: bool,
}

/// What was shown to be good in an environment, and said to be, oldest first.
///
/// # Errors
/// Store or ledger cannot be read.
pub(crate) fn shown(ws: &Workspace, environment: &str) -> Result<Vec<Good>, AppError> {
    let mut all = Vec::new();
    let mut words = Words::of(ws, environment)?;
    for known in ws.store.known_good(environment, LOOKED_AT)? {
        let ran = ws.store.operation(&known.operation)?;
        all.push(Good {
            back: words.plan(&ran.plan)?.body.kind == PlanKind::Rollback,
            version: known.version,
            content: known.content,
            operation: known.operation,
            at: known.at,
            said_by: None,
        });
    }
    all.reverse();
    for record in ws.every(STREAM.into(), SAID)? {
        // A word that cannot be understood, or judged again, makes nothing known-good, and keeps nobody from going back to what is.
        let said = serde_json::from_value::<Said>(record.body.clone()).ok();
        let said = said.filter(|s| s.environment == environment);
        if let Some(said) = said.filter(|s| words.hold(&record, s).unwrap_or(false)) {
            all.push(Good {
                version: said.version,
                content: said.content,
                operation: said.operation,
                at: said.at,
                back: false,
                said_by: Some(said.by),
            });
        }
    }
    all.sort_by_key(|g| g.at);
    Ok(all)
}

/// Why somebody may not call a version known-good under a policy.
pub(super) enum May {
    /// They may not approve there.
    NotListed,
    /// They asked for it, or applied it.
    Asked,
}

/// `is` says whether somebody who is listed, by name and key, is whom it is about.
pub(super) fn may_say(
    policy: &ApprovalPolicy,
    is: impl Fn(&str, &str) -> bool,
    asked: bool,
) -> Result<(), May> {
    let listed = policy.approvers.iter().any(|a| is(&a.id, &a.key));
    match (policy.own, listed, asked) {
        (true, ..) | (false, true, false) => Ok(()),
        (false, false, _) => Err(May::NotListed),
        (false, true, true) => Err(May::Asked),
    }
}

/// What ran in the operation that showed it.
pub(crate) fn spec(ws: &Workspace, good: &Good) -> Result<VersionSpec, AppError> {
    let ran = ws.store.operation(&good.operation)?;
    Ok(applying::plan_of(ws, &ran.plan)?.body.to)
}

/// Where the files of a version still are, to the byte.
pub(crate) fn files(
    ws: &Workspace,
    environment: &Environment,
    spec: &VersionSpec,
    content: Digest,
) -> Vec<FileDoc> {
    let kept = gonogo_host::agent::kept(&hosting::agent_dir(ws, environment), spec, content);
    let files = spec.artifacts.iter().zip(kept);
    files
        .map(|(artifact, kept)| FileDoc {
            path: artifact.path.clone(),
            sha256: artifact.sha256,
            kept,
            in_project: planning::artifact(ws.config.root(), &artifact.path)
                .is_ok_and(|now| now == *artifact),
        })
        .collect()
}

/// Whether a version can be run to the byte: the agent kept all of it, or the project still has all of it.
pub(crate) fn is_present(files: &[FileDoc]) -> bool {
    files.iter().all(|f| f.kept) || files.iter().all(|f| f.in_project)
}

/// Lists an environment's known-good versions, newest first, each once.
///
/// # Errors
/// Store or ledger cannot be read.
pub fn list(ws: &Workspace, environment: Option<&str>) -> Result<Vec<GoodDoc>, AppError> {
    let environment = ws.config.environment(environment)?;
    let known = shown(ws, &environment.name)?;
    let serving = hosting::observe(ws, environment)
        .ok()
        .and_then(|o| o.slots.iter().find(|s| s.weight > 0).map(|s| s.content));
    let pin = super::pinning::current(ws, &environment.name)?;
    let next = crate::going_back::choose(&known, serving, pin.as_ref(), None).map(|g| g.content);
    let mut docs: Vec<GoodDoc> = Vec::new();
    for good in known.iter().rev() {
        if docs.iter().any(|d| d.content == good.content) {
            continue;
        }
        let files = files(ws, environment, &spec(ws, good)?, good.content);
        docs.push(GoodDoc {
            present: is_present(&files),
            serves: Some(good.content) == serving,
            pinned: pin.as_ref().is_some_and(|p| p.content == good.content),
            next: next == Some(good.content),
            version: good.version.clone(),
            content: good.content,
            operation: good.operation.clone(),
            at: good.at,
            said_by: good.said_by.clone(),
            files,
        });
    }
    Ok(docs)
}

/// Calls a version known-good that was ready and was given requests here. It takes somebody who may approve in this environment, by the
/// file and by the policy in force, and who neither asked for it to run, first or later, nor applied that, unless the environment lets people approve what they ask for.
///
/// # Errors
/// [`Reason::KnownGoodRefused`]; the refusal is recorded.
pub fn promote(
    ws: &Workspace,
    environment: Option<&str>,
    version: &str,
    why: Option<&str>,
) -> Result<Said, AppError> {
    if let Some(said) = ws.left_as(SAID, "")? {
        return Ok(said);
    }
    let now = ws.now()?;
    let environment = ws.config.environment(environment)?;
    let why = why.map(super::said).transpose()?;
    let me = ws.identity()?;
    tokens::must_be_a_person(ws, &me.name)?;
    let refused = |reason: Reason, text: String| {
        Err(ws.refused(STREAM, &me.name, AppError::new(reason, text)))
    };
    // The file's policy, and the one in force: whoever names or edits a file does not choose who may say so.
    let in_force = force::policy(ws, &environment.name)?;
    let may = |asked: bool| {
        let all = std::iter::once(&environment.approval).chain(&in_force);
        all.map(|policy| may_say(policy, |id, key| me.is(id, key), asked))
            .collect::<Result<Vec<()>, May>>()
            .map(drop)
    };
    if let Err(May::NotListed) = may(false) {
        let text = format!(
            "`{}` may not approve in `{}`, by the file or by the policy that its last operation was held to, and it takes somebody who may",
            me.name, environment.name
        );
        return refused(Reason::KnownGoodRefused, text);
    }
    let mut ran = Ran::default();
    let mut newest = None;
    for operation in ws
        .store
        .operations("", Some(&environment.name), OPERATIONS)?
    {
        let plan = applying::plan_of(ws, &operation.plan)?;
        let Some(terminal) = operation
            .terminal
            .as_ref()
            .filter(|_| plan.body.to.version == version)
        else {
            continue;
        };
        match terminal.result {
            Ending::Promoted => ran.promoted += 1,
            Ending::Refused => continue,
            Ending::RolledBack
            | Ending::Cancelled
            | Ending::NeedsPerson
            | Ending::Failed
            | Ending::TimedOut => {
                if !answered(ws, &operation, plan.body.to.content()?)? {
                    // What changed nothing says nothing of the version.
                    ran.failed += u32::from(!effects_of(ws, &operation)?.is_empty());
                    continue;
                }
                ran.taken_back += 1;
            }
        }
        newest.get_or_insert((operation, plan));
    }
    if let Err((reason, text)) = may_promote(version, ran, why.as_deref()) {
        return refused(reason, text);
    }
    let Some((operation, plan)) = newest else {
        let text = format!("no operation that ended here gave requests to version `{version}`");
        return refused(Reason::KnownGoodRefused, text);
    };
    let asked = approving::recorded(ws, &plan)?.asked(&plan, &me.name, &me.key_id());
    if may(asked || operation.requester == me.name).is_err() {
        let text = format!(
            "`{}` asked for `{version}` to run in `{}`, so somebody else must say that it is good",
            me.name, environment.name
        );
        return refused(Reason::KnownGoodRefused, text);
    }
    let said = Said {
        environment: environment.name.clone(),
        version: version.to_owned(),
        content: plan.body.to.content()?,
        ended: operation
            .terminal
            .as_ref()
            .map_or("", |t| t.result.name())
            .to_owned(),
        operation: operation.id,
        by: me.name.clone(),
        reason: why,
        at: now,
        policy: in_force.as_ref().map(force::digest).transpose()?,
    };
    let subject = Some((said.version.clone(), said.content));
    let key = format!("known-good/{}", nonce());
    keep(ws, &me, STREAM, key, SAID, subject, json!(said))?;
    Ok(said)
}
