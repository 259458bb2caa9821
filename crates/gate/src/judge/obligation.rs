//! An obligation while it is judged, and what age and subject make of a piece of evidence.

use gonogo_core::{Reason, Timestamp, Verdict as Status};

use super::{Court, earliest, short};
use crate::inputs::{Found, Origin};
use crate::policy::{Age, Trees};
use crate::verdict::{Evidence, Obligation, Standing, TOLD, Told};

/// An obligation that is being judged.
pub(crate) struct Open {
    row: Obligation,
}

impl Open {
    pub(crate) fn new(gate: &str, part: &str, required: impl Into<String>) -> Self {
        let id = if part.is_empty() {
            gate.to_owned()
        } else {
            format!("{gate}/{part}")
        };
        Self {
            row: Obligation {
                id,
                required: short(&required.into()),
                standing: Standing::Satisfied,
                status: Status::Pass,
                reasons: Vec::new(),
                reasons_omitted: 0,
                evidence: Vec::new(),
                expires_at: None,
            },
        }
    }

    /// Notes a reason.
    pub(crate) fn tell(&mut self, code: Reason, text: impl AsRef<str>) {
        self.tell_of(code, text, None, None);
    }

    /// Notes a reason about a target or a test.
    pub(crate) fn tell_of(
        &mut self,
        code: Reason,
        text: impl AsRef<str>,
        target: Option<&str>,
        test: Option<String>,
    ) {
        self.row.status = self.row.status.max(code.verdict());
        self.row.standing = self.row.standing.max(standing(code));
        if self.row.reasons.len() == TOLD {
            self.row.reasons_omitted += 1;
            // What is kept must hold the worst.
            let worse = self
                .row
                .reasons
                .iter_mut()
                .rev()
                .find(|t| t.code.verdict() < code.verdict());
            let Some(place) = worse else { return };
            *place = make(code, text.as_ref(), target, test);
            return;
        }
        self.row
            .reasons
            .push(make(code, text.as_ref(), target, test));
    }

    /// Notes many more of one reason than are told.
    pub(crate) fn omit(&mut self, code: Reason, count: u64) {
        if count > 0 {
            self.row.status = self.row.status.max(code.verdict());
            self.row.standing = self.row.standing.max(standing(code));
            self.row.reasons_omitted += count;
        }
    }

    /// Whether nothing was noted that makes it less than a pass.
    pub(crate) fn is_well(&self) -> bool {
        self.row.status == Status::Pass
    }

    /// Names what it rests on.
    pub(crate) fn cite(
        &mut self,
        what: impl Into<String>,
        digest: gonogo_core::Digest,
        record: Option<u64>,
    ) {
        let evidence = Evidence {
            what: what.into(),
            digest,
            record,
        };
        if !self.row.evidence.contains(&evidence) {
            self.row.evidence.push(evidence);
        }
    }

    /// It holds until then at most.
    pub(crate) fn until(&mut self, time: Timestamp) {
        self.row.expires_at = earliest([self.row.expires_at, Some(time)]);
    }

    /// Weighs a piece of evidence: it is there, readable, of the tree, and fresh.
    pub(crate) fn weigh<'f, T>(
        &mut self,
        court: &Court<'_>,
        what: &str,
        found: Option<&'f Found<T>>,
        age: Age,
    ) -> Option<(&'f T, &'f Origin)> {
        match found {
            None | Some(Found::Absent) => {
                self.tell(Reason::EvidenceMissing, format!("{what}: there is none"));
                None
            }
            Some(Found::Unreadable { why, digest }) => {
                if let Some(digest) = digest {
                    self.cite(what, *digest, None);
                }
                self.tell(Reason::EvidenceUnparsable, format!("{what}: {why}"));
                None
            }
            Some(Found::Present { value, origin }) => {
                self.cite(what, origin.digest, origin.record);
                if age.tree == Trees::Same {
                    match &origin.tree {
                        Some(tree) if *tree == court.inputs.subject.tree => {}
                        Some(tree) => {
                            self.tell(
                                Reason::EvidenceWrongTree,
                                format!("{what}: it is of tree {}", short(tree)),
                            );
                        }
                        None => {
                            self.tell(
                                Reason::EvidenceWrongTree,
                                format!("{what}: nobody says of which tree it is"),
                            );
                        }
                    }
                }
                match origin.at {
                    Some(at) => self.age(court, what, at, age.max_age),
                    None => {
                        self.tell(
                            Reason::EvidenceStale,
                            format!("{what}: nobody says when it came about"),
                        );
                    }
                }
                Some((value, origin))
            }
        }
    }

    /// A time must not lie ahead and not too far back.
    pub(crate) fn age(
        &mut self,
        court: &Court<'_>,
        what: &str,
        at: Timestamp,
        max_age: gonogo_core::Span,
    ) {
        let now = court.inputs.now;
        let ends = at.after(max_age);
        if at > now.after(court.policy.defaults.clock_skew) {
            self.tell(
                Reason::ClockSkew,
                format!("{what}: it is of {at}, which lies in the future"),
            );
        } else if ends <= now {
            self.tell(
                Reason::EvidenceStale,
                format!("{what}: it is of {at}, and at most {max_age} are admitted"),
            );
        } else {
            self.until(ends);
        }
    }

    /// The obligation. One that rests on nothing cannot be satisfied.
    pub(crate) fn finish(mut self) -> Obligation {
        if self.row.status == Status::Pass && self.row.evidence.is_empty() {
            self.tell(Reason::EvidenceMissing, "nothing shows it");
        }
        self.row
    }
}

fn make(code: Reason, text: &str, target: Option<&str>, test: Option<String>) -> Told {
    Told {
        code,
        text: short(text),
        target: target.map(short),
        test: test.as_deref().map(short),
    }
}

const fn standing(code: Reason) -> Standing {
    match code {
        Reason::EvidenceMissing
        | Reason::BaselineMissing
        | Reason::ShardMissing
        | Reason::TestMissing
        | Reason::PerfInsufficient => Standing::Missing,
        Reason::EvidenceStale | Reason::EvidenceWrongTree => Standing::Stale,
        code => match code.verdict() {
            Status::Pass => Standing::Satisfied,
            Status::Excused => Standing::Excused,
            Status::Hold | Status::Fail => Standing::Violated,
            Status::Invalid => Standing::Invalid,
        },
    }
}
