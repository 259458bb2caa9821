//! Breaking the glass, and the incidents that this opens. An incident is a stream `incident/<id>`: opened by who broke the glass, closed with
//! a review by an approver who had no part in it. What was reviewed is over: a glass that was not used by then is none. Until then every operation of the environment names it in its first record, and its packet holds it.

pub(crate) mod paging;

use gonogo_core::id::{IncidentId, PlanId};
use gonogo_core::{Reason, Span, Timestamp};
use gonogo_release::approval::{self, Break, BreakGlass, Broken};
use gonogo_release::plan::Plan;
use gonogo_store::ledger::{Draft, Filter, LedgerError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use paging::{PAGE, Paged};

use crate::access::{Principal, tokens};
use crate::approving::{self, Signed, facts, login, superseding};
use crate::identity::{Identity, random};
use crate::{AppError, Workspace, applying, notices, planning};

/// Kind of an incident's records.
pub const KIND: &str = "incident";

/// Kind of the record that the glass was broken by, in the plan's stream.
pub const GLASS: &str = "break-glass";

/// Type of what is signed.
pub(crate) const GLASS_TYPE: &str = "application/vnd.gonogo.break-glass.v1+json";

/// How bad an incident is that breaking the glass opens.
const SEVERITY: &str = "high";

/// Kind of the record that a use of a policy is counted by.
const USE: &str = "break-glass-use";

/// Stream of a policy's uses.
fn uses(policy: &str) -> String {
    format!("break-glass/{policy}")
}

/// Stream of an incident.
pub(crate) fn stream(id: &str) -> String {
    format!("incident/{id}")
}

/// An incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Incident {
    /// Its id.
    pub incident: IncidentId,
    /// How bad it is.
    pub severity: String,
    /// Who opened it.
    pub opened_by: String,
    /// When.
    pub opened_at: Timestamp,
    /// Why, in their words, which nobody checked.
    pub reason: String,
    /// By which policy the glass was broken.
    pub policy: String,
    /// For which plan.
    pub plan: PlanId,
    /// Where.
    pub environment: String,
    /// The notice that pages somebody.
    pub pages: String,
    /// Until when it must be reviewed.
    pub review_by: Timestamp,
    /// Its review; none while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closing>,
    /// Where its first record stands in the ledger.
    #[serde(default)]
    pub opened_index: u64,
    /// What came of the page; none where nobody is known to have been paged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paged: Option<Paged>,
}

/// How an incident was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Closing {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What the review found, in their words.
    pub review: String,
}

/// A glass that was broken.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Glass {
    /// The plan that may be applied without the missing approvals.
    pub plan: PlanId,
    /// Until when the application must begin.
    pub until: Timestamp,
    /// The incident that it opened.
    pub incident: Incident,
}

/// Does without the approvals that a plan lacks, and opens an incident.
///
/// # Errors
/// [`Reason::BreakGlassRefused`] with every rule that is against it; the plan does not stand; nothing is missing. The refusal is recorded.
pub fn break_glass(
    ws: &Workspace,
    id: &PlanId,
    policy: &str,
    reason: &str,
    principal: &Principal,
) -> Result<Glass, AppError> {
    principal.must_be_a_person()?;
    tokens::must_be_a_person(ws, &principal.name)?;
    let now = ws.now()?;
    let (plan, recorded) = planning::read_recorded(ws, id)?;
    let plan_stream = planning::stream(id);
    if let Some(opened) = ws.left_as::<String>(GLASS, "/incident")? {
        let opened = find(ws, &opened)?;
        paging::begin(ws, opened.incident.as_str(), &opened.pages)?;
        let lasts = glass_of(&plan, policy)?.lasts;
        return Ok(Glass {
            plan: id.clone(),
            until: opened.opened_at.after(lasts),
            incident: opened,
        });
    }
    let means = login::means(principal);
    let me = match means.is_empty() {
        true => Some(Identity::claimed(ws)?),
        false => None,
    };
    let actor = me
        .as_ref()
        .map_or_else(|| principal.name.clone(), |m| format!("key:{}", m.key_id()));
    let refuse = |e: AppError| {
        ws.refused(
            &plan_stream,
            &actor,
            e.with("claimed", principal.name.as_str()),
        )
    };
    planning::standing(ws, &plan).map_err(&refuse)?;
    superseding::check(ws, &plan).map_err(&refuse)?;
    let incident = IncidentId::mint(random());
    let said = Break {
        incident_id: incident.to_string(),
        policy: policy.to_owned(),
        by: principal.name.clone(),
        reason: reason.to_owned(),
        environment: plan.body.environment.clone(),
        plan_fingerprint: plan.fingerprint.to_string(),
        at: now.to_string(),
        means,
    };
    let incidents = list(ws, false)?;
    // Whoever counted the same earlier uses takes the same place in the ledger, and one of the two gets it.
    let earlier = incidents.iter().filter(|i| i.policy == policy).count();
    let broken = Broken {
        key: me.as_ref().map(Identity::key_id),
        by_server: me.is_none(),
        open: counting(&incidents, within(&plan, policy), &said, u64::MAX),
        said: said.clone(),
        ..Broken::default()
    };
    let demanded = approving::demand(&plan, &recorded, now);
    approval::check_break(&broken, &demanded)
        .map_err(|refusal| refuse(refused(&plan, policy, &refusal)))?;
    // A standing no, and who asked, are nothing that it passes; and where nothing is missing, nothing is broken.
    let presented = approving::presented(ws, &plan)?;
    match approval::check_with(&presented, std::slice::from_ref(&broken), &demanded) {
        Ok(approved) if approved.glass.is_some() => {}
        Ok(_) => {
            let text =
                format!("plan `{id}` is approved, so there is nothing to break the glass for");
            return Err(refuse(
                AppError::new(Reason::BreakGlassRefused, text)
                    .hint(format!("apply it: `gonogo apply {id}`")),
            ));
        }
        Err(refusal) => return Err(refuse(approving::refused(&plan, &refusal))),
    }
    let named = glass_of(&plan, policy)?;
    let opened = Incident {
        incident: incident.clone(),
        severity: SEVERITY.into(),
        opened_by: principal.name.clone(),
        opened_at: now,
        reason: reason.to_owned(),
        policy: policy.to_owned(),
        plan: id.clone(),
        environment: plan.body.environment.clone(),
        pages: named.pages.clone(),
        review_by: now.after(named.review_within),
        closed: None,
        opened_index: 0,
        paged: None,
    };
    let mut body = json!({ "breakGlass": said, "incident": incident, "pages": named.pages });
    if let (Some(me), Some(map)) = (&me, body.as_object_mut()) {
        me.enrol(ws)?;
        map.insert(
            "signed".into(),
            json!(Signed::sign_as(GLASS_TYPE, &said, me)?),
        );
    }
    let signer = me.and_then(|m| m.key);
    let subject = || {
        vec![gonogo_ledger::Subject {
            name: plan.id.to_string(),
            digest: plan.fingerprint.digest(),
        }]
    };
    // The incident first: a glass without one is worth nothing.
    let draft = |stream: String, key: String, kind: &str, body: Value| Draft {
        stream,
        key,
        kind: kind.into(),
        subject: subject(),
        time: now,
        actor: principal.name.clone(),
        body,
        signer: signer.clone(),
    };
    let about = json!({"state": "open", "incident": opened});
    // A webhook that was not known before hears of this.
    notices::begin(ws)?;
    let used = json!({"policy": policy, "incident": incident});
    let appended = ws.append(vec![
        draft(uses(policy), format!("use/{earlier}"), USE, used),
        draft(stream(incident.as_str()), "opened".into(), KIND, about),
        draft(
            plan_stream.clone(),
            format!("break-glass/{incident}"),
            GLASS,
            body,
        ),
    ]);
    match appended {
        Err(LedgerError::KeyReused { .. }) => {
            let text = format!(
                "somebody else broke the glass by `{policy}` just now, and this one was not counted with it; nothing was changed"
            );
            return Err(refuse(
                AppError::new(Reason::BreakGlassRefused, text)
                    .hint("look at what they did: `gonogo incident list`")
                    .hint("if the policy admits another use, ask again"),
            ));
        }
        other => other?,
    };
    paging::begin(ws, incident.as_str(), &opened.pages)?;
    Ok(Glass {
        plan: id.clone(),
        until: now.after(named.lasts),
        incident: find(ws, incident.as_str())?,
    })
}

fn glass_of<'a>(plan: &'a Plan, policy: &str) -> Result<&'a BreakGlass, AppError> {
    let mut all = plan.body.approval.break_glass.iter();
    all.find(|g| g.name == policy)
        .ok_or_else(|| AppError::new(Reason::BreakGlassRefused, "no such policy"))
}

/// How many other incidents count against the uses of a policy where a glass is broken: those of it that are open, and those that were
/// opened less than its `review_within` ago, reviewed or not. `before` is the place of the glass in the ledger.
pub(crate) fn counting(all: &[Incident], within: Span, said: &Break, before: u64) -> u32 {
    let at = said.at.parse::<Timestamp>();
    let counts = |i: &&Incident| {
        // Of a time that cannot be read nothing is known to be long ago.
        let recent = at
            .as_ref()
            .map_or(true, |at| *at < i.opened_at.after(within));
        i.policy == said.policy
            && i.incident.as_str() != said.incident_id
            && i.opened_index < before
            && (i.closed.is_none() || recent)
    };
    u32::try_from(all.iter().filter(counts).count()).unwrap_or(u32::MAX)
}

/// For how long an incident of a policy counts, reviewed or not.
pub(crate) fn within(plan: &Plan, policy: &str) -> Span {
    let policies = std::iter::once(&plan.body.approval).chain(&plan.body.approval_before);
    let named = policies
        .flat_map(|p| &p.break_glass)
        .filter(|g| g.name == policy);
    let within = named.map(|g| g.review_within).max();
    within.unwrap_or(Span::from_secs(0))
}

/// Whether the incident that a glass opened was closed.
pub(crate) fn is_closed(all: &[Incident], said: &Break) -> bool {
    let own = all.iter().find(|i| i.incident.as_str() == said.incident_id);
    own.is_some_and(|i| i.closed.is_some())
}

fn refused(plan: &Plan, policy: &str, refusal: &approval::Refusal) -> AppError {
    let mut text = format!("the glass may not be broken for plan `{}`:", plan.id);
    for token in &refusal.missing_fields {
        let known = approval::GLASS_TOKENS.iter().find(|(t, _)| t == token);
        text.push_str(&format!(
            "\n  {token:<34} {}",
            known.map_or("", |(_, when)| *when)
        ));
    }
    let names: Vec<&str> = plan
        .body
        .approval
        .break_glass
        .iter()
        .map(|g| g.name.as_str())
        .collect();
    let known = match names.is_empty() {
        true => format!("`{}` has no break-glass policy", plan.body.environment),
        false => format!(
            "policies of `{}`: {}",
            plan.body.environment,
            names.join(", ")
        ),
    };
    AppError::new(Reason::BreakGlassRefused, text)
        .hint(known)
        .hint(format!(
            "or ask for an approval: `gonogo approval request {}`",
            plan.id
        ))
        .with("missingFields", json!(refusal.missing_fields))
        .with("policy", policy)
}

/// Every incident, or those that are open, oldest first.
///
/// # Errors
/// The ledger cannot be read.
pub fn list(ws: &Workspace, open: bool) -> Result<Vec<Incident>, AppError> {
    let mut records = Vec::new();
    for kind in [KIND, PAGE] {
        records.extend(ws.ledger.every(Filter {
            kind: Some(kind.into()),
            ..Filter::default()
        })?);
    }
    records.sort_by_key(|r| r.index);
    let said = records
        .iter()
        .map(|r| (r.index, r.stream.as_str(), r.time, &r.body));
    let mut all = read(said);
    if open {
        all.retain(|i| i.closed.is_none());
    }
    Ok(all)
}

/// The incidents that records tell of, oldest first.
pub(crate) fn read<'a>(
    records: impl Iterator<Item = (u64, &'a str, Timestamp, &'a Value)>,
) -> Vec<Incident> {
    let mut all: Vec<Incident> = Vec::new();
    for (index, stream, time, body) in records {
        let known = all
            .iter_mut()
            .find(|i| self::stream(i.incident.as_str()) == stream);
        match (known, facts::text(body, "state")) {
            (None, "open") => {
                let opened = body.get("incident").cloned();
                let opened = opened.and_then(|v| serde_json::from_value::<Incident>(v).ok());
                if let Some(opened) = opened.filter(|o| self::stream(o.incident.as_str()) == stream)
                {
                    all.push(Incident {
                        closed: None,
                        opened_index: index,
                        paged: None,
                        ..opened
                    });
                }
            }
            // A page that was taken stays taken.
            (Some(known), "paged" | "not-paged")
                if known.paged.as_ref().is_none_or(|p| !p.taken) =>
            {
                known.paged = Some(Paged::read(body, time));
            }
            // Who opened it does not close it, whatever a record says.
            (Some(known), "closed") if facts::text(body, "by") != known.opened_by => {
                known.closed = Some(Closing {
                    by: facts::text(body, "by").to_owned(),
                    at: time,
                    review: facts::text(body, "review").to_owned(),
                });
            }
            _ => {}
        }
    }
    all
}

/// The open incidents of an environment.
pub(crate) fn open(ws: &Workspace, environment: &str) -> Result<Vec<Incident>, AppError> {
    let mut all = list(ws, true)?;
    all.retain(|i| i.environment == environment);
    Ok(all)
}

/// Finds the one incident whose id starts with `wanted`.
///
/// # Errors
/// None or several do.
pub fn find(ws: &Workspace, wanted: &str) -> Result<Incident, AppError> {
    let begin = match wanted.starts_with(IncidentId::PREFIX) {
        true => wanted.to_owned(),
        false => format!("{}{wanted}", IncidentId::PREFIX),
    };
    let mut found = list(ws, false)?;
    found.retain(|i| i.incident.as_str().starts_with(&begin));
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(AppError::new(
            Reason::InputNotFound,
            format!("no incident's id starts with `{begin}`"),
        )
        .hint("`gonogo incident list` shows them")),
        _ => Err(AppError::new(
            Reason::IdAmbiguous,
            format!("several incidents' ids start with `{begin}`"),
        )),
    }
}

/// Closes an incident with a review by one of its environment's approvers who did not open it, and neither asked for what was applied nor
/// applied it. A glass that was not used by then is ended by it.
///
/// # Errors
/// [`Reason::IncidentOwn`], [`Reason::IncidentReviewer`], [`Reason::ApprovalKeyRequired`], which are recorded;
/// [`Reason::IncidentClosed`]; agents do not review.
pub fn close(
    ws: &Workspace,
    wanted: &str,
    review: &str,
    principal: &Principal,
) -> Result<Incident, AppError> {
    principal.must_be_a_person()?;
    if let Some(id) = ws.left_as::<String>(KIND, "/incident")? {
        return find(ws, &id);
    }
    let now = ws.now()?;
    let known = find(ws, wanted)?;
    let id = &known.incident;
    if review.trim().is_empty() {
        let text = format!("incident `{id}` is closed with a review, and none was given");
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    }
    if known.closed.is_some() {
        let text = format!("incident `{id}` is closed");
        return Err(AppError::new(Reason::IncidentClosed, text));
    }
    let means = login::means(principal);
    let me = match means.is_empty() {
        true => Some(Identity::claimed(ws)?),
        false => None,
    };
    may_review(ws, &known, &principal.name, me.as_ref()).map_err(|e| {
        let actor = me
            .as_ref()
            .map_or_else(|| principal.name.clone(), |m| format!("key:{}", m.key_id()));
        let e = e.with("claimed", principal.name.as_str());
        ws.refused(&stream(id.as_str()), &actor, e)
    })?;
    if let Some(me) = &me {
        me.enrol(ws)?;
    }
    let draft = Draft {
        stream: stream(id.as_str()),
        key: "closed".into(),
        kind: KIND.into(),
        subject: vec![],
        time: now,
        actor: principal.name.clone(),
        body: json!({"state": "closed", "incident": id, "by": principal.name, "review": review, "means": means}),
        signer: me.and_then(|m| m.key),
    };
    match ws.append(vec![draft]) {
        Err(LedgerError::KeyReused { .. }) => {
            let text = format!("incident `{id}` was closed by somebody else just now");
            Err(AppError::new(Reason::IncidentClosed, text))
        }
        other => {
            other?;
            find(ws, id.as_str())
        }
    }
}

/// Refuses whoever may not review an incident: an agent, whoever had a part in it, and whoever is no approver of its environment or does
/// not come with the listed key. Nothing is made and nothing is enrolled.
fn may_review(
    ws: &Workspace,
    incident: &Incident,
    name: &str,
    me: Option<&Identity>,
) -> Result<(), AppError> {
    let id = &incident.incident;
    tokens::must_be_a_person(ws, name)?;
    let key = me.map(Identity::key_id);
    let plan = applying::plan_of(ws, &incident.plan)?;
    let recorded = approving::recorded(ws, &plan)?;
    let uses = ws.every(planning::stream(&plan.id), approving::USE_KIND)?;
    let mut uses = uses
        .iter()
        .filter(|u| facts::text(&u.body, "approval") == id.as_str());
    let part = if incident.opened_by == name || key.is_some() && opener_key(ws, id)? == key {
        Some("opened it")
    } else if recorded.asked(&plan, name, key.as_deref().unwrap_or_default()) {
        Some("asked for what it let through")
    } else if uses.any(|u| u.actor == name) {
        Some("applied what it let through")
    } else {
        None
    };
    if let Some(part) = part {
        let text = format!("`{name}` {part}: somebody else must review incident `{id}`");
        return Err(AppError::new(Reason::IncidentOwn, text));
    }
    let place = &incident.environment;
    let policy = &ws.config.environment(Some(place))?.approval;
    let approvers = policy.approvers.iter().map(|a| (&a.id, &a.key));
    // Where nobody is an approver, those are listed who may ask.
    let askers = policy.requesters.iter().map(|r| (&r.id, &r.key));
    let alone = policy.approvers.is_empty();
    let listed: Vec<(&String, &String)> = approvers.chain(askers.filter(|_| alone)).collect();
    let is_listed = listed
        .iter()
        .any(|(id, k)| *id == name && key.as_ref().is_none_or(|key| key == *k));
    if !is_listed {
        let names: Vec<&str> = listed.iter().map(|(id, _)| id.as_str()).collect();
        let text = format!(
            "`{name}` is no approver of `{place}` with that key, and it takes one to review incident `{id}`"
        );
        return Err(AppError::new(Reason::IncidentReviewer, text)
            .hint(format!("approvers of `{place}`: {}", names.join(", "))));
    }
    if key.is_none() && !policy.login {
        let text = format!(
            "`{place}` takes no decision by login: the review must be signed with the approver's own key"
        );
        return Err(
            AppError::new(Reason::ApprovalKeyRequired, text).hint(format!(
                "where the project is: `gonogo incident close {id} --review TEXT --key FILE`"
            )),
        );
    }
    Ok(())
}

/// Key id of who broke the glass that opened an incident, where a key signed that.
fn opener_key(ws: &Workspace, id: &IncidentId) -> Result<Option<String>, AppError> {
    let records = ws.ledger.every(Filter {
        kind: Some(GLASS.into()),
        ..Filter::default()
    })?;
    let of_it = records
        .iter()
        .map(|r| facts::signed::<Break>(&r.body, "breakGlass", GLASS_TYPE))
        .find(|(said, _)| said.incident_id == id.as_str());
    Ok(of_it.and_then(|(_, key)| key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_given_back_by_time_and_a_review_together() {
        let at = Timestamp::from_millis;
        let opened = |time: i64, closed: bool| Incident {
            incident: IncidentId::mint([1; 8]),
            severity: SEVERITY.into(),
            opened_by: "finn".into(),
            opened_at: at(time),
            reason: "down".into(),
            policy: "outage".into(),
            plan: PlanId::mint([1; 8]),
            environment: "prod".into(),
            pages: "on-call".into(),
            review_by: at(time),
            closed: closed.then(|| Closing {
                by: "dana".into(),
                at: at(time),
                review: "fine".into(),
            }),
            opened_index: 7,
            paged: None,
        };
        let said = |policy: &str, time: &str| Break {
            policy: policy.into(),
            at: time.into(),
            ..Break::default()
        };
        let hour = Span::from_secs(3600);
        let (end, now) = (at(3_600_000).to_string(), at(3_599_999).to_string());
        for (incident, policy, time, before, counts) in [
            (opened(0, false), "outage", &end, 8, 1),
            (opened(0, true), "outage", &now, 8, 1),
            (opened(0, true), "outage", &end, 8, 0),
            (opened(0, true), "outage", &"soon".to_owned(), 8, 1),
            (opened(0, false), "flood", &now, 8, 0),
            // Itself, and what came after it.
            (opened(0, false), "outage", &now, 7, 0),
        ] {
            let said = said(policy, time);
            let all = [incident];
            assert_eq!(
                counting(&all, hour, &said, before),
                counts,
                "{policy} {time} {before}"
            );
        }
    }
}
