//! Commands that gates rest on: each is run once for a tree, and what came of it is a record.

use gonogo_core::{Digest, Reason, Timestamp};
use gonogo_exec::{Exit, Ladder, Launch};
use gonogo_gate::inputs::{CommandOutcome, Found, Origin};
use gonogo_store::ledger::Filter;
use gonogo_suite::run::{End, Source};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

use crate::AppError;
use crate::home::{Book, Home};
use crate::identity;

/// The kind of record that a command's outcome is.
pub const OUTCOME: &str = "gate-command";

/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(1800);

/// The stream of a gate's commands.
fn stream(gate: &str) -> String {
    format!("gate/command/{gate}")
}

/// What the ledger has of a gate's command on this tree.
///
/// # Errors
/// The ledger's.
pub fn found(
    book: &Book,
    gate: &str,
    argv: &[String],
    tree: &str,
) -> Result<Found<CommandOutcome>, AppError> {
    let records = every(book, &stream(gate), OUTCOME)?;
    let mut newest = Found::Absent;
    for record in records {
        let said: Option<CommandOutcome> = record
            .body
            .get("outcome")
            .and_then(|o| serde_json::from_value(o.clone()).ok());
        let own = record.body.get("tree").and_then(Value::as_str);
        let Some(value) = said.filter(|o| o.argv == argv && own == Some(tree)) else {
            continue;
        };
        let bytes = serde_json::to_vec(&record.body).unwrap_or_default();
        let origin = Origin {
            digest: Digest::of(&bytes),
            at: Some(record.time),
            tree: Some(tree.to_owned()),
            record: Some(record.index),
        };
        newest = Found::Present { value, origin };
    }
    Ok(newest)
}

pub(super) fn every(
    book: &Book,
    stream: &str,
    kind: &str,
) -> Result<Vec<gonogo_store::ledger::RecordView>, AppError> {
    Ok(book.ledger.every(Filter {
        stream: Some(stream.to_owned()),
        kind: Some(kind.to_owned()),
        ..Filter::default()
    })?)
}

/// Runs a gate's command and records what came of it. `look` says what the tree is, before and behind it.
///
/// # Errors
/// The ledger's; a log that cannot be written. A command that fails is an outcome.
pub fn run(
    home: &Home,
    gate: &str,
    argv: &[String],
    root: &Path,
    logs: &Path,
    look: &dyn Fn() -> Result<Source, AppError>,
) -> Result<(), AppError> {
    crate::workspace::make_dir(logs)?;
    let before = look()?;
    let mark = format!("gate/{gate}/{}", identity::nonce());
    let launch = Launch {
        argv: argv.to_vec(),
        env: crate::suite::inherited::variables(),
        dir: root.to_owned(),
        log: logs.join(format!("{gate}.log")),
        errors: None,
        mark,
    };
    let end = match launch.start() {
        Err(e) => End::NotStarted { why: e.to_string() },
        Ok(process) => {
            let waited = process.wait(LIMIT);
            let end = match waited {
                Ok(Some(Exit::Status(code))) => End::Exited { code },
                Ok(Some(Exit::Signal(signal))) => End::Signalled { signal },
                Ok(Some(Exit::Gone)) | Err(_) => End::Cancelled,
                Ok(None) => End::TimedOut {
                    after_ms: LIMIT.as_millis() as u64,
                },
            };
            gonogo_exec::end(&process, Ladder::KILL)
                .map_err(|e| AppError::new(Reason::StoreFailed, e.to_string()))?;
            end
        }
    };
    let after = look()?;
    let end = match after.tree == before.tree {
        true => end,
        // What changes the tree that it judges proves nothing about either.
        false => End::NotStarted {
            why: "it changed the tree".into(),
        },
    };
    let outcome = CommandOutcome {
        argv: argv.to_vec(),
        end,
    };
    let time: Timestamp = home.clock.now().wall;
    let book = home.open(&home.here)?;
    let digest = Digest::of(&serde_json::to_vec(&outcome).unwrap_or_default());
    book.append_keyed(
        &stream(gate),
        &identity::nonce(),
        OUTCOME,
        time,
        &home.actor()?,
        vec![(format!("gate {gate}"), digest)],
        json!({"gate": gate, "tree": before.tree, "commit": before.commit, "outcome": outcome}),
    )?;
    Ok(())
}
