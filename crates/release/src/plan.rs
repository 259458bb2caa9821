//! The plan: immutable, specific enough that its execution makes no choices, and named by a fingerprint over its body.
//!
//! The body holds no floats, no times of day and no random ids, so the same intent over the same content gives the same
//! fingerprint. Who asked and when stands beside the body, in [`Plan`].

use gonogo_core::canonical::CanonicalError;
use gonogo_core::id::PlanId;
use gonogo_core::{Digest, Fingerprint, Share, Span, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::approval::ApprovalPolicy;
use crate::effect::Observed;

mod budget;
mod sound;
mod steps;

pub use budget::Budget;
pub use sound::unsound;
pub use steps::{Step, StepKind, resolve};

/// Schema name of a stored plan.
pub const SCHEMA: &str = "gonogo.release.plan.v1";

/// A plan as stored: the body, its fingerprint, and who asked for it when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Minted from the fingerprint.
    pub id: PlanId,
    /// Over the body's canonical form.
    pub fingerprint: Fingerprint,
    /// The older request hash, stored for comparison only.
    pub legacy_request_hash: String,
    /// Who asked.
    pub requester: String,
    /// The person whom the requester, an agent, acts for: their word counts as the requester's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// When.
    pub created_at: Timestamp,
    /// What will happen.
    pub body: PlanBody,
}

impl Plan {
    /// Seals `body`: computes fingerprint and id.
    ///
    /// # Errors
    /// [`CanonicalError`] if the body has no canonical form.
    pub fn seal(
        body: PlanBody,
        requester: String,
        created_at: Timestamp,
        config_path: &str,
    ) -> Result<Self, CanonicalError> {
        let fingerprint = Fingerprint::of(&body)?;
        Ok(Self {
            schema: SCHEMA.into(),
            id: plan_id(fingerprint),
            fingerprint,
            legacy_request_hash: gonogo_core::fingerprint::legacy_request_hash(
                config_path,
                None,
                None,
                None,
            ),
            requester,
            on_behalf_of: None,
            created_at,
            body,
        })
    }

    /// Says whether schema, fingerprint and id still belong to the body.
    pub fn is_intact(&self) -> bool {
        self.schema == SCHEMA
            && Fingerprint::of(&self.body).is_ok_and(|f| f == self.fingerprint)
            && self.id == plan_id(self.fingerprint)
    }
}

/// The id of the plan that a fingerprint names.
pub fn plan_id(fingerprint: Fingerprint) -> PlanId {
    let mut first = [0; 8];
    first.copy_from_slice(&fingerprint.digest().as_bytes()[..8]);
    PlanId::mint(first)
}

/// What will happen: everything that the fingerprint covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanBody {
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// Whether this goes forward or back.
    pub kind: PlanKind,
    /// Where.
    pub target: TargetSpec,
    /// The version that serves now, if one does.
    pub from: Option<Deployed>,
    /// The version to serve.
    pub to: VersionSpec,
    /// The slot for `to`; never the slot of `from`.
    pub slot: String,
    /// What the target reported when the plan was made. No slots is an explicit none.
    pub base: Observed,
    /// Where a rollback goes: the version in `from`, or explicitly nothing.
    pub rollback: RollbackTarget,
    /// How traffic moves.
    pub strategy: Strategy,
    /// What is watched and judged.
    pub checks: Checks,
    /// Which gates must pass first.
    pub gates: Gates,
    /// Who must approve.
    pub approval: ApprovalPolicy,
    /// The policy that the last operation in the environment was held to, where this one asks for less: both must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_before: Option<ApprovalPolicy>,
    /// The witnesses that must have cosigned the evidence before traffic moves towards `to`: digest of the tlog-policy's bytes.
    /// None: it is enough that evidence is durable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witnesses: Option<Digest>,
    /// The resolved steps, in order.
    pub steps: Vec<Step>,
    /// From fault to zero, promised.
    pub budget: Budget,
    /// Digest of the configuration's bytes.
    pub config: Digest,
    /// The tool that made the plan.
    pub tool: String,
}

/// Direction of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PlanKind {
    /// To a wanted version.
    Release,
    /// Back to an earlier known-good version.
    Rollback,
}

/// Where a plan applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum TargetSpec {
    /// Processes on this machine behind the traffic agent.
    Host {
        /// Address that the agent listens on.
        listen: String,
        /// Name of the cookie that keeps a client on one version, if any.
        sticky_cookie: Option<String>,
    },
}

/// A version that serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deployed {
    /// Its slot.
    pub slot: String,
    /// Its name.
    pub version: String,
    /// Digest of its whole description.
    pub content: Digest,
}

/// How to run a version and how to tell that it works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionSpec {
    /// Its name.
    pub version: String,
    /// Program and arguments. An argument equal to an artifact's path is replaced by the path of its kept copy;
    /// `{port}` is replaced by the port.
    pub run: Vec<String>,
    /// Environment, by value. Secrets do not belong here.
    pub env: std::collections::BTreeMap<String, String>,
    /// Environment taken over from the agent's own, by name.
    pub env_from: Vec<String>,
    /// The variable that carries the port.
    pub port_env: String,
    /// Files that make up the version, by path and digest.
    pub artifacts: Vec<Artifact>,
    /// How it says that it is ready.
    pub ready: Ready,
    /// How it drains.
    pub drain: Drain,
    /// HTTP version spoken to it.
    pub protocol: Protocol,
}

impl VersionSpec {
    /// Digest of the whole description, artifacts included.
    ///
    /// # Errors
    /// [`CanonicalError`] if the description has no canonical form.
    pub fn content(&self) -> Result<Digest, CanonicalError> {
        gonogo_core::canonical::to_vec(self).map(|bytes| Digest::of(&bytes))
    }
}

/// A file that belongs to a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// Path as written in the configuration: relative to it, or absolute.
    pub path: String,
    /// Digest of its bytes.
    pub sha256: Digest,
    /// Its length in bytes.
    pub bytes: u64,
    /// Whether it may be executed.
    pub executable: bool,
}

/// Readiness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// What to ask.
    pub probe: ReadyProbe,
    /// How often.
    pub interval: Span,
    /// How long one probe may take.
    pub timeout: Span,
    /// How long the version may take to become ready.
    pub within: Span,
}

/// What a readiness probe asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReadyProbe {
    /// `GET` this path answers 2xx.
    Http(String),
    /// The port accepts a connection.
    Tcp,
}

/// How a version is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    /// Signal that asks it to stop: `TERM`, `INT`, `QUIT`, `HUP`, `USR1` or `USR2`.
    pub signal: String,
    /// How long requests in flight may take before they are cut, and then how long the process may take before it is killed.
    pub within: Span,
}

/// HTTP version spoken to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 without TLS, with prior knowledge.
    H2c,
}

/// Where a rollback goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RollbackTarget {
    /// Back to this version, kept running until the soak is over.
    Version(Deployed),
    /// There was nothing before: serve nothing, stop what was started.
    Nothing,
}

/// How traffic moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Strategy {
    /// Its name in the configuration.
    pub name: String,
    /// The stages before promotion; weights grow.
    pub stages: Vec<Stage>,
    /// How long the old version is kept warm, and the new one watched, after promotion.
    pub soak: Span,
    /// How long promotion may take to be measured.
    pub promote_within: Span,
    /// How often the target is sampled.
    pub sample_every: Span,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Share of new requests for the new version.
    pub weight: Share,
    /// At least this long.
    pub bake: Span,
    /// At most this long; without positive evidence by then the release rolls back.
    pub within: Span,
}

/// What is watched and judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checks {
    /// Its name in the configuration.
    pub name: String,
    /// Fewest requests of the new version, in each stage, before anything passes.
    pub min_requests: u64,
    /// The error rate.
    pub errors: RateCheck,
    /// The share of requests slower than `slow_over`.
    pub slow: RateCheck,
    /// The share of requests that the client is blamed for: answered with 4xx, or left before the answer was complete. One alone
    /// says nothing about a version; more of them than from stable does.
    pub client_errors: RateCheck,
    /// The latency bound, from request head to the end of the answer.
    pub slow_over: Span,
    /// Chance that a whole healthy release is aborted, over all looks and all rates.
    pub alpha_abort: Share,
    /// Chance that a pass is wrong, per rate, over all looks.
    pub alpha_promote: Share,
}

/// Limits of one rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateCheck {
    /// The new version may be worse than stable by less than this (absolute difference of rates).
    pub margin: Share,
    /// The rate may not be above this, whatever stable does.
    pub limit: Share,
}

/// Which gates must pass before anything is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Gates {
    /// None, stated in the configuration.
    None,
    /// A dry run of exactly the plan's artifacts, signed off with a pass.
    DryRun(DryRunGate),
    /// A recorded verdict of the gates over the tree that the plan's artifacts were built from.
    Verdict(VerdictGate),
}

/// What a verdict must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerdictGate {
    /// Which question it must answer.
    pub lane: Lane,
    /// How old it may be when the plan is applied.
    pub max_age: Span,
    /// Whether one counts that stands on waivers, quarantines or the rollback mode.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_excused: bool,
}

/// A question that gates answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// Every gate.
    Full,
    /// Every gate, the audit of excuses, and whether it can be promoted.
    Certification,
}

impl Lane {
    /// The word in records.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Certification => "certification",
        }
    }
}

/// What a dry run must have been. What is absent demands nothing; what a record does not say is not fulfilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DryRunGate {
    /// How old its sign-off may be when the plan is applied.
    pub max_age: Span,
    /// The least run time that counts: what the child lived, at most what was declared, without what nobody saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_duration: Option<Span>,
    /// The least uptime, by the bound that gated the sign-off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_uptime: Option<Share>,
    /// Whether a sign-off counts that passed only because warnings were accepted wholesale.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_warnings: bool,
    /// How the run must have been bound to the artifacts.
    #[serde(default, skip_serializing_if = "Binding::is_executed")]
    pub binding: Binding,
    /// Of what was declared of dry runs when the plan was made: a run that was judged otherwise does not count. A plan without it is of a
    /// version that did not ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Digest>,
}

/// How a dry run is bound to what is released.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Binding {
    /// An artifact was what ran: the program itself, or the file that its interpreter was given to run.
    #[default]
    Executed,
    /// The command only had to name an artifact: nothing shows that it was used.
    Mentioned,
}

impl Binding {
    /// Whether an artifact must have run. By reference, as serde asks it.
    pub const fn is_executed(&self) -> bool {
        matches!(self, Self::Executed)
    }
}
