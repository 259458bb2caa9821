//! Plans: made from configuration, artifacts and the observed target; stored, recorded, shown, compared.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use gonogo_core::canonical;
use gonogo_core::digest::Hasher;
use gonogo_core::id::PlanId;
use gonogo_core::{Fingerprint, Reason};
use gonogo_release::effect::Observed;
use gonogo_release::lint::{Facts, Finding, Severity, lint};
use gonogo_release::plan::{
    Artifact, Budget, Deployed, Gates, Plan, PlanBody, PlanKind, RollbackTarget, VersionSpec,
    resolve,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::approving::{Recorded, superseding};
use crate::config::{Environment, VersionTemplate};
use crate::controls::{force, pinning};
use crate::identity::{Identity, nonce};
use crate::workspace::{make_dir, parent, write_atomic};
use crate::{AppError, Workspace, approving, elsewhere, hosting};

/// Name and version of the tool, as plans and records carry it.
pub const TOOL: &str = concat!("gonogo ", env!("CARGO_PKG_VERSION"));

/// Kind of the record that somebody asked for a plan that was there already. It says `plan`, and `onBehalfOf` where an agent asked.
pub const ASKED: &str = "plan-asked";

/// Slots that a host target uses. Two are enough; the third is there for a target that a crash left with a spare.
const SLOTS: [&str; 3] = ["a", "b", "c"];

/// A plan just made.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// What lint noticed; no errors among it.
    pub findings: Vec<FindingView>,
    /// Whether this plan did not exist before.
    pub fresh: bool,
}

/// A lint finding, for showing.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FindingView {
    /// `error` or `warning`.
    pub severity: String,
    /// Its reason.
    pub reason: Reason,
    /// What.
    pub text: String,
    /// What to do.
    pub hint: String,
}

impl FindingView {
    fn of(f: &Finding) -> Self {
        let severity = if f.severity == Severity::Error {
            "error"
        } else {
            "warning"
        };
        Self {
            severity: severity.into(),
            reason: f.reason,
            text: f.text.clone(),
            hint: f.hint.clone(),
        }
    }
}

/// Makes a plan that brings `version` to `environment`.
///
/// # Errors
/// Configuration, artifact and agent faults; [`Reason::NothingToDo`] if the version serves already; [`Reason::PlanLint`]
/// if it cannot work.
pub fn plan(ws: &Workspace, environment: Option<&str>, version: &str) -> Result<Planned, AppError> {
    let now = ws.now()?;
    let environment = ws.config.environment(environment)?;
    let me = asker(ws, environment)?;
    if let Some(left) = ws.left_as::<Plan>("plan", "")? {
        return keep(ws, left.body, &me, now);
    }
    let template = ws.config.version(version)?;
    let to = pinned(ws.config.root(), template)?;
    hosting::ensure_agent(ws, environment)?;
    let base = hosting::observe(ws, environment)?;
    let body = assemble(ws, environment, to, base, PlanKind::Release)?;
    // What serves elsewhere nobody sees from here, so there may be something to do.
    if let Some(from) = &body.from
        && Ok(from.content) == body.to.content()
        && !elsewhere::is_elsewhere(environment)?
    {
        let text = format!(
            "{} {version} serves all traffic in `{}` already",
            ws.config.service, environment.name
        );
        return Err(AppError::new(Reason::NothingToDo, text));
    }
    keep(ws, body, &me, now)
}

/// What a plan would be.
#[derive(Debug, Clone)]
pub struct Validated {
    /// The fingerprint that it would have.
    pub fingerprint: Fingerprint,
    /// What it would do.
    pub body: PlanBody,
    /// What lint noticed, errors among it.
    pub findings: Vec<FindingView>,
}

/// Says what [`plan`] would make, and what lint notices of it. Nothing is kept and nothing is recorded.
///
/// # Errors
/// As [`plan`], but for [`Reason::PlanLint`]: errors are among the findings.
pub fn validate(
    ws: &Workspace,
    environment: Option<&str>,
    version: &str,
) -> Result<Validated, AppError> {
    let environment = ws.config.environment(environment)?;
    let (name, key) = Identity::would_be(ws)?;
    let to = pinned(ws.config.root(), ws.config.version(version)?)?;
    hosting::ensure_agent(ws, environment)?;
    let base = hosting::observe(ws, environment)?;
    let body = assemble(ws, environment, to, base, PlanKind::Release)?;
    Ok(Validated {
        fingerprint: Fingerprint::of(&body)?,
        findings: findings(ws, &body, &name, &key)?,
        body,
    })
}

/// Who asks for a plan in `environment`. Where approver and requester must be two, a name that nobody knows is refused before
/// a key is made for it.
pub(crate) fn asker(ws: &Workspace, environment: &Environment) -> Result<Identity, AppError> {
    let policy = &environment.approval;
    let unlisted = |name: &str, what: &str| {
        let text = format!(
            "`{name}` asks, and `{}` {what}, so approver and requester could be one",
            environment.name
        );
        AppError::new(Reason::RequesterUnlisted, text)
    };
    let name = crate::identity::caller_name(ws.caller.name.as_deref())?;
    if !policy.knows(&name) {
        return Err(unlisted(&name, "does not know that name"));
    }
    let me = ws.identity()?;
    // A login proves the name; with a key it is the key that does.
    if me.key.is_none() || policy.may_ask(&me.name, &me.key_id()) {
        Ok(me)
    } else {
        Err(unlisted(&name, "knows that name with another key"))
    }
}

/// Lints, seals, stores and records a body.
pub(crate) fn keep(
    ws: &Workspace,
    body: PlanBody,
    me: &Identity,
    now: gonogo_core::Timestamp,
) -> Result<Planned, AppError> {
    // What this request has recorded before it was cut off is what it asked for, whatever moved since.
    let left = ws.left_as::<Plan>("plan", "")?;
    let body = left.as_ref().map_or(body, |plan| plan.body.clone());
    let asks_with = asks_with(me, &body);
    let findings = findings(ws, &body, &me.name, &asks_with)?;
    let errors: Vec<&FindingView> = findings.iter().filter(|f| f.severity == "error").collect();
    if let Some(first) = errors.first() {
        let listed: Vec<String> = errors
            .iter()
            .map(|f| format!("{}: {}", f.reason, f.text))
            .collect();
        let error = AppError::new(
            Reason::PlanLint,
            format!("the plan cannot work:\n  {}", listed.join("\n  ")),
        );
        let reasons: Vec<Reason> = errors.iter().map(|f| f.reason).collect();
        return Err(error
            .and(&reasons)
            .hint(first.hint.clone())
            .with("findings", json!(findings)));
    }
    let config_path = ws
        .config
        .path
        .file_name()
        .map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let mut plan = Plan::seal(body, me.name.clone(), now, &config_path)?;
    plan.on_behalf_of.clone_from(&ws.caller.acts_for);
    // The same intent over the same content is the same plan: who asked first, and when, stays, whatever became of the file.
    let earlier = first_recorded(ws, &plan)?;
    let fresh = earlier.is_none() || left.is_some();
    let stands = match &earlier {
        Some(_) if left.is_some() => true,
        Some(known) => superseding::by(ws, known)?.is_none(),
        None => false,
    };
    if let Some(known) = earlier {
        plan = known;
    }
    let path = ws.plan_path(&plan.id);
    let bytes = pretty(&plan)?;
    if std::fs::read(&path).ok().as_ref() != Some(&bytes) {
        make_dir(parent(&path))?;
        write_atomic(&path, &bytes)?;
    }
    let draft = |kind: &str, key: String, body: Value| gonogo_store::ledger::Draft {
        stream: stream(&plan.id),
        key,
        kind: kind.into(),
        subject: subjects(&plan),
        time: now,
        actor: me.name.clone(),
        body,
        signer: me.key.clone(),
    };
    let mut drafts = Vec::new();
    // A plan that was superseded and is asked for again is recorded again: from then on it stands.
    if !stands {
        let body = serde_json::to_value(&plan)
            .map_err(|e| AppError::new(Reason::Internal, e.to_string()))?;
        drafts.push(draft("plan", format!("plan/{}/{now}", me.name), body));
    }
    // Who asks for it later is one of those who asked, and nobody else's word takes that away.
    if !fresh {
        let person = ws.caller.acts_for.as_deref();
        let recorded = approving::recorded(ws, &plan)?;
        let first = plan.requester == me.name
            && recorded.key == asks_with
            && plan.on_behalf_of.as_deref() == person;
        let known = recorded.also.iter().any(|a| {
            a.id == me.name && a.key == me.key_id() && a.on_behalf_of.as_deref() == person
        });
        if !first && !known {
            let mut body = json!({"plan": plan.id});
            if let (Some(person), Some(map)) = (person, body.as_object_mut()) {
                map.insert("onBehalfOf".into(), json!(person));
            }
            drafts.push(draft(ASKED, format!("asked/{}/{}", me.name, nonce()), body));
        }
    }
    if !drafts.is_empty() {
        ws.append(me.vouched(drafts))?;
    }
    ws.store.put_plan(&plan)?;
    if left.is_none() || superseding::by(ws, &plan)?.is_none() {
        superseding::supersede(ws, &plan, now)?;
    }
    Ok(Planned {
        plan,
        findings,
        fresh,
    })
}

/// The key that somebody asks with for this plan: their own, or the one that its policy lists for a login.
fn asks_with(me: &Identity, body: &PlanBody) -> String {
    match me.key {
        Some(_) => me.key_id(),
        None => approving::listed_key(body, &me.name),
    }
}

/// The plan as whoever asked first had it recorded; none if nobody asked for it yet.
fn first_recorded(ws: &Workspace, plan: &Plan) -> Result<Option<Plan>, AppError> {
    let records = ws.every(stream(&plan.id), "plan")?;
    let read = records
        .into_iter()
        .filter_map(|r| serde_json::from_value::<Plan>(r.body).ok());
    let mut same = read.filter(|known| known.is_intact() && known.body == plan.body);
    Ok(same.next())
}

/// Keeps a plan that was made elsewhere and sent here by `by`, as it is.
pub(crate) fn keep_sent(
    ws: &Workspace,
    plan: &Plan,
    by: &str,
    now: gonogo_core::Timestamp,
) -> Result<(), AppError> {
    let path = ws.plan_path(&plan.id);
    make_dir(parent(&path))?;
    write_atomic(&path, &pretty(plan)?)?;
    ws.append(vec![gonogo_store::ledger::Draft {
        stream: stream(&plan.id),
        key: format!("plan/sent/{now}"),
        kind: "plan".into(),
        subject: subjects(plan),
        time: now,
        actor: by.into(),
        body: serde_json::to_value(plan)
            .map_err(|e| AppError::new(Reason::Internal, e.to_string()))?,
        signer: None,
    }])?;
    ws.store.put_plan(plan)?;
    Ok(())
}

/// Stream that holds a plan, its approvals and its refusals.
pub fn stream(id: &PlanId) -> String {
    format!("plan/{id}")
}

fn findings(
    ws: &Workspace,
    body: &PlanBody,
    requester: &str,
    key: &str,
) -> Result<Vec<FindingView>, AppError> {
    let on_path = |program: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        program.starts_with('/') && Path::new(program).exists()
            || std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
            || ws.config.root().join(program).is_file()
    };
    let present = |name: &str| std::env::var_os(name).is_some();
    let pin = pinning::over(ws, &body.environment, body.kind)?;
    let facts = Facts {
        requester_key: key,
        pin: pin.as_ref(),
        ..Facts::new(requester, &on_path, &present)
    };
    Ok(lint(body, &facts).iter().map(FindingView::of).collect())
}

/// Lint of a stored plan, errors and warnings.
///
/// # Errors
/// The plan cannot be read.
pub fn lint_plan(ws: &Workspace, id: &PlanId) -> Result<Vec<FindingView>, AppError> {
    let (plan, recorded) = read_recorded(ws, id)?;
    findings(ws, &plan.body, &plan.requester, &recorded.key)
}

/// Puts a body together. Pure but for what it is given: the same arguments give the same body.
pub(crate) fn assemble(
    ws: &Workspace,
    environment: &Environment,
    to: VersionSpec,
    base: Observed,
    kind: PlanKind,
) -> Result<PlanBody, AppError> {
    let serving: Vec<_> = base.slots.iter().filter(|s| s.weight > 0).collect();
    if serving.len() > 1 {
        let told: Vec<String> = serving
            .iter()
            .map(|s| format!("{} at {} bp", s.version, s.weight))
            .collect();
        let text = format!(
            "`{}` splits traffic between {}: an operation is unfinished",
            environment.name,
            told.join(" and ")
        );
        return Err(
            AppError::new(Reason::OperationOpen, text).hint("finish or cancel it: `gonogo status`")
        );
    }
    let from = serving.first().map(|s| Deployed {
        slot: s.slot.clone(),
        version: s.version.clone(),
        content: s.content,
    });
    let used: Vec<&str> = base.slots.iter().map(|s| s.slot.as_str()).collect();
    let slot = SLOTS.iter().find(|s| !used.contains(s)).ok_or_else(|| {
        AppError::new(
            Reason::AgentRefused,
            format!(
                "`{}` has no free slot: {} are in use",
                environment.name,
                used.join(", ")
            ),
        )
        .hint("stop the agent with its services and start it again: `gonogo agent --stop`")
    })?;
    let mut strategy = environment.strategy.clone();
    if kind == PlanKind::Rollback {
        // Back to known-good is one step: it was judged when it went forward.
        strategy.stages.clear();
    }
    let steps = resolve(from.as_ref(), &to, slot, &strategy);
    let approval = environment.approval.clone();
    Ok(PlanBody {
        service: ws.config.service.clone(),
        environment: environment.name.clone(),
        kind,
        target: environment.target.clone(),
        rollback: from
            .clone()
            .map_or(RollbackTarget::Nothing, RollbackTarget::Version),
        from,
        to,
        slot: (*slot).into(),
        base,
        budget: Budget::of(strategy.sample_every),
        strategy,
        checks: environment.checks.clone(),
        // Back to known-good waits for no gate.
        gates: match kind {
            PlanKind::Release => crate::gating::demanded(&ws.config, environment.gates),
            PlanKind::Rollback => Gates::None,
        },
        // Back to known-good waits for nobody.
        witnesses: match kind {
            PlanKind::Release => crate::witnessing::demanded(ws, environment)?,
            PlanKind::Rollback => None,
        },
        approval_before: force::policy(ws, &environment.name)?
            .filter(|before| approval.weakens(before)),
        approval,
        steps,
        config: ws.config.digest,
        tool: TOOL.into(),
    })
}

/// Hashes the artifacts of a version.
pub(crate) fn pinned(root: &Path, template: VersionTemplate) -> Result<VersionSpec, AppError> {
    let artifacts = template
        .artifacts
        .iter()
        .map(|path| artifact(root, path))
        .collect::<Result<_, _>>()?;
    Ok(template.with_artifacts(artifacts))
}

/// What a plan's record is about: the plan, and the files of the version that it releases. A reader who has one of the files
/// finds the plan by its digest.
fn subjects(plan: &Plan) -> Vec<gonogo_ledger::Subject> {
    let files = plan
        .body
        .to
        .artifacts
        .iter()
        .map(|a| (a.path.clone(), a.sha256));
    std::iter::once((plan.id.to_string(), plan.fingerprint.digest()))
        .chain(files)
        .map(|(name, digest)| gonogo_ledger::Subject { name, digest })
        .collect()
}

pub(crate) fn artifact(root: &Path, path: &str) -> Result<Artifact, AppError> {
    let full = root.join(path);
    let fault = |e: std::io::Error| {
        let reason = match e.kind() {
            std::io::ErrorKind::NotFound => Reason::ArtifactMissing,
            _ => Reason::ArtifactUnreadable,
        };
        AppError::new(
            reason,
            format!(
                "artifact `{path}` cannot be read at `{}`: {e}",
                full.display()
            ),
        )
    };
    let meta = std::fs::metadata(&full).map_err(fault)?;
    if !meta.is_file() {
        let text =
            format!("artifact `{path}` is not a file; list the files that make up the version");
        return Err(AppError::new(Reason::ArtifactUnreadable, text));
    }
    let mut file = std::fs::File::open(&full).map_err(fault)?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 128 * 1024];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer).map_err(fault)? {
            0 => break,
            n => {
                hasher.update(&buffer[..n]);
                bytes += n as u64;
            }
        }
    }
    let executable = meta.permissions().mode() & 0o111 != 0;
    Ok(Artifact {
        path: path.into(),
        sha256: hasher.finish(),
        bytes,
        executable,
    })
}

/// Reads a stored plan strictly: the file is to the byte what was written and what the ledger holds.
///
/// # Errors
/// [`Reason::PlanNotFound`], [`Reason::PlanEdited`], [`Reason::PlanUnrecorded`].
pub fn read(ws: &Workspace, id: &PlanId) -> Result<Plan, AppError> {
    read_recorded(ws, id).map(|(plan, _)| plan)
}

/// As [`read`], with who signed the plan's record.
pub(crate) fn read_recorded(ws: &Workspace, id: &PlanId) -> Result<(Plan, Recorded), AppError> {
    let path = ws.plan_path(id);
    let bytes = std::fs::read(&path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            AppError::new(Reason::PlanNotFound, format!("no plan has the id `{id}`"))
        }
        _ => AppError::io("read", &path, &e),
    })?;
    let malformed = |why: String| AppError::new(Reason::PlanEdited, format!("plan `{id}`: {why}"));
    let value = canonical::parse(&bytes).map_err(|e| malformed(e.to_string()))?;
    let plan: Plan = serde_json::from_value(value).map_err(|e| malformed(e.to_string()))?;
    if !plan.is_intact() || plan.id != *id {
        return Err(malformed(format!(
            "its content does not match its fingerprint {}",
            plan.fingerprint
        )));
    }
    let recorded = approving::recorded(ws, &plan)?;
    if bytes != pretty(&plan)? {
        return Err(malformed(
            "its file was written again: it says the same with other bytes".into(),
        ));
    }
    Ok((plan, recorded))
}

/// Finds the one plan whose id starts with `prefix`.
///
/// # Errors
/// [`Reason::PlanNotFound`] and [`Reason::IdAmbiguous`].
pub fn find(ws: &Workspace, prefix: &str) -> Result<PlanId, AppError> {
    let wanted = if prefix.starts_with(PlanId::PREFIX) {
        prefix.to_owned()
    } else {
        format!("{}{prefix}", PlanId::PREFIX)
    };
    let ids = ws.store.plan_ids(&wanted, 3)?;
    match ids.as_slice() {
        [one] => Ok(one.clone()),
        [] if ws
            .state
            .join("plans")
            .join(format!("{wanted}.json"))
            .exists() =>
        {
            Err(AppError::new(
                Reason::PlanUnrecorded,
                format!("`{wanted}` is a file here and no plan that was made here"),
            ))
        }
        [] => Err(AppError::new(
            Reason::PlanNotFound,
            format!("no plan's id starts with `{prefix}`"),
        )
        .hint("list plans: `gonogo evidence list --kind plan`")),
        many => {
            let told: Vec<&str> = many.iter().map(PlanId::as_str).collect();
            Err(AppError::new(
                Reason::IdAmbiguous,
                format!("`{prefix}` may be {}", told.join(" or ")),
            ))
        }
    }
}

/// One difference between two plans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Where in the body, like `checks.errors.margin`.
    pub path: String,
    /// There.
    pub was: Option<Value>,
    /// Here.
    pub is: Option<Value>,
}

/// Compares a plan with another one, or with what would be planned now.
///
/// # Errors
/// One of the two cannot be read or made.
pub fn diff(
    ws: &Workspace,
    id: &PlanId,
    against: Option<&PlanId>,
) -> Result<Vec<Difference>, AppError> {
    let plan = read(ws, id)?;
    let other = match against {
        Some(id) => read(ws, id)?.body,
        None => {
            let environment = ws.config.environment(Some(&plan.body.environment))?;
            hosting::ensure_agent(ws, environment)?;
            let base = hosting::observe(ws, environment)?;
            let to = current_version(ws, &plan)?;
            assemble(ws, environment, to, base, plan.body.kind)?
        }
    };
    differences(&plan.body, &other)
}

/// What the plan's version is today: from configuration and artifacts for a release, from the plan for a rollback (its
/// content was kept when it ran).
pub(crate) fn current_version(ws: &Workspace, plan: &Plan) -> Result<VersionSpec, AppError> {
    match plan.body.kind {
        PlanKind::Release => pinned(ws.config.root(), ws.config.version(&plan.body.to.version)?),
        PlanKind::Rollback => Ok(plan.body.to.clone()),
    }
}

/// Lists what differs between two bodies, leaf by leaf.
pub(crate) fn differences(was: &PlanBody, is: &PlanBody) -> Result<Vec<Difference>, AppError> {
    differences_of(was, is)
}

/// Lists what differs between two values of one type, leaf by leaf.
pub(crate) fn differences_of<T: Serialize>(was: &T, is: &T) -> Result<Vec<Difference>, AppError> {
    let flat = |body: &T| -> Result<BTreeMap<String, Value>, AppError> {
        let value = serde_json::to_value(body)
            .map_err(|e| AppError::new(Reason::Internal, e.to_string()))?;
        let mut out = BTreeMap::new();
        flatten(String::new(), &value, &mut out);
        Ok(out)
    };
    let (a, b) = (flat(was)?, flat(is)?);
    let paths: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    Ok(paths
        .into_iter()
        .filter(|path| a.get(*path) != b.get(*path))
        .map(|path| Difference {
            path: path.clone(),
            was: a.get(path).cloned(),
            is: b.get(path).cloned(),
        })
        .collect())
}

fn flatten(path: String, value: &Value, out: &mut BTreeMap<String, Value>) {
    let under = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match value {
        Value::Object(map) if !map.is_empty() => {
            map.iter().for_each(|(k, v)| flatten(under(k), v, out))
        }
        Value::Array(items) if !items.is_empty() => {
            items
                .iter()
                .enumerate()
                .for_each(|(i, v)| flatten(under(&i.to_string()), v, out));
        }
        leaf => {
            out.insert(path, leaf.clone());
        }
    }
}

fn pretty(plan: &Plan) -> Result<Vec<u8>, AppError> {
    let mut bytes = serde_json::to_vec_pretty(plan)
        .map_err(|e| AppError::new(Reason::Internal, e.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Why `plan` could not be applied now, whoever approves it: it is stale, or the target is not as it was.
pub(crate) fn standing(ws: &Workspace, plan: &Plan) -> Result<(), AppError> {
    staleness(ws, plan)?;
    let environment = ws.config.environment(Some(&plan.body.environment))?;
    // Without an agent nothing is known against it: `apply` starts one.
    let seen = hosting::observe(ws, environment).ok();
    match seen.and_then(|seen| gonogo_release::machine::drift(&plan.body.base, &seen)) {
        Some(text) => Err(AppError::new(
            Reason::BaseStateMoved,
            format!("`{}`: {text}", plan.body.environment),
        )),
        None => superseding::check(ws, plan),
    }
}

/// Why `plan` is not what would be planned now, apart from the target's state, which is compared on its own.
pub(crate) fn staleness(ws: &Workspace, plan: &Plan) -> Result<(), AppError> {
    let environment = ws.config.environment(Some(&plan.body.environment))?;
    let to = current_version(ws, plan)?;
    let now = assemble(ws, environment, to, plan.body.base.clone(), plan.body.kind)?;
    let found = differences(&plan.body, &now)?;
    if found.is_empty() {
        return Ok(());
    }
    let starts = |prefix: &str| found.iter().any(|d| d.path.starts_with(prefix));
    let mut reasons = Vec::new();
    if starts("to.artifacts") {
        reasons.push(Reason::ArtifactChanged);
    }
    if starts("tool") {
        reasons.push(Reason::ToolChanged);
    }
    if reasons.is_empty() || starts("config") {
        reasons.push(Reason::ConfigChanged);
    }
    let paths: Vec<&str> = found.iter().map(|d| d.path.as_str()).take(8).collect();
    let text = format!(
        "plan `{}` is not what would be planned now; changed: {}",
        plan.id,
        paths.join(", ")
    );
    Err(AppError::new(reasons[0], text)
        .and(&reasons)
        .hint(format!("see `gonogo plan diff {}`", plan.id))
        .hint("plan again; earlier approvals do not carry over")
        .with("differences", json!(found)))
}
