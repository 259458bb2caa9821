//! Witnesses: others who have cosigned the ledger's checkpoint, and refuse to cosign another past.
//!
//! Which they are and how many must agree stands in a C2SP tlog-policy beside `gonogo.toml`. Where an environment's evidence
//! must be `witnessed`, traffic moves towards a new version only over records that a quorum has cosigned. Going back waits
//! for nobody. A witness that holds more of the log than we do, or another one, with our own signature on it, stops us.
//!
//! Invariants: a policy that asks nobody (`quorum none`) witnesses nothing, and is refused here. What lies in the state directory as
//! cosigned is judged by the policy of now whenever it is looked at.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gonogo_core::{Clock, Digest, Reason, Span};
use gonogo_ledger::policy::Policy;
use gonogo_ledger::{Checkpoint, Note, Vkey, merkle};
use gonogo_release::plan::Plan;
use gonogo_release::{Action, Outcome, Sample};
use gonogo_store::ledger::{Ledger, LedgerError};
use gonogo_target::{Call, Target};
use gonogo_tlog::cosign::{Cosigned, Outcome as Asked, Sizes, Terms};
use gonogo_tlog::{Client, cosign};
use serde_json::json;

use crate::config::{Config, Environment};
use crate::memory::Memory;
use crate::workspace::STATE_DIR;
use crate::{AppError, Workspace};

/// The largest policy file.
const LARGEST: u64 = 64 * 1024;

/// Whom the ledger's checkpoints are shown to, and all that asking them needs.
#[derive(Clone)]
pub struct Witnesses {
    /// The policy.
    pub policy: Policy,
    /// Its bytes.
    pub text: String,
    ledger: Arc<Ledger>,
    clock: Arc<dyn Clock>,
    within: Span,
    recall: PathBuf,
    memory: Memory,
}

/// The digest of the policy's bytes, if the environment demands witnesses.
pub(crate) fn demanded(
    ws: &Workspace,
    environment: &Environment,
) -> Result<Option<Digest>, AppError> {
    if !environment.witnessed {
        return Ok(None);
    }
    Ok(of(ws)?.map(|w| w.digest()))
}

/// The witnesses that a plan demands; none if it demands none.
///
/// # Errors
/// [`Reason::ConfigChanged`] if the policy is no longer the one that was approved.
pub(crate) fn of_plan(ws: &Workspace, plan: &Plan) -> Result<Option<Witnesses>, AppError> {
    let Some(wanted) = plan.body.witnesses else {
        return Ok(None);
    };
    match of(ws)? {
        Some(witnesses) if witnesses.digest() == wanted => Ok(Some(witnesses)),
        _ => Err(AppError::new(
            Reason::ConfigChanged,
            "the witness policy is not the one that the plan names",
        )
        .hint("plan again, or put the policy back")),
    }
}

/// The witnesses that the configuration names; none if it names none.
///
/// # Errors
/// [`Reason::ConfigValue`] if the policy cannot be read, does not name this ledger's log key, or asks for no witness.
pub fn of(ws: &Workspace) -> Result<Option<Witnesses>, AppError> {
    let Some((policy, text)) = read_policy(&ws.config, ws.ledger.log_vkey())? else {
        return Ok(None);
    };
    Ok(Some(Witnesses {
        policy,
        text,
        ledger: Arc::clone(&ws.ledger),
        clock: Arc::clone(&ws.clock),
        within: ws.config.ledger.within,
        recall: ws
            .config
            .root()
            .join(STATE_DIR)
            .join("ledger/witnesses.json"),
        memory: ws.memory.clone(),
    }))
}

/// Reads the policy file that the configuration names, if it can judge whether the log with the key `ours` is witnessed.
fn read_policy(config: &Config, ours: &Vkey) -> Result<Option<(Policy, String)>, AppError> {
    let Some(file) = &config.ledger.policy else {
        return Ok(None);
    };
    let path = config.root().join(file);
    let (policy, text) = read_policy_file(&path)?;
    let bad = |what: &str| {
        let text = format!("the witness policy `{}` {what}", path.display());
        AppError::new(Reason::ConfigValue, text)
    };
    if policy.log(ours.name()) != Some(ours) {
        let error = bad("does not name this ledger's log key");
        return Err(error.hint(format!("add the line `log {ours}`")));
    }
    // A reader may ask for no witness. Here it would call witnessed what nobody has seen.
    if !policy.asks_for_witnesses() {
        let error = bad("asks for no witness (`quorum none`), so nothing can be witnessed by it");
        return Err(error
            .hint("name who must cosign: `quorum NAME`, with a witness or group of the policy")
            .hint("or do without witnesses: remove `policy` under `[ledger]`, and `evidence = \"witnessed\"`"));
    }
    Ok(Some((policy, text)))
}

/// What the newest cosigned checkpoint that is kept here is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Witnessed {
    /// None is kept.
    Nothing,
    /// A quorum has cosigned this ledger's first so many records.
    Records(u64),
    /// It does not count, or nothing can be witnessed as things are: why.
    Void(String),
}

/// Judges the newest cosigned checkpoint that is kept here: the log's signature, the quorum of the configured policy, and whether it is
/// of this ledger's tree.
///
/// # Errors
/// The ledger cannot be read.
pub fn witnessed(ledger: &Ledger, config: &Config) -> Result<Witnessed, AppError> {
    let policy = match read_policy(config, ledger.log_vkey()) {
        Ok(policy) => policy,
        Err(e) => return Ok(Witnessed::Void(e.message)),
    };
    let (checkpoint, note) = match ledger.witnessed_note() {
        Ok(Some(kept)) => kept,
        Ok(None) => return Ok(Witnessed::Nothing),
        Err(e @ LedgerError::Corrupt { .. }) => return Ok(Witnessed::Void(e.to_string())),
        Err(e) => return Err(e.into()),
    };
    let size = checkpoint.size;
    let Some((policy, _)) = policy else {
        let text = format!(
            "a checkpoint over {size} records is kept, and the configuration names no policy to judge its cosignatures by"
        );
        return Ok(Witnessed::Void(text));
    };
    let quorum = policy.judge(&Note::parse(&note)?);
    if !quorum.met {
        let text = format!(
            "too few witnesses cosigned the checkpoint over {size} records that is kept; needed: {}",
            quorum.needed
        );
        return Ok(Witnessed::Void(text));
    }
    if !extends(ledger, &checkpoint)? {
        let text = format!(
            "witnesses cosigned a checkpoint over {size} records that this ledger does not extend"
        );
        return Ok(Witnessed::Void(text));
    }
    Ok(Witnessed::Records(size))
}

/// Whether the ledger as it is acknowledged now extends the tree of `old`.
fn extends(ledger: &Ledger, old: &Checkpoint) -> Result<bool, AppError> {
    let now = Checkpoint::open(&ledger.checkpoint_note()?, ledger.log_vkey())?;
    if old.size > now.size {
        return Ok(false);
    }
    let path = ledger.consistency_path(old.size, now.size)?;
    let shown = merkle::verify_consistency(old.size, &old.root, now.size, &now.root, &path);
    Ok(shown.is_ok())
}

/// Reads a tlog-policy.
///
/// # Errors
/// The file cannot be read, or is no policy; [`Reason::ConfigValue`].
pub fn read_policy_file(path: &Path) -> Result<(Policy, String), AppError> {
    let bad = |why: String| {
        let text = format!("the witness policy `{}`: {why}", path.display());
        AppError::new(Reason::ConfigValue, text)
    };
    let size = std::fs::metadata(path)
        .map_err(|e| AppError::io("read", path, &e))?
        .len();
    if size > LARGEST {
        return Err(bad(format!("{size} bytes; at most {LARGEST} are read")));
    }
    let text = std::fs::read_to_string(path).map_err(|e| AppError::io("read", path, &e))?;
    let policy = Policy::parse(&text).map_err(|e| bad(e.to_string()))?;
    Ok((policy, text))
}

impl Witnesses {
    /// Digest of the policy's bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }

    /// Sees to it that a quorum has cosigned a checkpoint over everything that is acknowledged now. Asks only if it must.
    ///
    /// # Errors
    /// [`Reason::QuorumUnmet`] with what each witness said; [`Reason::SplitView`] or [`Reason::LedgerRolledBack`] if one
    /// proves that the log has another past.
    pub fn cover(&self) -> Result<(), AppError> {
        let note = self.ledger.checkpoint_note()?;
        let size = Checkpoint::open(&note, self.ledger.log_vkey())?.size;
        if let Some((witnessed, note)) = self.ledger.witnessed_note()?
            && witnessed.size >= size
            && self.policy.judge(&Note::parse(&note)?).met
            && extends(&self.ledger, &witnessed)?
        {
            return Ok(());
        }
        let cosigned = self.ask(&note)?;
        let needed = &cosigned.quorum.needed;
        if cosigned.quorum.met {
            return Ok(());
        }
        let told: Vec<_> = cosigned
            .witnesses
            .iter()
            .map(|(name, outcome)| format!("{name}: {}", words(outcome)))
            .collect();
        let text = format!(
            "too few witnesses cosigned the checkpoint over {size} records; needed: {needed}; {}",
            told.join("; ")
        );
        Err(AppError::new(Reason::QuorumUnmet, text)
            .hint("nothing moves forward without them; going back waits for nobody")
            .hint("see what each of them says: `gonogo ledger cosign`")
            .with("witnesses", json!(told)))
    }

    /// Asks every witness to cosign the newest checkpoint, and publishes it with the cosignatures that came.
    ///
    /// # Errors
    /// As [`Witnesses::cover`], a quorum that is not met apart.
    pub fn ask_all(&self) -> Result<Cosigned, AppError> {
        self.ask(&self.ledger.checkpoint_note()?)
    }

    fn ask(&self, note: &str) -> Result<Cosigned, AppError> {
        let cosigned = self.send(note)?;
        for (name, outcome) in &cosigned.witnesses {
            self.stop_at(name, outcome, note)?;
        }
        if cosigned.quorum.met {
            self.ledger.publish_cosigned(&cosigned.note)?;
        }
        Ok(cosigned)
    }

    /// A witness that proves another past of the log ends the work.
    fn stop_at(&self, name: &str, outcome: &Asked, note: &str) -> Result<(), AppError> {
        let (reason, text, proof) = match outcome {
            Asked::Ahead {
                size,
                proof: Some(proof),
            } => (
                Reason::LedgerRolledBack,
                format!(
                    "witness `{name}` holds a checkpoint of this log over {size} records, more than the ledger has: it is an older copy"
                ),
                proof,
            ),
            Asked::Fork {
                size,
                proof: Some(proof),
            } => (
                Reason::SplitView,
                format!(
                    "witness `{name}` holds another checkpoint of this log over {size} records: it was shown another past"
                ),
                proof,
            ),
            _ => return Ok(()),
        };
        let mut error = AppError::new(reason, text);
        if let Some(dir) = self
            .memory
            .keep_conflict(self.ledger.log_vkey(), [proof, note])
        {
            error = error.hint(format!(
                "both signed checkpoints are kept in `{}`",
                dir.display()
            ));
        }
        Err(error.hint("docs/recovery.md says what to do"))
    }

    /// Asks over the network, on a thread of its own: the caller may be inside another runtime.
    fn send(&self, note: &str) -> Result<Cosigned, AppError> {
        let size = Checkpoint::open(note, self.ledger.log_vkey())?.size;
        let now = self.clock.now().wall.as_millis() / 1000;
        let terms = Terms {
            deadline: self.within.to_std(),
            ..Terms::default()
        };
        let run = || -> Result<Cosigned, AppError> {
            let mut recall = Sizes::open(&self.recall)?;
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|e| AppError::new(Reason::Internal, format!("no runtime: {e}")))?;
            let client = Client::new();
            let asked = cosign::cosign(
                &client,
                &self.policy,
                note,
                |old| self.ledger.consistency_path(old, size),
                &mut recall,
                u64::try_from(now).unwrap_or(0),
                &terms,
            );
            let cosigned = runtime.block_on(asked)?;
            // What is forgotten costs one more question the next time.
            let _ = recall.save();
            Ok(cosigned)
        };
        std::thread::scope(|scope| match scope.spawn(run).join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }
}

/// A target that gives the new version traffic only over evidence that witnesses have cosigned. The intent to do so is among that
/// evidence: the driver records it before it calls. Every other call goes straight through, above all the way back.
pub(crate) struct WitnessedTarget<T> {
    pub(crate) target: T,
    /// Who must have cosigned, or why nobody can be asked.
    pub(crate) witnesses: Result<Witnesses, AppError>,
    /// Where the new version lives.
    pub(crate) slot: String,
    pub(crate) clock: Arc<dyn Clock>,
}

impl<T> WitnessedTarget<T> {
    fn opens(&self, action: &Action) -> bool {
        match action {
            Action::Weigh { weights, .. } => weights.get(&self.slot).is_some_and(|w| *w > 0),
            _ => false,
        }
    }

    /// Asks until a quorum has cosigned, for half of the call's time: the other half is the target's.
    fn cover(&self, deadline: Span) -> Result<(), AppError> {
        const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);
        let witnesses = self.witnesses.as_ref().map_err(Clone::clone)?;
        let until = self.clock.now().mono_ms + deadline.as_millis() / 2;
        loop {
            match witnesses.cover() {
                Err(e) if e.reason == Reason::QuorumUnmet && self.clock.now().mono_ms < until => {
                    std::thread::sleep(PAUSE);
                }
                done => return done,
            }
        }
    }
}

impl<T: Target> Target for WitnessedTarget<T> {
    fn call(&self, call: &Call) -> Outcome {
        if self.opens(&call.action)
            && let Err(e) = self.cover(call.deadline)
        {
            return Outcome::NotApplied {
                reason: e.reason,
                text: e.message,
            };
        }
        self.target.call(call)
    }

    fn sample(&self, deadline: Span) -> Result<Sample, String> {
        self.target.sample(deadline)
    }
}

/// What a witness did, in words.
pub fn words(outcome: &Asked) -> String {
    match outcome {
        Asked::Cosigned { forgot: None, .. } => "cosigned".into(),
        Asked::Cosigned {
            forgot: Some(size), ..
        } => format!("cosigned, but forgot that it had cosigned {size} leaves before"),
        Asked::Already { .. } => "has cosigned".into(),
        Asked::NoAddress => "the policy has no address for it".into(),
        Asked::Ahead { size, .. } => {
            format!("says that it knows {size} leaves, more than there are")
        }
        Asked::Fork { size, .. } => format!("says that it knows another tree of {size} leaves"),
        Asked::Refused { status, text } => format!("refused with status {status}: {text}"),
        Asked::Unusable(text) | Asked::Silent(text) => text.clone(),
    }
}
