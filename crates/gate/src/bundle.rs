//! The evidence bundle: what there is, of which digest, and whether it is enough.
//!
//! Made from the bytes themselves ([`bundle()`]), and made again from them to be believed ([`Bundle::verify`]). Invariants: a section is present
//! because its bytes were read and are of the schema that was asked for; a bundle that asks for nothing is insufficient; evidence that does
//! not belong together is insufficient however much there is.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Digest, Reason, Span, Timestamp, canonical};
use gonogo_suite::run::Problem;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::artifact::Artifact;

/// The schema.
pub const SCHEMA: &str = "gonogo.gate.evidence-bundle.v1";

/// Most sections.
pub const MOST: usize = 1_000;

/// A section that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Its id.
    pub id: String,
    /// For people.
    pub label: String,
    /// For people.
    pub category: String,
    /// Whether the bundle is incomplete without it.
    pub required: bool,
    /// Its path; with a `/` at its end, all files beneath.
    pub artifact_path: String,
    /// The schema of its JSON, exactly; absent if its form is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
}

/// What must be alike in several sections, so that they are of one release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lineage {
    /// Its id.
    pub id: String,
    /// The sections.
    pub sections: Vec<String>,
    /// JSON pointer in each of them.
    pub pointer: String,
    /// How far times may lie apart; absent: the texts are equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// What the texts must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
}

/// What a bundle is made by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// The sections.
    pub sections: Vec<Wanted>,
    /// What ties them together.
    #[serde(default)]
    pub lineage: Vec<Lineage>,
}

/// How a section stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is there.
    Present,
    /// It is not.
    Missing,
    /// It is there and cannot be used.
    Invalid,
}

/// A section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Its id.
    pub id: String,
    /// For people.
    pub label: String,
    /// For people.
    pub category: String,
    /// How it stands.
    pub status: Standing,
    /// Whether the bundle is incomplete without it.
    pub required: bool,
    /// Its path.
    pub artifact_path: String,
    /// The schema that was asked for.
    pub schema: Option<String>,
    /// Of its bytes; of a directory, of the list of its files and their digests in canonical JSON.
    pub sha256: Option<Digest>,
    /// How many bytes.
    pub bytes: u64,
    /// How many files.
    pub file_count: u64,
    /// What it says of itself: its `status`, `verdict` or `overall_verdict`.
    pub summary: Option<String>,
    /// What is wrong with it.
    pub diagnostics: Vec<String>,
}

/// A line of descent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Descent {
    /// Its id.
    pub id: String,
    /// Whether it holds.
    pub ok: bool,
    /// Why, or why not.
    pub detail: String,
}

/// Whether it is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Completeness {
    /// Every required section is present, and none is invalid.
    Complete,
    /// Some required section is present.
    Partial,
    /// None is, or they do not belong together.
    Insufficient,
}

/// The sum.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sum {
    /// Sections.
    pub total_sections: u64,
    /// Present ones.
    pub present_sections: u64,
    /// Missing ones.
    pub missing_sections: u64,
    /// Invalid ones.
    pub invalid_sections: u64,
    /// Required ones.
    pub required_sections: u64,
    /// Required ones that are present.
    pub required_present: u64,
    /// Files.
    pub total_artifacts: u64,
    /// Bytes.
    pub total_bytes: u64,
}

/// The bundle's index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// [`SCHEMA`].
    pub schema: String,
    /// When it was made.
    pub generated_at: Timestamp,
    /// The commit that it is about.
    pub git_ref: String,
    /// The run that made it.
    pub run_id: String,
    /// The sections, in the order in which they were asked for.
    pub sections: Vec<Section>,
    /// The lines of descent.
    pub lineage: Vec<Descent>,
    /// The sum.
    pub summary: Sum,
    /// Whether it is enough.
    pub verdict: Completeness,
}

/// Why a bundle is not that of a release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// It contradicts itself.
    #[error("{0}")]
    Contradicts(String),
    /// It is of another commit.
    #[error("it is of another commit, `{0}`")]
    Commit(String),
}

impl Bundle {
    /// The section that has this id.
    pub fn section(&self, id: &str) -> Option<&Section> {
        self.sections.iter().find(|s| s.id == id)
    }

    /// Whether it is of a commit and does not contradict itself.
    ///
    /// # Errors
    /// [`Foreign`].
    pub fn belongs(&self, commit: &str) -> Result<(), Foreign> {
        if let Some(problem) = self.check().first() {
            return Err(Foreign::Contradicts(problem.text.clone()));
        }
        match self.git_ref == commit && !commit.is_empty() {
            true => Ok(()),
            false => Err(Foreign::Commit(self.git_ref.clone())),
        }
    }

    fn counted(&self) -> (Sum, Completeness) {
        let count =
            |f: &dyn Fn(&Section) -> bool| self.sections.iter().filter(|s| f(s)).count() as u64;
        let is = |status: Standing| count(&|s: &Section| s.status == status);
        let add = |f: &dyn Fn(&Section) -> u64| {
            self.sections
                .iter()
                .fold(0_u64, |sum, s| sum.saturating_add(f(s)))
        };
        let sum = Sum {
            total_sections: self.sections.len() as u64,
            present_sections: is(Standing::Present),
            missing_sections: is(Standing::Missing),
            invalid_sections: is(Standing::Invalid),
            required_sections: count(&|s| s.required),
            required_present: count(&|s| s.required && s.status == Standing::Present),
            total_artifacts: add(&|s| s.file_count),
            total_bytes: add(&|s| s.bytes),
        };
        let verdict = if self.lineage.iter().any(|l| !l.ok) || sum.required_present == 0 {
            Completeness::Insufficient
        } else if sum.required_present == sum.required_sections && sum.invalid_sections == 0 {
            Completeness::Complete
        } else {
            Completeness::Partial
        };
        (sum, verdict)
    }

    /// Makes it again from the bytes and says where it differs.
    pub fn verify(&self, contents: &Contents, files: &BTreeMap<String, &[u8]>) -> Vec<Problem> {
        let mut found = self.check();
        let again = bundle(
            contents,
            files,
            &self.git_ref,
            &self.run_id,
            self.generated_at,
        );
        let mut tell = |text: String| {
            found.push(Problem::new(Reason::ArtifactsChanged, text));
        };
        if again.sections.len() != self.sections.len() {
            tell("it has other sections than were asked for".to_owned());
        }
        for (stated, seen) in self.sections.iter().zip(&again.sections) {
            if stated != seen {
                tell(format!("section `{}` is not what its bytes say", stated.id));
            }
        }
        if again.lineage != self.lineage {
            tell("its lineage is not what the bytes say".to_owned());
        }
        found
    }
}

impl Artifact for Bundle {
    const SCHEMA: &'static str = SCHEMA;

    fn check(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut tell = |reason, text: String| found.push(Problem::new(reason, text));
        if self.schema != SCHEMA {
            tell(
                Reason::SchemaUnknown,
                format!("the schema is `{}`", self.schema),
            );
        }
        if self.git_ref.trim().is_empty() || self.run_id.trim().is_empty() {
            tell(
                Reason::EvidenceMissing,
                "it names no commit, or no run".to_owned(),
            );
        }
        if self.counted() != (self.summary.clone(), self.verdict) {
            let text = "its summary or its verdict is not that of its sections";
            tell(Reason::EvidenceCountMismatch, text.to_owned());
        }
        let mut ids = BTreeSet::new();
        for section in &self.sections {
            let id = &section.id;
            if !ids.insert(id) {
                tell(Reason::IdCollision, format!("section `{id}` stands twice"));
            }
            let holds = match section.status {
                Standing::Present => {
                    section.sha256.is_some()
                        && section.bytes > 0
                        && section.file_count > 0
                        && section.diagnostics.is_empty()
                }
                Standing::Missing => {
                    section.sha256.is_none() && section.bytes == 0 && section.file_count == 0
                }
                Standing::Invalid => !section.diagnostics.is_empty(),
            };
            if !holds {
                let text = format!("section `{id}`: its status is not that of its content");
                tell(Reason::EvidenceCountMismatch, text);
            }
        }
        found
    }
}

/// Makes the index of files, by path.
pub fn bundle(
    contents: &Contents,
    files: &BTreeMap<String, &[u8]>,
    git_ref: &str,
    run_id: &str,
    now: Timestamp,
) -> Bundle {
    let mut documents = BTreeMap::new();
    let mut ids = BTreeSet::new();
    let mut sections = Vec::new();
    for wanted in contents.sections.iter().take(MOST) {
        let mut section = section(wanted, files, &mut documents);
        if !ids.insert(&wanted.id) {
            invalid(&mut section, "its id stands twice".to_owned());
        }
        if !is_plain(&wanted.artifact_path) {
            invalid(&mut section, "its path leaves the tree".to_owned());
        }
        sections.push(section);
    }
    let mut lineage: Vec<Descent> = contents
        .lineage
        .iter()
        .take(MOST)
        .map(|l| descent(l, &documents))
        .collect();
    if contents.sections.len() > MOST || contents.lineage.len() > MOST {
        lineage.push(Descent {
            id: "size".to_owned(),
            ok: false,
            detail: format!("more than {MOST} sections or lines of descent are asked for"),
        });
    }
    let mut made = Bundle {
        schema: SCHEMA.to_owned(),
        generated_at: now,
        git_ref: git_ref.to_owned(),
        run_id: run_id.to_owned(),
        sections,
        lineage,
        summary: Sum::default(),
        verdict: Completeness::Insufficient,
    };
    (made.summary, made.verdict) = made.counted();
    made
}

fn is_plain(path: &str) -> bool {
    !path.is_empty()
        && !path.starts_with('/')
        && !path.contains('\\')
        && path.split('/').all(|part| part != "..")
}

fn invalid(section: &mut Section, why: String) {
    section.status = Standing::Invalid;
    section.diagnostics.push(why);
}

fn section(
    wanted: &Wanted,
    files: &BTreeMap<String, &[u8]>,
    documents: &mut BTreeMap<String, Value>,
) -> Section {
    let mut made = Section {
        id: wanted.id.clone(),
        label: wanted.label.clone(),
        category: wanted.category.clone(),
        status: Standing::Missing,
        required: wanted.required,
        artifact_path: wanted.artifact_path.clone(),
        schema: wanted.schema.clone(),
        sha256: None,
        bytes: 0,
        file_count: 0,
        summary: None,
        diagnostics: Vec::new(),
    };
    if wanted.artifact_path.ends_with('/') {
        directory(&mut made, wanted, files);
        return made;
    }
    let Some(bytes) = files.get(&wanted.artifact_path) else {
        return made;
    };
    made.status = Standing::Present;
    made.sha256 = Some(Digest::of(bytes));
    made.bytes = bytes.len() as u64;
    made.file_count = 1;
    if bytes.trim_ascii().is_empty() {
        invalid(&mut made, "it is empty".to_owned());
        return made;
    }
    let value = match canonical::parse(bytes) {
        Ok(value) => value,
        Err(e) => {
            if wanted.schema.is_some() {
                invalid(&mut made, format!("it is no JSON with one reading: {e}"));
            }
            return made;
        }
    };
    if let Some(schema) = &wanted.schema {
        match value.get("schema").and_then(Value::as_str) {
            Some(found) if found == schema => {}
            found => {
                let found: String = found.unwrap_or("none").chars().take(80).collect();
                invalid(
                    &mut made,
                    format!("its schema is `{found}`, asked for is `{schema}`"),
                );
            }
        }
    }
    made.summary = ["overall_verdict", "verdict", "status"]
        .iter()
        .find_map(|key| value.get(key).and_then(Value::as_str))
        .map(|text| text.chars().take(200).collect());
    if made.status == Standing::Present {
        documents.insert(wanted.id.clone(), value);
    }
    made
}

fn directory(made: &mut Section, wanted: &Wanted, files: &BTreeMap<String, &[u8]>) {
    let from = wanted.artifact_path.clone();
    let beneath = files
        .range(from.clone()..)
        .take_while(|(path, _)| path.starts_with(&from));
    let mut list: BTreeMap<&str, Digest> = BTreeMap::new();
    for (path, bytes) in beneath {
        list.insert(path, Digest::of(bytes));
        made.bytes = made.bytes.saturating_add(bytes.len() as u64);
    }
    if list.is_empty() {
        return;
    }
    made.file_count = list.len() as u64;
    made.status = Standing::Present;
    made.sha256 = canonical::to_vec(&list)
        .ok()
        .map(|bytes| Digest::of(&bytes));
    if made.bytes == 0 {
        invalid(made, "all its files are empty".to_owned());
    }
    if wanted.schema.is_some() {
        invalid(made, "a directory has no schema".to_owned());
    }
}

fn descent(lineage: &Lineage, documents: &BTreeMap<String, Value>) -> Descent {
    let result = descend(lineage, documents);
    Descent {
        id: lineage.id.clone(),
        ok: result.is_ok(),
        detail: result.unwrap_or_else(|why| why),
    }
}

fn descend(lineage: &Lineage, documents: &BTreeMap<String, Value>) -> Result<String, String> {
    if lineage.sections.is_empty() {
        return Err("it names no section".to_owned());
    }
    let mut texts = Vec::new();
    for id in &lineage.sections {
        let document = documents.get(id);
        let document = document.ok_or_else(|| format!("section `{id}` is not there to be read"))?;
        let text = document.pointer(&lineage.pointer).and_then(Value::as_str);
        let text = text.filter(|t| !t.trim().is_empty());
        texts.push(text.ok_or_else(|| format!("`{id}` has no text at `{}`", lineage.pointer))?);
    }
    if let Some(expected) = &lineage.expected
        && let Some(at) = texts.iter().position(|t| t != expected)
    {
        let id = &lineage.sections[at];
        return Err(format!(
            "`{id}` says `{}`, expected `{expected}`",
            texts[at]
        ));
    }
    let Some(within) = lineage.within else {
        return match texts.iter().position(|t| *t != texts[0]) {
            Some(at) => Err(format!(
                "`{}` says `{}` and `{}` says `{}`",
                lineage.sections[0], texts[0], lineage.sections[at], texts[at]
            )),
            None => Ok(format!("all say `{}`", texts[0])),
        };
    };
    let mut times = Vec::new();
    for (id, text) in lineage.sections.iter().zip(&texts) {
        let time: Result<Timestamp, _> = text.parse();
        times.push(time.map_err(|e| format!("`{id}`: {e}"))?);
    }
    let (first, last) = (times.iter().min(), times.iter().max());
    let apart = match (first, last) {
        (Some(first), Some(last)) => last.since(*first),
        _ => Span::ZERO,
    };
    if apart > within {
        return Err(format!("they lie {apart} apart, more than {within}"));
    }
    Ok(format!("they lie {apart} apart"))
}
