//! The run of one shard, looked at before it is believed: its files, its summary, its plan.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use gonogo_core::{Digest, Reason};
use gonogo_suite::Summary;
use gonogo_suite::run::State;
use gonogo_suite::shard::{Fault, Plan};

use super::{Seen, home_of};
use crate::AppError;
use crate::home::Home;
use crate::suite::artifacts::{FILES, Files, Kept, differences};
use crate::suite::reading;
use crate::suite::running::MARK;
use crate::suite::sharding::{self, PLAN};

/// Most bytes of a list of files.
const LARGEST: u64 = 256 << 20;

/// A run that is to be merged.
pub(super) struct Given {
    pub(super) summary: Summary,
    pub(super) dir: PathBuf,
    /// What it says that it has, if that can be read.
    pub(super) files: Vec<Kept>,
    /// Of that list.
    pub(super) digest: Option<Digest>,
    record: Option<u64>,
    pub(super) plan: Option<Plan>,
}

impl Given {
    pub(super) fn index(&self) -> Option<u32> {
        self.summary.shard.as_ref().map(|s| s.index)
    }

    /// As it is told and kept.
    pub(super) fn seen(&self) -> Seen {
        Seen {
            index: self.index(),
            name: self.summary.shard.as_ref().map(|s| s.name.clone()),
            run_id: self.summary.run_id.clone(),
            correlation_id: self.summary.correlation_id.clone(),
            directory: self.dir.display().to_string(),
            files: self.digest,
            record: self.record,
            vouched_by: match self.record {
                Some(record) => format!("record {record} of this project's ledger"),
                None => format!(
                    "its own {FILES} alone: this project's ledger has no record of the run, so it is as good as the way that it came"
                ),
            },
            status: self.summary.status,
            duration_ms: self.summary.duration_ms,
            targets: self.summary.targets().map(|t| t.target.clone()).collect(),
        }
    }
}

/// Reads the run of a shard. What is wrong with it is told.
///
/// # Errors
/// It is not there, or has no summary.
pub(super) fn read(home: &Home, what: &str, faults: &mut Vec<Fault>) -> Result<Given, AppError> {
    let loaded = reading::find(home, what)?;
    let (summary, dir) = (loaded.summary, loaded.dir);
    let index = summary.shard.as_ref().map(|s| s.index);
    let id = summary.run_id.clone();
    let mut tell = |reason, text: String| {
        faults.push(Fault {
            reason,
            shard: index,
            item: None,
            text: format!("`{id}`: {text}"),
        });
    };
    let mut found = match loaded.record {
        Some(_) => loaded.differences,
        // The ledger does not know it, so that nobody has looked at its files yet.
        None => summary.check().into_iter().map(|p| p.text).collect(),
    };
    let list = list(&dir);
    let (files, digest) = match list {
        Err(why) => {
            tell(Reason::EvidenceUnparsable, why);
            (Vec::new(), None)
        }
        Ok((list, digest)) => {
            if list.run_id != summary.run_id || list.correlation_id != summary.correlation_id {
                found.push(format!(
                    "`{FILES}` is the list of `{}`",
                    short(&list.run_id)
                ));
            }
            if loaded.record.is_none() {
                found.extend(differences(&dir, &list)?);
            }
            (list.files, Some(digest))
        }
    };
    for difference in found.iter().take(50) {
        tell(Reason::ArtifactsChanged, difference.clone());
    }
    if dir.join(MARK).exists() {
        let text = "it is still running, or its runner was ended";
        tell(Reason::RunIncomplete, text.into());
    }
    if matches!(summary.state, State::Cancelled | State::Crashed) {
        tell(
            Reason::RunIncomplete,
            "it was ended before all was done".into(),
        );
    }
    if summary.source.tree_after.as_deref() != Some(summary.source.tree.as_str()) {
        tell(
            Reason::TreeChanged,
            "the tree behind it is not that before it".into(),
        );
    }
    let by_path: BTreeMap<&str, &Kept> = files.iter().map(|k| (k.path.as_str(), k)).collect();
    for (reason, text) in unlisted(&summary, &by_path) {
        tell(reason, text);
    }
    let mut plan = None;
    match &summary.shard {
        None => tell(
            Reason::ShardPlanMismatch,
            "it is no shard but a run of its own".into(),
        ),
        Some(_) if !by_path.contains_key(PLAN) => tell(
            Reason::ShardPlanMismatch,
            format!("it has no `{PLAN}` among its files"),
        ),
        Some(shard) => match sharding::read(&dir.join(PLAN)) {
            Err(e) => tell(Reason::ShardPlanMismatch, e.to_string()),
            Ok(own) if own.hash.to_string() != shard.plan => tell(
                Reason::ShardPlanMismatch,
                format!(
                    "its `{PLAN}` is the plan {}, and it says that it ran by {}",
                    own.hash,
                    short(&shard.plan)
                ),
            ),
            Ok(own) => plan = Some(own),
        },
    }
    Ok(Given {
        summary,
        dir,
        files,
        digest,
        record: loaded.record,
        plan,
    })
}

/// What a summary rests on and is not in the list of files.
fn unlisted(summary: &Summary, files: &BTreeMap<&str, &Kept>) -> Vec<(Reason, String)> {
    let mut found = Vec::new();
    if !files.contains_key("summary.json") {
        let text = format!("`summary.json` is not in its `{FILES}`");
        found.push((Reason::ArtifactsChanged, text));
    }
    for target in summary.targets() {
        let home = home_of(target.class, &target.target);
        let tests = format!("{home}tests.jsonl");
        if target.tests_file != tests {
            let text = format!(
                "the tests of `{}` do not lie in `{home}`",
                short(&target.target)
            );
            found.push((Reason::EvidenceUnparsable, text));
            continue;
        }
        let listed = files.get(tests.as_str()).map(|k| k.sha256);
        if listed.is_none() || listed != target.tests_sha256 {
            let text = format!("`{tests}` is not the list of tests that its summary names");
            found.push((Reason::ArtifactsChanged, text));
        }
        for path in [
            &target.log_file,
            &target.test_log_jsonl,
            &target.artifact_index_jsonl,
        ] {
            if !path.starts_with(&home) || !files.contains_key(path.as_str()) {
                let text = format!("`{}` is not among its files", short(path));
                found.push((Reason::ArtifactsChanged, text));
            }
        }
    }
    found
}

fn list(dir: &Path) -> Result<(Files, Digest), String> {
    let path = dir.join(FILES);
    let file = std::fs::File::open(&path).map_err(|e| format!("`{FILES}`: {e}"))?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| format!("`{FILES}`: {e}"))?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("`{FILES}` has more than {LARGEST} bytes"));
    }
    let list: Files = serde_json::from_slice(&bytes).map_err(|e| format!("`{FILES}`: {e}"))?;
    if list.schema != Files::SCHEMA {
        return Err(format!(
            "`{FILES}` has the schema `{}`",
            short(&list.schema)
        ));
    }
    Ok((list, Digest::of(&bytes)))
}

fn short(text: &str) -> String {
    text.chars().take(120).collect()
}
