//! People's words about versions, judged again by whoever reads them.
//!
//! Invariants: the file is not asked, for it may say something else today; what is read of store and ledger to judge one word is read once
//! for all, so that many words cost what they are, not their square.

use std::collections::{HashMap, HashSet};

use gonogo_core::Timestamp;
use gonogo_core::id::{OperationId, PlanId};
use gonogo_ledger::key_event::CONTROLLER;
use gonogo_release::approval::ApprovalPolicy;
use gonogo_release::machine::Ending;
use gonogo_release::plan::Plan;
use gonogo_store::Operation;
use gonogo_store::ledger::{EnrolledKey, RecordView};

use super::force;
use super::goodness::{STREAM, Said, may_say};
use crate::doors::answered;
use crate::{AppError, Workspace, applying, approving, identity};

/// What judging words about the versions of one environment needs.
pub(super) struct Words<'a> {
    ws: &'a Workspace,
    environment: &'a str,
    keys: Vec<EnrolledKey>,
    /// Which records of the server are whose, by their logins.
    vouched: HashSet<identity::Vouched>,
    /// The environment's operations, newest first, once they are asked for.
    operations: Option<Vec<Operation>>,
    plans: HashMap<PlanId, Plan>,
    ran: HashMap<OperationId, Ran>,
    asked: HashMap<PlanId, approving::AskedBy>,
}

/// What an operation ran.
#[derive(Clone)]
struct Ran {
    plan: PlanId,
    environment: String,
    requester: String,
    /// Whether what it was for was given requests.
    served: bool,
}

impl<'a> Words<'a> {
    /// # Errors
    /// The ledger cannot be read.
    pub(super) fn of(ws: &'a Workspace, environment: &'a str) -> Result<Self, AppError> {
        Ok(Self {
            ws,
            environment,
            keys: ws.ledger.enrolled_keys()?,
            vouched: identity::vouched(ws, STREAM.into())?,
            operations: None,
            plans: HashMap::new(),
            ran: HashMap::new(),
            asked: HashMap::new(),
        })
    }

    /// A plan.
    pub(super) fn plan(&mut self, id: &PlanId) -> Result<&Plan, AppError> {
        if !self.plans.contains_key(id) {
            let plan = applying::plan_of(self.ws, id)?;
            self.plans.insert(id.clone(), plan);
        }
        Ok(&self.plans[id])
    }

    /// Whether a person's word counts: it is theirs, the version was given requests in the operation that it names, and they might say so
    /// under the policy that was in force then.
    ///
    /// # Errors
    /// What it rests on cannot be read.
    pub(super) fn hold(&mut self, record: &RecordView, said: &Said) -> Result<bool, AppError> {
        if said.environment != self.environment {
            return Ok(false);
        }
        let of = |k: &&EnrolledKey| k.key.id() == record.signer;
        // A login has no key here: the server signs, and says beside it by which login.
        let mut keys = self.keys.iter().filter(of);
        let by_login = keys.clone().any(|k| k.role == CONTROLLER);
        let theirs = match by_login {
            true => self.vouched.contains(&identity::Vouched::of(record)),
            false => keys.any(|k| k.who == said.by),
        };
        if record.actor != said.by || !theirs {
            return Ok(false);
        }
        let ran = self.ran(&said.operation)?;
        let plan = self.plan(&ran.plan)?.clone();
        let same = ran.environment == said.environment
            && plan.body.to.version == said.version
            && plan.body.to.content()? == said.content;
        if !same || !ran.served {
            return Ok(false);
        }
        let Some(policy) = self.policy(record.time)? else {
            return Ok(false);
        };
        let judged_by = force::digest(&policy)?;
        let key = match by_login {
            true => String::new(),
            false => record.signer.to_string(),
        };
        let is = |id: &str, of: &str| id == said.by && (by_login || of == key);
        let asked = ran.requester == said.by || self.asked(&plan, record.index, &said.by, &key)?;
        Ok(said.policy.is_none_or(|p| p == judged_by) && may_say(&policy, is, asked).is_ok())
    }

    fn ran(&mut self, id: &OperationId) -> Result<Ran, AppError> {
        if let Some(known) = self.ran.get(id) {
            return Ok(known.clone());
        }
        let operation = self.ws.store.operation(id)?;
        let served = match operation.terminal.as_ref().map(|t| t.result) {
            None | Some(Ending::Refused) => false,
            Some(Ending::Promoted) => true,
            Some(_) => {
                let content = self.plan(&operation.plan)?.body.to.content()?;
                answered(self.ws, &operation, content)?
            }
        };
        let ran = Ran {
            plan: operation.plan,
            environment: operation.environment,
            requester: operation.requester,
            served,
        };
        self.ran.insert(id.clone(), ran.clone());
        Ok(ran)
    }

    /// The approval policy that the environment's newest operation was held to then.
    fn policy(&mut self, at: Timestamp) -> Result<Option<ApprovalPolicy>, AppError> {
        if self.operations.is_none() {
            self.operations = Some(force::operations(self.ws, self.environment)?);
        }
        let all = self.operations.iter().flatten();
        let by_then = all.filter(|o| o.created <= at).map(|o| &o.plan).next();
        let Some(plan) = by_then.cloned() else {
            return Ok(None);
        };
        Ok(Some(self.plan(&plan)?.body.approval.clone()))
    }

    fn asked(&mut self, plan: &Plan, at: u64, name: &str, key: &str) -> Result<bool, AppError> {
        if !self.asked.contains_key(&plan.id) {
            let asked = approving::AskedBy::of(self.ws, plan)?;
            self.asked.insert(plan.id.clone(), asked);
        }
        Ok(self.asked[&plan.id].before(plan, at, name, key))
    }
}
