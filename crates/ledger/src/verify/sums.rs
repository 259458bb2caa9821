//! `SHA256SUMS` against the members: exactly the lines that the members have, in their order.

use gonogo_core::{Digest, Reason};

use super::report::{Findings, Step};
use crate::error::Error;
use crate::packet::{Manifest, SUMS, sums_line};

/// `SHA256SUMS`, held against the members in its order.
pub(super) struct Sums {
    text: String,
    digest: Digest,
    at: usize,
    lines: u64,
}

impl Sums {
    pub(super) fn read(bytes: Vec<u8>) -> Result<Self, Error> {
        let digest = Digest::of(&bytes);
        let text = String::from_utf8(bytes).map_err(|_| Error::Packet("not UTF-8".into()))?;
        Ok(Self {
            text,
            digest,
            at: 0,
            lines: 0,
        })
    }

    /// The name in the next line, and where the line ends.
    fn next(&self) -> Option<(&str, usize)> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let end = rest.find('\n').map_or(rest.len(), |n| n + 1);
        let name = rest[..end].trim_end_matches('\n').get(66..).unwrap_or("");
        Some((name, self.at + end))
    }

    pub(super) fn member(&mut self, name: &str, digest: &Digest, notes: &mut Findings) {
        while let Some((listed, end)) = self.next() {
            if listed > name {
                break;
            }
            let line = &self.text[self.at..end];
            if listed == name {
                if line != sums_line(digest, name) {
                    let text = format!("`{name}` has another digest than `{SUMS}` says");
                    notes.fail(Step::Members, Reason::PacketCorrupt, text);
                }
                self.at = end;
                self.lines += 1;
                return;
            }
            let text = format!("`{listed}` is missing");
            notes.fail(Step::Members, Reason::PacketMemberMissing, text);
            self.at = end;
        }
        let text = format!("`{name}` is not in `{SUMS}`");
        notes.fail(Step::Members, Reason::PacketMemberAdded, text);
    }

    pub(super) fn end(self, manifest: &Manifest, notes: &mut Findings) {
        if let Some((listed, _)) = self.next() {
            let text = format!("`{listed}` is missing");
            notes.fail(Step::Members, Reason::PacketMemberMissing, text);
        }
        if self.digest != manifest.members.digest || self.lines != manifest.members.count {
            let text = format!("`{SUMS}` is not the list that the manifest names");
            notes.fail(Step::Members, Reason::PacketCorrupt, text);
        }
    }
}
