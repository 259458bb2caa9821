//! Driving operations to their end, here or in a process of their own, and picking up what a dead controller left.

mod spans;

use std::cell::Cell;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gonogo_core::id::OperationId;
use gonogo_core::{Reason, Span};
use gonogo_engine::{DriveError, Driver, Evidence, EvidenceError, Settings};
pub use gonogo_engine::{Notice, Progress};
use gonogo_release::effect::Input;
use gonogo_release::machine::{Ending, Terminal};
use gonogo_store::ledger::{Ledger, LedgerError, trace};
use gonogo_store::{Draft, Liveness};

use crate::witnessing::{self, WitnessedTarget};
use crate::{
    AppError, Workspace, applying, controls, elsewhere, evidence, following, hosting, reserve,
};

/// What controllers that nobody follows say, in the state directory.
pub(crate) const CONTROLLER_LOG: &str = "controller.log";

/// A live controller has written the packet so soon after the end.
const PACKET_WITHIN: Span = Span::from_secs(2);

/// The ledger as the engine's evidence.
pub(crate) struct LedgerEvidence(pub(crate) Arc<Ledger>);

impl Evidence for LedgerEvidence {
    fn append(&self, drafts: Vec<Draft>) -> Result<(), EvidenceError> {
        let drafts = drafts.into_iter().map(Into::into).collect();
        match self.0.append(drafts) {
            Ok(_) => Ok(()),
            Err(e @ LedgerError::Full { .. }) => Err(EvidenceError::Full(e.to_string())),
            Err(e @ LedgerError::Locked { .. }) => Err(EvidenceError::Busy(e.to_string())),
            Err(e @ LedgerError::Sync { .. }) => Err(EvidenceError::SyncFailed(e.to_string())),
            Err(e) => Err(EvidenceError::Failed(e.to_string())),
        }
    }
}

/// Drives an operation to its end; `see` is told what happens. Writes the packet when it has ended.
///
/// # Errors
/// Another controller drives it (`LEASE_HELD`, `LEASE_LOST`), or store or evidence failed.
pub fn drive(
    ws: &Workspace,
    operation: &OperationId,
    stop: Arc<AtomicBool>,
    see: &dyn Fn(&Progress<'_>),
) -> Result<Option<Terminal>, AppError> {
    let known = ws.store.operation(operation)?;
    if elsewhere::state_of(&known).is_some() {
        let ended = elsewhere::drive(ws, &known, &stop)?;
        if ended.is_some() {
            evidence::write_packet(ws, operation)?;
        }
        return Ok(ended);
    }
    let plan = applying::plan_of(ws, &known.plan)?;
    let environment = ws.config.environment(Some(&plan.body.environment))?;
    let target = hosting::target(ws, environment);
    // Without its agent an operation cannot go on, forward or back, and nobody else starts one.
    let _attendant = known
        .terminal
        .is_none()
        .then(|| hosting::attend(ws, environment));
    reserve::lay_by(ws);
    let full = Cell::new(None);
    let guard = controls::Guard::of(ws, operation, &plan.body);
    let teller = spans::Teller::of(ws, &known);
    let see = |p: &Progress<'_>| {
        guard.see(p);
        if let Some(teller) = &teller {
            teller.see(p);
        }
        retreat_when_full(ws, operation, &full, p);
        see(p);
    };
    let driver = Driver {
        store: ws.store.clone(),
        evidence: Arc::new(LedgerEvidence(ws.ledger.clone())),
        target: match witnessing::of_plan(ws, &plan).transpose() {
            None => Arc::new(target),
            Some(witnesses) => Arc::new(WitnessedTarget {
                target,
                witnesses,
                slot: plan.body.slot.clone(),
                clock: ws.clock.clone(),
            }),
        },
        clock: ws.clock.clone(),
        settings: Settings::default(),
        stop,
    };
    // What is recorded of an operation belongs to the call that began it, whoever drives it.
    let driven = || {
        let ended = driver.drive(operation, &see).map_err(failed)?;
        if ended.is_some() {
            evidence::write_packet(ws, operation)?;
        }
        Ok(ended)
    };
    match known.trace.as_deref() {
        None => driven(),
        begun => trace::within(begun, driven),
    }
}

/// On a disk that stays full, or is full when a step's time is over, the release goes back on the space that is kept for that: the
/// new version must not keep its share for as long as nobody makes room. `full` is since when, in milliseconds.
fn retreat_when_full(
    ws: &Workspace,
    operation: &OperationId,
    full: &Cell<Option<u64>>,
    progress: &Progress<'_>,
) {
    let now = ws.clock.now();
    match progress.notice {
        Notice::Stalled {
            reason: Reason::StoreFull,
            ..
        } => {}
        Notice::Recovered => return full.set(None),
        _ => return,
    }
    let since = full.get().unwrap_or(now.mono_ms);
    full.set(Some(since));
    let stays = now.mono_ms.saturating_sub(since) >= reserve::PATIENCE.as_millis();
    let over = following::step_ends(ws, operation).is_some_and(|end| now.wall >= end);
    if !(stays || over) || !reserve::give_up(ws) {
        return;
    }
    // A step whose time is over goes back by itself. The request can only fail if the kept space did not help, and then nothing does.
    if !over {
        let by = Input::Cancel {
            by: "gonogo".into(),
            why: format!("the disk stayed full for {}", reserve::PATIENCE),
        };
        drop(ws.store.post(operation, &by, now.wall));
    }
}

fn failed(e: DriveError) -> AppError {
    AppError::new(e.reason(), e.to_string())
}

/// Picks up operations whose controller is gone: starts a controller of its own for each. Returns what was picked up. The
/// newest operation counts as open, too, until its packet is written: a controller may have ended just before that.
///
/// # Errors
/// The store cannot be read, or no process can be started.
pub fn pick_up(ws: &Workspace) -> Result<Vec<OperationId>, AppError> {
    pick_up_if(ws, |_| true)
}

/// As [`pick_up`], for the operations that `due` names.
///
/// # Errors
/// As [`pick_up`].
pub fn pick_up_if(
    ws: &Workspace,
    due: impl Fn(&OperationId) -> bool,
) -> Result<Vec<OperationId>, AppError> {
    let mut picked = Vec::new();
    for open in ws.store.open_operations()? {
        let orphaned = open
            .holder
            .as_ref()
            .is_none_or(|h| h.liveness != Liveness::Live);
        if orphaned && due(&open.operation.id) && !elsewhere::is_held(ws, &open.operation)? {
            spawn(ws, &open.operation.id)?;
            picked.push(open.operation.id);
        }
    }
    let now = ws.clock.now().wall;
    for last in ws.store.operations("", None, 1)? {
        let unfinished = last.terminal.is_some() && !ws.packet_path(&last.id).exists();
        if unfinished && due(&last.id) && now.since(last.updated) > PACKET_WITHIN {
            spawn(ws, &last.id)?;
            picked.push(last.id);
        }
    }
    Ok(picked)
}

/// So long whoever began an operation, or picked it up, has for its controller to take it, in milliseconds.
pub(crate) const BEGINS: u64 = 2_000;

/// Whether nobody drives an operation that is open: its controller is gone, and no new one can be on its way.
pub(crate) fn is_orphan(ws: &Workspace, known: &gonogo_store::Operation) -> Result<bool, AppError> {
    let young = ws.clock.now().wall.since(known.created).as_millis() < BEGINS;
    Ok(known.terminal.is_none() && !young && !following::driven(ws, &known.id)?)
}

/// Waits until those who were just picked up are driven, so that whoever looks next sees them so; not for long.
///
/// # Errors
/// The store cannot be read.
pub fn taken_up(ws: &Workspace, picked: &[OperationId]) -> Result<(), AppError> {
    const LOOK: std::time::Duration = std::time::Duration::from_millis(10);
    let begin = ws.clock.now().mono_ms;
    for id in picked {
        while ws.store.operation(id)?.terminal.is_none()
            && !following::driven(ws, id)?
            && ws.clock.now().mono_ms.saturating_sub(begin) < BEGINS
        {
            std::thread::sleep(LOOK);
        }
    }
    Ok(())
}

/// Starts a controller of its own for an operation. Two of them do no harm: the lease lets one act.
///
/// # Errors
/// No process can be started.
pub fn spawn(ws: &Workspace, operation: &OperationId) -> Result<(), AppError> {
    use std::os::unix::process::CommandExt;
    let log = ws.state.join(CONTROLLER_LOG);
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log)
        .map_err(|e| AppError::io("write", &log, &e))?;
    let both = file
        .try_clone()
        .map_err(|e| AppError::io("write", &log, &e))?;
    Command::new(&ws.program)
        .arg("--config")
        .arg(&ws.config.path)
        .args(["controller", operation.as_str()])
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(both)
        .process_group(0)
        .spawn()
        .map(drop)
        .map_err(|e| AppError::io("start", &ws.program, &e))
}

/// Exit code of a command that looked at an operation.
pub fn exit_so_far(terminal: Option<&Terminal>) -> gonogo_core::Exit {
    terminal.map_or(gonogo_core::Exit::Running, exit_of)
}

/// Exit code of a command that saw an operation end.
pub fn exit_of(terminal: &Terminal) -> gonogo_core::Exit {
    match terminal.result {
        Ending::Promoted => gonogo_core::Exit::Done,
        Ending::RolledBack | Ending::Refused | Ending::Failed | Ending::TimedOut => {
            gonogo_core::Exit::Fail
        }
        Ending::Cancelled | Ending::NeedsPerson => gonogo_core::Exit::Hold,
    }
}
