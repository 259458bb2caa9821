//! What keeps a plan from being applied now, asked twice: when somebody applies it, and again by the controller under the lease, so that
//! what was declared between the two counts.

use std::cell::Cell;

use gonogo_core::id::OperationId;
use gonogo_core::{Reason, Span, Timestamp};
use gonogo_engine::{Notice, Progress};
use gonogo_release::effect::Input;
use gonogo_release::freeze;
use gonogo_release::machine::Phase;
use gonogo_release::pin;
use gonogo_release::plan::{PlanBody, PlanKind};
use serde_json::json;

use super::{freezing, pinning};
use crate::{AppError, Workspace};

/// How often a controller looks for freezes while its operation runs.
const EVERY: Span = Span::from_millis(250);

/// Refuses a plan that a freeze or a pin keeps from being applied. Neither keeps a plan that goes back.
///
/// # Errors
/// [`Reason::FreezeActive`], [`Reason::PinActive`]; the ledger cannot be read.
pub(crate) fn may_apply(ws: &Workspace, body: &PlanBody, now: Timestamp) -> Result<(), AppError> {
    if body.kind == PlanKind::Release {
        frozen(ws, body, now)?;
    }
    let Some(pin) = pinning::against(ws, &body.environment, body.kind)? else {
        return Ok(());
    };
    match pin::blocks(&pin, &body.to.version, body.to.content().ok()) {
        None => Ok(()),
        Some(text) => Err(
            AppError::new(Reason::PinActive, format!("{text}; nothing was changed"))
                .hint(format!(
                    "move the pin: `gonogo pin {} --env {} --why TEXT`",
                    body.to.version, body.environment
                ))
                .hint(format!(
                    "or take it away: `gonogo unpin --env {} --why TEXT`",
                    body.environment
                ))
                .with("pin", json!(pin)),
        ),
    }
}

fn frozen(ws: &Workspace, body: &PlanBody, now: Timestamp) -> Result<(), AppError> {
    let active = freezing::active(ws, &body.environment, now)?;
    let Some(first) = freeze::blocks(body.kind, &active) else {
        return Ok(());
    };
    let text = format!(
        "`{}` is frozen by {}; nothing was changed",
        body.environment,
        first.words()
    );
    let error = AppError::new(Reason::FreezeActive, text)
        .hint("planning, reading and `gonogo rollback` work as ever")
        .with("freezes", json!(active));
    Err(match active.iter().find(|a| !a.window) {
        Some(declared) => error.hint(format!(
            "to end it: `gonogo unfreeze {} --why TEXT`",
            declared.freeze
        )),
        None => error,
    })
}

/// Watches freezes and pins for a controller. What has changed nothing yet is refused; what has begun is held where it stands, and goes
/// on being watched. A plan that goes back is left alone.
pub(crate) struct Guard<'a> {
    ws: &'a Workspace,
    operation: &'a OperationId,
    body: &'a PlanBody,
    looked: Cell<Option<u64>>,
    holds: Cell<bool>,
}

impl<'a> Guard<'a> {
    pub(crate) fn of(ws: &'a Workspace, operation: &'a OperationId, body: &'a PlanBody) -> Self {
        Self {
            ws,
            operation,
            body,
            looked: Cell::new(None),
            holds: Cell::new(false),
        }
    }

    /// Looks, if it is time. The first look is under the lease, before the operation's first input.
    pub(crate) fn see(&self, progress: &Progress<'_>) {
        if let Notice::Ended(_) = progress.notice {
            return;
        }
        let now = self.ws.clock.now();
        let first = matches!(progress.notice, Notice::Resumed { .. });
        let waits = self
            .looked
            .get()
            .is_some_and(|at| now.mono_ms < at + EVERY.as_millis());
        let leaves = self.body.kind == PlanKind::Rollback || progress.phase == Phase::RollingBack;
        if leaves || waits && !first {
            return;
        }
        self.looked.set(Some(now.mono_ms));
        let begun = !matches!(progress.phase, Phase::Preflight | Phase::Gates);
        if !begun {
            if let Err(e) = may_apply(self.ws, self.body, now.wall) {
                self.post(&Input::Refuse {
                    reason: e.reason,
                    text: e.message,
                });
            }
            return;
        }
        // What cannot be read holds, as a freeze would.
        let (on, by) = match freezing::active(self.ws, &self.body.environment, now.wall) {
            Ok(active) => match freeze::blocks(self.body.kind, &active) {
                Some(first) => (true, first.by.clone()),
                None => (false, None),
            },
            Err(_) => (true, None),
        };
        if first {
            self.holds.set(self.is_held());
        }
        if on != self.holds.get() {
            let by = by.unwrap_or_else(|| "gonogo".into());
            if self.post(&Input::Freeze { on, by }) {
                self.holds.set(on);
            }
        }
    }

    /// Whether the machine holds: a controller that takes over does not know what the last one told it.
    fn is_held(&self) -> bool {
        let known = self.ws.store.operation(self.operation).ok();
        let state: Option<serde_json::Value> =
            known.and_then(|o| serde_json::from_str(o.snapshot.as_deref()?).ok());
        state.is_some_and(|s| s.get("frozen").and_then(serde_json::Value::as_bool) == Some(true))
    }

    /// Tells the machine. If it cannot be told now, the next look tries again.
    fn post(&self, input: &Input) -> bool {
        let now = self.ws.clock.now().wall;
        self.ws.store.post(self.operation, input, now).is_ok()
    }
}
