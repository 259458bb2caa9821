//! Who signed the checkpoint, whether the reader believes that log, and whether enough witnesses have seen it.

use gonogo_core::Reason;

use super::Trust;
use super::examine::Context;
use super::members::Small;
use super::report::{Findings, Shown, Step};
use super::walk::Walked;
use crate::error::Error;
use crate::note::{Checkpoint, Note};
use crate::packet::{DESCRIPTION, Manifest, POLICY, TRUSTED_ROOT, write};
use crate::policy::Policy;
use crate::trusted_root;

/// Opens the checkpoint with the key that the packet's own policy has for it, and compares the members that follow from it.
pub(super) fn log(
    context: &Context,
    small: &Small,
    manifest: &Manifest,
    walked: &Walked,
    notes: &mut Findings,
) -> Option<Shown> {
    let opened = policy(small).and_then(|policy| {
        let id = context.bundles.log_id();
        let log = policy.logs().iter().find(|log| log.vkey.full_id() == *id);
        let vkey = log.map(|log| log.vkey.clone()).ok_or_else(|| {
            Error::Packet(format!("`{POLICY}` does not name the log of the records"))
        })?;
        Ok((Checkpoint::open(&context.note, &vkey)?, vkey))
    });
    let (checkpoint, log) = match opened {
        Ok(opened) => opened,
        Err(e) => {
            let reason = match e {
                Error::Signature(_) => Reason::SignatureInvalid,
                _ => Reason::PacketCorrupt,
            };
            notes.fail(Step::Checkpoint, reason, e.to_string());
            return None;
        }
    };
    notes.pass(
        Step::Checkpoint,
        format!(
            "log `{}` signed {} leaves",
            checkpoint.origin, checkpoint.size
        ),
    );
    for (name, found, expected) in [
        (
            DESCRIPTION,
            &small.description,
            write::description(
                log.name(),
                walked.about.as_deref().unwrap_or_default(),
                manifest.records.count,
                small.blobs,
            ),
        ),
        (
            TRUSTED_ROOT,
            &small.trusted_root,
            trusted_root::of_log(&log),
        ),
    ] {
        if !expected.is_ok_and(|expected| expected == *found) {
            notes.fail(
                Step::Members,
                Reason::PacketCorrupt,
                format!("`{name}` does not say what the packet says"),
            );
        }
    }
    Some(Shown {
        checkpoint,
        log,
        note: context.note.clone(),
        links: Vec::new(),
    })
}

/// Judges log and witnesses by the reader's policy; by the packet's only if the reader says so.
pub(super) fn judge(shown: &Shown, small: &Small, trust: &Trust, notes: &mut Findings) {
    let own = policy(small).ok().filter(|_| trust.packet);
    let Some(policy) = trust.policy.as_ref().or(own.as_ref()) else {
        let text = format!("no trusted log was given; the packet brings {}", shown.log);
        notes.fail(Step::Trust, Reason::TrustMissing, text);
        notes.skip(Step::Quorum, "no policy was given");
        return;
    };
    if !policy.logs().iter().any(|log| log.vkey == shown.log) {
        let list: Vec<String> = policy.logs().iter().map(|l| l.vkey.to_string()).collect();
        let text = format!(
            "the packet's log is {}, you trust {}",
            shown.log,
            if list.is_empty() {
                "no log".to_owned()
            } else {
                list.join(", ")
            }
        );
        notes.fail(Step::Trust, Reason::TrustMismatch, text);
        return;
    }
    let from = match &trust.policy {
        Some(_) => "the policy given",
        None => "the packet's own policy, which you chose to believe,",
    };
    let text = format!("{from} trusts the key of `{}`", shown.log.name());
    notes.pass(Step::Trust, text);
    quorum(&shown.note, policy, notes);
}

fn quorum(note: &str, policy: &Policy, notes: &mut Findings) {
    if !policy.asks_for_witnesses() {
        notes.skip(Step::Quorum, "the policy asks for no witness");
        return;
    }
    let note = match Note::parse(note) {
        Ok(note) => note,
        Err(e) => return notes.fail(Step::Quorum, Reason::PacketCorrupt, e.to_string()),
    };
    let quorum = policy.judge(&note);
    let seen = quorum.cosigned.iter().map(|(name, _)| name.as_str());
    let seen = seen.collect::<Vec<_>>().join(", ");
    if let Some(bad) = quorum.invalid.first() {
        let text = format!("the cosignature by witness `{bad}` does not verify");
        notes.fail(Step::Quorum, Reason::SignatureInvalid, text);
    } else if quorum.met {
        let text = format!("cosigned by {seen}; asked for: {}", quorum.needed);
        notes.pass(Step::Quorum, text);
    } else {
        let seen = if seen.is_empty() { "nobody" } else { &seen };
        let text = format!("cosigned by {seen}; asked for: {}", quorum.needed);
        notes.fail(Step::Quorum, Reason::QuorumUnmet, text);
    }
}

fn policy(small: &Small) -> Result<Policy, Error> {
    let text = std::str::from_utf8(&small.policy)
        .map_err(|_| Error::Packet(format!("`{POLICY}` is not UTF-8")))?;
    Policy::parse(text)
}
