//! Quarantines: `quarantine.toml`, each for one test in one variant failing in one way, with owner, issue, evidence and an end.
//!
//! A quarantined test runs and is judged; only a failure that is the one it is quarantined for is excused. What did not run, what could
//! not be carried out and what is missing is never excused. The test is named exactly: a renamed or parametrised sibling is another test.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::id::RunId;
use gonogo_core::{Digest, Reason, Span, Timestamp};
use gonogo_suite::run::Row;
use gonogo_suite::{Signature, TestId, TestVerdict, signature};

use crate::excuse::{self, Law, told};
use crate::inputs::{ExcuseFile, Inputs};
use crate::strict::{Fault, Faults, Item, Node, Table};
use crate::verdict::{ExcuseStatus, QuarantineState, Told};

/// The schema.
pub const SCHEMA: &str = "gonogo.gate.quarantine.v1";

/// Most entries.
const MOST: usize = 10_000;

/// Clean runs in a row after which an entry is to be taken out.
pub const CLEAN: u64 = 3;

/// Algorithms of signatures that this version can compare.
const ALGORITHMS: [&str; 2] = [
    gonogo_suite::signature::ALGORITHM,
    gonogo_suite::signature::OF_TEST,
];

/// A quarantine that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// The target.
    pub target: String,
    /// The test.
    pub test: TestSelector,
    /// The variants: each of these must be the run's.
    pub variant: BTreeMap<String, String>,
    /// The signatures, each with its algorithm.
    pub signatures: Vec<String>,
    /// The runs that show it.
    pub evidence: Vec<String>,
    /// Since when.
    pub quarantined: Timestamp,
    /// Until when.
    pub expires: Timestamp,
    /// Of its entry.
    pub digest: Digest,
    /// How it stands.
    pub status: ExcuseStatus,
    /// Which entry of the file, from 0.
    pub index: usize,
}

/// A test by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestSelector {
    /// By its parts.
    Parts(TestId),
    /// As it is shown. A test whose parts contain what stands between parts is never meant.
    Shown(String),
}

impl TestSelector {
    fn is(&self, test: &TestId) -> bool {
        match self {
            Self::Parts(id) => id == test,
            Self::Shown(text) => {
                let plain = |part: &str| !part.contains(" > ");
                let parts = [&*test.suite, &*test.class, &*test.name];
                parts.into_iter().all(plain) && test.to_string() == *text
            }
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Parts(id) => id.to_string(),
            Self::Shown(text) => text.clone(),
        }
    }
}

/// What the quarantines say of a bad test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cover<'a> {
    /// Nothing.
    None,
    /// It is excused.
    By(&'a Quarantine),
    /// It is quarantined for another failure.
    OtherSignature(&'a Quarantine),
    /// The entry that would cover it does not hold.
    Lapsed(&'a Quarantine),
}

/// The quarantines of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quarantines {
    /// Those that could be read, whether they hold or not.
    pub read: Vec<Quarantine>,
    /// All entries, as they stand.
    pub states: Vec<QuarantineState>,
    /// What the lifecycle gate says.
    pub reasons: Vec<Told>,
    /// What is said beside.
    pub notes: Vec<String>,
}

/// The quarantines of these inputs as they stand, judged by the inputs' own policy as a verdict judges them.
///
/// # Errors
/// The policy's faults: without one nobody knows which of them hold.
pub fn standing(inputs: &Inputs) -> Result<Quarantines, Vec<Fault>> {
    let policy = crate::judge::policy_of(inputs).0?;
    let law = Law::new(inputs, &policy.defaults, &policy.aliases);
    let declared = &inputs.manifest.declared.targets;
    let targets = declared.keys().map(String::as_str).collect();
    Ok(read(&inputs.quarantine, inputs, &law, &targets))
}

impl Quarantine {
    /// Whether it is for a test of a target in a variant, however that test fails.
    pub fn is_for(&self, target: &str, test: &TestId, variant: &BTreeMap<String, String>) -> bool {
        self.target == target
            && self.test.is(test)
            && self.variant.iter().all(|(k, v)| variant.get(k) == Some(v))
    }

    /// Whether a failure is one that it is for, whether it holds or not.
    pub fn matches(&self, row: &Row, variant: &BTreeMap<String, String>) -> bool {
        matches!(row.verdict, TestVerdict::Failed | TestVerdict::Flaky)
            && self.is_for(&row.target, &row.test, variant)
            && has_signature(self, row)
    }
}

impl Quarantines {
    /// The entry that holds and covers a failure.
    pub fn covering(&self, row: &Row, variant: &BTreeMap<String, String>) -> Option<&Quarantine> {
        match self.cover(row, variant) {
            Cover::By(entry) => Some(entry),
            _ => None,
        }
    }

    /// What they say of a test of a run.
    pub(crate) fn cover(&self, row: &Row, variant: &BTreeMap<String, String>) -> Cover<'_> {
        if !matches!(row.verdict, TestVerdict::Failed | TestVerdict::Flaky) {
            return Cover::None;
        }
        let mut found = Cover::None;
        for entry in &self.read {
            if !entry.is_for(&row.target, &row.test, variant) {
                continue;
            }
            match (has_signature(entry, row), entry.status.holds()) {
                (true, true) => return Cover::By(entry),
                (true, false) => found = Cover::Lapsed(entry),
                (false, true) if found == Cover::None => found = Cover::OtherSignature(entry),
                (false, _) => {}
            }
        }
        found
    }

    /// The entries of a target that hold.
    pub(crate) fn of_target(&self, target: &str) -> usize {
        let holds = |q: &&Quarantine| q.target == target && q.status.holds();
        self.read.iter().filter(holds).count()
    }
}

/// Whether an entry names how a test failed. What says nothing of why is no failure that can be told from another, and none names it.
fn has_signature(entry: &Quarantine, row: &Row) -> bool {
    let is_of_nothing = row.signature.as_ref().is_some_and(Signature::is_of_nothing);
    if is_of_nothing || row.failure.as_ref().is_some_and(signature::is_mute) {
        return false;
    }
    let of_reason = row.signature.as_ref().map(ToString::to_string);
    let of_test = row
        .failure
        .as_ref()
        .map(|failure| Signature::of_test(&row.test, failure).to_string());
    entry
        .signatures
        .iter()
        .any(|s| Some(s) == of_reason.as_ref() || Some(s) == of_test.as_ref())
}

fn list(root: &Node) -> Vec<&Node> {
    let Item::Table(top) = &root.item else {
        return Vec::new();
    };
    match top.iter().find(|(key, _)| key == "quarantine") {
        Some((_, node)) => match &node.item {
            Item::List(all) => all.iter().collect(),
            _ => Vec::new(),
        },
        None => Vec::new(),
    }
}

fn entries(root: &Node) -> Vec<(String, &Node)> {
    let all = list(root);
    all.into_iter().map(|node| (String::new(), node)).collect()
}

/// Categories, and the days that each may last; where none are said, the policy's limit alone holds.
const CATEGORIES: [(&str, Option<u64>); 6] = [
    ("FLAKE-TIMING", Some(7)),
    ("FLAKE-ENV", Some(7)),
    ("FLAKE-LOGIC", Some(7)),
    ("FLAKE-NET", None),
    ("FLAKE-RES", None),
    ("FLAKE-EXT", None),
];

/// Reads and judges a file of quarantines.
pub(crate) fn read(
    file: &ExcuseFile,
    inputs: &Inputs,
    law: &Law<'_>,
    targets: &BTreeSet<&str>,
) -> Quarantines {
    let parsed = excuse::read(&file.state, &file.base, entries);
    let mut found = Quarantines::default();
    let invalid = |text: String| told(Reason::QuarantineInvalid, format!("quarantine: {text}"));
    for fault in &parsed.faults {
        found.reasons.push(invalid(fault.to_string()));
    }
    let Some(root) = &parsed.root else {
        return found;
    };
    let faults = Faults::default();
    if let Some(table) = Table::open(&faults, "", root) {
        if let Some(schema) = table.need("schema", table.text("schema"))
            && schema != SCHEMA
        {
            table.refuse("schema", format!("expected `{SCHEMA}`, found `{schema}`"));
        }
        match table.node("quarantine").map(|node| &node.item) {
            Some(Item::List(all)) if all.len() > MOST => {
                table.refuse("quarantine", format!("there are more than {MOST}"));
            }
            Some(Item::List(_)) | None => {}
            Some(other) => table.refuse(
                "quarantine",
                format!("expected `[[quarantine]]`, found {}", other.kind()),
            ),
        }
        table.finish();
    }
    for fault in faults.into_vec() {
        found.reasons.push(invalid(fault.to_string()));
    }
    for (index, node) in list(root).into_iter().take(MOST).enumerate() {
        entry(
            index,
            node,
            law,
            targets,
            parsed.base.as_deref(),
            &mut found,
        );
    }
    doubles(&mut found);
    budgets(&mut found, law);
    idle(&mut found, inputs, law);
    found
}

struct Entry {
    evidence: Vec<String>,
    target: String,
    test: TestSelector,
    variant: BTreeMap<String, String>,
    signatures: Vec<String>,
    owner: String,
    days: Option<u64>,
    quarantined: Timestamp,
    expires: Timestamp,
}

fn entry(
    index: usize,
    node: &Node,
    law: &Law<'_>,
    targets: &BTreeSet<&str>,
    base: Option<&[Digest]>,
    found: &mut Quarantines,
) {
    let digest = excuse::digest("", node);
    let faults = Faults::default();
    let path = format!("quarantine[{index}]");
    let read = Table::open(&faults, &path, node).and_then(|table| fields(&faults, table));
    let mut problems: Vec<String> = faults
        .into_vec()
        .into_iter()
        .map(|fault| fault.to_string())
        .collect();
    let mut state = QuarantineState {
        id: path,
        status: ExcuseStatus::Invalid,
        detail: String::new(),
        days_remaining: None,
        digest,
        matched: 0,
        fields: excuse::fields(node),
    };
    let mut quarantine = None;
    if let Some(entry) = read {
        state.id = format!("{}: {}", entry.target, entry.test.text());
        if !targets.contains(entry.target.as_str()) {
            let near = gonogo_core::near::nearest(&entry.target, targets.iter().copied());
            let hint = near.map_or(String::new(), |n| format!("; did you mean `{n}`?"));
            problems.push(format!("there is no target `{}`{hint}", entry.target));
        }
        if let Some(why) = law.denied.get(&digest.to_string()) {
            problems.push(why.clone());
        }
        if law.unseen.contains(&digest.to_string()) && law.is_certification {
            problems.push(format!(
                "{UNSEEN}, and a certification takes no word for it"
            ));
        }
        let most = law.defaults.quarantine_max;
        let window = entry.days.map(|days| Span::from_secs(days * 86_400));
        let longest = window.map_or(most, |window| window.min(most));
        match law.term(entry.quarantined, entry.expires, longest) {
            Err(text) => problems.push(text),
            Ok(term) => {
                state.days_remaining = Some(term.days);
                let is_known = base.is_some_and(|known| known.contains(&digest));
                let signed = law.approval(digest, Some(&entry.owner), None).is_some();
                let soon = law.defaults.quarantine_soon;
                let status = excuse::status(&term, soon, is_known || signed);
                if problems.is_empty() {
                    state.status = status;
                    quarantine = Some(Quarantine {
                        target: entry.target,
                        test: entry.test,
                        variant: entry.variant,
                        signatures: entry.signatures,
                        evidence: entry.evidence,
                        quarantined: entry.quarantined,
                        expires: entry.expires,
                        digest,
                        status,
                        index,
                    });
                }
            }
        }
    }
    if let Some(q) = &quarantine {
        let (reason, detail) = match q.status {
            ExcuseStatus::Active | ExcuseStatus::Invalid => (None, format!("until {}", q.expires)),
            ExcuseStatus::ExpiringSoon => (
                Some(Reason::WaiverExpiring),
                format!("it ends soon, at {}", q.expires),
            ),
            ExcuseStatus::Unapproved => (
                Some(Reason::ExcuseUnapproved),
                "the change brings it, and nobody else has signed it".to_owned(),
            ),
            ExcuseStatus::Expired => (
                Some(Reason::QuarantineExpired),
                format!("it ended at {}", q.expires),
            ),
        };
        if let Some(reason) = reason {
            found
                .reasons
                .push(told(reason, format!("{}: {detail}", state.id)));
        }
        state.detail = detail;
    } else {
        if problems.is_empty() {
            problems.push("it cannot be read".to_owned());
        }
        state.detail = problems.join("; ");
        found.reasons.push(told(
            Reason::QuarantineInvalid,
            format!("{}: {}", state.id, state.detail),
        ));
    }
    found.states.push(state);
    found.read.extend(quarantine);
}

fn fields(faults: &Faults, table: Table<'_>) -> Option<Entry> {
    let target = table.need("target", table.text("target"));
    let test = table.need("test", test(faults, &table));
    let variant = table.need("variant", table.text_map("variant"));
    let signatures = table.need("signature", signatures(&table));
    let owner = table.need("owner", table.said("owner"));
    let category = table.need("category", table.word("category", &CATEGORIES));
    let quarantined = table.need("quarantined", table.time("quarantined"));
    let expires = table.need("expires", table.time("expires"));
    let others = [
        table.need("issue", table.said("issue")),
        table.need("repro", table.said("repro")),
        table.need("reason", table.said("reason")),
        table.need("remove_when", table.said("remove_when")),
    ];
    let evidence = table.need("evidence", table.texts("evidence"));
    if let Some(runs) = &evidence
        && runs.iter().collect::<BTreeSet<_>>().len() < 2
    {
        table.refuse("evidence", "two different runs are needed at least");
    }
    let unknown = evidence.iter().flatten().find(|text| !is_evidence(text));
    if let Some(text) = unknown {
        let text = format!(
            "`{text}` is neither a run (`run_` and 12 characters) nor an https address of one"
        );
        table.refuse("evidence", text);
    }
    if table.count("renewals").is_some_and(|n| n > 1) {
        table.refuse("renewals", "it can be renewed once");
    }
    table.finish();
    if others.iter().any(Option::is_none) {
        return None;
    }
    Some(Entry {
        evidence: evidence?,
        target: target?,
        test: test?,
        variant: variant?,
        signatures: signatures?,
        owner: owner?,
        days: category?,
        quarantined: quarantined?,
        expires: expires?,
    })
}

fn test(faults: &Faults, table: &Table<'_>) -> Option<TestSelector> {
    let node = table.node("test")?;
    if matches!(node.item, Item::Text(_)) {
        return table.text("test").map(TestSelector::Shown);
    }
    let parts = Table::open(faults, &table.path("test"), node)?;
    let id = TestId {
        suite: parts.text("suite").unwrap_or_default().into(),
        class: parts.text("class").unwrap_or_default().into(),
        name: parts.need("name", parts.text("name")).unwrap_or_default(),
    };
    parts.finish();
    (!id.name.is_empty()).then_some(TestSelector::Parts(id))
}

fn signatures(table: &Table<'_>) -> Option<Vec<String>> {
    let all = match &table.node("signature")?.item {
        Item::Text(_) => vec![table.text("signature")?],
        _ => table.texts("signature")?,
    };
    if all.is_empty() {
        table.refuse("signature", "it is empty, and any failure would be excused");
        return None;
    }
    for text in &all {
        let is_known = text.rsplit_once(':').is_some_and(|(algorithm, hash)| {
            ALGORITHMS.contains(&algorithm)
                && hash.len() == 32
                && hash
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        });
        if !is_known {
            table.refuse(
                "signature",
                format!(
                    "`{text}` is no signature of this version: expected `{}:` and 32 hexadecimal digits, as `gonogo suite quarantine propose` prints them",
                    ALGORITHMS[0]
                ),
            );
            return None;
        }
    }
    Some(all)
}

/// Two entries for one test, variant and signature: nobody knows which of them holds.
fn doubles(found: &mut Quarantines) {
    let mut seen = BTreeSet::new();
    let mut twice = Vec::new();
    for q in &found.read {
        for signature in &q.signatures {
            let key = (
                q.target.clone(),
                q.test.text(),
                format!("{:?}", q.variant),
                signature.clone(),
            );
            if !seen.insert(key) {
                twice.push(format!("{}: {} stands twice", q.target, q.test.text()));
            }
        }
    }
    twice.dedup();
    let reasons = twice
        .into_iter()
        .map(|text| told(Reason::QuarantineInvalid, text));
    found.reasons.extend(reasons);
}

/// Said of an entry whose runs nobody here can look at.
const UNSEEN: &str = "none of the runs that are its evidence is recorded here";

/// Whether evidence can be looked up: a run, or the address of one that was recorded elsewhere.
fn is_evidence(text: &str) -> bool {
    let address = text.strip_prefix("https://");
    text.parse::<RunId>().is_ok()
        || address.is_some_and(|rest| {
            rest.contains('.') && !rest.contains(|c: char| c.is_whitespace() || c.is_control())
        })
}

fn budgets(found: &mut Quarantines, law: &Law<'_>) {
    let mut held: BTreeMap<&str, u64> = BTreeMap::new();
    for q in found.read.iter().filter(|q| q.status.holds()) {
        *held.entry(q.target.as_str()).or_default() += 1;
    }
    let most = law.defaults.quarantine_per_target;
    let over: Vec<Told> = held
        .into_iter()
        .filter(|(_, count)| *count > most)
        .map(|(target, count)| Told {
            target: Some(target.to_owned()),
            ..told(
                Reason::QuarantineBudget,
                format!("`{target}` has {count} quarantined tests, and {most} are admitted"),
            )
        })
        .collect();
    found.reasons.extend(over);
}

fn idle(found: &mut Quarantines, inputs: &Inputs, law: &Law<'_>) {
    let after = law.defaults.quarantine_idle;
    for state in &found.states {
        if !state.status.holds() {
            continue;
        }
        let digest = state.digest.to_string();
        if law.unseen.contains(&digest) {
            found.notes.push(format!("{}: {UNSEEN}", state.id));
        }
        let clean = inputs.quarantine_clean.get(&digest).copied().unwrap_or(0);
        if clean >= CLEAN {
            found.notes.push(format!(
                "{} ran and passed in {clean} runs in a row: take it out of the file",
                state.id
            ));
        }
        let begun = || -> Option<Timestamp> {
            let text = state.fields.get("quarantined")?;
            format!("{}T00:00:00Z", text.get(..10)?).parse().ok()
        };
        // What it matched before it was there is no use of it.
        let since = inputs.quarantine_matched.get(&digest).copied().max(begun());
        if since.is_some_and(|t: Timestamp| law.now.since(t) > after) {
            found
                .notes
                .push(format!("{} matched no failure for {after}", state.id));
        }
    }
}
