//! The evidence bundle of a verdict as one archive: everything that it rests on and that follows from it, each file with its digest.
//!
//! The bytes are a function of the verdict and its evidence. Invariants: only files that are what the ledger recorded, and evidence that is what
//! was judged, go in; nothing is written over; an archive is believed only after [`verify`] has hashed every file, made the index again, judged
//! the inputs again and made every artifact again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use gonogo_core::{Digest, Reason};
use gonogo_gate::bundle::{Bundle, Completeness, Contents, Wanted, bundle};
use gonogo_gate::policy::{COMPUTED, Policy};
use gonogo_gate::rederive::{RederiveError, rederive};
use gonogo_gate::{Inputs, inputs, policy, verdict};
use gonogo_ledger::packet::archive::{Reader, Writer};
use gonogo_suite::run::Problem;
use serde::{Deserialize, Serialize};

use super::checking::{self, Checked, Listed};
use super::compared::{self, Recorded};
use super::gathering::{self, Place};
use super::{computed, documents};
use crate::AppError;
use crate::home::Home;
use crate::suite::artifacts::FILES;
use crate::suite::running::RESULT;
use crate::workspace::{make_dir, parent};

/// The index.
pub const INDEX: &str = "index.json";

/// Digests for `sha256sum --check`.
pub const SUMS: &str = "SHA256SUMS";

/// Where the verdict's own files are.
const VERDICT: &str = "verdict/";

/// Where the evidence is.
const EVIDENCE: &str = "evidence/";

/// Where files are whose paths are too long for the archive.
const BLOBS: &str = "blobs/";

/// Longest name in the archive.
const NAME: usize = 100;

/// Most bytes of a bundle.
const LARGEST: u64 = 1 << 30;

/// Most files of a bundle.
const MOST: usize = 100_000;

/// A file of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its path, as sections name it.
    pub path: String,
    /// Its name in the archive; its path, unless that is too long.
    pub member: String,
    /// Bytes.
    pub size: u64,
    /// Of its bytes.
    pub sha256: Digest,
}

/// The index: `index.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// [`Index::SCHEMA`].
    pub schema: String,
    /// The verdict.
    pub verdict_id: String,
    /// Its record in the ledger.
    pub record: Option<u64>,
    /// What was asked for.
    pub contents: Contents,
    /// What there is, and whether it is enough.
    pub bundle: Bundle,
    /// By path.
    pub files: Vec<Part>,
}

impl Index {
    /// The schema.
    pub const SCHEMA: &'static str = "gonogo.gate.evidence-archive.v1";
}

/// A bundle that was written.
#[derive(Debug, Clone)]
pub struct Written {
    /// Its index.
    pub index: Index,
    /// Of the archive's bytes; of the index where a directory was written.
    pub sha256: Digest,
    /// Bytes.
    pub size: u64,
}

/// What is wrong with a bundle.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Its index, if it can be read.
    pub index: Option<Index>,
    /// Of the index's bytes.
    pub sha256: Option<Digest>,
    /// Files whose bytes are others.
    pub changed: Vec<String>,
    /// Files that the index has and the bundle has not.
    pub missing: Vec<String>,
    /// Files that the bundle has and the index has not.
    pub added: Vec<String>,
    /// What else is wrong.
    pub problems: Vec<Problem>,
    /// The verdict, if it follows from its inputs.
    pub verdict: Option<verdict::Verdict>,
}

impl Verified {
    /// Whether it is as it was made.
    pub const fn holds(&self) -> bool {
        self.changed.is_empty()
            && self.missing.is_empty()
            && self.added.is_empty()
            && self.problems.is_empty()
    }
}

/// Bundles a verdict. `out` is an archive if its name ends with `.tar`, otherwise a directory; neither may be there.
///
/// # Errors
/// No such verdict; files that are not what was recorded; evidence that is not what was judged; what cannot be written.
pub fn write(home: &Home, id: Option<&str>, out: &Path) -> Result<Written, AppError> {
    absent(out)?;
    let checked = checking::find(home, id)?;
    let mut files = own_files(home, &checked)?;
    let mut contents = own_contents(&files);
    let policy = policy_of(&checked.inputs);
    if let Some(wanted) = policy.as_ref().and_then(|p| p.bundle.as_ref()) {
        let evidence = evidence(home, &checked, wanted)?;
        for (path, bytes) in evidence {
            files.insert(placed(&path), bytes);
        }
        contents
            .sections
            .extend(wanted.sections.iter().map(|w| Wanted {
                artifact_path: placed(&w.artifact_path),
                ..w.clone()
            }));
        contents.lineage.clone_from(&wanted.lineage);
    }
    let (index, members) = indexed(&checked, contents, files)?;
    let bytes = bytes_of(&index)?;
    let sums = sums(&index, &bytes);
    let mut all: BTreeMap<&str, &[u8]> = members
        .iter()
        .map(|(n, b)| (n.as_str(), b.as_slice()))
        .collect();
    all.insert(INDEX, &bytes);
    all.insert(SUMS, sums.as_bytes());
    let is_tar = out.extension().is_some_and(|e| e == "tar");
    let (sha256, size) = match is_tar {
        true => archive(out, &all)?,
        false => {
            directory(out, &all)?;
            let size = all.values().map(|b| b.len() as u64).sum();
            (Digest::of(&bytes), size)
        }
    };
    Ok(Written {
        index,
        sha256,
        size,
    })
}

fn absent(out: &Path) -> Result<(), AppError> {
    if std::fs::symlink_metadata(out).is_err() {
        return Ok(());
    }
    let text = format!("`{}` is there already", out.display());
    Err(AppError::new(Reason::OutputFailed, text)
        .hint("name a file or directory that is not there"))
}

fn policy_of(inputs: &Inputs) -> Option<Policy> {
    match &inputs.policy.state {
        inputs::FileState::Text { text } => Policy::read(text).ok(),
        inputs::FileState::Absent => Policy::read(policy::DEFAULT).ok(),
        inputs::FileState::Unreadable { .. } => None,
    }
}

/// The files of a verdict, as the ledger recorded them.
fn own_files(home: &Home, checked: &Checked) -> Result<BTreeMap<String, Vec<u8>>, AppError> {
    let changed = |text: String| AppError::new(Reason::ArtifactsChanged, text);
    let book = home.open(&home.here)?;
    let recorded = checking::verdicts(&book)?
        .into_iter()
        .find(|r| Some(r.index) == checked.record)
        .and_then(|r| r.body.get("files")?.as_str()?.parse::<Digest>().ok());
    let recorded = recorded.ok_or_else(|| {
        let text = format!(
            "the record of the verdict {} names no list of files",
            checked.id
        );
        AppError::new(Reason::EvidenceMissing, text).hint("judge again: `gonogo gate check`")
    })?;
    let bytes = whole(&checked.dir.join(FILES))?;
    if Digest::of(&bytes) != recorded {
        let text = format!(
            "`{}` is not the list that was recorded",
            checked.dir.join(FILES).display()
        );
        return Err(changed(text));
    }
    let listed: Listed = serde_json::from_slice(&bytes)
        .map_err(|e| AppError::new(Reason::InputMalformed, e.to_string()))?;
    let mut files = BTreeMap::from([(format!("{VERDICT}{FILES}"), bytes)]);
    for kept in listed.files {
        let path = checked.dir.join(&kept.path);
        let bytes = whole(&path)?;
        if Digest::of(&bytes) != kept.sha256 {
            let text = format!("`{}` is not what was recorded", path.display());
            return Err(changed(text));
        }
        files.insert(format!("{VERDICT}{}", kept.path), bytes);
    }
    Ok(files)
}

fn whole(path: &Path) -> Result<Vec<u8>, AppError> {
    let file = File::open(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => AppError::new(
            Reason::ArtifactsChanged,
            format!("`{}` is gone", path.display()),
        ),
        _ => AppError::io("read", path, &e),
    })?;
    let mut bytes = Vec::new();
    file.take(LARGEST)
        .read_to_end(&mut bytes)
        .map_err(|e| AppError::io("read", path, &e))?;
    Ok(bytes)
}

/// The sections that every bundle has: the verdict, its inputs, and whatever else was made with it.
fn own_contents(files: &BTreeMap<String, Vec<u8>>) -> Contents {
    let schemas = [
        ("verdict.json", verdict::SCHEMA),
        ("inputs.json", inputs::SCHEMA),
        (FILES, Listed::SCHEMA),
    ];
    let section = |path: &String| {
        let name = path.trim_start_matches(VERDICT);
        let schema = schemas.iter().find(|(own, _)| *own == name);
        Wanted {
            id: format!("verdict.{name}"),
            label: name.to_owned(),
            category: "verdict".to_owned(),
            required: schema.is_some(),
            artifact_path: path.clone(),
            schema: schema.map(|(_, schema)| (*schema).to_owned()),
        }
    };
    Contents {
        sections: files.keys().map(section).collect(),
        lineage: Vec::new(),
    }
}

/// Where a section's path is in the bundle.
fn placed(path: &str) -> String {
    if let Some(gate) = path.strip_prefix(COMPUTED) {
        format!("{EVIDENCE}computed/{gate}.json")
    } else if let Some(of_run) = path.strip_prefix(documents::OF_RUN) {
        format!("{EVIDENCE}run/{of_run}")
    } else {
        format!("{EVIDENCE}project/{path}")
    }
}

/// The evidence that the policy's bundle asks for, if it still is what was judged.
fn evidence(
    home: &Home,
    checked: &Checked,
    wanted: &Contents,
) -> Result<BTreeMap<String, Vec<u8>>, AppError> {
    let place = Place::find(home)?;
    let book = home.open(&home.here)?;
    let mut records = gathering::every_kind(&book, RESULT)?;
    records.reverse();
    let (all, _) = compared::recorded(home, &book, &records)?;
    let judged: BTreeSet<Digest> = checked.inputs.runs.iter().map(|r| r.digest).collect();
    let runs: Vec<&Recorded> = all
        .iter()
        .filter(|r| {
            judged.contains(&r.digest) && r.summary.source.tree == checked.inputs.subject.tree
        })
        .collect();
    let files = place.tree.files(&checked.inputs.subject.tree)?;
    let found = computed::bundled(&place.root, &files, &runs, wanted, &checked.inputs.computed);
    let Some(then) = &checked.inputs.bundle else {
        return Ok(found);
    };
    let bytes = found
        .iter()
        .map(|(n, b)| (n.clone(), b.as_slice()))
        .collect();
    let now = bundle(
        wanted,
        &bytes,
        &then.git_ref,
        &then.run_id,
        then.generated_at,
    );
    let differs = then.sections.iter().zip(&now.sections);
    if let Some((was, _)) = differs.into_iter().find(|(was, is)| was != is) {
        let text = format!("the section `{}` is no longer what was judged", was.id);
        return Err(AppError::new(Reason::ArtifactsChanged, text)
            .hint("check out the tree that was judged, or judge again"));
    }
    Ok(found)
}

type Members = BTreeMap<String, Vec<u8>>;

fn indexed(
    checked: &Checked,
    contents: Contents,
    files: BTreeMap<String, Vec<u8>>,
) -> Result<(Index, Members), AppError> {
    let sum: u64 = files.values().map(|b| b.len() as u64).sum();
    if sum > LARGEST || files.len() > MOST {
        let text = format!("the bundle has more than {LARGEST} bytes or {MOST} files");
        return Err(AppError::new(Reason::OutputFailed, text));
    }
    let subject = &checked.inputs.subject;
    let of = subject.commit.as_deref().unwrap_or(&subject.tree);
    let bytes = files
        .iter()
        .map(|(n, b)| (n.clone(), b.as_slice()))
        .collect();
    let made = bundle(
        &contents,
        &bytes,
        of,
        &checked.id,
        checked.verdict.judged_at,
    );
    let mut parts = Vec::new();
    let mut members = BTreeMap::new();
    for (path, bytes) in files {
        let sha256 = Digest::of(&bytes);
        let member = match path.len() <= NAME {
            true => path.clone(),
            false => format!("{BLOBS}{}", sha256.hex()),
        };
        parts.push(Part {
            path,
            member: member.clone(),
            size: bytes.len() as u64,
            sha256,
        });
        members.insert(member, bytes);
    }
    let index = Index {
        schema: Index::SCHEMA.to_owned(),
        verdict_id: checked.id.clone(),
        record: checked.record,
        contents,
        bundle: made,
        files: parts,
    };
    Ok((index, members))
}

fn bytes_of(index: &Index) -> Result<Vec<u8>, AppError> {
    let value =
        serde_json::to_value(index).map_err(|e| AppError::new(Reason::Internal, e.to_string()))?;
    gonogo_core::canonical::to_vec(&value)
        .map_err(|e| AppError::new(Reason::Internal, e.to_string()))
}

fn sums(index: &Index, bytes: &[u8]) -> String {
    let own = (INDEX.to_owned(), Digest::of(bytes));
    let parts = index.files.iter().map(|p| (p.member.clone(), p.sha256));
    let all: BTreeMap<String, Digest> = parts.chain([own]).collect();
    let line = |(name, digest): (&String, &Digest)| format!("{}  {name}\n", digest.hex());
    all.iter().map(line).collect()
}

fn archive(out: &Path, all: &BTreeMap<&str, &[u8]>) -> Result<(Digest, u64), AppError> {
    let fault = |e: std::io::Error| {
        let text = format!("cannot write `{}`: {e}", out.display());
        AppError::new(Reason::OutputFailed, text)
    };
    let dir = parent(out);
    let file = tempfile::NamedTempFile::new_in(dir).map_err(fault)?;
    let mut writer = Writer::new(BufWriter::new(file.as_file()));
    for (name, bytes) in all {
        writer.append(name, bytes).map_err(fault)?;
    }
    writer.finish().map_err(fault)?.flush().map_err(fault)?;
    file.as_file().sync_all().map_err(fault)?;
    let (size, digest) = crate::dry_run::keeping::digest(file.path())?;
    // Whoever made a file of this name meanwhile keeps it.
    file.persist_noclobber(out).map_err(|e| fault(e.error))?;
    Ok((digest, size))
}

fn directory(out: &Path, all: &BTreeMap<&str, &[u8]>) -> Result<(), AppError> {
    let fault = |e: std::io::Error| {
        let text = format!("cannot write `{}`: {e}", out.display());
        AppError::new(Reason::OutputFailed, text)
    };
    let made = tempfile::Builder::new()
        .prefix(".gonogo-bundle-")
        .tempdir_in(parent(out))
        .map_err(fault)?;
    for (name, bytes) in all {
        let path = made.path().join(name);
        make_dir(parent(&path))?;
        std::fs::write(&path, bytes).map_err(fault)?;
    }
    absent(out)?;
    std::fs::rename(made.path(), out).map_err(fault)?;
    let _ = made.keep();
    Ok(())
}

/// Verifies a bundle from its bytes alone: no project and no ledger is needed.
///
/// # Errors
/// It is not there, cannot be read, or is no archive of the one form. What is wrong with its content is told.
pub fn verify(path: &Path) -> Result<Verified, AppError> {
    let meta = std::fs::metadata(path).map_err(|e| AppError::io("read", path, &e))?;
    let members = match meta.is_dir() {
        true => unpacked(path)?,
        false => packed(path)?,
    };
    let mut found = Verified {
        index: None,
        sha256: None,
        changed: Vec::new(),
        missing: Vec::new(),
        added: Vec::new(),
        problems: Vec::new(),
        verdict: None,
    };
    let mut tell = |reason, text: String| found.problems.push(Problem::new(reason, text));
    let Some(bytes) = members.get(INDEX) else {
        tell(Reason::EvidenceMissing, format!("there is no `{INDEX}`"));
        return Ok(found);
    };
    let read = gonogo_core::canonical::parse(bytes)
        .map_err(|e| e.to_string())
        .and_then(|v| serde_json::from_value::<Index>(v).map_err(|e| e.to_string()));
    let index = match read {
        Ok(index) => index,
        Err(e) => {
            tell(Reason::EvidenceUnparsable, format!("`{INDEX}`: {e}"));
            return Ok(found);
        }
    };
    if index.schema != Index::SCHEMA {
        tell(
            Reason::SchemaUnknown,
            format!("`{INDEX}` has the schema `{}`", index.schema),
        );
    }
    if bytes_of(&index)? != *bytes {
        let text = format!("`{INDEX}` is not in the form that is written");
        tell(Reason::ArtifactsChanged, text);
    }
    match members.get(SUMS) {
        Some(sums) if *sums == self::sums(&index, bytes).into_bytes() => {}
        Some(_) => tell(
            Reason::ArtifactsChanged,
            format!("`{SUMS}` is not that of the files"),
        ),
        None => found.missing.push(SUMS.to_owned()),
    }
    content(&mut found, &index, &members);
    found.sha256 = Some(Digest::of(bytes));
    found.index = Some(index);
    Ok(found)
}

fn content(found: &mut Verified, index: &Index, members: &Members) {
    let mut files: BTreeMap<String, &[u8]> = BTreeMap::new();
    let mut known: BTreeSet<&str> = BTreeSet::from([INDEX, SUMS]);
    for part in &index.files {
        known.insert(&part.member);
        match members.get(&part.member) {
            None => found.missing.push(part.path.clone()),
            Some(bytes) => {
                if Digest::of(bytes) != part.sha256 || bytes.len() as u64 != part.size {
                    found.changed.push(part.path.clone());
                }
                if files.insert(part.path.clone(), bytes).is_some() {
                    let text = format!("`{}` stands twice", part.path);
                    found.problems.push(Problem::new(Reason::IdCollision, text));
                }
            }
        }
    }
    let added = members.keys().filter(|name| !known.contains(name.as_str()));
    found.added.extend(added.cloned());
    found
        .problems
        .extend(index.bundle.verify(&index.contents, &files));
    follows(found, index, &files);
}

/// Judges the inputs again and makes every artifact again.
fn follows(found: &mut Verified, index: &Index, files: &BTreeMap<String, &[u8]>) {
    let mut tell = |reason, text: String| found.problems.push(Problem::new(reason, text));
    let own = |name: &str| files.get(&format!("{VERDICT}{name}"));
    let listed = own(FILES).and_then(|bytes| serde_json::from_slice::<Listed>(bytes).ok());
    match listed {
        Some(listed) if listed.verdict_id == index.verdict_id => {
            for kept in listed.files {
                if own(&kept.path).is_none_or(|b| Digest::of(b) != kept.sha256) {
                    let text = format!("`{VERDICT}{}` is not what its list has", kept.path);
                    tell(Reason::ArtifactsChanged, text);
                }
            }
        }
        Some(_) => tell(
            Reason::ArtifactsChanged,
            "its list is of another verdict".to_owned(),
        ),
        None => tell(
            Reason::EvidenceUnparsable,
            format!("`{VERDICT}{FILES}` cannot be read"),
        ),
    }
    let (Some(inputs), Some(verdict)) = (own("inputs.json"), own("verdict.json")) else {
        let text = "it has no verdict, or not what that was judged from";
        return tell(Reason::EvidenceMissing, text.to_owned());
    };
    let verdict = match rederive(inputs, verdict) {
        Ok(verdict) => verdict,
        Err(e) => {
            let reason = match e {
                RederiveError::OtherRules { .. } => Reason::VerdictUnderivable,
                RederiveError::Differs { .. } => Reason::VerdictDiffers,
                RederiveError::Inputs(_) | RederiveError::Verdict(_) => Reason::EvidenceUnparsable,
            };
            return tell(reason, e.to_string());
        }
    };
    let Ok(parsed) = Inputs::from_bytes(inputs) else {
        return tell(
            Reason::EvidenceUnparsable,
            "the inputs cannot be read".to_owned(),
        );
    };
    let of = parsed
        .subject
        .commit
        .as_deref()
        .unwrap_or(&parsed.subject.tree);
    if index.bundle.git_ref != of || index.bundle.run_id != index.verdict_id {
        tell(
            Reason::ArtifactsChanged,
            "its index is of another verdict".to_owned(),
        );
    }
    for (name, made) in gonogo_gate::artifacts(&parsed, &verdict).files {
        if own(&name).is_none_or(|bytes| **bytes != *made) {
            let text = format!("`{VERDICT}{name}` is not what follows from the inputs");
            tell(Reason::ArtifactsChanged, text);
        }
    }
    // What the policy asked for must be what the index asks for.
    let declared = policy_of(&parsed)
        .and_then(|p| p.bundle)
        .unwrap_or_default();
    let asked: Vec<&Wanted> = index
        .contents
        .sections
        .iter()
        .filter(|w| w.artifact_path.starts_with(EVIDENCE))
        .collect();
    let same = asked.len() == declared.sections.len()
        && asked.iter().zip(&declared.sections).all(|(is, was)| {
            **is == Wanted {
                artifact_path: placed(&was.artifact_path),
                ..was.clone()
            }
        });
    if !same || index.contents.lineage != declared.lineage {
        let text = "it asks for other evidence than the policy of its verdict";
        tell(Reason::ArtifactsChanged, text.to_owned());
    }
    if let Some(then) = &parsed.bundle {
        let of =
            |section: &&gonogo_gate::bundle::Section| section.artifact_path.starts_with(EVIDENCE);
        let now = index.bundle.sections.iter().filter(of);
        for (was, is) in then.sections.iter().zip(now) {
            let is_file = !was.artifact_path.ends_with('/');
            if was.status != is.status
                || was.bytes != is.bytes
                || (is_file && was.sha256 != is.sha256)
            {
                let text = format!("the section `{}` is not what was judged", was.id);
                tell(Reason::ArtifactsChanged, text);
            }
        }
    }
    found.verdict = Some(verdict);
}

fn packed(path: &Path) -> Result<Members, AppError> {
    let file = File::open(path).map_err(|e| AppError::io("read", path, &e))?;
    let malformed = |e: &dyn std::fmt::Display| {
        let text = format!("`{}` is no evidence bundle: {e}", path.display());
        AppError::new(Reason::InputMalformed, text)
    };
    let mut reader = Reader::new(BufReader::new(file));
    let mut members = BTreeMap::new();
    let mut left = LARGEST + (64 << 20);
    while let Some(member) = reader.next_member().map_err(|e| malformed(&e))? {
        left = left
            .checked_sub(member.size)
            .filter(|_| members.len() < MOST + 2)
            .ok_or_else(|| malformed(&"it is too large"))?;
        let bytes = reader.bytes(&member).map_err(|e| malformed(&e))?;
        members.insert(member.name, bytes);
    }
    Ok(members)
}

fn unpacked(dir: &Path) -> Result<Members, AppError> {
    let mut members = BTreeMap::new();
    let mut left = LARGEST + (64 << 20);
    let mut open = vec![dir.to_owned()];
    while let Some(path) = open.pop() {
        let fault = |e| AppError::io("read", &path, &e);
        let meta = std::fs::symlink_metadata(&path).map_err(fault)?;
        if meta.is_dir() {
            for entry in std::fs::read_dir(&path).map_err(fault)? {
                open.push(entry.map_err(fault)?.path());
            }
            continue;
        }
        let inside = path.strip_prefix(dir).unwrap_or(&path);
        let name = inside.to_string_lossy().into_owned();
        // A link is no file of a bundle, wherever it leads.
        let bytes = match meta.is_file() {
            true => whole(&path)?,
            false => b"".to_vec(),
        };
        left = left
            .checked_sub(bytes.len() as u64)
            .filter(|_| members.len() < MOST + 2)
            .ok_or_else(|| {
                let text = format!("`{}` is too large for an evidence bundle", dir.display());
                AppError::new(Reason::InputMalformed, text)
            })?;
        members.insert(name, bytes);
    }
    Ok(members)
}

/// How a bundle of this completeness ends a command.
pub const fn exit(verdict: Completeness) -> gonogo_core::Exit {
    match verdict {
        Completeness::Complete => gonogo_core::Exit::Done,
        Completeness::Partial => gonogo_core::Exit::Hold,
        Completeness::Insufficient => gonogo_core::Exit::Unjudged,
    }
}
