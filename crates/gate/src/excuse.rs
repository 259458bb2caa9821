//! What waivers and quarantines have in common: where an entry comes from, who signed for it, how long it holds.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Digest, Reason, Span, Timestamp, canonical};

use crate::inputs::{Approval, Approvers, BaseFile, ExcuseFile, FileState, Inputs};
use crate::person::People;
use crate::policy::{Defaults, Lane};
use crate::strict::{self, Fault, Item, Node};
use crate::verdict::{ExcuseStatus, Told};

const DAY_MS: i64 = 86_400_000;

/// What an excuse is judged with.
pub(crate) struct Law<'a> {
    pub(crate) now: Timestamp,
    pub(crate) defaults: &'a Defaults,
    pub(crate) people: People<'a>,
    pub(crate) authors: &'a [String],
    pub(crate) approvals: &'a [Approval],
    pub(crate) approvers: &'a Approvers,
    pub(crate) base: Option<&'a str>,
    pub(crate) denied: &'a BTreeMap<String, String>,
    pub(crate) unseen: &'a BTreeSet<String>,
    /// Whether what cannot be seen counts for nothing.
    pub(crate) is_certification: bool,
}

impl<'a> Law<'a> {
    pub(crate) fn new(
        inputs: &'a Inputs,
        defaults: &'a Defaults,
        aliases: &'a BTreeMap<String, Vec<String>>,
    ) -> Self {
        Self {
            now: inputs.now,
            defaults,
            people: People::new(aliases),
            authors: &inputs.subject.authors,
            approvals: &inputs.approvals,
            approvers: &inputs.approvers,
            base: inputs.subject.base_commit.as_deref(),
            denied: &inputs.quarantine_denied,
            unseen: &inputs.quarantine_unseen,
            is_certification: inputs.lane == Lane::Certification.word(),
        }
    }

    /// Whether somebody is an author of the change.
    pub(crate) fn is_author(&self, name: &str) -> bool {
        self.authors.iter().any(|a| self.people.are_one(a, name))
    }

    /// The approval of something by somebody other than the change's authors and than `owner`. `approver` is who must have signed.
    ///
    /// Nobody can be told to be another than an unknown author, so without authors there is none.
    pub(crate) fn approval(
        &self,
        over: Digest,
        owner: Option<&str>,
        approver: Option<&str>,
    ) -> Option<&'a Approval> {
        self.approvals
            .iter()
            .find(|a| a.over == over && self.refusal(a, owner, approver).is_none())
    }

    /// Why an approval counts for nothing; `None` if it counts.
    fn refusal(
        &self,
        approval: &Approval,
        owner: Option<&str>,
        approver: Option<&str>,
    ) -> Option<String> {
        let signer = approval.signer.as_str();
        if self.authors.is_empty() {
            return Some("nobody knows who made the change, so nobody is somebody else".into());
        }
        if approval.at > self.now.after(self.defaults.clock_skew) {
            return Some(format!("it is dated in the future ({})", approval.at));
        }
        if strict::is_blank(signer) {
            return Some("nobody signed it".into());
        }
        // An excuse ends by itself; what a change does to the rules is approved for this change alone.
        let is_of_change = owner.is_none() && approver.is_none();
        if is_of_change && approval.base.as_deref() != self.base {
            return Some(
                "it is of another change: what the change is a change of was another commit".into(),
            );
        }
        let is_author = |name: &str| {
            let listed = match self.approvers {
                Approvers::Listed { aliases, .. } => Some(People::new(aliases)),
                Approvers::Anyone | Approvers::Nobody { .. } => None,
            };
            self.is_author(name)
                || listed.is_some_and(|people| self.authors.iter().any(|a| people.are_one(a, name)))
        };
        if is_author(signer) {
            return Some(format!("`{signer}` made the change"));
        }
        match self.approvers {
            Approvers::Anyone => {
                if let Some(name) = approval.also.iter().find(|name| is_author(name)) {
                    return Some(format!(
                        "`{signer}` gave no name of their own, and `{name}`, who commits there, made the change"
                    ));
                }
            }
            Approvers::Listed { keys, .. } => {
                if keys
                    .get(signer)
                    .is_none_or(|own| !own.contains(&approval.key))
                {
                    return Some(format!(
                        "the base's policy does not list `{signer}` with this key under `approvers`"
                    ));
                }
            }
            Approvers::Nobody { why } => {
                return Some(format!("nobody knows who may approve: {why}"));
            }
        }
        if owner.is_some_and(|owner| self.people.are_one(owner, signer)) {
            return Some(format!("`{signer}` owns it"));
        }
        match approver {
            Some(name) if !self.people.are_surely_one(name, signer) => {
                Some(format!("its approver is `{name}`"))
            }
            _ => None,
        }
    }

    /// How a span of days stands: problems of its form, or whether it holds.
    pub(crate) fn term(
        &self,
        from: Timestamp,
        to: Timestamp,
        longest: Span,
    ) -> Result<Term, String> {
        if to < from {
            return Err(format!("it expires ({to}) before it begins ({from})"));
        }
        if from > self.now.after(self.defaults.clock_skew) {
            return Err(format!("it begins in the future ({from})"));
        }
        if to.since(from) > longest {
            return Err(format!("it lasts longer than {longest}"));
        }
        let left = to.as_millis().saturating_sub(self.now.as_millis());
        Ok(Term {
            days: left.div_euclid(DAY_MS),
            is_over: left <= 0,
            left: to.since(self.now),
        })
    }
}

/// Why an approval counts for nothing, as the same approval in [`Inputs::approvals`] would; `None` if it counts. `owner` and `approver` are
/// those of an excuse's entry.
pub fn refusal(
    inputs: &Inputs,
    approval: &Approval,
    owner: Option<&str>,
    approver: Option<&str>,
) -> Option<String> {
    match crate::judge::policy_of(inputs).0 {
        Ok(policy) => {
            Law::new(inputs, &policy.defaults, &policy.aliases).refusal(approval, owner, approver)
        }
        Err(_) => Some("the policy cannot be read".into()),
    }
}

/// How much of an excuse's time is left.
pub(crate) struct Term {
    pub(crate) days: i64,
    pub(crate) is_over: bool,
    pub(crate) left: Span,
}

/// A file of excuses, parsed as far as that goes.
pub(crate) struct Parsed {
    pub(crate) root: Option<Node>,
    /// Entries of the base, by digest. `None` if nobody knows the base.
    pub(crate) base: Option<Vec<Digest>>,
    /// Why it cannot be read.
    pub(crate) faults: Vec<Fault>,
}

/// Reads a file and says which entries its base has. `entries` finds them in the parsed file.
pub(crate) fn read(
    state: &FileState,
    base: &BaseFile,
    entries: fn(&Node) -> Vec<(String, &Node)>,
) -> Parsed {
    let fault = |text: &str| Fault {
        line: 0,
        key: String::new(),
        text: text.to_owned(),
    };
    let digests = |node: &Node| {
        entries(node)
            .into_iter()
            .map(|(id, n)| digest(&id, n))
            .collect()
    };
    let (root, faults) = match state {
        FileState::Absent => (None, Vec::new()),
        FileState::Unreadable { why } => (None, vec![fault(why)]),
        FileState::Text { text } => match strict::parse(text) {
            Ok(root) => (Some(root), Vec::new()),
            Err(fault) => (None, vec![fault]),
        },
    };
    let base = match base {
        BaseFile::Same => Some(root.as_ref().map(digests).unwrap_or_default()),
        BaseFile::Absent => Some(Vec::new()),
        BaseFile::Unknown { .. } => None,
        // A base that cannot be read has nothing that went through review in this form.
        BaseFile::Other { text } => {
            Some(strict::parse(text).map(|n| digests(&n)).unwrap_or_default())
        }
    };
    Parsed { root, base, faults }
}

/// Digest of an entry: its id and every key and value in it, whatever their order and layout.
pub(crate) fn digest(id: &str, node: &Node) -> Digest {
    let value = serde_json::json!({ "id": id, "entry": json(&node.item) });
    let bytes = canonical::to_vec(&value).unwrap_or_else(|_| format!("{value}").into_bytes());
    Digest::of(&bytes)
}

fn json(item: &Item) -> serde_json::Value {
    use serde_json::Value;
    match item {
        Item::Text(text) | Item::Time(text) => Value::String(text.clone()),
        // As text: every whole number has one there.
        Item::Integer(n) => serde_json::json!({ "integer": n.to_string() }),
        Item::Float(n) => serde_json::json!({ "number": n.to_string() }),
        Item::Flag(flag) => Value::Bool(*flag),
        Item::List(items) => items.iter().map(|n| json(&n.item)).collect(),
        Item::Table(entries) => Value::Object(
            entries
                .iter()
                .map(|(key, node)| (key.clone(), json(&node.item)))
                .collect(),
        ),
        Item::Odd => Value::Null,
    }
}

/// Who wrote an entry: the names of everybody with a line of it.
pub(crate) fn writers<'a>(file: &'a ExcuseFile, entry: &Node) -> Vec<&'a str> {
    let Item::Table(fields) = &entry.item else {
        return Vec::new();
    };
    let lines = fields.iter().map(|(_, node)| node.line as u64);
    let lines: Vec<u64> = lines.chain([entry.line as u64]).collect();
    let own = file
        .writers
        .iter()
        .filter(|w| lines.iter().any(|line| (w.from..=w.to).contains(line)));
    own.flat_map(|w| match w.names.is_empty() {
        true => vec![UNKNOWN],
        false => w.names.iter().map(String::as_str).collect(),
    })
    .collect()
}

/// Stands for a writer whom a history that is cut off does not tell.
pub(crate) const UNKNOWN: &str = "";

/// The fields of an entry as texts, for reports.
pub(crate) fn fields(node: &Node) -> BTreeMap<String, String> {
    let Item::Table(entries) = &node.item else {
        return BTreeMap::new();
    };
    let text = |item: &Item| {
        let text = match item {
            Item::Text(text) | Item::Time(text) => text.clone(),
            other => json(other).to_string(),
        };
        text.chars().take(500).collect::<String>()
    };
    let all = entries.iter().take(50);
    all.map(|(key, node)| (key.clone(), text(&node.item)))
        .collect()
}

/// A reason without target or test.
pub(crate) fn told(code: Reason, text: impl Into<String>) -> Told {
    Told {
        code,
        text: text.into(),
        target: None,
        test: None,
    }
}

/// The status of an excuse that is well formed.
pub(crate) fn status(term: &Term, soon: Span, is_approved: bool) -> ExcuseStatus {
    if term.is_over {
        ExcuseStatus::Expired
    } else if !is_approved {
        ExcuseStatus::Unapproved
    } else if term.left <= soon {
        ExcuseStatus::ExpiringSoon
    } else {
        ExcuseStatus::Active
    }
}
