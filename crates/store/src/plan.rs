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

    /// Plans of `environment`, or of all, newest first, at most `limit`; those behind the plan `after` alone if one is named.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read, or a plan cannot be understood.
    pub fn plans(
        &self,
        environment: Option<&str>,
        after: Option<&PlanId>,
        limit: u32,
    ) -> Result<Vec<Plan>, StoreError> {
        self.read(|c| {
            let mut query = c.prepare_cached(
                "SELECT id, body FROM plan
                 WHERE (?1 IS NULL OR environment = ?1)
                   AND (?2 IS NULL OR (created, id) < (SELECT created, id FROM plan WHERE id = ?2))
                 ORDER BY created DESC, id DESC LIMIT ?3",
            )?;
            let rows = query.query_map(
                params![environment, after.map(PlanId::as_str), limit],
                |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)),
            )?;
            rows.map(|row| {
                let (id, body) = row?;
                serde_json::from_str(&body).map_err(|e| Fault::malformed("plan", &id, e))
            })
            .collect()
        })
    }
}
