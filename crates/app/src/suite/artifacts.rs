//! The directory of a run: what is written there, with secrets taken out, and the list of it.
//!
//! Every file is written whole or not at all, named relative to the run's directory, and stands in `files.json` with its digest; the
//! digest of that list is what the ledger records. A file whose secrets cannot be taken out is not kept, and the run says so. What was written
//! is remembered by its digest, so that a file that a suite changed or put here is found (`tampered`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use gonogo_core::digest::Hasher;
use gonogo_core::{Digest, Reason};
use gonogo_suite::redact::{MARK, Redactor, Within};
use gonogo_suite::{Failure, Row, Signature};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::AppError;
use crate::workspace::{make_dir, parent, write_atomic};

/// The list of a run's files.
pub const FILES: &str = "files.json";

/// Most bytes that are looked at as one line.
const LINE: u64 = 1 << 20;

/// Most bytes of one kept file.
pub const LARGEST: u64 = 4 << 30;

/// A file of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Relative to the run's directory.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// Of its bytes.
    pub sha256: Digest,
}

/// All files of a run: `files.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// [`Files::SCHEMA`].
    pub schema: String,
    /// The run.
    pub run_id: String,
    /// The same in everything that belongs to it.
    pub correlation_id: String,
    /// By path.
    pub files: Vec<Kept>,
}

impl Files {
    /// The schema.
    pub const SCHEMA: &'static str = "gonogo.suite.files.v1";

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

/// A run's directory.
#[derive(Debug)]
pub struct RunDir {
    /// Where it is.
    pub path: PathBuf,
    redactor: Redactor,
    /// What was written, by name.
    written: Mutex<BTreeMap<String, Digest>>,
}

/// A file that was copied.
#[derive(Debug, Clone, Copy)]
pub struct Copied {
    /// Bytes of the copy.
    pub bytes: u64,
    /// Of the copy.
    pub sha256: Digest,
    /// Places that were taken out.
    pub taken: u64,
}

impl RunDir {
    /// Makes the directory of a new run.
    ///
    /// # Errors
    /// It is there already, or cannot be made.
    pub fn create(path: &Path, redactor: Redactor) -> Result<Self, AppError> {
        make_dir(parent(path))?;
        std::fs::create_dir(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::AlreadyExists => {
                let text = format!(
                    "`{}` is there already: it belongs to another run",
                    path.display()
                );
                AppError::new(Reason::OutputFailed, text).hint("name a directory that is not there")
            }
            _ => AppError::io("create", path, &e),
        })?;
        Ok(Self {
            path: path.to_owned(),
            redactor,
            written: Mutex::default(),
        })
    }

    /// The directory of a run that was begun.
    pub fn reopen(path: &Path, redactor: Redactor) -> Self {
        Self {
            path: path.to_owned(),
            redactor,
            written: Mutex::default(),
        }
    }

    /// Remembers what a file is that was just written.
    pub(super) fn note(&self, name: &str, digest: Digest) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.insert(name.to_owned(), digest);
    }

    /// Files that are not what was written here, and files that were never written; `is_own` are those that somebody else of ours writes.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(super) fn tampered(&self, is_own: impl Fn(&str) -> bool) -> Result<Vec<String>, AppError> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let now: BTreeMap<String, Digest> = kept(&self.path, &[FILES])?
            .into_iter()
            .map(|file| (file.path, file.sha256))
            .collect();
        let mut found = Vec::new();
        for (name, was) in written.iter() {
            match now.get(name) {
                None => found.push(format!("`{name}` was taken away")),
                Some(is) if is != was => found.push(format!("`{name}` was changed")),
                Some(_) => {}
            }
        }
        let foreign = now.keys().filter(|name| !written.contains_key(*name));
        let foreign = foreign.filter(|name| !is_own(name));
        found.extend(foreign.map(|name| format!("`{name}` was put there")));
        Ok(found)
    }

    /// A path below it.
    pub fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a document.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), AppError> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|e| AppError::new(Reason::Internal, format!("{name}: {e}")))?;
        let mut text = self.redactor.text(&text);
        // What only shows where the escapes of JSON are undone goes too.
        if let Ok(mut read) = serde_json::from_str::<Value>(&text)
            && self.clean_value("", &mut read) > 0
        {
            text = serde_json::to_string_pretty(&read)
                .map_err(|e| AppError::new(Reason::Internal, format!("{name}: {e}")))?;
        }
        self.write_text(name, &(text + "\n"))
    }

    /// Writes a text, with its secrets taken out.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_text(&self, name: &str, text: &str) -> Result<(), AppError> {
        let path = self.at(name);
        make_dir(parent(&path))?;
        let text = self.redactor.text(text);
        write_atomic(&path, text.as_bytes())?;
        self.note(name, Digest::of(text.as_bytes()));
        Ok(())
    }

    /// Writes documents, a line each, with the secrets of each text in them taken out by itself: what stands in one line are many texts, and
    /// what looks like a secret across two of them is none.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write_lines(
        &self,
        name: &str,
        lines: impl IntoIterator<Item = Value>,
    ) -> Result<(), AppError> {
        let mut text = String::new();
        for mut line in lines {
            self.clean_value("", &mut line);
            text.push_str(&line.to_string());
            text.push('\n');
        }
        let path = self.at(name);
        make_dir(parent(&path))?;
        write_atomic(&path, text.as_bytes())?;
        self.note(name, Digest::of(text.as_bytes()));
        Ok(())
    }

    /// Takes secrets out of every text of a document; says how many texts had one. A key is part of what a value means.
    pub(super) fn clean_value(&self, key: &str, value: &mut Value) -> u64 {
        match value {
            Value::String(text) => {
                let head = format!("{key}: ");
                let clean = self.redactor.text(&format!("{head}{text}"));
                // A key that is itself taken out leaves nothing to tell the value by.
                let clean = clean.strip_prefix(&head).unwrap_or(MARK);
                let found = clean != text;
                if found {
                    *text = clean.to_owned();
                }
                u64::from(found)
            }
            Value::Array(items) => items.iter_mut().map(|v| self.clean_value(key, v)).sum(),
            Value::Object(map) => map.iter_mut().map(|(k, v)| self.clean_value(k, v)).sum(),
            _ => 0,
        }
    }

    /// A text that is to be kept: a name of a file, a word of a command.
    pub fn clean(&self, text: &str) -> String {
        self.redactor.text(text)
    }

    /// Takes secrets out of a test: what its report escaped stands in it as it is.
    pub fn clean_row(&self, row: &mut Row) {
        let clean = |text: &mut String| {
            if !text.is_empty() {
                *text = self.redactor.text(text);
            }
        };
        clean(&mut row.output);
        row.skipped.iter_mut().for_each(clean);
        let Some(failure) = &mut row.failure else {
            return;
        };
        let before = failure.clone();
        self.clean_failure(failure);
        // The signature is that of what is kept: anybody can make it again, and a secret that changes makes no other failure of it.
        if *failure != before && row.signature.is_some() {
            row.signature = Some(Signature::of(failure));
        }
    }

    /// Looks for secrets in a line that was kept; `within` counts them.
    pub(super) fn look(&self, line: &[u8], within: &mut Within) {
        self.redactor.line(line, within);
    }

    /// Takes secrets out of a failure.
    pub fn clean_failure(&self, failure: &mut Failure) {
        for text in [&mut failure.class, &mut failure.message, &mut failure.trace] {
            if !text.is_empty() {
                *text = self.redactor.text(text);
            }
        }
    }

    /// Copies a report line by line, with its secrets taken out so that names stay apart.
    ///
    /// # Errors
    /// As [`RunDir::copy`].
    pub fn copy_report(&self, from: &Path, name: &str) -> Result<Copied, AppError> {
        self.copy_within(from, name, Within::report())
    }

    /// Copies a file line by line, with its secrets taken out.
    ///
    /// # Errors
    /// [`Reason::RedactionFailed`]; nothing is left of the copy then.
    pub fn copy(&self, from: &Path, name: &str) -> Result<Copied, AppError> {
        self.copy_within(from, name, Within::default())
    }

    fn copy_within(&self, from: &Path, name: &str, mut within: Within) -> Result<Copied, AppError> {
        let to = self.at(name);
        make_dir(parent(&to))?;
        let fault = |e: std::io::Error| {
            let text = format!("cannot keep `{}`: {e}", from.display());
            AppError::new(Reason::RedactionFailed, text)
        };
        let source = File::open(from).map_err(fault)?;
        let mut source = BufReader::with_capacity(1 << 18, source).take(LARGEST + 1);
        let fresh = tempfile::NamedTempFile::new_in(parent(&to)).map_err(fault)?;
        let mut out = BufWriter::with_capacity(1 << 18, fresh);
        let mut hasher = Hasher::default();
        let (mut line, mut bytes) = (Vec::new(), 0u64);
        loop {
            line.clear();
            let read = (&mut source).take(LINE).read_until(b'\n', &mut line);
            if read.map_err(fault)? == 0 {
                break;
            }
            let kept = self.redactor.line(&line, &mut within);
            hasher.update(&kept);
            bytes += kept.len() as u64;
            if bytes > LARGEST {
                let text = format!("`{}` has more than {LARGEST} bytes", from.display());
                return Err(AppError::new(Reason::RedactionFailed, text));
            }
            out.write_all(&kept).map_err(fault)?;
        }
        let fresh = out.into_inner().map_err(|e| fault(e.into_error()))?;
        fresh.as_file().sync_all().map_err(fault)?;
        fresh.persist(&to).map_err(|e| fault(e.error))?;
        let sha256 = hasher.finish();
        self.note(name, sha256);
        Ok(Copied {
            bytes,
            sha256,
            taken: within.taken,
        })
    }

    /// Lists every file below it but the list itself.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn list(&self, run_id: &str, correlation_id: &str) -> Result<Files, AppError> {
        Ok(Files {
            schema: Files::SCHEMA.into(),
            run_id: run_id.into(),
            correlation_id: correlation_id.into(),
            files: kept(&self.path, &[FILES, super::running::MARK])?,
        })
    }
}

/// All plain files below a directory, by path.
pub(super) fn kept(dir: &Path, without: &[&str]) -> Result<Vec<Kept>, AppError> {
    let mut files = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(path) = open.pop() {
        let fault = |e| AppError::io("read", &path, &e);
        for entry in std::fs::read_dir(&path).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            let kind = entry.file_type().map_err(fault)?;
            let path = entry.path();
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() {
                let name = path.strip_prefix(dir).unwrap_or(&path);
                let name = name.to_string_lossy().into_owned();
                if without.contains(&name.as_str()) {
                    continue;
                }
                let (size, sha256) = crate::dry_run::keeping::digest(&path)?;
                files.push(Kept {
                    path: name,
                    size,
                    sha256,
                });
            }
        }
    }
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Says how a run's directory differs from its list; empty if it does not.
///
/// # Errors
/// The directory cannot be read.
pub fn differences(dir: &Path, files: &Files) -> Result<Vec<String>, AppError> {
    let now = kept(dir, &[FILES, super::running::MARK])?;
    let mut found = Vec::new();
    for file in &files.files {
        match now.iter().find(|k| k.path == file.path) {
            None => found.push(format!("`{}` is gone", file.path)),
            Some(k) if k != file => found.push(format!("`{}` was changed", file.path)),
            Some(_) => {}
        }
    }
    // What was added later is no part of the run: reports for people, what a replay said.
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_of_one_line_are_looked_at_by_themselves() {
        let place = tempfile::tempdir().unwrap();
        let redactor = Redactor::new(&[], &["value-of-a-secret".into()]).unwrap();
        let dir = RunDir::reopen(place.path(), redactor);
        let line = json!({
            "message": "GET http://localhost:8080",
            "trace": "@fixture: value-of-a-secret",
            "env": {"db_password": "hunter2hunter2"},
            "list": ["password=abcdef"],
            "n": 3,
        });
        dir.write_lines("x.jsonl", [line.clone(), line]).unwrap();
        let text = std::fs::read_to_string(dir.at("x.jsonl")).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        let expected = json!({
            "message": "GET http://localhost:8080",
            "trace": "@fixture: [REDACTED]",
            "env": {"db_password": "[REDACTED]"},
            "list": ["password=[REDACTED]"],
            "n": 3,
        });
        assert_eq!(lines[0], expected);
        // What was looked at once has nothing left.
        assert_eq!(dir.clean_value("", &mut lines[0].clone()), 0);
    }
}
