//! What gates compute from files: rule files beside the policy, artifacts, and the index of the evidence bundle.
//!
//! Sources are files of the tree under judgement, by the tree's own list, or outputs that a recorded run of it kept; the rules are those of
//! `gonogo_gate`. What has no source is absent, what cannot be read says why: nothing is left out of either.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gonogo_core::{Digest, Timestamp};
use gonogo_gate::artifact::Artifact;
use gonogo_gate::bundle::{Bundle, Contents, bundle};
use gonogo_gate::classification::{Classes, classify};
use gonogo_gate::contract::Certification;
use gonogo_gate::coverage::Globs;
use gonogo_gate::doubles::{AllowList, inventory};
use gonogo_gate::inputs::{Base as BaseState, FileState, Found, Inputs, Origin, PolicyFile};
use gonogo_gate::policy::{COMPUTED, Check, Computed, Policy};
use gonogo_gate::tracker::{Fields, checkpoint};
use gonogo_gate::wording::{self, Rules, Shown, guard};
use gonogo_ledger::key_event::CONTROLLER;
use serde_json::Value;

use super::base::{At, Base};
use super::checking::VERDICT;
use super::compared::Recorded;
use super::gathering::Place;
use super::{coverage, documents, sources};
use crate::AppError;
use crate::home::Book;

/// Most bytes of a recorded certificate.
const LARGEST: u64 = 16 << 20;

/// Most bytes of a bundle's evidence.
const BUNDLED: usize = 512 << 20;

/// Adds what the policy's gates have computed.
///
/// # Errors
/// The ledger's and git's faults. A source that is not there or cannot be read is part of what is gathered.
pub fn add(
    place: &Place<'_>,
    book: &Book,
    policy: &Policy,
    base: &Base,
    runs: &[&Recorded],
    inputs: &mut Inputs,
) -> Result<(), AppError> {
    let is_asked = policy.bundle.is_some()
        || policy.gates.iter().any(|gate| {
            matches!(gate.check, Check::Coverage { .. } | Check::Computed(_))
                || !gate.check.rule_files().is_empty()
        });
    if !is_asked {
        return Ok(());
    }
    let files = place.tree.files(&inputs.subject.tree)?;
    for gate in &policy.gates {
        for name in gate.check.rule_files() {
            let state = sources::rules(&place.root, &files, name);
            let file = beside(place, base, name, state);
            let file = match &gate.check {
                Check::Computed(Computed::Classification { classes, .. }) if classes == name => {
                    listed(place, base, name, file)
                }
                Check::Computed(Computed::Doubles {
                    classes: Some(classes),
                    ..
                }) if classes == name => listed(place, base, name, file),
                _ => file,
            };
            inputs.rules.insert(name.to_owned(), file);
        }
    }
    inputs.coverage = coverage::found(&place.root, policy, &inputs.rules, &files, runs);
    let links = place.tree.links(&inputs.subject.tree)?;
    let maker = Maker {
        root: &place.root,
        files: &files,
        links: &links,
        runs,
        now: inputs.now,
        tree: &inputs.subject.tree,
    };
    let mut computed = BTreeMap::new();
    for gate in &policy.gates {
        let Check::Computed(check) = &gate.check else {
            continue;
        };
        let shown = match check {
            Computed::Wording { .. } => shown(book, inputs)?,
            _ => Shown::default(),
        };
        let found = maker.make(check, &inputs.rules, &shown);
        computed.insert(gate.id.clone(), found);
    }
    inputs.computed = computed;
    if let Some(contents) = &policy.bundle {
        let commit = inputs.subject.commit.clone().unwrap_or_default();
        inputs.bundle = Some(maker.index(contents, &inputs.computed, &commit));
    }
    Ok(())
}

/// A file of rules, beside what the base of the change has.
pub(super) fn beside(place: &Place<'_>, base: &Base, name: &str, state: FileState) -> PolicyFile {
    let base = match (base.file(&place.tree, Path::new(name)), &state) {
        (At::Unknown(why), _) => BaseState::Unknown { why },
        (At::Absent, FileState::Absent) => BaseState::Same,
        (At::Absent, _) => BaseState::Absent,
        (At::Text(before), FileState::Text { text }) if before == *text => BaseState::Same,
        (At::Text(before), _) => BaseState::Other {
            digest: Digest::of(before.as_bytes()),
        },
    };
    PolicyFile { state, base }
}

/// The classes of test files: that files come and go is no change of the rules; the words that a class forbids are.
fn listed(place: &Place<'_>, base: &Base, name: &str, mut file: PolicyFile) -> PolicyFile {
    let At::Text(before) = base.file(&place.tree, Path::new(name)) else {
        return file;
    };
    let FileState::Text { text } = &file.state else {
        return file;
    };
    let words = |text: &str| -> Option<BTreeMap<_, BTreeSet<String>>> {
        let suites = Classes::parse(text).ok()?.suite.into_iter();
        let words = suites.map(|(class, files)| (class, files.forbidden.into_iter().collect()));
        Some(words.collect())
    };
    let (was, is) = (words(&before), words(text));
    if was.is_some() && was == is {
        file.base = BaseState::Same;
    }
    file
}

/// What the newest certificate of this very tree shows.
fn shown(book: &Book, inputs: &Inputs) -> Result<Shown, AppError> {
    let Some(commit) = &inputs.subject.commit else {
        return Ok(Shown::default());
    };
    let keys = book.ledger.enrolled_keys()?;
    let is_ours = |signer| {
        let mut own = keys.iter().filter(|k| k.role == CONTROLLER);
        own.any(|k| k.key.id() == signer)
    };
    let mut newest = None;
    for record in super::checking::verdicts(book)? {
        let word = |key: &str| record.body.get(key).and_then(Value::as_str);
        let is_of = record.kind == VERDICT && word("tree") == Some(inputs.subject.tree.as_str());
        let digest = word("certification").and_then(|d| d.parse::<Digest>().ok());
        if let Some(digest) = digest.filter(|_| is_of && is_ours(record.signer)) {
            newest = Some(digest);
        }
    }
    let Some(digest) = newest else {
        return Ok(Shown::default());
    };
    let bytes = book.ledger.read_blob(&digest, LARGEST)?;
    let shown = Certification::read(&bytes).ok();
    Ok(shown
        .filter(|c| c.tree == inputs.subject.tree)
        .map(|c| Shown::of(&c, commit, inputs.now))
        .unwrap_or_default())
}

/// Makes artifacts.
struct Maker<'a> {
    root: &'a Path,
    files: &'a BTreeSet<String>,
    links: &'a BTreeSet<String>,
    runs: &'a [&'a Recorded],
    now: Timestamp,
    tree: &'a str,
}

/// The text of a file of rules.
fn text<'a>(rules: &'a BTreeMap<String, PolicyFile>, name: &str) -> Result<&'a str, String> {
    match rules.get(name).map(|file| &file.state) {
        Some(FileState::Text { text }) => Ok(text),
        Some(FileState::Unreadable { why }) => Err(format!("`{name}`: {why}")),
        Some(FileState::Absent) | None => Err(format!("there is no `{name}`")),
    }
}

impl Maker<'_> {
    fn make(
        &self,
        check: &Computed,
        rules: &BTreeMap<String, PolicyFile>,
        shown: &Shown,
    ) -> Found<Value> {
        let made = match check {
            Computed::Tracker { export, terms, .. } => {
                let (bytes, from) = match documents::bytes(self.root, export, self.runs) {
                    Found::Absent => return Found::Absent,
                    Found::Unreadable { why, digest } => {
                        return Found::Unreadable { why, digest };
                    }
                    Found::Present { value, origin } => (value, origin),
                };
                // A run says when it exported where its content does not; of a file, only its content does.
                let made = checkpoint(&bytes, &Fields::default(), terms, from.at, self.now);
                let origin = Origin {
                    at: made.evidence_at(),
                    ..from
                };
                kept(&made, origin)
            }
            Computed::Wording {
                texts, rules: file, ..
            } => {
                let rules = file
                    .as_deref()
                    .map_or(Ok(wording::DEFAULT), |f| text(rules, f));
                rules
                    .and_then(|rules| Rules::parse(rules).map_err(|e| e.to_string()))
                    .and_then(|rules| {
                        let all = self.read(texts)?;
                        let texts = all.iter().map(|(f, b)| (f.clone(), b.as_slice())).collect();
                        kept(&guard(&rules, &texts, shown, self.now), self.here())
                    })
            }
            Computed::Classification { files, classes, .. } => text(rules, classes)
                .and_then(|text| Classes::parse(text).map_err(|e| e.to_string()))
                .and_then(|classes| {
                    let all = self.read(files)?;
                    let listing = all.keys().cloned().collect();
                    let made = classify(&classes, &listing, &sources::texts(&all)?, self.now);
                    kept(&made, self.here())
                }),
            Computed::Doubles {
                files,
                classes,
                exceptions,
                ..
            } => self.doubles(files, classes.as_deref(), exceptions.as_deref(), rules),
        };
        made.unwrap_or_else(|why| Found::Unreadable { why, digest: None })
    }

    fn doubles(
        &self,
        files: &Globs,
        classes: Option<&str>,
        exceptions: Option<&str>,
        rules: &BTreeMap<String, PolicyFile>,
    ) -> Result<Found<Value>, String> {
        let classes = classes
            .map(|file| Classes::parse(text(rules, file)?).map_err(|e| e.to_string()))
            .transpose()?;
        let allowed = exceptions
            .map(|file| AllowList::parse(text(rules, file)?).map_err(|e| e.to_string()))
            .transpose()?
            .unwrap_or_default();
        let all = self.read(files)?;
        let made = inventory(&sources::texts(&all)?, classes.as_ref(), &allowed, self.now);
        kept(&made, self.here())
    }

    fn read(&self, globs: &Globs) -> Result<BTreeMap<String, Vec<u8>>, String> {
        let tree = sources::Tree {
            root: self.root,
            files: self.files,
            links: self.links,
        };
        sources::read(self.root, &sources::meant(tree, globs)?)
    }

    /// Of the tree, now.
    fn here(&self) -> Origin {
        Origin {
            digest: Digest::of(b""),
            at: Some(self.now),
            tree: Some(self.tree.to_owned()),
            record: None,
        }
    }

    /// The index of what the policy's bundle asks for. A path is a file of the tree, an output that a run of it kept, or what a gate computed.
    fn index(
        &self,
        contents: &Contents,
        computed: &BTreeMap<String, Found<Value>>,
        commit: &str,
    ) -> Bundle {
        let all = bundled(self.root, self.files, self.runs, contents, computed);
        let bytes = all
            .iter()
            .map(|(name, b)| (name.clone(), b.as_slice()))
            .collect();
        let run = self.runs.first().map_or(self.tree, |r| &r.summary.run_id);
        bundle(contents, &bytes, commit, run, self.now)
    }
}

/// The evidence that a policy's bundle asks for, by the paths that it has there. What is missing is not there; the index says it.
pub(super) fn bundled(
    root: &Path,
    files: &BTreeSet<String>,
    runs: &[&Recorded],
    contents: &Contents,
    computed: &BTreeMap<String, Found<Value>>,
) -> BTreeMap<String, Vec<u8>> {
    let mut all: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut sum = 0;
    let mut put = |name: &str, bytes: Vec<u8>| {
        sum += bytes.len();
        // What is beyond the bound is missing, and a bundle without what is required is not complete.
        if sum <= BUNDLED {
            all.insert(name.to_owned(), bytes);
        }
    };
    for section in &contents.sections {
        let path = section.artifact_path.as_str();
        if let Some(gate) = path.strip_prefix(COMPUTED) {
            if let Some(Found::Present { value, .. }) = computed.get(gate)
                && let Ok(bytes) = gonogo_core::canonical::to_vec(value)
            {
                put(path, bytes);
            }
        } else if path.starts_with(documents::OF_RUN) {
            if let Found::Present { value, .. } = documents::bytes(root, path, runs) {
                put(path, value);
            }
        } else {
            let is_dir = path.ends_with('/');
            let own = files.iter().filter(|f| match is_dir {
                true => f.starts_with(path),
                false => f.as_str() == path,
            });
            for file in own.take(sources::MOST) {
                if let Ok(bytes) = sources::one(root, file) {
                    put(file, bytes);
                }
            }
        }
    }
    all
}

/// An artifact as it is kept.
fn kept<A: Artifact>(made: &A, from: Origin) -> Result<Found<Value>, String> {
    let bytes = made.to_bytes().map_err(|e| e.to_string())?;
    let value = serde_json::from_slice(&bytes).map_err(|e| e.to_string())?;
    let origin = Origin {
        digest: Digest::of(&bytes),
        ..from
    };
    Ok(Found::Present { value, origin })
}
