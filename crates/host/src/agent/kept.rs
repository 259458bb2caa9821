//! Kept copies: what a version's files were when it was started, by content, so that restarts and rollbacks run exactly that.
//!
//! A copy is complete or absent: it is made beside its place and renamed into it, synced. Every byte is hashed while it is copied, and
//! again when a kept copy is used for another start.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use gonogo_core::Reason;
use gonogo_core::digest::{Digest, Hasher};
use gonogo_release::plan::{Artifact, VersionSpec};

use super::home::{fresh_id, sync_dir};

/// Kept copies beyond those in use, newest first.
const KEEP: usize = 8;

/// Why there is no kept copy.
#[derive(Debug)]
pub(super) struct NotKept {
    pub(super) reason: Reason,
    pub(super) text: String,
    /// The files do not match what was approved, as opposed to a failure on the way.
    pub(super) refused: bool,
}

/// Makes or finds the kept copy of `spec` below `releases`; returns its directory.
pub(super) fn keep(
    releases: &Path,
    project: &Path,
    spec: &VersionSpec,
    content: Digest,
) -> Result<PathBuf, NotKept> {
    let places = places(spec)?;
    let dir = releases.join(content.hex());
    if dir.is_dir() {
        if spec
            .artifacts
            .iter()
            .all(|artifact| is_intact(&dir.join(&places[&artifact.path]), artifact))
        {
            return Ok(dir);
        }
        // Damaged: made anew from the source. A process that still runs from it keeps its open files.
        let aside = releases.join(format!(".old-{}", id()?));
        fs::rename(&dir, &aside).map_err(|e| failed("set aside", &dir, &e))?;
        fs::remove_dir_all(&aside).map_err(|e| failed("remove", &aside, &e))?;
    }
    let temp = releases.join(format!(".new-{}", id()?));
    make_dir(&temp)?;
    let copied = spec.artifacts.iter().try_for_each(|artifact| {
        copy(
            &project.join(&artifact.path),
            &temp.join(&places[&artifact.path]),
            artifact,
        )
    });
    let placed = copied.and_then(|()| {
        sync_tree(&temp)?;
        fs::rename(&temp, &dir).map_err(|e| failed("place", &dir, &e))?;
        sync_dir(releases).map_err(|e| NotKept {
            reason: Reason::StoreFailed,
            text: e.to_string(),
            refused: false,
        })
    });
    if placed.is_err() {
        // What is left of a failed copy is swept at the next start of the agent.
        let _ = fs::remove_dir_all(&temp);
    }
    placed.map(|()| dir)
}

/// Says of each file of `spec`, in order, whether its kept copy is whole.
pub(super) fn intact(releases: &Path, spec: &VersionSpec, content: Digest) -> Vec<bool> {
    let dir = releases.join(content.hex());
    let places = places(spec).unwrap_or_default();
    let there = |artifact: &Artifact| {
        let place = places.get(&artifact.path);
        place.is_some_and(|place| is_intact(&dir.join(place), artifact))
    };
    // A version without files is kept once it has run.
    spec.artifacts.iter().map(there).collect()
}

/// Program and arguments with artifacts replaced by their kept copies and `{port}` by the port.
pub(super) fn command(dir: &Path, spec: &VersionSpec, port: u16) -> Result<Vec<String>, NotKept> {
    let places = places(spec)?;
    let argument = |arg: &String| match places.get(arg) {
        Some(place) => dir.join(place).display().to_string(),
        None => arg.replace("{port}", &port.to_string()),
    };
    Ok(spec.run.iter().map(argument).collect())
}

/// Removes copies that nothing uses, but for the newest, and what was left half made.
pub(super) fn prune(releases: &Path, used: &BTreeSet<Digest>) {
    let Ok(entries) = fs::read_dir(releases) else {
        return;
    };
    let mut unused = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if used.iter().any(|digest| digest.hex() == name) {
            continue;
        }
        let age = if name.starts_with('.') {
            None
        } else {
            entry.metadata().and_then(|m| m.modified()).ok()
        };
        unused.push((age, entry.path()));
    }
    unused.sort();
    let keep = unused
        .iter()
        .filter(|(age, _)| age.is_some())
        .count()
        .min(KEEP);
    unused.truncate(unused.len() - keep);
    for (_, path) in unused {
        // Only disk space is at stake, and the next call tries again.
        let _ = fs::remove_dir_all(path);
    }
}

/// Where each artifact lies in a kept copy: relative ones at their path, absolute ones below `abs`, `..` spelled `_up`.
fn places(spec: &VersionSpec) -> Result<BTreeMap<String, PathBuf>, NotKept> {
    let mut places = BTreeMap::new();
    let mut taken = BTreeSet::new();
    for artifact in &spec.artifacts {
        let mut place = PathBuf::new();
        for part in Path::new(&artifact.path).components() {
            match part {
                Component::RootDir | Component::Prefix(_) => place.push("abs"),
                Component::ParentDir => place.push("_up"),
                Component::Normal(name) => place.push(name),
                Component::CurDir => {}
            }
        }
        if place.as_os_str().is_empty() || !taken.insert(place.clone()) {
            let text = format!(
                "artifact `{}` has no place of its own in the kept copy; list each file once",
                artifact.path
            );
            return Err(NotKept {
                reason: Reason::AgentRefused,
                text,
                refused: true,
            });
        }
        places.insert(artifact.path.clone(), place);
    }
    Ok(places)
}

fn copy(from: &Path, to: &Path, artifact: &Artifact) -> Result<(), NotKept> {
    let source = |e: io::Error| match e.kind() {
        io::ErrorKind::NotFound => refused(
            Reason::ArtifactMissing,
            format!("artifact {} does not exist; build it", from.display()),
        ),
        _ => refused(
            Reason::ArtifactUnreadable,
            format!("artifact {} cannot be read: {e}", from.display()),
        ),
    };
    let mut input = File::open(from).map_err(source)?;
    if let Some(parent) = to.parent() {
        make_dir(parent)?;
    }
    let mode = if artifact.executable { 0o700 } else { 0o600 };
    let target = |e: io::Error| failed("write", to, &e);
    let mut output = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(mode)
        .open(to)
        .map_err(target)?;
    let (mut hasher, mut length, mut buffer) = (Hasher::default(), 0, vec![0; 128 << 10]);
    loop {
        let n = input.read(&mut buffer).map_err(source)?;
        if n == 0 {
            break;
        }
        hasher.update(&buffer[..n]);
        output.write_all(&buffer[..n]).map_err(target)?;
        length += n as u64;
    }
    let found = hasher.finish();
    if found != artifact.sha256 || length != artifact.bytes {
        let text = format!(
            "artifact {} is {found} ({length} bytes), the plan has {} ({} bytes); plan again",
            from.display(),
            artifact.sha256,
            artifact.bytes
        );
        return Err(refused(Reason::ArtifactChanged, text));
    }
    output
        .set_permissions(Permissions::from_mode(mode))
        .and_then(|()| output.sync_all())
        .map_err(target)
}

fn is_intact(path: &Path, artifact: &Artifact) -> bool {
    let hash = || -> io::Result<(Digest, bool)> {
        let mut input = File::open(path)?;
        let executable = input.metadata()?.permissions().mode() & 0o100 != 0;
        let (mut hasher, mut buffer) = (Hasher::default(), vec![0; 128 << 10]);
        loop {
            match input.read(&mut buffer)? {
                0 => return Ok((hasher.finish(), executable)),
                n => hasher.update(&buffer[..n]),
            }
        }
    };
    hash().is_ok_and(|(digest, executable)| {
        digest == artifact.sha256 && executable == artifact.executable
    })
}

fn sync_tree(dir: &Path) -> Result<(), NotKept> {
    let walk = |e: io::Error| failed("read", dir, &e);
    for entry in fs::read_dir(dir).map_err(walk)? {
        let entry = entry.map_err(walk)?;
        if entry.file_type().map_err(walk)?.is_dir() {
            sync_tree(&entry.path())?;
        }
    }
    sync_dir(dir).map_err(|e| NotKept {
        reason: Reason::StoreFailed,
        text: e.to_string(),
        refused: false,
    })
}

fn make_dir(path: &Path) -> Result<(), NotKept> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| failed("create", path, &e))
}

fn id() -> Result<String, NotKept> {
    fresh_id().map_err(|e| NotKept {
        reason: Reason::Internal,
        text: e.to_string(),
        refused: false,
    })
}

fn refused(reason: Reason, text: String) -> NotKept {
    NotKept {
        reason,
        text,
        refused: true,
    }
}

fn failed(act: &str, path: &Path, error: &io::Error) -> NotKept {
    NotKept {
        reason: Reason::StoreFailed,
        text: format!("cannot {act} {}: {error}", path.display()),
        refused: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gonogo_core::Span;
    use gonogo_release::plan::{Drain, Protocol, Ready, ReadyProbe};

    fn spec(artifacts: Vec<Artifact>, run: &[&str]) -> VersionSpec {
        VersionSpec {
            version: "1".into(),
            run: run.iter().map(|a| (*a).to_owned()).collect(),
            env: BTreeMap::new(),
            env_from: Vec::new(),
            port_env: "PORT".into(),
            artifacts,
            ready: Ready {
                probe: ReadyProbe::Tcp,
                interval: Span::from_millis(50),
                timeout: Span::from_secs(1),
                within: Span::from_secs(5),
            },
            drain: Drain {
                signal: "TERM".into(),
                within: Span::from_secs(1),
            },
            protocol: Protocol::Http1,
        }
    }

    fn artifact(path: &str, bytes: &[u8], executable: bool) -> Artifact {
        Artifact {
            path: path.into(),
            sha256: Digest::of(bytes),
            bytes: bytes.len() as u64,
            executable,
        }
    }

    #[test]
    fn a_copy_is_exact_reused_after_the_source_changed_and_remade_when_damaged() {
        let home = tempfile::tempdir().unwrap();
        let (project, releases) = (home.path().join("p"), home.path().join("r"));
        fs::create_dir_all(project.join("bin")).unwrap();
        fs::create_dir_all(&releases).unwrap();
        fs::write(project.join("bin/app"), "program").unwrap();
        let absolute = home.path().join("data.txt");
        fs::write(&absolute, "data").unwrap();
        let absolute = absolute.display().to_string();
        let files = vec![
            artifact("bin/app", b"program", true),
            artifact(&absolute, b"data", false),
        ];
        let spec = spec(files, &["bin/app", "--port={port}", &absolute, "bin/ap"]);
        let content = spec.content().unwrap();
        let dir = keep(&releases, &project, &spec, content).unwrap();
        assert_eq!(fs::read(dir.join("bin/app")).unwrap(), b"program");
        assert_eq!(
            fs::metadata(dir.join("bin/app"))
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o700
        );
        let kept = dir.join(format!("abs{absolute}"));
        assert_eq!(fs::read(&kept).unwrap(), b"data");
        let argv = command(&dir, &spec, 80).unwrap();
        assert_eq!(
            argv,
            [
                dir.join("bin/app").display().to_string(),
                "--port=80".into(),
                kept.display().to_string(),
                "bin/ap".into()
            ]
        );

        fs::write(project.join("bin/app"), "changed").unwrap();
        assert_eq!(
            keep(&releases, &project, &spec, content).unwrap(),
            dir,
            "the kept copy is what was approved"
        );
        fs::write(dir.join("bin/app"), "damaged").unwrap();
        let error = keep(&releases, &project, &spec, content).unwrap_err();
        assert_eq!(
            (error.reason, error.refused),
            (Reason::ArtifactChanged, true)
        );
        fs::remove_file(project.join("bin/app")).unwrap();
        assert_eq!(
            keep(&releases, &project, &spec, content)
                .unwrap_err()
                .reason,
            Reason::ArtifactMissing
        );
        fs::write(project.join("bin/app"), "program").unwrap();
        keep(&releases, &project, &spec, content).unwrap();
        assert_eq!(
            fs::read_dir(&releases).unwrap().count(),
            1,
            "nothing half made is left"
        );
    }

    #[test]
    fn no_artifact_leaves_the_copy_or_shares_a_place() {
        let up = spec(vec![artifact("../x/./y", b"", false)], &[]);
        assert_eq!(places(&up).unwrap()["../x/./y"], Path::new("_up/x/y"));
        for clash in [
            vec![artifact("a", b"", false), artifact("./a", b"", false)],
            vec![artifact(".", b"", false)],
        ] {
            assert_eq!(
                places(&spec(clash, &[])).unwrap_err().reason,
                Reason::AgentRefused
            );
        }
    }

    #[test]
    fn pruning_spares_what_is_used() {
        let releases = tempfile::tempdir().unwrap();
        let used = Digest::of(b"used");
        for name in (0..20)
            .map(|n| Digest::of(&[n]).hex())
            .chain([used.hex(), ".new-1".into()])
        {
            fs::create_dir(releases.path().join(name)).unwrap();
        }
        prune(releases.path(), &BTreeSet::from([used]));
        let left: Vec<_> = fs::read_dir(releases.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(left.len(), KEEP + 1);
        assert!(left.contains(&used.hex().into()));
        assert!(!left.contains(&".new-1".into()));
    }
}
