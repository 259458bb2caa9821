//! Trust policies: which logs are believed, which witnesses are known, and how many of them must have cosigned
//! (c2sp.org/tlog-policy).
//!
//! A policy is the verifier's own file. Names of witnesses and groups mean nothing outside of it.
//!
//! Invariants: a group refers to earlier lines only and a name is a member of at most one group, so groups are trees and a
//! witness counts once; two witnesses never share a key, nor a witness and a log; a key that this build cannot verify is refused when the policy is
//! read; every refused line is named by its number.

mod parse;

use std::fmt::Write as _;

use crate::cosignature;
use crate::error::Error;
use crate::note::{Checkpoint, Note, Vkey};

/// The longest policy, in bytes.
pub const MAX_POLICY: usize = 256 * 1024;

/// How many logs, witnesses or groups a policy may have, each.
pub const MAX_PARTIES: usize = 256;

/// A log that is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyLog {
    /// Its key; the key's name is the log's origin.
    pub vkey: Vkey,
    /// Where it is, if the policy says.
    pub url: Option<String>,
}

/// A witness that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyWitness {
    /// What the policy calls it.
    pub name: String,
    /// Its key.
    pub vkey: Vkey,
    /// Its submission prefix, if the policy says.
    pub url: Option<String>,
}

/// A reference to what has cosigned or not: positions in the policy's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    name: String,
    threshold: usize,
    members: Vec<Member>,
}

/// A trust policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    quorum: Option<Member>,
}

/// What a policy's quorum says of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    /// Whether enough witnesses cosigned and no known one did badly.
    pub met: bool,
    /// Who cosigned, by the policy's name, and when, in seconds since 1970; in the policy's order.
    pub cosigned: Vec<(String, u64)>,
    /// Who is known and did not cosign.
    pub missing: Vec<String>,
    /// Whose cosignature is there and bad; any spoils the quorum.
    pub invalid: Vec<String>,
    /// For people: what the quorum asks for, and what spoilt it.
    pub needed: String,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// [`Error::Policy`] naming the line at fault.
    pub fn parse(text: &str) -> Result<Self, Error> {
        parse::policy(text)
    }

    /// Returns the policy that believes one log and asks for no witness. A key that is no log's (type 01) opens nothing.
    pub fn log_only(vkey: Vkey) -> Self {
        Self {
            logs: vec![PolicyLog { vkey, url: None }],
            witnesses: Vec::new(),
            groups: Vec::new(),
            quorum: None,
        }
    }

    /// Returns the policy's text, without comments: logs, witnesses, groups, quorum. It reads back as the same policy.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        let url =
            |url: &Option<String>| url.as_ref().map_or(String::new(), |url| format!(" {url}"));
        for log in &self.logs {
            out.push_str(&format!("log {}{}\n", log.vkey, url(&log.url)));
        }
        for witness in &self.witnesses {
            let (name, vkey) = (&witness.name, &witness.vkey);
            out.push_str(&format!("witness {name} {vkey}{}\n", url(&witness.url)));
        }
        for group in &self.groups {
            let members: Vec<&str> = group.members.iter().map(|m| self.name(*m)).collect();
            let threshold = match group.threshold {
                k if k == members.len() => "all".to_owned(),
                1 => "any".to_owned(),
                k => k.to_string(),
            };
            let (name, members) = (&group.name, members.join(" "));
            out.push_str(&format!("group {name} {threshold} {members}\n"));
        }
        let quorum = self.quorum.map_or(NONE, |member| self.name(member));
        out.push_str(&format!("quorum {quorum}\n"));
        out
    }

    /// Returns the logs, in the policy's order. May be empty.
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// Returns the key of the log `origin`: the first, if the policy has several for it.
    pub fn log(&self, origin: &str) -> Option<&Vkey> {
        let mut logs = self.logs.iter().map(|log| &log.vkey);
        logs.find(|vkey| vkey.name() == origin)
    }

    /// Returns the witnesses, in the policy's order. May be empty.
    pub fn witnesses(&self) -> &[PolicyWitness] {
        &self.witnesses
    }

    /// Returns whether the quorum asks for any witness at all.
    pub const fn asks_for_witnesses(&self) -> bool {
        self.quorum.is_some()
    }

    /// Opens a checkpoint with whichever of the policy's logs signed it, and judges its quorum. The caller must look at
    /// [`Quorum::met`].
    ///
    /// # Errors
    /// [`Error::Note`] if it is no checkpoint; [`Error::UnknownLog`] if the policy names no log of that origin;
    /// [`Error::Signature`] if none of its keys signed, or one that is named signed badly.
    pub fn open(&self, note: &str) -> Result<(Checkpoint, &Vkey, Quorum), Error> {
        let parsed = Note::parse(note)?;
        let origin = Checkpoint::read_unverified(&parsed)?.origin;
        let mut failure = Error::UnknownLog(origin.escape_debug().to_string());
        let mut opened = None;
        for log in self.logs.iter().filter(|log| log.vkey.name() == origin) {
            let signed = parsed.signatures_by(&log.vkey).next().is_some();
            match Checkpoint::open(note, &log.vkey) {
                Ok(checkpoint) if opened.is_none() => opened = Some((checkpoint, &log.vkey)),
                Ok(_) => {}
                Err(e) if signed => return Err(e),
                Err(e) => failure = e,
            }
        }
        let (checkpoint, vkey) = opened.ok_or(failure)?;
        Ok((checkpoint, vkey, self.judge(&parsed)))
    }

    /// Judges the cosignatures of a note against the quorum. The log's own signature is not looked at: see
    /// [`Policy::open`].
    pub fn judge(&self, note: &Note) -> Quorum {
        let (mut cosigned, mut missing, mut invalid) = (Vec::new(), Vec::new(), Vec::new());
        let mut has = Vec::with_capacity(self.witnesses.len());
        for witness in &self.witnesses {
            let found = cosignature::find(note, &witness.vkey);
            has.push(matches!(found, Ok(Some(_))));
            match found {
                Ok(Some(time)) => cosigned.push((witness.name.clone(), time)),
                Ok(None) => missing.push(witness.name.clone()),
                Err(_) => invalid.push(witness.name.clone()),
            }
        }
        let mut needed = self.describe();
        if !invalid.is_empty() {
            let _ = write!(
                needed,
                "; refused, because the cosignature by {} is bad",
                invalid.join(", ")
            );
        }
        Quorum {
            met: invalid.is_empty() && self.is_met(&has),
            cosigned,
            missing,
            invalid,
            needed,
        }
    }

    /// Whether the quorum is met if exactly the witnesses marked in `has` cosigned.
    fn is_met(&self, has: &[bool]) -> bool {
        // Members come before their group, so one pass in order settles all.
        let mut groups: Vec<bool> = Vec::with_capacity(self.groups.len());
        let holds = |member: Member, groups: &[bool]| match member {
            Member::Witness(at) => has[at],
            Member::Group(at) => groups[at],
        };
        for group in &self.groups {
            let count = group.members.iter().filter(|m| holds(**m, &groups)).count();
            groups.push(count >= group.threshold);
        }
        self.quorum.is_none_or(|member| holds(member, &groups))
    }

    fn name(&self, member: Member) -> &str {
        match member {
            Member::Witness(at) => &self.witnesses[at].name,
            Member::Group(at) => &self.groups[at].name,
        }
    }

    fn describe(&self) -> String {
        // As for `is_met`: a group's description only needs earlier ones.
        let mut groups: Vec<String> = Vec::with_capacity(self.groups.len());
        let tell = |member: Member, groups: &[String]| match member {
            Member::Witness(at) => self.witnesses[at].name.clone(),
            Member::Group(at) => groups[at].clone(),
        };
        for group in &self.groups {
            let members: Vec<String> = group.members.iter().map(|m| tell(*m, &groups)).collect();
            let list = members.join(", ");
            groups.push(match members.as_slice() {
                [_] => list,
                all => format!("{} of {} ({list})", group.threshold, all.len()),
            });
        }
        match self.quorum {
            Some(member) => tell(member, &groups),
            None => "no witness".to_owned(),
        }
    }
}

/// The name that stands for no quorum.
const NONE: &str = "none";

#[cfg(test)]
mod tests;
