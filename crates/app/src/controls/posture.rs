//! The rollback posture: four steps that close an environment, hold it to known-good, and open it again, each proven by what it does.
//!
//! 1. *freeze*: a freeze holds, and an application is really refused for it.
//! 2. *pin*: the environment is pinned to known-good, and that version serves everything.
//! 3. *plan*: `validate_plan` and `plan_change` are called, and their envelopes say of themselves what they said before the freeze.
//! 4. *reopen*: the gates pass, and the freeze is ended. Only if it is asked for.
//!
//! Invariants: every run looks at every step again, so that it can be interrupted anywhere and run again; a step that was not proven in
//! this run is never called proven, and nothing behind it is tried.

use gonogo_core::{Digest, Reason};
use gonogo_release::effect::Observed;
use gonogo_release::freeze::{Active, Declared};
use gonogo_release::known_good::Good;
use gonogo_release::pin::Pin;
use gonogo_release::plan::{Plan, PlanKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{freezing, goodness, keep, pinning, read, said};
use crate::access::tokens;
use crate::applying::{self, Apply};
use crate::config::Environment;
use crate::identity::nonce;
use crate::{AppError, Workspace, approving, elsewhere, going_back, hosting, planning};

/// Where postures are recorded.
pub const STREAM: &str = "control/postures";
/// Kind of the record that begins one.
pub const BEGUN: &str = "posture";
/// Kind of the record that says what a run of it proved.
pub const RAN: &str = "posture-run";

/// How the reasons begin of what a posture declares; what is its own is known by its records, and not by this.
const OWN: &str = "rollback posture: ";

/// Plans that are looked at for one that can be tried, newest first.
const LOOKED_AT: u32 = 50;

/// What a posture is to do.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Environment; the only one of the configuration if absent.
    pub environment: Option<String>,
    /// Known-good version to hold to.
    pub to: Option<String>,
    /// Why.
    pub why: String,
    /// Whether to open again.
    pub reopen: bool,
}

/// Calls a use case as a door does, and gives the envelope.
pub type Call<'a> = &'a dyn Fn(&'static str, Value) -> Value;

/// How a posture began. A stored format.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Begun {
    posture: String,
    environment: String,
    version: String,
    content: Digest,
    operation: gonogo_core::id::OperationId,
    by: String,
    reason: String,
    at: gonogo_core::Timestamp,
    /// What the envelopes said of themselves before anything was frozen.
    baseline: Vec<Value>,
}

/// The steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Nothing new is applied.
    Freeze,
    /// The environment is held to known-good.
    Pin,
    /// Planning says what it said before.
    Plan,
    /// The gates pass and the freeze is ended.
    Reopen,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stands {
    /// It was proven in this run.
    Proven,
    /// It was tried in this run and not proven.
    Unproven,
    /// It was not tried: one before it was not proven, or it was not asked for.
    Waiting,
}

/// A step in a run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepDoc {
    /// Which.
    pub step: Step,
    /// How it stands.
    pub state: Stands,
    /// What was seen, in words.
    pub text: String,
    /// The evidence: records, plans, envelopes. Null where there is none.
    pub proof: Value,
    /// Why it is not proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A run of a posture. A stored format.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostureDoc {
    /// Its id.
    pub posture: String,
    /// Where.
    pub environment: String,
    /// The known-good version.
    pub version: String,
    /// Digest of its whole description.
    pub content: Digest,
    /// Whether the environment is open again.
    pub reopened: bool,
    /// The four steps.
    pub steps: Vec<StepDoc>,
}

/// A step that could not be proven.
struct Not {
    reason: Reason,
    text: String,
    next: String,
}

impl From<AppError> for Not {
    fn from(e: AppError) -> Self {
        Self {
            reason: e.reason,
            next: e.shown_hints().swap_remove(0),
            text: e.message,
        }
    }
}

impl Not {
    fn new(text: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            reason: Reason::PostureUnproven,
            text: text.into(),
            next: next.into(),
        }
    }
}

type Proof = Result<(String, Value), Not>;

/// Begins a posture, or goes on with the one that is open, as far as it can be proven.
///
/// # Errors
/// Nothing is known-good; the ledger cannot be read or written. A step that is not proven is an answer and no error.
pub fn run(ws: &Workspace, wanted: &Wanted, call: Call<'_>) -> Result<PostureDoc, AppError> {
    if let Some(doc) = ws.left_as(RAN, "")? {
        return Ok(doc);
    }
    let environment = ws.config.environment(wanted.environment.as_deref())?;
    let begun = match open(ws, &environment.name)? {
        Some(begun) => {
            let other = wanted.to.as_ref().is_some_and(|to| *to != begun.version);
            if other {
                let text = format!(
                    "posture `{}` holds `{}` to `{}` since {}; end it first",
                    begun.posture, environment.name, begun.version, begun.at
                );
                return Err(AppError::new(Reason::PostureOpen, text));
            }
            begun
        }
        None => begin(ws, environment, wanted, call)?,
    };
    if let Some(ended) = ws.left_as::<freezing::Ended>(freezing::ENDED, "")? {
        return ended_before(ws, begun, &ended);
    }
    let mut steps: Vec<StepDoc> = Vec::new();
    let mut go_on = true;
    for step in [Step::Freeze, Step::Pin, Step::Plan, Step::Reopen] {
        if !go_on || step == Step::Reopen && !wanted.reopen {
            let text = match go_on {
                true => "not asked for: `--reopen` opens the environment again".to_owned(),
                false => "waits for the step before it".to_owned(),
            };
            let next = go_on.then(|| {
                format!(
                    "gonogo rollback-posture --env {} --reopen --why TEXT",
                    environment.name
                )
            });
            steps.push(StepDoc {
                step,
                state: Stands::Waiting,
                text,
                proof: Value::Null,
                reason: None,
                next,
            });
            go_on = false;
            continue;
        }
        let proof = match step {
            Step::Freeze => frozen(ws, environment, &begun),
            Step::Pin => pinned(ws, environment, &begun),
            Step::Plan => planned(&begun, call),
            Step::Reopen => reopened(ws, environment, &begun, &wanted.why),
        };
        go_on = proof.is_ok();
        steps.push(match proof {
            Ok((text, proof)) => StepDoc {
                step,
                state: Stands::Proven,
                text,
                proof,
                reason: None,
                next: None,
            },
            Err(not) => StepDoc {
                step,
                state: Stands::Unproven,
                text: not.text,
                proof: Value::Null,
                reason: Some(not.reason),
                next: Some(not.next),
            },
        });
    }
    let doc = PostureDoc {
        posture: begun.posture,
        environment: begun.environment,
        version: begun.version,
        content: begun.content,
        reopened: steps.iter().all(|s| s.state == Stands::Proven),
        steps,
    };
    ran(ws, doc)
}

fn ran(ws: &Workspace, doc: PostureDoc) -> Result<PostureDoc, AppError> {
    let me = ws.identity()?;
    let key = format!("run/{}", nonce());
    let subject = Some((doc.version.clone(), doc.content));
    keep(ws, &me, STREAM, key, RAN, subject, json!(doc))?;
    Ok(doc)
}

/// The run of this request that was cut off when it had opened the environment again: every step was proven by then, and what has come
/// since is nothing of its own.
fn ended_before(
    ws: &Workspace,
    begun: Begun,
    ended: &freezing::Ended,
) -> Result<PostureDoc, AppError> {
    let steps = [Step::Freeze, Step::Pin, Step::Plan, Step::Reopen].map(|step| {
        let text = match step {
            Step::Reopen => format!(
                "the gates passed, and `{}` was opened again at {}",
                begun.environment, ended.at
            ),
            _ => format!("proven before freeze `{}` was ended", ended.freeze),
        };
        StepDoc {
            step,
            state: Stands::Proven,
            text,
            proof: json!({"ended": [ended]}),
            reason: None,
            next: None,
        }
    });
    let doc = PostureDoc {
        posture: begun.posture,
        environment: begun.environment,
        version: begun.version,
        content: begun.content,
        reopened: true,
        steps: steps.into(),
    };
    ran(ws, doc)
}

/// What the last run of an environment's posture proved; none if there was none. Nothing is tried.
///
/// # Errors
/// The ledger cannot be read.
pub fn last(ws: &Workspace, environment: &str) -> Result<Option<PostureDoc>, AppError> {
    for record in ws.every(STREAM.into(), RAN)?.into_iter().rev() {
        let doc: PostureDoc = read(record.index, record.body)?;
        if doc.environment == environment {
            return Ok(Some(doc));
        }
    }
    Ok(None)
}

/// The posture that an environment is in.
fn open(ws: &Workspace, environment: &str) -> Result<Option<Begun>, AppError> {
    for record in ws.every(STREAM.into(), BEGUN)?.into_iter().rev() {
        let begun: Begun = read(record.index, record.body)?;
        if begun.environment == environment {
            let ended = last(ws, environment)?;
            let ended = ended.is_some_and(|run| run.posture == begun.posture && run.reopened);
            return Ok((!ended).then_some(begun));
        }
    }
    Ok(None)
}

fn begin(
    ws: &Workspace,
    environment: &Environment,
    wanted: &Wanted,
    call: Call<'_>,
) -> Result<Begun, AppError> {
    let reason = said(&wanted.why)?;
    tokens::must_be_a_person(ws, &ws.identity()?.name)?;
    if wanted.reopen {
        let text = format!(
            "`{}` is in no posture that could be ended",
            environment.name
        );
        return Err(AppError::new(Reason::PostureUnproven, text).hint(format!(
            "begin one: `gonogo rollback-posture --env {} --why TEXT`",
            environment.name
        )));
    }
    let good = known_good(ws, environment, wanted.to.as_deref())?;
    let me = ws.identity()?;
    let begun = Begun {
        posture: nonce(),
        environment: environment.name.clone(),
        version: good.version,
        content: good.content,
        operation: good.operation,
        by: me.name.clone(),
        reason,
        at: ws.now()?,
        baseline: Vec::new(),
    };
    let begun = Begun {
        baseline: envelopes(&begun, call).iter().map(of_itself).collect(),
        ..begun
    };
    let subject = Some((begun.version.clone(), begun.content));
    let key = format!("posture/{}", begun.posture);
    keep(ws, &me, STREAM, key, BEGUN, subject, json!(begun))?;
    Ok(begun)
}

/// The version to hold to: the named one, the pinned one, the one that somebody went back to and that serves, or the one that a rollback
/// would go to.
fn known_good(
    ws: &Workspace,
    environment: &Environment,
    to: Option<&str>,
) -> Result<Good, AppError> {
    let known = goodness::shown(ws, &environment.name)?;
    let pin = pinning::current(ws, &environment.name)?;
    let newest = |wanted: &dyn Fn(&Good) -> bool| known.iter().rev().find(|g| wanted(g)).cloned();
    // A pin to what is not known-good here says nothing of what is.
    let pinned = pin.and_then(|pin| newest(&|g| g.content == pin.content));
    let found = match (to, pinned) {
        (Some(to), _) => newest(&|g| g.version == to),
        (None, Some(pinned)) => Some(pinned),
        (None, None) if known.is_empty() => None,
        (None, None) => {
            let base = hosting::observe(ws, environment)?;
            let serving = base.slots.iter().find(|s| s.weight > 0).map(|s| s.content);
            known
                .last()
                .filter(|g| g.back && Some(g.content) == serving)
                .or_else(|| going_back::choose(&known, serving, None, None))
                .or(known.last())
                .cloned()
        }
    };
    found.ok_or_else(|| {
        let text = match to {
            Some(to) => format!("`{to}` is not known-good in `{}`", environment.name),
            None => format!("nothing is known-good in `{}`", environment.name),
        };
        AppError::new(Reason::NoKnownGood, text).hint("list what is: `gonogo known-good list`")
    })
}

/// Step 1.
fn frozen(ws: &Workspace, environment: &Environment, begun: &Begun) -> Proof {
    let name = &environment.name;
    let now = ws.now()?;
    let holds = |all: &[Active]| all.iter().find(|a| !a.window).cloned();
    let freeze = match holds(&freezing::active(ws, name, now)?) {
        Some(freeze) => freeze.freeze,
        None => {
            if let Some(own) = ws.left_as::<Declared>(freezing::BEGUN, "")? {
                return Err(Not::new(
                    format!("freeze `{}`, which this began, was ended since", own.freeze),
                    "run it again with another key",
                ));
            }
            let reason: String = format!("{OWN}{}", begun.reason).chars().take(500).collect();
            let wanted = freezing::Wanted {
                environments: vec![name.clone()],
                why: reason,
                until: None,
                posture: Some(begun.posture.clone()),
            };
            freezing::declare(ws, &wanted)?.freeze.to_string()
        }
    };
    let plan = tryable(ws, environment)?;
    let how = Apply {
        // A request of its own: no earlier one may answer for it.
        key: Some(format!("posture/{}/{}", begun.posture, nonce())),
        approvals: Vec::new(),
        operation: None,
    };
    match applying::apply(ws, &plan.id, &how) {
        Err(e) if e.reason == Reason::FreezeActive => {
            let refusals = ws.every(planning::stream(&plan.id), "refusal")?;
            let record = refusals.last().map(|r| r.index);
            let text = format!(
                "freeze `{freeze}` holds: applying plan `{}` was refused for it",
                plan.id
            );
            let proof = json!({"freeze": freeze, "plan": plan.id, "refusedFor": e.reason, "record": record});
            Ok((text, proof))
        }
        Err(e) => Err(Not {
            text: format!(
                "applying plan `{}` was refused, and not for the freeze: {}",
                plan.id, e.message
            ),
            ..Not::from(e)
        }),
        Ok(begun) => Err(Not::new(
            format!(
                "operation `{}` began though `{freeze}` should hold",
                begun.operation_id
            ),
            format!("end it: `gonogo cancel {} --yes`", begun.operation_id),
        )),
    }
}

/// A plan whose application is tried. Nobody has approved it, so that nothing would begin even if nothing held it.
fn tryable(ws: &Workspace, environment: &Environment) -> Result<Plan, Not> {
    let plans = ws.store.plans(Some(&environment.name), None, LOOKED_AT);
    for plan in plans.map_err(AppError::from)? {
        let lacks = |plan: &Plan| approving::voices(ws, plan).is_ok_and(|v| !v.missing.is_empty());
        if plan.body.kind == PlanKind::Release
            && planning::read(ws, &plan.id).is_ok()
            && lacks(&plan)
        {
            return Ok(plan);
        }
    }
    Err(Not::new(
        "there is no plan that could be tried: each is approved and could really begin",
        "make one that nobody approves: `gonogo plan --to VERSION`",
    ))
}

/// What is seen to serve. A workflow service's word is not that.
fn observed(ws: &Workspace, environment: &Environment) -> Result<Observed, AppError> {
    if elsewhere::is_elsewhere(environment)? {
        let text = format!(
            "nobody here sees what serves in `{}`: a workflow service looks after it, and its last word may be outdated",
            environment.name
        );
        return Err(AppError::new(Reason::PostureUnproven, text)
            .hint("run the posture where the service is, if it is a gonogo"));
    }
    hosting::observe(ws, environment)
}

/// Step 2.
fn pinned(ws: &Workspace, environment: &Environment, begun: &Begun) -> Proof {
    let name = &environment.name;
    let holds = |pin: &gonogo_release::pin::Pin| pin.content == begun.content;
    let pin = match pinning::current(ws, name)?.filter(holds) {
        Some(pin) => pin,
        None => {
            if let Some(own) = ws.left_as::<Pin>(pinning::SET, "")? {
                return Err(Not::new(
                    format!(
                        "the pin to `{}`, which this set, was removed since",
                        own.version
                    ),
                    "run it again with another key",
                ));
            }
            let reason: String = format!("{OWN}{}", begun.reason).chars().take(500).collect();
            pinning::set(ws, Some(name), &begun.content.to_string(), &reason)?
        }
    };
    // Read again: what counts is what the ledger says.
    let read_back = pinning::current(ws, name)?.filter(holds);
    if read_back.is_none() {
        return Err(Not::new("the pin does not hold", "run it again"));
    }
    let good = Good {
        version: begun.version.clone(),
        content: begun.content,
        operation: begun.operation.clone(),
        at: begun.at,
        back: false,
        said_by: None,
    };
    let files = goodness::files(ws, environment, &goodness::spec(ws, &good)?, begun.content);
    if !goodness::is_present(&files) {
        return Err(Not {
            reason: Reason::KnownGoodGone,
            ..Not::new(
                format!(
                    "`{}` cannot be run as it was: its files are gone or changed",
                    begun.version
                ),
                Reason::KnownGoodGone.next_action(),
            )
        });
    }
    let seen = observed(ws, environment)?;
    let serves: Vec<String> = seen
        .slots
        .iter()
        .filter(|s| s.weight > 0)
        .map(|s| format!("{} at {} of 10000", s.version, s.weight))
        .collect();
    let whole = seen
        .slots
        .iter()
        .any(|s| s.content == begun.content && s.weight == 10_000 && s.ready);
    if !whole {
        return Err(Not::new(
            format!(
                "pinned to `{}`, and what serves is {}",
                begun.version,
                if serves.is_empty() {
                    "nothing".into()
                } else {
                    serves.join(", ")
                }
            ),
            format!(
                "go back: `gonogo rollback --env {name} --to {} --yes`",
                begun.version
            ),
        ));
    }
    let text = format!("pinned to `{}`, which serves everything", begun.version);
    let proof = json!({
        "version": pin.version, "content": pin.content, "since": pin.since, "generation": seen.generation,
        "knownGoodBy": begun.operation, "files": files,
    });
    Ok((text, proof))
}

/// Step 3.
fn planned(begun: &Begun, call: Call<'_>) -> Proof {
    let now = envelopes(begun, call);
    let mut compared = Vec::new();
    for (n, envelope) in now.iter().enumerate() {
        let tool = envelope
            .pointer("/metadata/toolId")
            .and_then(Value::as_str)
            .unwrap_or("a use case");
        if envelope.get("success") != Some(&Value::Bool(true)) {
            let why = envelope.pointer("/error/message").and_then(Value::as_str);
            return Err(Not::new(
                format!(
                    "`{tool}` does not work: {}",
                    why.unwrap_or("it gave no reason")
                ),
                format!("`gonogo plan --to {}` shows it", begun.version),
            ));
        }
        let (was, is) = (begun.baseline.get(n), of_itself(envelope));
        if was != Some(&is) {
            return Err(Not::new(
                format!(
                    "`{tool}` says of itself something else than before the freeze: {} was {}",
                    is,
                    was.unwrap_or(&Value::Null)
                ),
                "find out which gonogo answered before, and use that one",
            ));
        }
        compared.push(is);
    }
    let text =
        "validate_plan and plan_change work, and say of themselves what they said before".into();
    Ok((
        text,
        json!({"envelopes": compared, "comparedWith": "baseline"}),
    ))
}

/// The envelopes of planning the known-good version.
fn envelopes(begun: &Begun, call: Call<'_>) -> Vec<Value> {
    let input = json!({"environment": begun.environment, "version": begun.version});
    ["validate_plan", "plan_change"]
        .into_iter()
        .map(|tool| call(tool, input.clone()))
        .collect()
}

/// What an envelope says of itself, without what is another each time.
fn of_itself(envelope: &Value) -> Value {
    let mut metadata = envelope.get("metadata").cloned().unwrap_or_default();
    if let Some(map) = metadata.as_object_mut() {
        for (name, other_each_time) in [("traceId", "set"), ("timestamp", "set")] {
            // That they are there is compared, and not what they are.
            let there = map
                .get(name)
                .and_then(Value::as_str)
                .is_some_and(|t| !t.is_empty());
            map.insert(
                name.into(),
                json!(if there { other_each_time } else { "absent" }),
            );
        }
    }
    json!({"metadata": metadata, "policy": envelope.get("policy")})
}

/// Step 4. It ends the freezes that this posture declared, whatever they are called, and nobody else's.
fn reopened(ws: &Workspace, environment: &Environment, begun: &Begun, why: &str) -> Proof {
    let name = &environment.name;
    let mine = own(ws, begun)?;
    let active = freezing::active(ws, name, ws.now()?)?;
    if let Some(other) = active
        .iter()
        .find(|a| a.window || !mine.contains(&a.freeze))
    {
        return Err(Not {
            reason: Reason::FreezeActive,
            ..Not::new(
                format!(
                    "the posture's own freeze stays, for another one holds: {}",
                    other.words()
                ),
                "wait for its end, or end it: `gonogo freeze list`",
            )
        });
    }
    let mut ended = Vec::new();
    for one in &active {
        ended.push(freezing::end(ws, &one.freeze, None, why)?);
    }
    if let Some(left) = freezing::active(ws, name, ws.now()?)?.first() {
        return Err(Not::new(
            format!("still frozen by {}", left.words()),
            "run it again",
        ));
    }
    let text =
        format!("the gates pass, and `{name}` is open again; its pin stays until `gonogo unpin`");
    Ok((text, json!({ "ended": ended })))
}

/// The freezes that a posture declared, by their records.
fn own(ws: &Workspace, begun: &Begun) -> Result<Vec<String>, AppError> {
    let all = freezing::all(ws)?.into_iter();
    let own = all.filter(|(d, _)| d.posture.as_ref() == Some(&begun.posture));
    Ok(own.map(|(d, _)| d.freeze.to_string()).collect())
}

/// What is so now, whatever the last run of a posture saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IsNow {
    /// No freeze holds.
    Open,
    /// A freeze holds, and the environment is not held to the version, or something else serves.
    HalfClosed,
    /// A freeze holds, the pin does, and the version serves everything.
    Closed,
    /// It cannot be known.
    Unknown,
}

impl IsNow {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::HalfClosed => "half-closed",
            Self::Closed => "closed",
            Self::Unknown => "unknown",
        }
    }
}

/// How an environment stands to its posture.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PostureNow {
    /// What is so now.
    pub state: IsNow,
    /// The posture that was begun and not ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub posture: Option<String>,
    /// In words.
    pub why: String,
}

/// Looks how an environment stands now. Nothing is tried and nothing is recorded.
pub fn now(ws: &Workspace, environment: &Environment) -> PostureNow {
    looked(ws, environment).unwrap_or_else(|e| PostureNow {
        state: IsNow::Unknown,
        posture: None,
        why: e.message,
    })
}

fn looked(ws: &Workspace, environment: &Environment) -> Result<PostureNow, AppError> {
    let name = &environment.name;
    let begun = open(ws, name)?;
    let posture = begun.as_ref().map(|b| b.posture.clone());
    let told = |state: IsNow, why: String| {
        Ok(PostureNow {
            state,
            posture: posture.clone(),
            why,
        })
    };
    let Some(freeze) = freezing::active(ws, name, ws.clock.now().wall)?
        .into_iter()
        .next()
    else {
        let why = match &begun {
            None => "no posture is begun, and no freeze holds".to_owned(),
            Some(_) => {
                "no freeze holds, and the posture was not ended: run it again, with `--reopen` to end it"
                    .to_owned()
            }
        };
        return told(IsNow::Open, why);
    };
    let Some(begun) = &begun else {
        let why = format!("no posture is begun; frozen by {}", freeze.words());
        return told(IsNow::HalfClosed, why);
    };
    let pinned = pinning::current(ws, name)?.is_some_and(|p| p.content == begun.content);
    if !pinned {
        let why = format!("frozen, and not pinned to `{}`", begun.version);
        return told(IsNow::HalfClosed, why);
    }
    let seen = match observed(ws, environment) {
        Ok(seen) => seen,
        Err(e) => {
            let why = format!("frozen and pinned; nobody knows what serves: {}", e.message);
            return told(IsNow::Unknown, why);
        }
    };
    let whole = |s: &gonogo_release::effect::ObservedSlot| {
        s.content == begun.content && s.weight == 10_000 && s.ready
    };
    match seen.slots.iter().any(whole) {
        true => told(
            IsNow::Closed,
            format!(
                "frozen by `{}`, pinned to `{}`, which serves everything",
                freeze.freeze, begun.version
            ),
        ),
        false => told(
            IsNow::HalfClosed,
            format!(
                "frozen and pinned to `{}`, and something else serves",
                begun.version
            ),
        ),
    }
}
