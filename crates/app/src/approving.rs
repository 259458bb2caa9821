//! Approvals: given by people, bound to one plan, kept as signed records.
//!
//! What was asked, given, taken back and superseded stands in the plan's own stream, in order: nobody can leave one of these records out of
//! a packet without leaving a gap. `facts` reads them the same way here and offline.

pub mod away;
pub mod delegating;
pub(crate) mod facts;
mod given;
pub mod login;
pub mod requesting;
pub mod revoking;
pub mod showing;
pub mod submitting;
pub mod superseding;

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use gonogo_core::id::{ApprovalId, PlanId};
use gonogo_core::{Reason, Span, Timestamp};
use gonogo_ledger::dsse::pae;
use gonogo_ledger::key::PublicKey;
use gonogo_release::approval::{self, Approval, Approved, Asker, Broken, Demand, Presented};
use gonogo_release::plan::{Plan, PlanBody};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use given::Given;
use given::{left, told};

use crate::access::tokens;
use crate::identity::{Identity, random};
use crate::{AppError, Workspace, elsewhere, planning, secrets};

/// Kind of the record that holds an approval.
pub const KIND: &str = "approval";

/// Kind of the record that an approval is used up by.
pub const USE_KIND: &str = "approval-use";

/// What an approver says.
#[derive(Debug, Clone, Default)]
pub struct Say {
    /// In which role; the role that the environment lists for the caller if absent.
    pub role: Option<String>,
    /// For how long, in minutes; as long as the environment allows if absent.
    pub sla_minutes: Option<u64>,
    /// Why.
    pub note: Option<String>,
    /// No instead of yes.
    pub reject: bool,
    /// On whose behalf, where somebody delegated their voice to the caller.
    pub on_behalf_of: Option<String>,
    /// Also write the signed envelope here, to be carried to another machine.
    pub out: Option<PathBuf>,
}

/// Gives an approval, or a rejection, to exactly the plan that is stored now. The key is enrolled once every rule holds: a
/// refused attempt leaves nothing but its refusal, in the name of whoever is proven to have made it.
///
/// # Errors
/// The plan cannot be read; the approval would break a rule (every broken rule is listed; the refusal is recorded).
pub fn approve(ws: &Workspace, id: &PlanId, say: &Say) -> Result<Given, AppError> {
    secrets::refuse(say.note.as_deref().unwrap_or_default(), "$.note")?;
    let now = ws.now()?;
    let me = Identity::claimed(ws)?;
    let (plan, recorded) = planning::read_recorded(ws, id)?;
    if let Some(given) = left(ws, &plan, &recorded, now)? {
        return Ok(given);
    }
    tokens::must_be_a_person(ws, &me.name)
        .map_err(|e| ws.refused(&planning::stream(id), &me.name, e))?;
    let proved = proven(ws, &plan, &recorded, &me);
    if !say.reject {
        superseding::refuse(ws, &plan, &proved)?;
    }
    let policy = &plan.body.approval;
    let role = say.role.clone().unwrap_or_else(|| role_of(&plan, &me.name));
    let max = policy.max_sla.as_millis() / 60_000;
    let approval = Approval {
        approval_id: ApprovalId::mint(random()).to_string(),
        approver_id: me.name.clone(),
        approver_role: role,
        decision: if say.reject { "rejected" } else { "approved" }.into(),
        decided_at: now.to_string(),
        sla_minutes: say.sla_minutes.unwrap_or(max),
        environment: plan.body.environment.clone(),
        plan_fingerprint: plan.fingerprint.to_string(),
        note: say.note.clone().unwrap_or_default(),
        ..Approval::default()
    };
    let approval = delegating::on_behalf(ws, &plan, approval, say)?;
    let given = Presented {
        approval: approval.clone(),
        key: Some(me.key_id()),
        delegation: delegating::named(ws, &approval)?,
        ..Presented::default()
    };
    // This one alone: what others said is weighed when the plan is applied.
    let demanded = demand(&plan, &recorded, now);
    let checked = if say.reject {
        approval::check_rejection(&given, &demanded)
    } else {
        approval::check_alone(&given, &demanded)
    };
    if let Err(refusal) = checked {
        let error = refused(&plan, &refusal).with("claimed", me.name.as_str());
        return Err(ws.refused(&planning::stream(id), &proved, error));
    }
    me.enrol(ws)?;
    keep(ws, &plan, &me, &approval, now, say.out.as_deref())?;
    let own = recorded.asked(&plan, &me.name, &me.key_id());
    told(ws, &plan, approval, me.key_id(), own, &demanded)
}

/// The role that a plan's policies list for a name.
fn role_of(plan: &Plan, name: &str) -> String {
    let policy = &plan.body.approval;
    let before = plan.body.approval_before.iter();
    let mut known = policy
        .approvers
        .iter()
        .chain(before.flat_map(|p| &p.approvers));
    let listed = known.find(|a| a.id == name);
    listed
        .map(|a| a.role.clone())
        .or_else(|| policy.roles.first().cloned())
        .unwrap_or_else(|| "owner".into())
}

/// What was said about a plan, and what is missing to apply it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Voices {
    /// Approvals and rejections, oldest first, whether they count or not.
    pub given: Vec<Voice>,
    /// Rules that are broken now; empty if the plan is approved.
    pub missing: Vec<String>,
}

/// One approval or rejection.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Voice {
    /// Its id.
    pub approval: String,
    /// Who.
    pub approver: String,
    /// In which role.
    pub role: String,
    /// `approved` or `rejected`.
    pub decision: String,
    /// Why.
    pub note: String,
    /// When an approval stops counting; none for a rejection, which stands until its giver approves.
    pub until: Option<Timestamp>,
    /// For whom the approver spoke, where a voice was delegated to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// How the approver showed who they are, where no key of theirs signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub means: Option<String>,
    /// Who took it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_by: Option<String>,
    /// The operation that it was used for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_by: Option<gonogo_core::id::OperationId>,
    /// Why it does not count by itself, as `approval.…` tokens; empty if it does.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub broken: Vec<String>,
}

/// Lists what was said about a plan so far.
///
/// # Errors
/// The plan's records cannot be read.
pub fn voices(ws: &Workspace, plan: &Plan) -> Result<Voices, AppError> {
    let recorded = recorded(ws, plan)?;
    let all = presented(ws, plan)?;
    let now = ws.clock.now().wall;
    let demanded = demand(plan, &recorded, now);
    let missing = approval::check_with(&all, &broken(ws, plan)?, &demanded)
        .err()
        .map_or_else(Vec::new, |refusal| refusal.missing_fields);
    let given = all.into_iter().map(|p| {
        let checked = match p.approval.decision.as_str() {
            "rejected" => approval::check_rejection(&p, &demanded),
            _ => approval::check_alone(&p, &demanded),
        };
        let some = |text: String| Some(text).filter(|t| !t.is_empty());
        let decided = p.approval.decided_at.parse::<Timestamp>().ok();
        let holds = Span::from_secs(p.approval.sla_minutes.saturating_mul(60));
        let yes = p.approval.decision == "approved";
        Voice {
            on_behalf_of: some(p.approval.delegated_by),
            means: some(p.approval.means),
            revoked_by: p.revoked_by,
            used_by: p.used_by,
            broken: checked.err().map_or_else(Vec::new, |r| r.missing_fields),
            approval: p.approval.approval_id,
            approver: p.approval.approver_id,
            role: p.approval.approver_role,
            decision: p.approval.decision,
            note: p.approval.note,
            until: decided.filter(|_| yes).map(|at| at.after(holds)),
        }
    });
    Ok(Voices {
        given: given.collect(),
        missing,
    })
}

/// Who is proven to act: the name, where configuration or plan ties it to the key; else the key.
fn proven(ws: &Workspace, plan: &Plan, recorded: &Recorded, me: &Identity) -> String {
    let key = me.key_id();
    let listed = ws.config.people().any(|(id, k)| id == me.name && k == key);
    let asked = |a: &Asker| a.id == me.name && a.key == key;
    if listed
        || (plan.requester == me.name && recorded.key == key)
        || recorded.also.iter().any(asked)
    {
        me.name.clone()
    } else {
        format!("key:{key}")
    }
}

fn keep(
    ws: &Workspace,
    plan: &Plan,
    me: &Identity,
    approval: &Approval,
    now: Timestamp,
    out: Option<&Path>,
) -> Result<(), AppError> {
    let signed = Signed::sign(approval, me)?;
    if let Some(path) = out {
        signed.write(path)?;
    }
    record(ws, plan, approval, &signed, &me.name, Some(me), now)
}

/// Keeps an approval in the ledger; one that is there already is left as it is.
fn record(
    ws: &Workspace,
    plan: &Plan,
    approval: &Approval,
    signed: &Signed,
    actor: &str,
    signer: Option<&Identity>,
    now: Timestamp,
) -> Result<(), AppError> {
    let draft = gonogo_store::ledger::Draft {
        stream: planning::stream(&plan.id),
        key: format!(
            "approval/{}/{}",
            gonogo_core::Digest::of(signed.payload.as_bytes()).hex(),
            gonogo_core::Digest::of(signed.public_key.as_bytes()).hex()
        ),
        kind: KIND.into(),
        subject: vec![gonogo_ledger::Subject {
            name: plan.id.to_string(),
            digest: plan.fingerprint.digest(),
        }],
        time: now,
        actor: actor.into(),
        body: json!({ "approval": approval, "signed": signed }),
        signer: signer.and_then(|me| me.key.clone()),
    };
    ws.append(vec![draft])?;
    Ok(())
}

/// The plan's own records: who asked for it.
pub(crate) struct Recorded {
    /// Key id of the requester.
    pub(crate) key: String,
    /// Everybody who asked for it later.
    pub(crate) also: Vec<Asker>,
}

impl Recorded {
    /// Whether somebody asked for the plan, first or later, or an agent did for them.
    pub(crate) fn asked(&self, plan: &Plan, name: &str, key: &str) -> bool {
        let is = |n: &str, k: &str, person: Option<&str>| {
            n == name || person == Some(name) || !key.is_empty() && k == key
        };
        is(&plan.requester, &self.key, plan.on_behalf_of.as_deref())
            || self
                .also
                .iter()
                .any(|a| is(&a.id, &a.key, a.on_behalf_of.as_deref()))
    }
}

/// Somebody who asked for a plan that was there already, for showing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlsoAsked {
    /// Who.
    pub requester: String,
    /// The person for whom an agent asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
}

impl AlsoAsked {
    fn of(recorded: &Recorded) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for asker in &recorded.also {
            let one = Self {
                requester: asker.id.clone(),
                on_behalf_of: asker.on_behalf_of.clone(),
            };
            if !all.contains(&one) {
                all.push(one);
            }
        }
        all
    }
}

/// Checks that the ledger holds exactly this plan.
pub(crate) fn recorded(ws: &Workspace, plan: &Plan) -> Result<Recorded, AppError> {
    let stored =
        serde_json::to_value(plan).map_err(|e| AppError::new(Reason::Internal, e.to_string()))?;
    let live = facts::Live::of(ws, plan)?;
    let said = live.said();
    let mut records = said.iter().filter(|s| s.kind == "plan").peekable();
    if records.peek().is_none() {
        return Err(AppError::new(
            Reason::PlanUnrecorded,
            format!("the ledger holds no record of plan `{}`", plan.id),
        ));
    }
    match records.find(|r| *r.body == stored) {
        Some(record) => {
            // A plan that was sent here was signed where it was made.
            let key = match sent_by(ws, plan)? {
                Some(key) => key,
                None => asked_with(plan, &record.signer.to_string(), record.by_server),
            };
            Ok(Recorded {
                also: facts::askers(&said, plan, &key),
                key,
            })
        }
        None => Err(AppError::new(
            Reason::PlanEdited,
            format!(
                "the file of plan `{}` is not what was recorded; requester or time were edited",
                plan.id
            ),
        )),
    }
}

/// Everybody who asked for a plan, and where in the ledger.
pub(crate) struct AskedBy {
    first: String,
    live: facts::Live,
}

impl AskedBy {
    /// # Errors
    /// As [`recorded`].
    pub(crate) fn of(ws: &Workspace, plan: &Plan) -> Result<Self, AppError> {
        Ok(Self {
            first: recorded(ws, plan)?.key,
            live: facts::Live::of(ws, plan)?,
        })
    }

    /// Whether somebody had asked for it, first or later, by the place `before` in the ledger.
    pub(crate) fn before(&self, plan: &Plan, before: u64, name: &str, key: &str) -> bool {
        let mut said = self.live.said();
        said.retain(|s| s.index < before);
        let by_then = Recorded {
            also: facts::askers(&said, plan, &self.first),
            key: self.first.clone(),
        };
        by_then.asked(plan, name, key)
    }
}

/// The key of who asked for a plan: the one that signed its record. Where a login asked the server signed, and the key is the one that the
/// plan's own policy lists for the name; empty if it lists none.
pub(crate) fn asked_with(plan: &Plan, signer: &str, by_server: bool) -> String {
    match by_server {
        true => listed_key(&plan.body, &plan.requester),
        false => signer.to_owned(),
    }
}

/// The key that a plan's policies list for a name: its own, else the one before it; empty if neither lists the name.
pub(crate) fn listed_key(body: &PlanBody, name: &str) -> String {
    let policies = std::iter::once(&body.approval).chain(&body.approval_before);
    let mut keys = policies.map(|p| p.key_of(name)).filter(|k| !k.is_empty());
    keys.next().unwrap_or_default().to_owned()
}

/// Who signed a plan that was made elsewhere and sent here; none if it was made here.
fn sent_by(ws: &Workspace, plan: &Plan) -> Result<Option<String>, AppError> {
    let records = ws.every(planning::stream(&plan.id), elsewhere::ORIGIN)?;
    let Some(origin) = records.first() else {
        return Ok(None);
    };
    let key = elsewhere::origin_of(plan, &origin.body).map_err(|why| {
        let text = format!("plan `{}` was sent here: {why}", plan.id);
        AppError::new(Reason::PlanEdited, text)
    })?;
    Ok(Some(key))
}

pub(crate) fn demand<'a>(plan: &'a Plan, recorded: &'a Recorded, now: Timestamp) -> Demand<'a> {
    Demand {
        fingerprint: plan.fingerprint,
        environment: &plan.body.environment,
        policy: &plan.body.approval,
        before: plan.body.approval_before.as_ref(),
        requester: &plan.requester,
        requester_key: &recorded.key,
        on_behalf_of: plan.on_behalf_of.as_deref(),
        also: &recorded.also,
        back: plan.body.kind == gonogo_release::plan::PlanKind::Rollback,
        now,
    }
}

/// Checks every recorded approval of a plan, and those brought in `files` by `by`, against what the plan demands.
///
/// # Errors
/// [`Reason::ApprovalMissing`] and its kin with every failing rule in `missingFields`.
pub(crate) fn approved(
    ws: &Workspace,
    plan: &Plan,
    files: &[PathBuf],
    by: &str,
    now: Timestamp,
) -> Result<Approved, AppError> {
    let recorded = recorded(ws, plan)?;
    for file in files {
        import(ws, plan, file, by, now)?;
    }
    let presented = presented(ws, plan)?;
    let demanded = demand(plan, &recorded, now);
    approval::check_with(&presented, &broken(ws, plan)?, &demanded).map_err(|refusal| {
        let error = refused(plan, &refusal);
        match superseding::by(ws, plan) {
            Ok(Some(newer)) if refusal.reasons.contains(&Reason::PlanSuperseded) => {
                superseding::naming(error, plan, &newer)
            }
            _ => error,
        }
    })
}

/// Who has rejected a plan, and has not approved it since.
pub(crate) fn rejected_by(
    ws: &Workspace,
    plan: &Plan,
    now: Timestamp,
) -> Result<Vec<String>, AppError> {
    let recorded = recorded(ws, plan)?;
    let presented = presented(ws, plan)?;
    let standing = approval::vetoes(&presented, &demand(plan, &recorded, now)).into_iter();
    Ok(standing.map(|no| no.approval.approver_id.clone()).collect())
}

/// What somebody has to decide about, and who may: for whoever has to ask them.
fn wanted(plan: &Plan) -> Value {
    let policy = &plan.body.approval;
    let listed = policy.approvers.iter().map(|a| a.id.as_str());
    let approvers: Vec<&str> = listed.chain(asked_by_an_agent_alone(plan)).collect();
    json!({
        "planId": plan.id,
        "planFingerprint": plan.fingerprint,
        "environment": plan.body.environment,
        "requester": plan.requester,
        "approvalsRequired": policy.required,
        "approvers": approvers,
        "command": how(plan),
    })
}

/// The person for whom an agent asked where nobody approves but who asks: no agent does, and the person has not asked yet.
pub(crate) fn asked_by_an_agent_alone(plan: &Plan) -> Option<&str> {
    let policy = &plan.body.approval;
    let alone = policy.own && policy.approvers.is_empty();
    plan.on_behalf_of.as_deref().filter(|_| alone)
}

/// The command of whoever approves.
fn how(plan: &Plan) -> String {
    let approve = format!("gonogo approve {}", plan.id);
    match asked_by_an_agent_alone(plan) {
        None => approve,
        Some(_) => format!(
            "gonogo plan --env {} --to {} && {approve}",
            plan.body.environment, plan.body.to.version
        ),
    }
}

/// Takes in an approval that was signed elsewhere. Whether it counts is decided later, with all the others.
fn import(
    ws: &Workspace,
    plan: &Plan,
    file: &Path,
    by: &str,
    now: Timestamp,
) -> Result<(), AppError> {
    let signed = read_file(file)?;
    take_in(ws, plan, &signed, by, now).map_err(|why| match why {
        Untaken::Malformed(why) => malformed(file, &why),
        Untaken::Failed(e) => *e,
    })
}

fn malformed(file: &Path, why: &str) -> AppError {
    AppError::new(
        Reason::InputMalformed,
        format!("approval file `{}`: {why}", file.display()),
    )
    .hint("an approval file is what `gonogo approve PLAN --out FILE` wrote, unchanged")
}

/// Reads the file of a signed approval; its signature is not looked at.
///
/// # Errors
/// It cannot be read, or is none.
pub fn read_file(file: &Path) -> Result<Signed, AppError> {
    let bytes = std::fs::read(file).map_err(|e| AppError::io("read", file, &e))?;
    let value =
        gonogo_core::canonical::parse(&bytes).map_err(|e| malformed(file, &e.to_string()))?;
    serde_json::from_value(value).map_err(|e| malformed(file, &e.to_string()))
}

/// Why a signed approval was not taken in.
enum Untaken {
    /// It is none.
    Malformed(String),
    /// The ledger could not be read or written.
    Failed(Box<AppError>),
}

/// Takes in an approval that was sent along with a plan. Whether it counts is decided later, with all the others.
pub(crate) fn import_sent(
    ws: &Workspace,
    plan: &Plan,
    signed: &Value,
    by: &str,
    now: Timestamp,
) -> Result<(), AppError> {
    let refused = |reason: Reason, why: String| {
        AppError::new(reason, format!("an approval that was sent: {why}"))
    };
    let signed: Signed = serde_json::from_value(signed.clone())
        .map_err(|e| refused(Reason::InputMalformed, e.to_string()))?;
    take_in(ws, plan, &signed, by, now).map_err(|why| match why {
        Untaken::Malformed(why) => refused(Reason::ApprovalInvalid, why),
        Untaken::Failed(e) => *e,
    })
}

fn take_in(
    ws: &Workspace,
    plan: &Plan,
    signed: &Signed,
    by: &str,
    now: Timestamp,
) -> Result<(), Untaken> {
    let (approval, key) = signed.open().map_err(Untaken::Malformed)?;
    let failed = |e| Untaken::Failed(Box::new(e));
    tokens::must_be_a_person(ws, &approval.approver_id).map_err(failed)?;
    // The same words under another signature are another approval: else a forged one would keep the true one out.
    let known = presented(ws, plan)
        .map_err(failed)?
        .iter()
        .any(|p| p.approval == approval && p.key.as_ref() == Some(&key));
    if known {
        return Ok(());
    }
    if let Some(other) = revoking::genuine(ws, &approval.approval_id).map_err(failed)? {
        return Err(Untaken::Malformed(format!(
            "its id `{}` is that of another approval, of plan `{other}`; approve anew, and it has one of its own",
            approval.approval_id.escape_debug()
        )));
    }
    record(ws, plan, &approval, signed, by, None, now).map_err(failed)
}

/// Every approval that is recorded for a plan, with what is known about it.
pub(crate) fn presented(ws: &Workspace, plan: &Plan) -> Result<Vec<Presented>, AppError> {
    facts::Live::of(ws, plan)?.presented(ws)
}

/// Every glass that was broken for a plan.
pub(crate) fn broken(ws: &Workspace, plan: &Plan) -> Result<Vec<Broken>, AppError> {
    facts::Live::of(ws, plan)?.broken(ws, plan)
}

/// Reads an approval out of its record: what it says and whose signature verifies. A body that cannot be read is an empty
/// approval: it fails, rule by rule, and is not passed over.
pub(crate) fn read_record(body: &Value) -> (Approval, Option<String>) {
    let stated: Approval = body
        .get("approval")
        .cloned()
        .and_then(|v| serde_json::from_value(v).ok())
        .unwrap_or_default();
    let signed = body
        .get("signed")
        .cloned()
        .and_then(|v| serde_json::from_value::<Signed>(v).ok());
    match signed.map(|s| s.open()) {
        Some(Ok((approval, key))) if approval == stated => (stated, Some(key)),
        _ => (stated, None),
    }
}

/// An approval with its signature: DSSE over the approval's canonical JSON, with the public key beside it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Signed {
    payload_type: String,
    payload: String,
    #[schemars(length(min = 1, max = 1))]
    signatures: Vec<Signature>,
    public_key: String,
}

/// A signed approval as its JSON: a sender's, of which nothing is believed yet.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SignedText(#[schemars(with = "Signed")] pub Value);

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Signature {
    keyid: String,
    sig: String,
}

const PAYLOAD_TYPE: &str = "application/vnd.gonogo.approval.v1+json";

impl Signed {
    fn sign(approval: &Approval, me: &Identity) -> Result<Self, AppError> {
        Self::sign_as(PAYLOAD_TYPE, approval, me)
    }

    /// Signs what is of the type `kind`.
    pub(crate) fn sign_as<T: Serialize>(
        kind: &str,
        what: &T,
        me: &Identity,
    ) -> Result<Self, AppError> {
        let payload = gonogo_core::canonical::to_vec(what)?;
        let own = me.own_key()?;
        let sig = own.sign(&pae(kind, &payload))?;
        Ok(Self {
            payload_type: kind.into(),
            payload: BASE64.encode(&payload),
            signatures: vec![Signature {
                keyid: me.key_id(),
                sig: BASE64.encode(sig),
            }],
            public_key: own.public().base64(),
        })
    }

    /// Writes it to a file, to be carried to another machine.
    fn write(&self, path: &Path) -> Result<(), AppError> {
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|e| AppError::new(Reason::Internal, e.to_string()))?;
        bytes.push(b'\n');
        crate::workspace::write_atomic(path, &bytes).map_err(|e| {
            AppError::new(
                Reason::OutputFailed,
                format!("{e}; the approval was not given"),
            )
        })
    }

    /// The plan that it says it is for, whether its signature verifies or not.
    pub fn plan(&self) -> Option<PlanId> {
        let payload = BASE64.decode(&self.payload).ok()?;
        let approval: Approval = serde_json::from_slice(&payload).ok()?;
        let fingerprint = approval.plan_fingerprint.parse().ok()?;
        Some(gonogo_release::plan::plan_id(fingerprint))
    }

    /// Checks the signature and reads the approval that was signed; returns it with the key's id.
    pub(crate) fn open(&self) -> Result<(Approval, String), String> {
        self.open_as(PAYLOAD_TYPE)
    }

    /// As [`Self::open`], of the type `kind`.
    pub(crate) fn open_as<T: serde::de::DeserializeOwned>(
        &self,
        kind: &str,
    ) -> Result<(T, String), String> {
        let [signature] = self.signatures.as_slice() else {
            return Err("it needs exactly one signature".into());
        };
        if self.payload_type != kind {
            return Err(format!("its type is `{}`, not `{kind}`", self.payload_type));
        }
        let key = PublicKey::from_base64(&self.public_key).map_err(|e| e.to_string())?;
        let payload = BASE64.decode(&self.payload).map_err(|e| e.to_string())?;
        let sig = BASE64.decode(&signature.sig).map_err(|e| e.to_string())?;
        key.verify(&pae(kind, &payload), &sig)
            .map_err(|e| e.to_string())?;
        let value = gonogo_core::canonical::parse(&payload).map_err(|e| e.to_string())?;
        let what = serde_json::from_value(value).map_err(|e| e.to_string())?;
        Ok((what, key.id().to_string()))
    }
}

pub(crate) fn refused(plan: &Plan, refusal: &approval::Refusal) -> AppError {
    let reason = refusal
        .reasons
        .first()
        .copied()
        .unwrap_or(Reason::ApprovalInvalid);
    let mut text = format!(
        "plan `{}` is not approved for `{}`:",
        plan.id, plan.body.environment
    );
    for token in &refusal.missing_fields {
        let broken = approval::TOKENS
            .iter()
            .chain(approval::GLASS_TOKENS)
            .find(|(known, _)| known == token)
            .map_or("", |(_, when)| *when);
        text.push_str(&format!("\n  {token:<34} {broken}"));
    }
    AppError::new(reason, text)
        .and(&refusal.reasons)
        .hint(match asked_by_an_agent_alone(plan) {
            Some(person) => format!(
                "people approve here what they ask for: `{person}` asks for it as well and approves it then: `{}`",
                how(plan)
            ),
            None => format!("an approver runs `{}`", how(plan)),
        })
        .with("approvalRequired", wanted(plan))
        .with("missingFields", json!(refusal.missing_fields))
        .with(
            "maxSlaMinutes",
            plan.body.approval.max_sla.as_millis() / 60_000,
        )
}
