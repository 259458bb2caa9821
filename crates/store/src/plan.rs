//! The index of plans. A plan is named by its content, so the first one stored under an id stays.

use gonogo_core::id::PlanId;
use gonogo_release::Plan;
use rusqlite::{OptionalExtension, params};

use crate::database::Store;
use crate::error::{Fault, StoreError};

impl Store {
    /// Stores `plan`; says whether it is new. The same content planned again changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    pub fn put_plan(&self, plan: &Plan) -> Result<bool, StoreError> {
        self.write(|c| {
            let body =
                serde_json::to_string(plan).map_err(|e| Fault::malformed("plan", &plan.id, e))?;
            let added = c.execute(
                "INSERT OR IGNORE INTO plan(id, fingerprint, environment, service, requester, created, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    plan.id.as_str(),
                    plan.fingerprint.to_string(),
                    plan.body.environment,
                    plan.body.service,
                    plan.requester,
                    plan.created_at.as_millis(),
                    body
                ],
            )?;
            Ok(added == 1)
        })
    }

    /// The plan with this id. Whether it is intact is for the caller to check.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there is none, [`StoreError::Malformed`] if it cannot be understood.
    pub fn plan(&self, id: &PlanId) -> Result<Plan, StoreError> {
        self.read(|c| {
            let body: Option<String> = c
                .query_row("SELECT body FROM plan WHERE id = ?1", [id.as_str()], |r| {
                    r.get(0)
                })
                .optional()?;
            let body = body.ok_or_else(|| StoreError::Unknown {
                what: "plan",
                id: id.to_string(),
            })?;
            serde_json::from_str(&body).map_err(|e| Fault::malformed("plan", id, e))
        })
    }

    /// Ids of plans that begin with `prefix`, at most `limit`, newest first. The empty prefix lists all.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn plan_ids(&self, prefix: &str, limit: u32) -> Result<Vec<PlanId>, StoreError> {
        self.read(|c| {
            let mut query = c.prepare_cached(
                "SELECT id FROM plan WHERE substr(id, 1, length(?1)) = ?1 ORDER BY created DESC, id LIMIT ?2",
            )?;
            let ids = query.query_map(params![prefix, limit], |r| r.get::<_, String>(0))?;
            ids.map(|id| {
                let id = id?;
                id.parse().map_err(|e| Fault::malformed("plan", &id, e))
            })
            .collect()
        })
    }
}
