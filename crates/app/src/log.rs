//! The ledger as a whole: how it stands, checking it, showing it to others, and building its index again.
//!
//! What only reads opens the ledger without its keys and without the rest of the project, so that it also works on a copy and
//! on a ledger that refuses to be written.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gonogo_core::clock::Clock;
use gonogo_core::{Digest, Reason};
pub use gonogo_ledger::Vkey;
use gonogo_ledger::merkle;
use gonogo_ledger::{Checkpoint, Note};
use gonogo_store::ledger::{Filter, Founding, Ledger, LedgerError, RecordView};
use gonogo_tlog::export::{Destination, Exported, Patience};
use gonogo_tlog::serve::Site;
use gonogo_tlog::witness::{Witness, WitnessSite};
use gonogo_tlog::{Limits, Publication, export, server};
use serde::Serialize;

use crate::config::{Config, Overrides};
use crate::memory::Memory;
use crate::workspace::STATE_DIR;
use crate::{AppError, Workspace, witnessing};

/// How the ledger stands.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The log's name.
    pub origin: String,
    /// The key that readers need to trust.
    pub log_key: String,
    /// Acknowledged records.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
    /// Records that the published checkpoint covers; none if nothing was published.
    pub published: Option<u64>,
    /// Records that a quorum of the configured policy has cosigned.
    pub witnessed: Option<u64>,
    /// Why what is kept as cosigned does not count, or nothing can be witnessed.
    pub unwitnessed: Option<String>,
    /// Where the published files lie.
    pub publication: PathBuf,
}

/// Finds the state directory of the project at or above `start`.
///
/// # Errors
/// There is no readable configuration.
pub fn state_dir(start: &Path, overrides: &Overrides) -> Result<PathBuf, AppError> {
    Ok(Config::discover(start, overrides)?.root().join(STATE_DIR))
}

/// Opens the ledger of a state directory to read.
///
/// # Errors
/// There is none, or it contradicts itself.
pub fn open(state: &Path) -> Result<Ledger, AppError> {
    Ok(Ledger::open_read(state)?)
}

/// Tells how the ledger of the project at or above `start` stands.
///
/// # Errors
/// As [`open`].
pub fn standing(
    ledger: &Ledger,
    start: &Path,
    overrides: &Overrides,
) -> Result<Standing, AppError> {
    let vkey = ledger.log_vkey();
    let now = Checkpoint::open(&ledger.checkpoint_note()?, vkey)?;
    let (witnessed, unwitnessed) =
        match witnessing::witnessed(ledger, &Config::discover(start, overrides)?)? {
            witnessing::Witnessed::Nothing => (None, None),
            witnessing::Witnessed::Records(size) => (Some(size), None),
            witnessing::Witnessed::Void(why) => (None, Some(why)),
        };
    Ok(Standing {
        origin: vkey.name().to_owned(),
        log_key: vkey.to_string(),
        size: now.size,
        root: now.root,
        published: ledger.published_note()?.map(|(c, _)| c.size),
        witnessed,
        unwitnessed,
        publication: ledger.publication(),
    })
}

/// Builds the index again from the journal; returns the number of records in it.
///
/// # Errors
/// The journal is damaged, or the directory cannot be written.
pub fn reindex(start: &Path, overrides: &Overrides, clock: &dyn Clock) -> Result<u64, AppError> {
    let config = Config::discover(start, overrides)?;
    let state = config.root().join(STATE_DIR);
    let origin = format!("ledger.{}", config.service);
    Ok(Ledger::reindex(&state, founding(&state, &origin, clock)?)?)
}

/// Makes a lost or older lock anew, from the newest checkpoint that is known here, to this user's memory, or from `file`; returns
/// how many records that one acknowledges.
///
/// # Errors
/// There is a lock that is not older; no checkpoint is known; the journal does not extend the newest.
pub fn relock(
    start: &Path,
    overrides: &Overrides,
    file: Option<&Path>,
    memory: &Memory,
    clock: &dyn Clock,
) -> Result<u64, AppError> {
    let config = Config::discover(start, overrides)?;
    let state = config.root().join(STATE_DIR);
    let origin = format!("ledger.{}", config.service);
    let founding = founding(&state, &origin, clock)?;
    let mut notes = memory.newest(&Ledger::vkey_of(&state)?)?;
    if let Some(path) = file {
        notes.push(std::fs::read_to_string(path).map_err(|e| AppError::io("read", path, &e))?);
    }
    Ok(Ledger::relock(&state, notes, founding)?)
}

fn founding<'a>(
    state: &Path,
    origin: &'a str,
    clock: &dyn Clock,
) -> Result<Founding<'a>, AppError> {
    if !Ledger::exists(state) {
        let path = state.join("ledger");
        return Err(LedgerError::Absent { path }.into());
    }
    Ok(Founding {
        origin,
        actor: "gonogo",
        time: clock.now().wall,
    })
}

/// The last `count` records, oldest first.
///
/// # Errors
/// The ledger cannot be read.
pub fn last(ledger: &Ledger, count: u64) -> Result<Vec<RecordView>, AppError> {
    let size = ledger.size()?;
    after(ledger, size.checked_sub(count.saturating_add(1)), size)
}

/// The records behind `index`, up to the `size`th.
///
/// # Errors
/// The ledger cannot be read.
pub fn after(ledger: &Ledger, index: Option<u64>, size: u64) -> Result<Vec<RecordView>, AppError> {
    let mut all: Vec<RecordView> = Vec::new();
    loop {
        let page = ledger.records(&Filter {
            after: all.last().map(|r| r.index).or(index),
            limit: 1000,
            ..Filter::default()
        })?;
        let ended = page.is_empty();
        all.extend(page.into_iter().filter(|r| r.index < size));
        if ended || all.last().is_none_or(|r| r.index + 1 >= size) {
            return Ok(all);
        }
    }
}

/// What links an older checkpoint to the newest one.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// Leaves of the older tree.
    pub from: u64,
    /// Leaves of the newer tree.
    pub to: u64,
    /// The proof, in C2SP's base64 lines.
    pub proof: String,
    /// The newer checkpoint, signed.
    pub checkpoint: String,
    /// Whether the older tree's root was known and compared, and not its size alone.
    pub compared: bool,
}

/// Where an older tree is known from.
#[derive(Debug, Clone)]
pub enum Older {
    /// Its size alone.
    Size(u64),
    /// A file with its signed checkpoint.
    Note(PathBuf),
}

/// Proves that the ledger extends an older state of itself.
///
/// # Errors
/// [`Reason::SplitView`] if it does not; [`Reason::LedgerRolledBack`] if it is shorter; [`Reason::InputMalformed`] if the file
/// is no checkpoint of this log.
pub fn consistency(ledger: &Ledger, older: &Older) -> Result<Link, AppError> {
    let vkey = ledger.log_vkey();
    let known = match older {
        Older::Size(_) => None,
        Older::Note(path) => {
            let note = std::fs::read(path).map_err(|e| AppError::io("read", path, &e))?;
            // What is no text is no checkpoint, and is refused as such.
            let note = String::from_utf8_lossy(&note);
            Some(Checkpoint::open(&note, vkey).map_err(|e| {
                let text = format!("`{}`: {e}", path.display());
                AppError::new(Reason::InputMalformed, text)
                    .hint("give a checkpoint that this log has signed")
            })?)
        }
    };
    let from = match (older, &known) {
        (_, Some(known)) => known.size,
        (Older::Size(size), None) => *size,
        (Older::Note(_), None) => 0,
    };
    let note = ledger.checkpoint_note()?;
    let now = Checkpoint::open(&note, vkey)?;
    if from > now.size {
        let text = format!(
            "the ledger has {} records, and {from} were asked about",
            now.size
        );
        let reason = if known.is_some() {
            Reason::LedgerRolledBack
        } else {
            Reason::ArgumentInvalid
        };
        return Err(AppError::new(reason, text));
    }
    let path = ledger.consistency_path(from, now.size)?;
    if let Some(known) = &known {
        merkle::verify_consistency(known.size, &known.root, now.size, &now.root, &path).map_err(
            |_| {
                let text = format!(
                    "the first {from} records of the ledger are not those that the checkpoint signs"
                );
                AppError::new(Reason::SplitView, text)
            },
        )?;
    }
    Ok(Link {
        from,
        to: now.size,
        proof: merkle::path_to_text(&path),
        checkpoint: note,
        compared: known.is_some(),
    })
}

/// Publishes and copies the published files to a directory or a bucket. All that is there already is read and compared.
///
/// # Errors
/// Nothing can be published, or the place holds something else, or does not take what it is sent and keep it.
pub fn copy_to(
    ledger: &Ledger,
    place: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Exported, AppError> {
    ledger.publish()?;
    let destination = Destination::open(place, environment)?;
    let publication = Publication::new(ledger.publication());
    let (vkey, patience) = (ledger.log_vkey(), Patience::default());
    runtime()?
        .block_on(async { Ok(export::export(&publication, vkey, &destination, &patience).await?) })
}

/// Serves the published files on `listen` until the process is asked to end, and publishes what is appended meanwhile.
/// `ready` is told the address, `notice` of trouble.
///
/// # Errors
/// The address cannot be used.
pub fn serve(
    ledger: &Ledger,
    listen: SocketAddr,
    ready: &dyn Fn(SocketAddr),
    notice: &dyn Fn(&str),
) -> Result<(), AppError> {
    ledger.publish()?;
    let listener = bind(listen)?;
    let address = listener
        .local_addr()
        .map_err(|e| AppError::new(Reason::PortTaken, e.to_string()))?;
    let site = Site::new(Publication::new(ledger.publication()), "");
    runtime()?.block_on(async {
        ready(address);
        let limits = Limits::default();
        let serving = server::run(listener, site, &limits, asked_to_end());
        tokio::pin!(serving);
        let mut failed = String::new();
        loop {
            tokio::select! {
                ended = &mut serving => return Ok(ended?),
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
            // What cannot be published now is published a second later; the same words are said once.
            match ledger.publish() {
                Ok(_) => failed.clear(),
                Err(e) => {
                    let text = e.to_string();
                    if text != failed {
                        notice(&text);
                        failed = text;
                    }
                }
            }
        }
    })
}

/// A witness's directory, name and logs.
#[derive(Debug, Clone)]
pub struct WitnessHome {
    /// Where it keeps its key and its memory.
    pub dir: PathBuf,
    /// Its name in signatures.
    pub name: String,
    /// The logs that it cosigns.
    pub logs: Vec<Vkey>,
}

/// Makes a witness's key, or reads it; returns the key that others put into their policies.
///
/// # Errors
/// The directory cannot be used, or belongs to a witness of another name.
pub fn witness_key(home: &WitnessHome, clock: Arc<dyn Clock>) -> Result<Vkey, AppError> {
    let silent = Arc::new(|_: &str| {});
    let witness = Witness::open(&home.dir, &home.name, &home.logs, clock, silent)?;
    Ok(witness.vkey().clone())
}

/// Serves a witness on `listen` until the process is asked to end.
///
/// # Errors
/// Its directory or the address cannot be used.
pub fn serve_witness(
    home: &WitnessHome,
    listen: SocketAddr,
    clock: Arc<dyn Clock>,
    ready: &dyn Fn(SocketAddr, &Vkey),
) -> Result<(), AppError> {
    let tell = Arc::new(|text: &str| {
        let _ = writeln!(std::io::stderr(), "witness: {text}");
    });
    let witness = Witness::open(&home.dir, &home.name, &home.logs, clock, tell)?;
    let listener = bind(listen)?;
    let address = listener
        .local_addr()
        .map_err(|e| AppError::new(Reason::PortTaken, e.to_string()))?;
    let vkey = witness.vkey().clone();
    runtime()?.block_on(async {
        ready(address, &vkey);
        let site = WitnessSite::new(witness, "");
        Ok(server::run(listener, site, &Limits::default(), asked_to_end()).await?)
    })
}

/// Reads the logs that a witness serves: vkeys, and files of `log <vkey>` lines.
///
/// # Errors
/// [`Reason::ArgumentInvalid`] if one is none.
pub fn read_logs(vkeys: &[String], file: Option<&Path>) -> Result<Vec<Vkey>, AppError> {
    let mut logs = match file {
        Some(file) => gonogo_tlog::witness::read_logs(file)?,
        None => Vec::new(),
    };
    for text in vkeys {
        let vkey = text
            .parse()
            .map_err(|e| AppError::new(Reason::ArgumentInvalid, format!("--log: {e}")))?;
        logs.push(vkey);
    }
    Ok(logs)
}

/// The signature lines of a note, for people: name and key id.
pub fn signers(note: &str) -> Vec<String> {
    Note::parse(note).map_or_else(
        |_| Vec::new(),
        |note| note.signatures().iter().map(|s| s.name.clone()).collect(),
    )
}

/// Asks every witness of the configuration's policy now, and publishes what they cosigned.
///
/// # Errors
/// [`Reason::ConfigMissingKey`] if no policy is configured; as [`witnessing::of`] and
/// [`witnessing::Witnesses::ask_all`].
pub fn cosign(ws: &Workspace) -> Result<gonogo_tlog::cosign::Cosigned, AppError> {
    let witnesses = witnessing::of(ws)?.ok_or_else(|| {
        AppError::new(
            Reason::ConfigMissingKey,
            "the configuration names no witnesses",
        )
        .hint("name a tlog-policy: `policy = \"FILE\"` under `[ledger]`")
    })?;
    witnesses.ask_all()
}

fn bind(listen: SocketAddr) -> Result<TcpListener, AppError> {
    TcpListener::bind(listen).map_err(|e| {
        let text = format!("cannot listen on {listen}: {e}");
        let reason = match e.kind() {
            std::io::ErrorKind::PermissionDenied => Reason::PermissionDenied,
            _ => Reason::PortTaken,
        };
        AppError::new(reason, text).hint("give another address with --listen")
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, AppError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| AppError::new(Reason::Internal, format!("no runtime: {e}")))
}

async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let term = signal(SignalKind::terminate());
    let int = signal(SignalKind::interrupt());
    let (Ok(mut term), Ok(mut int)) = (term, int) else {
        // Without handlers the signals end the process by themselves.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}
