//! Notices: records of the ledger, told to the webhooks that the configuration names, as Standard Webhooks
//! (<https://www.standardwebhooks.com>, 1.0.0).
//!
//! What is told comes out of the ledger, not out of a queue that somebody fills: a webhook has a place in the ledger up to which it was
//! looked at, and what waits to be sent. So nothing that was acknowledged is lost by a crash, and nothing is told that was not
//! acknowledged. A notice is sent at least once, always with the same id; whoever receives it leaves out what it has seen.
//!
//! Invariants: one process sends to a webhook at a time; what a delivery led to is on disk before the next begins; a receiver that hangs keeps
//! nobody else waiting; no secret is printed, recorded or kept.

mod event;
mod kept;
mod sending;
mod sign;

use gonogo_core::{Reason, Span, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use event::{EVENTS, EVERYTHING, Event, GLASS, USUAL};
pub use kept::{GivenUp, Stopped, Waiting};
pub use sign::{new_secret, signature};

use crate::config::WebhookFile;
use crate::incidents::paging;
use crate::{AppError, Workspace};
use kept::{Kept, Lock};

/// Notices sent to one webhook in one pass: the others of the pass wait no longer than so many deliveries.
const MOST: usize = 20;

/// A webhook and how it stands.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// Its name in the configuration.
    pub name: String,
    /// Host that it is sent to; what else the address says may be secret.
    pub host: String,
    /// What is told.
    pub events: Vec<String>,
    /// Index of the last record that was looked at; none before the first.
    pub looked_at: Option<u64>,
    /// How many were delivered.
    pub delivered: u64,
    /// When the last one was.
    pub last: Option<Timestamp>,
    /// What waits, next first.
    pub waiting: Vec<Waiting>,
    /// What was given up, oldest first; the newest hundred.
    pub given_up: Vec<GivenUp>,
    /// Why nothing is sent any more, until `gonogo webhook resend`.
    pub stopped: Option<Stopped>,
}

/// What a pass did.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Passed {
    /// Notices that were delivered now.
    pub delivered: u64,
    /// Notices that wait.
    pub waiting: u64,
    /// When the next one is due; none if nothing waits.
    pub next: Option<Timestamp>,
    /// What went wrong, a line a webhook.
    pub troubles: Vec<String>,
    /// Webhooks for which notices wait, and that nothing is sent to any more until somebody lets them go on.
    pub stopped: Vec<String>,
    /// Whether another process sends now; then this one did nothing.
    pub busy: bool,
}

/// Lets every webhook that was not known before begin at the ledger's end: what was recorded before is not told.
///
/// # Errors
/// The ledger or the state directory.
pub fn begin(ws: &Workspace) -> Result<(), AppError> {
    for name in ws.config.webhooks.keys() {
        // Whoever is known is left alone, and whoever sends to them.
        if Kept::read(ws, name)?.is_none()
            && let Some(_lock) = Lock::take(ws, name)?
            && Kept::read(ws, name)?.is_none()
        {
            Kept::at_the_end(ws.ledger.size()?).write(ws, name)?;
        }
    }
    Ok(())
}

/// Looks what is new, and sends what is due. Each webhook is served beside the others.
///
/// # Errors
/// The ledger or the state directory. What receivers do is no error: it is in [`Passed::troubles`].
pub fn pass(ws: &Workspace) -> Result<Passed, AppError> {
    let all = std::thread::scope(|scope| {
        let names = ws.config.webhooks.keys();
        let threads: Vec<_> = names
            .map(|name| scope.spawn(|| pass_one(ws, name)))
            .collect();
        let ended = threads.into_iter().map(|thread| match thread.join() {
            Ok(one) => one,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        ended.collect::<Result<Vec<_>, AppError>>()
    })?;
    let mut sum = Passed::default();
    for one in all {
        sum.delivered += one.delivered;
        sum.waiting += one.waiting;
        sum.next = sum.next.into_iter().chain(one.next).min();
        sum.troubles.extend(one.troubles);
        sum.stopped.extend(one.stopped);
        sum.busy |= one.busy;
    }
    Ok(sum)
}

/// Whether a webhook has anything to look at or to send now.
///
/// # Errors
/// The ledger or the state directory.
pub fn is_due(ws: &Workspace, name: &str) -> Result<bool, AppError> {
    let Some(kept) = Kept::read(ws, name)? else {
        return Ok(true);
    };
    let size = ws.ledger.size()?;
    let seen = kept.looked_at.map_or(0, |index| index + 1);
    Ok(kept.stopped.is_none() && (seen < size || kept.first_due(ws.clock.now().wall).is_some()))
}

/// Looks what is new for one webhook, and sends what is due.
///
/// # Errors
/// As [`pass`]; [`Reason::WebhookUnknown`].
pub fn pass_one(ws: &Workspace, name: &str) -> Result<Passed, AppError> {
    let webhook = find(ws, name)?;
    let mut passed = Passed::default();
    let Some(_lock) = Lock::take(ws, name)? else {
        passed.busy = true;
        return Ok(passed);
    };
    let mut kept = match Kept::read(ws, name)? {
        Some(kept) => kept,
        None => {
            let fresh = Kept::at_the_end(ws.ledger.size()?);
            fresh.write(ws, name)?;
            fresh
        }
    };
    if kept.stopped.is_none() {
        if kept.look(ws, webhook)? {
            kept.write(ws, name)?;
        }
        match sending::secrets(ws, webhook) {
            // Nothing was tried, so no attempt is counted.
            Err(e) if !kept.waiting.is_empty() => {
                passed.troubles.push(format!("{name}: {}", e.message));
            }
            Err(_) => {}
            Ok(secrets) => send(ws, name, webhook, &secrets, &mut kept, &mut passed)?,
        }
    }
    passed.waiting = kept.waiting.len() as u64;
    passed.next = match &kept.stopped {
        Some(_) if kept.waiting.is_empty() => None,
        Some(_) => {
            passed.stopped.push(name.to_owned());
            None
        }
        None => kept.waiting.iter().map(|w| w.due).min(),
    };
    Ok(passed)
}

fn send(
    ws: &Workspace,
    name: &str,
    webhook: &WebhookFile,
    secrets: &[sign::Secret],
    kept: &mut Kept,
    passed: &mut Passed,
) -> Result<(), AppError> {
    for _ in 0..MOST {
        let now = ws.clock.now().wall;
        let Some(at) = kept.first_due(now) else {
            return Ok(());
        };
        let waiting = kept.waiting[at].clone();
        let said = match event::of_record(ws, name, webhook, waiting.index)? {
            Some(notice) => sending::deliver(webhook, secrets, &notice, now),
            // The record is no longer what the webhook is about: the configuration has changed since.
            None => sending::Said::Taken,
        };
        match &said {
            sending::Said::Taken => passed.delivered += 1,
            sending::Said::Gone(text) | sending::Said::Failed { text, .. } => {
                passed.troubles.push(format!("{name}: {text}"));
            }
        }
        let taken = said == sending::Said::Taken;
        let why = match &said {
            sending::Said::Taken => None,
            sending::Said::Gone(text) | sending::Said::Failed { text, .. } => Some(text.clone()),
        };
        kept.note(at, said, ws.clock.now().wall);
        kept.write(ws, name)?;
        // Who was paged for an emergency, and who was not, stands beside it.
        if let Err(e) = paging::sent(ws, name, waiting.index, why.as_deref()) {
            passed.troubles.push(format!("{name}: {}", e.message));
        }
        if !taken {
            // Whoever does not take this one is left alone for a moment; the rest is due in the next pass.
            return Ok(());
        }
    }
    Ok(())
}

/// Why a webhook would send nothing now; none if it would.
///
/// # Errors
/// The state directory; [`Reason::WebhookUnknown`].
pub(crate) fn silent(ws: &Workspace, name: &str) -> Result<Option<String>, AppError> {
    let webhook = find(ws, name)?;
    let stopped = Kept::read(ws, name)?.and_then(|kept| kept.stopped);
    Ok(match stopped {
        Some(stopped) => Some(format!("stopped since {}: {}", stopped.at, stopped.why)),
        None => sending::secrets(ws, webhook).err().map(|e| e.message),
    })
}

/// Every webhook, and how it stands.
///
/// # Errors
/// The state directory.
pub fn list(ws: &Workspace) -> Result<Vec<Standing>, AppError> {
    let webhooks = ws.config.webhooks.iter();
    webhooks
        .map(|(name, webhook)| {
            let kept = Kept::read(ws, name)?.unwrap_or_default();
            Ok(Standing {
                name: name.clone(),
                host: webhook.url.host().unwrap_or_default().to_owned(),
                events: webhook.events.clone(),
                looked_at: kept.looked_at,
                delivered: kept.delivered,
                last: kept.last,
                waiting: kept.waiting.into_iter().collect(),
                given_up: kept.given_up.into_iter().collect(),
                stopped: kept.stopped,
            })
        })
        .collect()
}

/// Finds a webhook.
///
/// # Errors
/// [`Reason::WebhookUnknown`].
pub fn find<'a>(ws: &'a Workspace, name: &str) -> Result<&'a WebhookFile, AppError> {
    ws.config.webhooks.get(name).ok_or_else(|| {
        let names: Vec<&str> = ws.config.webhooks.keys().map(String::as_str).collect();
        let text = format!(
            "the configuration names no webhook `{}`",
            name.escape_debug()
        );
        AppError::new(Reason::WebhookUnknown, text).hint(match names.as_slice() {
            [] => "it names none; describe one: `[webhooks.NAME]`".to_owned(),
            names => format!("known: {}", names.join(", ")),
        })
    })
}

/// Sends one `webhook.test` now, and says what the receiver answered. It is never sent again.
///
/// # Errors
/// [`Reason::WebhookUnknown`]; [`Reason::WebhookFailed`] with the answer.
pub fn test(ws: &Workspace, name: &str) -> Result<(), AppError> {
    let webhook = find(ws, name)?;
    let secrets = sending::secrets(ws, webhook)?;
    let now = ws.now()?;
    let notice = event::test(ws, now);
    match sending::deliver(webhook, &secrets, &notice, now) {
        sending::Said::Taken => Ok(()),
        sending::Said::Gone(text) => Err(AppError::new(
            Reason::WebhookFailed,
            format!("webhook `{name}`: {text}"),
        )
        .hint("a receiver that answers so is sent nothing more: give another address, or take the webhook out")),
        sending::Said::Failed { text, .. } => Err(AppError::new(
            Reason::WebhookFailed,
            format!("webhook `{name}`: {text}"),
        )),
    }
}

/// Lets a webhook that was stopped go on, and makes everything due that waits or was given up. Returns how many are due now.
///
/// # Errors
/// [`Reason::WebhookUnknown`]; [`Reason::StoreFailed`] while notices are being sent.
pub fn resend(ws: &Workspace, name: &str) -> Result<u64, AppError> {
    let webhook = find(ws, name)?;
    // Who sends lets go after each failure, so this long is enough unless everything is taken, one after the other.
    let longest = webhook.timeout.plus(Span::from_secs(5));
    let Some(_lock) = Lock::wait(ws, name, longest)? else {
        let text = format!("notices are being sent to `{name}` now");
        return Err(AppError::new(Reason::StoreFailed, text).hint("try again in a moment"));
    };
    let now = ws.now()?;
    let mut kept = Kept::read(ws, name)?.unwrap_or_default();
    kept.again(now);
    kept.write(ws, name)?;
    Ok(kept.waiting.len() as u64)
}

/// After how long attempt number `attempts` (from 1) is followed by the next; none after the last. The specification's own schedule.
pub(crate) fn pause(attempts: u32) -> Option<Span> {
    const SECONDS: [u64; 9] = [
        5,
        5 * 60,
        30 * 60,
        2 * 3_600,
        5 * 3_600,
        10 * 3_600,
        14 * 3_600,
        20 * 3_600,
        24 * 3_600,
    ];
    let at = usize::try_from(attempts.checked_sub(1)?).ok()?;
    SECONDS.get(at).copied().map(Span::from_secs)
}
