//! Controls in a packet: what held when its operation began, by the records alone.
//!
//! What was declared in the ledger can be checked by everybody; windows of `gonogo.toml` cannot, for the packet holds the file's digest
//! and not the file.

use gonogo_core::Reason;
use gonogo_ledger::verify::VerifiedRecord;
use gonogo_release::freeze::{self, Declared};
use gonogo_release::pin::{self, Pin};
use gonogo_release::plan::{PlanBody, PlanKind};
use serde::de::DeserializeOwned;

use crate::controls::freezing::{self, Ended};
use crate::controls::pinning::{self, Removed};
use crate::controls::{STREAMS, goodness};

/// The kinds of records of controls that verifying looks at.
pub(super) const KINDS: [&str; 5] = [
    freezing::BEGUN,
    freezing::ENDED,
    pinning::SET,
    pinning::REMOVED,
    goodness::SAID,
];

/// What held when an operation began, in words: the freezes, and the pin that it was held to or went past because it goes back.
///
/// # Errors
/// Why it should not have begun.
pub(super) fn check(
    records: &[VerifiedRecord],
    begin: &VerifiedRecord,
    plan: &PlanBody,
    result: Option<&str>,
) -> Result<Vec<String>, (Reason, String)> {
    let before = || {
        let of_controls = records
            .iter()
            .filter(|r| STREAMS.contains(&r.stream.as_str()));
        of_controls.filter(|r| r.index < begin.index)
    };
    let mut open: Vec<Declared> = Vec::new();
    let mut held: Option<Pin> = None;
    for record in before() {
        match record.kind.as_str() {
            freezing::BEGUN => open.push(read(record)?),
            freezing::ENDED => {
                let ended: Ended = read(record)?;
                open.retain(|d| !ended.ends(d));
            }
            pinning::SET => {
                let pin: Pin = read(record)?;
                if pin.environment == plan.environment {
                    held = Some(pin);
                }
            }
            pinning::REMOVED => {
                let removed: Removed = read(record)?;
                if removed.environment == plan.environment {
                    held = None;
                }
            }
            _ => {}
        }
    }
    let active = freeze::active(&[], &open, &plan.environment, begin.time);
    let mut told: Vec<String> = active.iter().map(freeze::Active::words).collect();
    // What was declared while it began is what its controller refused it for.
    let refused = result == Some("refused");
    if let Some(first) = freeze::blocks(plan.kind, &active).filter(|_| !refused) {
        let text = format!("record {} begins it under {}", begin.index, first.words());
        return Err((Reason::FreezeActive, text));
    }
    if let Some(pin) = held {
        // No pin keeps anybody from going back.
        let back = plan.kind == PlanKind::Rollback;
        let blocked = pin::blocks(&pin, &plan.to.version, plan.to.content().ok());
        if let Some(text) = blocked.filter(|_| !refused && !back) {
            return Err((Reason::PinActive, format!("record {}: {text}", begin.index)));
        }
        told.push(format!(
            "pinned to `{}` by {}: {}",
            pin.version, pin.by, pin.reason
        ));
    }
    Ok(told)
}

fn read<T: DeserializeOwned>(record: &VerifiedRecord) -> Result<T, (Reason, String)> {
    serde_json::from_value(record.body.clone()).map_err(|e| {
        let text = format!(
            "record {} holds a control that cannot be understood: {e}",
            record.index
        );
        (Reason::PacketCorrupt, text)
    })
}
