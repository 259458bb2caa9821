//! Everything that a judgement is to see, from the project, its repository and its ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use gonogo_core::{Reason, Timestamp};
use gonogo_gate::inputs::{
    self, Approval, Approvers, BaseFile, ExcuseFile, FileState, Found, Inputs, PolicyFile, Run,
    Subject,
};
use gonogo_gate::policy::{Check, Lane, Policy};
use gonogo_suite::run::{End, Source};
use serde_json::Value;

use super::base::{At, Base};
use super::compared::{self, Recorded};
use super::scripts::Scripts;
use super::{blame, commands, computed, declared, documents, dry_runs, looking, matched};
use crate::AppError;
use crate::config::Config;
use crate::home::{Book, Home};
use crate::suite::running::{BEGUN, RESULT};
use crate::suite::source::{Listed, Tree};
use crate::workspace::STATE_DIR;

/// The policy's file.
pub const POLICY: &str = "gates.toml";

/// The waivers' file.
pub const WAIVERS: &str = "waivers.toml";

/// The quarantines' file.
pub const QUARANTINE: &str = "quarantine.toml";

/// The kind of record that says yes to an excuse or a policy.
pub const APPROVAL: &str = "gate-approval";

/// The stream of these.
pub const APPROVALS: &str = "gate/approvals";

/// Most bytes of one of these files.
const LARGEST: u64 = 1 << 20;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which question.
    pub lane: Lane,
    /// What the change is a change of; the usual branch if absent.
    pub base: Option<String>,
    /// What has landed, to be compared with what was tested.
    pub landed: Option<String>,
    /// Whether commands of gates that have no record on this tree are run.
    pub run_commands: bool,
    /// The time to judge at, instead of now.
    pub at: Option<Timestamp>,
}

/// The project as gates see it.
pub struct Place<'a> {
    /// Who asks, and where.
    pub home: &'a Home,
    /// The configuration.
    pub config: &'a Config,
    /// The project's directory.
    pub root: PathBuf,
    /// Its tree.
    pub tree: Tree,
}

impl<'a> Place<'a> {
    /// Finds it.
    ///
    /// # Errors
    /// No configuration, or one without suites.
    pub fn find(home: &'a Home) -> Result<Self, AppError> {
        let config = super::configured(home)?;
        let root = home.root();
        let state = root.join(STATE_DIR);
        crate::workspace::make_dir(&state)?;
        let artifacts = root.join(&config.suites.artifacts);
        let apart = crate::suite::running::apart(&config.suites, &root, &artifacts);
        let tree = Tree::find(&root, &state, &apart)?;
        Ok(Self {
            home,
            config,
            root,
            tree,
        })
    }
}

/// Gathers.
///
/// # Errors
/// The ledger's and git's faults, a base that is none. What is missing or unreadable is part of what is gathered.
pub fn gather(place: &Place<'_>, asked: &Asked) -> Result<Inputs, AppError> {
    let home = place.home;
    // A run that was cut off on this tree is one of its runs.
    crate::suite::recovering::recover(home)?;
    let source = place.tree.now()?;
    let (base, base_note) = Base::judged(&place.tree, asked.base.as_deref())?;
    let given = match &base_note {
        None => asked.base.as_deref(),
        Some(_) => None,
    };
    let policy = policy(place, &base);
    let approvers = approvers(place, &base, &policy);
    let rules = match &policy.state {
        FileState::Absent => Policy::read(gonogo_gate::policy::DEFAULT).ok(),
        FileState::Text { text } => Policy::read(text).ok(),
        FileState::Unreadable { .. } => None,
    };
    if asked.run_commands
        && let Some(rules) = &rules
    {
        let now = home.clock.now().wall;
        run_commands(place, rules, asked.lane, &source.tree, now)?;
    }
    let book = home.open(&home.here)?;
    let begun = every_kind(&book, BEGUN)?;
    let mut records = every_kind(&book, RESULT)?;
    let going_runs = crate::suite::recovering::going(&begun, &records, &source.tree);
    records.reverse();
    let looked = looking::look(place, &book, &records, &source.tree, &base)?;
    let all = &looked.all;
    let own: Vec<&Recorded> = all
        .iter()
        .filter(|r| r.summary.source.tree == source.tree)
        .collect();
    // Where nothing ran on this tree, the newest run of each profile says what did run.
    let mut other: Vec<&Recorded> = Vec::new();
    for run in all.iter().filter(|_| own.is_empty()) {
        let profile = &run.summary.profile;
        if !other.iter().any(|r| r.summary.profile == *profile) {
            other.push(run);
        }
    }
    let runs = own
        .iter()
        .chain(&other)
        .map(|run| Run {
            baselines: compared::baselines(run, all, &looked.before, looked.stopped.as_deref()),
            summary: run.summary.clone(),
            digest: run.digest,
            record: Some(run.index),
        })
        .collect();
    let first = own.iter().map(|r| r.index).min().unwrap_or(u64::MAX);
    let authors = authors(place, &base, &source)?;
    let manifest = declared::manifest(place.config, &place.tree, &base);
    // What a run kept that was made when something else was declared is not this tree's.
    let ours: Vec<&Recorded> = own
        .iter()
        .copied()
        .filter(|run| run.summary.declared == Some(manifest.digest))
        .collect();
    let artifacts = dry_runs::artifacts(&ours, &records);
    let now = asked.at.unwrap_or_else(|| home.clock.now().wall);
    let mut inputs = Inputs {
        schema: inputs::SCHEMA.into(),
        now,
        lane: asked.lane.word().into(),
        subject: Subject {
            tree: source.tree.clone(),
            commit: source.commit.clone(),
            base_commit: base.commit().map(str::to_owned),
            base_note,
            landed_tree: landed(place, asked)?,
            authors,
            artifacts: artifacts.clone(),
            uncommitted: source.dirty,
        },
        policy,
        manifest,
        runs,
        unreadable_runs: looked.unreadable,
        going_runs,
        history: compared::history(all, first),
        documents: BTreeMap::new(),
        earlier_documents: BTreeMap::new(),
        commands: BTreeMap::new(),
        coverage: BTreeMap::new(),
        computed: BTreeMap::new(),
        rules: BTreeMap::new(),
        command_rules: BTreeMap::new(),
        bundle: None,
        dry_runs: dry_runs::found(&book, &artifacts, &source.tree)?,
        readiness: Found::Absent,
        drills: BTreeMap::new(),
        perf: crate::perf::evidence::found(
            &book,
            place.config,
            &place.tree,
            &source.tree,
            given,
            now,
        )?,
        waivers: excuses(place, &base, WAIVERS),
        quarantine: excuses(place, &base, QUARANTINE),
        approvals: approvals(&book)?,
        approvers,
        quarantine_matched: BTreeMap::new(),
        quarantine_clean: BTreeMap::new(),
        quarantine_denied: BTreeMap::new(),
        quarantine_unseen: BTreeSet::new(),
    };
    // Without a policy nobody knows which of them hold, and the gate of the policy says so.
    if let Ok(quarantines) = gonogo_gate::quarantine::standing(&inputs) {
        let known = matched::known(home, &book, &records, &quarantines);
        inputs.quarantine_matched = known.matched;
        inputs.quarantine_clean = known.clean;
        inputs.quarantine_denied = known.denied;
        inputs.quarantine_unseen = known.unseen;
    }
    if let Some(rules) = &rules {
        shown(place, &book, rules, &base, &ours, &mut inputs)?;
        computed::add(place, &book, rules, &base, &ours, &mut inputs)?;
    }
    Ok(inputs)
}

/// What single gates look at.
fn shown(
    place: &Place<'_>,
    book: &Book,
    rules: &Policy,
    base: &Base,
    own: &[&Recorded],
    inputs: &mut Inputs,
) -> Result<(), AppError> {
    let tree = inputs.subject.tree.clone();
    let reads = rules
        .gates
        .iter()
        .any(|g| !g.check.documents().is_empty() || matches!(g.check, Check::Command { .. }));
    let files = match reads {
        true => place.tree.files(&tree)?,
        false => BTreeSet::new(),
    };
    let runs = |gate: &gonogo_gate::policy::Gate| matches!(gate.check, Check::Command { .. });
    let listed = match rules.gates.iter().any(runs) {
        true => place.tree.listed(&tree)?,
        false => Listed::default(),
    };
    let scripts = Scripts::new(place, base, &listed);
    for gate in &rules.gates {
        for name in gate.check.documents() {
            if !inputs.documents.contains_key(name) {
                let found = documents::bytes(&place.root, name, own);
                // What the repository ignores may be of any tree.
                let of = files.contains(name).then_some(tree.as_str());
                let document = documents::json(found, of);
                inputs.documents.insert(name.to_owned(), document);
                let earlier = documents::earlier(&place.root, name, own);
                if !earlier.is_empty() {
                    inputs.earlier_documents.insert(name.to_owned(), earlier);
                }
            }
        }
        if let Check::Command { argv, .. } = &gate.check {
            let found = commands::found(book, &gate.id, argv, &tree)?;
            inputs.commands.insert(gate.id.clone(), found);
            let rules = scripts.of(argv);
            let names = rules.keys().cloned().collect();
            inputs.command_rules.insert(gate.id.clone(), names);
            inputs.rules.extend(rules);
        }
    }
    Ok(())
}

fn run_commands(
    place: &Place<'_>,
    rules: &Policy,
    lane: Lane,
    tree: &str,
    now: Timestamp,
) -> Result<(), AppError> {
    for gate in rules.gates.iter().filter(|g| g.lanes.contains(&lane)) {
        let Check::Command { argv, expect, age } = &gate.check else {
            continue;
        };
        let there = {
            let book = place.home.open(&place.home.here)?;
            commands::found(&book, &gate.id, argv, tree)?
        };
        // What was good and is too old is run anew. What was not is not tried again: it counts for its tree.
        let is_wanted = match &there {
            Found::Absent => true,
            Found::Present { value, origin } => {
                let is_good = value.end == End::Exited { code: *expect };
                is_good && origin.at.is_some_and(|at| at.after(age.max_age) < now)
            }
            Found::Unreadable { .. } => false,
        };
        if is_wanted {
            let logs = place.root.join(STATE_DIR).join("runs/gate-command");
            commands::run(place.home, &gate.id, argv, &place.root, &logs, &|| {
                place.tree.now()
            })?;
        }
    }
    Ok(())
}

pub(crate) fn every_kind(
    book: &Book,
    kind: &str,
) -> Result<Vec<gonogo_store::ledger::RecordView>, AppError> {
    let mut all = book.ledger.every(gonogo_store::ledger::Filter {
        kind: Some(kind.to_owned()),
        ..gonogo_store::ledger::Filter::default()
    })?;
    all.retain(|r| r.stream.starts_with("run/suite/"));
    Ok(all)
}

fn landed(place: &Place<'_>, asked: &Asked) -> Result<Option<String>, AppError> {
    let Some(landed) = &asked.landed else {
        return Ok(None);
    };
    let name = format!("{landed}^{{tree}}");
    let tree = crate::suite::source::git(
        place.tree.top(),
        &[],
        &["rev-parse", "--verify", "--end-of-options", &name],
    )
    .map_err(|e| {
        let text = format!("there is no commit `{landed}`: {e}");
        AppError::new(Reason::ArgumentInvalid, text)
    })?;
    Ok(Some(format!("git:{tree}")))
}

pub(crate) fn file(path: &Path) -> FileState {
    use std::io::Read;
    let unreadable = |why: String| FileState::Unreadable { why };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return FileState::Absent,
        Err(e) => return unreadable(e.to_string()),
    };
    let mut text = String::new();
    match file.take(LARGEST + 1).read_to_string(&mut text) {
        Err(e) => unreadable(e.to_string()),
        Ok(read) if read as u64 > LARGEST => unreadable(format!("more than {LARGEST} bytes")),
        Ok(_) => FileState::Text { text },
    }
}

pub(super) fn policy(place: &Place<'_>, base: &Base) -> PolicyFile {
    let state = file(&place.root.join(POLICY));
    computed::beside(place, base, POLICY, state)
}

pub(super) fn excuses(place: &Place<'_>, base: &Base, name: &str) -> ExcuseFile {
    let state = file(&place.root.join(name));
    let base = match (base.file(&place.tree, Path::new(name)), &state) {
        (At::Unknown(why), _) => BaseFile::Unknown { why },
        (At::Absent, FileState::Absent) => BaseFile::Same,
        (At::Absent, _) => BaseFile::Absent,
        (At::Text(before), FileState::Text { text }) if before == *text => BaseFile::Same,
        (At::Text(text), _) => BaseFile::Other { text },
    };
    let writers = match &state {
        FileState::Text { .. } => blame::writers(&place.tree, Path::new(name)),
        FileState::Absent | FileState::Unreadable { .. } => Vec::new(),
    };
    ExcuseFile {
        state,
        base,
        writers,
    }
}

/// Who made the change: the authors of its commits, and whoever is here if something of it is in none.
pub(super) fn authors(
    place: &Place<'_>,
    base: &Base,
    source: &Source,
) -> Result<Vec<String>, AppError> {
    let mut authors = base.authors(&place.tree)?;
    if source.dirty {
        authors.push(place.home.actor()?);
        authors.extend(place.tree.commits_as());
    }
    Ok(authors)
}

/// Whom the base's policy lists, and that of the branch that the change is for still does.
pub(super) fn approvers(place: &Place<'_>, base: &Base, policy: &PolicyFile) -> Approvers {
    let nobody = |why: &str| Approvers::Nobody { why: why.into() };
    let at_base = listed(place, base, policy);
    // Who was taken off the list since is on it no more.
    let now = match base.tip(&place.tree, Path::new(POLICY)) {
        None | Some(At::Absent) => return at_base,
        Some(At::Unknown(why)) => return nobody(&why),
        Some(At::Text(text)) => match Policy::read(&text) {
            Ok(policy) => policy.approvers,
            Err(_) => {
                return nobody("the policy of the branch that the change is for cannot be read");
            }
        },
    };
    match (at_base, now) {
        (at_base, None) => at_base,
        (Approvers::Anyone, Some(keys)) => Approvers::Listed {
            keys,
            aliases: BTreeMap::new(),
        },
        (Approvers::Listed { mut keys, aliases }, Some(now)) => {
            keys.retain(|name, own| {
                own.retain(|key| now.get(name).is_some_and(|still| still.contains(key)));
                !own.is_empty()
            });
            Approvers::Listed { keys, aliases }
        }
        (nobody @ Approvers::Nobody { .. }, Some(_)) => nobody,
    }
}

fn listed(place: &Place<'_>, base: &Base, policy: &PolicyFile) -> Approvers {
    let nobody = |why: &str| Approvers::Nobody { why: why.into() };
    let text = match (&policy.base, &policy.state) {
        (inputs::Base::Unknown { why }, _) => return nobody(why),
        (inputs::Base::Absent, _) | (inputs::Base::Same, FileState::Absent) => {
            return Approvers::Anyone;
        }
        (inputs::Base::Same, FileState::Text { text }) => text.clone(),
        (inputs::Base::Same, FileState::Unreadable { why }) => return nobody(why),
        (inputs::Base::Other { .. }, _) => match base.file(&place.tree, Path::new(POLICY)) {
            At::Text(text) => text,
            At::Absent => return Approvers::Anyone,
            At::Unknown(why) => return nobody(&why),
        },
    };
    match Policy::read(&text) {
        Ok(policy) => policy.approvers.map_or(Approvers::Anyone, |keys| {
            let aliases = policy.aliases;
            Approvers::Listed { keys, aliases }
        }),
        Err(_) => nobody("the base's policy cannot be read"),
    }
}

/// Approvals that people signed with their own keys.
pub(super) fn approvals(book: &Book) -> Result<Vec<Approval>, AppError> {
    let keys = book.ledger.enrolled_keys()?;
    let mut all = Vec::new();
    for record in commands::every(book, APPROVALS, APPROVAL)? {
        let over = record.body.get("over").and_then(Value::as_str);
        let person = keys
            .iter()
            .find(|k| k.key.id() == record.signer && k.role == "person");
        let Some((over, person)) = over.and_then(|o| o.parse().ok()).zip(person) else {
            continue;
        };
        all.push(Approval {
            over,
            signer: person.who.clone(),
            key: person.key.id().to_string(),
            also: also(&record.body),
            base: record
                .body
                .get("base")
                .and_then(Value::as_str)
                .map(str::to_owned),
            at: record.time,
            record: record.index,
        });
    }
    Ok(all)
}

/// Who commits there, as the record of an approval has it.
fn also(body: &Value) -> Vec<String> {
    let names = body.get("also").and_then(Value::as_array);
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}
