//! The one catalogue of reason codes. Codes are stable and never reused; `gonogo explain CODE` prints an entry and
//! `docs/reference/reason-codes.md` is generated from it.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::text::stored_as_text;

/// How a judgement ended. Ordered so that the worst wins with `max`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Positive evidence that all is well.
    Pass,
    /// Not well, and covered by a recorded waiver.
    Excused,
    /// Not known yet, or a person must decide.
    Hold,
    /// Positive evidence that something is wrong.
    Fail,
    /// The evidence itself cannot be used.
    Invalid,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Excused => "excused",
            Self::Hold => "hold",
            Self::Fail => "fail",
            Self::Invalid => "invalid",
        })
    }
}

macro_rules! catalogue {
    ($($name:ident $code:literal $verdict:ident $exit:ident $meaning:literal $next:literal;)*) => {
        /// A stable, machine-readable reason.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(#[doc = $meaning] $name,)*
        }

        impl Reason {
            /// Every reason, in the catalogue's order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Returns one line of meaning.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }

            /// Returns what to do next.
            pub const fn next_action(self) -> &'static str {
                match self { $(Self::$name => $next,)* }
            }

            /// Returns the verdict that the reason carries unless a policy says otherwise.
            pub const fn verdict(self) -> Verdict {
                match self { $(Self::$name => Verdict::$verdict,)* }
            }

            /// Returns the exit code of a command that ends for this reason.
            pub const fn exit(self) -> Exit {
                match self { $(Self::$name => Exit::$exit,)* }
            }
        }
    };
}

catalogue! {
    // Analysis of live samples.
    ErrorRateNonInferior "ERROR_RATE_NON_INFERIOR" Pass Done "The canary's error rate is shown to be no worse than stable's by more than the margin." "Nothing; the release advances.";
    ErrorRateWithinLimit "ERROR_RATE_WITHIN_LIMIT" Pass Done "The error rate is shown to be below the absolute limit." "Nothing; the release advances.";
    ErrorRateWorse "ERROR_RATE_WORSE" Fail Fail "The canary answers errors more often than stable over the same windows." "Look at the canary's log; fix, plan again and release again.";
    ErrorRateOverLimit "ERROR_RATE_OVER_LIMIT" Fail Fail "The error rate is shown to be above the absolute limit." "Look at the version's log; fix, plan again and release again.";
    SlowShareNonInferior "SLOW_SHARE_NON_INFERIOR" Pass Done "The canary's share of slow requests is shown to be no worse than stable's by more than the margin." "Nothing; the release advances.";
    SlowShareWithinLimit "SLOW_SHARE_WITHIN_LIMIT" Pass Done "The share of slow requests is shown to be below the absolute limit." "Nothing; the release advances.";
    SlowShareWorse "SLOW_SHARE_WORSE" Fail Fail "The canary answers slowly more often than stable over the same windows." "Profile the canary; fix, plan again and release again.";
    SlowShareOverLimit "SLOW_SHARE_OVER_LIMIT" Fail Fail "The share of slow requests is shown to be above the absolute limit." "Profile the version; fix, plan again and release again.";
    ClientErrorsNonInferior "CLIENT_ERRORS_NON_INFERIOR" Pass Done "The canary's share of client errors is shown to be no worse than stable's by more than the margin." "Nothing; the release advances.";
    ClientErrorsWithinLimit "CLIENT_ERRORS_WITHIN_LIMIT" Pass Done "The share of client errors is shown to be below the absolute limit." "Nothing; the release advances.";
    ClientErrorsWorse "CLIENT_ERRORS_WORSE" Fail Fail "The canary answers 4xx, or is left by clients before its answer, more often than stable over the same windows." "Look for missing routes, refused logins and answers that do not come; fix, plan again and release again.";
    ClientErrorsOverLimit "CLIENT_ERRORS_OVER_LIMIT" Fail Fail "The share of 4xx answers and of clients that left before their answer is shown to be above the absolute limit." "Look for missing routes, refused logins and answers that do not come; fix, plan again and release again.";
    InsufficientSamples "INSUFFICIENT_SAMPLES" Hold Unjudged "Too few requests to judge." "Wait for traffic, or send some; at the deadline the release rolls back.";
    NotProven "NOT_PROVEN" Hold Unjudged "Enough requests, yet neither shown to be fine nor shown to be bad." "Wait; at the deadline the release rolls back. A wider margin or a longer deadline needs a new plan.";
    BakeRunning "BAKE_RUNNING" Hold Running "The checks pass and the stage's bake time is not over." "Wait.";
    SampleMissing "SAMPLE_MISSING" Hold Unjudged "The target could not be sampled." "Check that the agent runs: `gonogo status`.";
    SampleInvalid "SAMPLE_INVALID" Invalid Unjudged "A sample contradicts itself or an earlier one, so it cannot be used." "Look at the agent's log; the release cannot advance on it.";
    ShareAgrees "SHARE_AGREES" Pass Done "The measured share of traffic agrees with the weight." "Nothing; the step counts as done.";
    ShareUnproven "SHARE_UNPROVEN" Hold Unjudged "Too few requests to measure the served share." "Wait for traffic, or send some.";
    ShareMismatch "SHARE_MISMATCH" Fail Fail "The measured share of traffic does not agree with the weight." "Look for sticky sessions, long-lived connections or another writer of weights.";
    ServedZero "SERVED_ZERO" Pass Done "The version is measured to serve nothing." "Nothing.";
    DrainCut "DRAIN_CUT" Excused Done "Requests were still under way when the time to drain was over, and were cut." "Give `drain.within` as long as the service's longest requests; tunnels such as WebSockets are cut in any case.";
    VersionExited "VERSION_EXITED" Fail Fail "The version's process ended by itself." "Look at its log; fix, plan again and release again.";
    VersionNotReady "VERSION_NOT_READY" Fail Fail "The version did not become ready in time, or stopped being ready." "Look at its log and its readiness probe.";
    StageDeadline "STAGE_DEADLINE" Fail Fail "The stage's deadline passed without positive evidence." "See the decision's other reason codes: no traffic and no proof need different answers.";
    // The release machine.
    GatesNone "GATES_NONE" Pass Done "The environment demands no gate, and says so." "Nothing; the plan shows it.";
    GateVerdictPassed "GATE_VERDICT_PASSED" Pass Done "The gates of the tree that what is released was built from were judged, and the verdict was fresh when the operation began." "Nothing; the operation's first record names it.";
    GateDryRunPassed "GATE_DRY_RUN_PASSED" Pass Done "A dry run of exactly what is released was signed off, and was fresh when the operation began." "Nothing; the operation's first record names it.";
    GateEvidenceMissing "GATE_EVIDENCE_MISSING" Hold Unjudged "A gate's evidence is not there: no dry run of exactly what is released was signed off." "Run one: `gonogo dry-run orchestrate --artifact FILE -- FILE`.";
    GateEvidenceFailed "GATE_EVIDENCE_FAILED" Fail Fail "The newest dry run of what is released was not signed off with a pass." "Read its review, fix the cause and run again.";
    GateEvidenceStale "GATE_EVIDENCE_STALE" Hold Unjudged "The dry run's sign-off is older than the gate admits, or dated in the future." "Run again.";
    BaseStateMoved "BASE_STATE_MOVED" Fail Fail "The target is no longer in the state that the plan was made against." "Plan again: `gonogo plan`. Earlier approvals do not carry over.";
    Promoted "PROMOTED" Pass Done "The new version serves all traffic and passed its soak." "Nothing; the version is known-good.";
    RolledBack "ROLLED_BACK" Fail Fail "Traffic is back on the known-good version, measured." "Read the first failing decision: `gonogo status OP`.";
    Refused "REFUSED" Fail Fail "The release was refused before it changed anything." "Read the reason beside it.";
    Cancelled "CANCELLED" Hold Hold "The operation was cancelled; what it had started was undone." "Nothing, or plan again.";
    NeedsPerson "NEEDS_PERSON" Fail Hold "gonogo cannot finish safely by itself." "Follow the text beside it; then `gonogo status OP`.";
    EffectUnknown "EFFECT_UNKNOWN" Hold Unjudged "An effect was sent and its outcome is not known." "Nothing; gonogo probes it before it does anything else.";
    EffectFailed "EFFECT_FAILED" Fail Fail "The target answered that a step was not done." "Read the outcome's text; fix its cause and plan again.";
    UndoFailed "UNDO_FAILED" Fail Hold "A rollback step could not be completed." "Restore by hand as the text says, then tell the team; the ledger has every step.";
    StaleEpoch "STALE_EPOCH" Fail Fail "A newer controller has taken over; the older one's call was refused." "Nothing; the newer controller goes on.";
    Frozen "FROZEN" Hold Hold "A freeze holds every advance; rollback stays possible." "Wait for the end of the freeze.";
    FreezeActive "FREEZE_ACTIVE" Hold Hold "A freeze is active here, so nothing new is applied; planning, reading and going back work." "Wait for its end, or end it: `gonogo freeze list`, `gonogo unfreeze FREEZE --why TEXT`.";
    FreezeUnknown "FREEZE_UNKNOWN" Invalid NotFound "No active freeze has this id or name." "List freezes: `gonogo freeze list`.";
    FreezeOfConfig "FREEZE_OF_CONFIG" Hold Hold "The freeze is a window of gonogo.toml, which ends by the calendar and not by a command." "Wait for its end, or change the window in gonogo.toml, which makes every earlier plan out of date.";
    PinActive "PIN_ACTIVE" Hold Hold "The environment is pinned to another version than this one." "Bring the pinned version, or let somebody move the pin: `gonogo pin list`.";
    PinMoves "PIN_MOVES" Invalid Usage "A pin names a version for good: a tag, a digest or a full commit, and no branch or shortened name." "Name the version by its tag, `sha256:` digest or full commit.";
    PinUnknown "PIN_UNKNOWN" Invalid NotFound "The environment has no pin." "List pins: `gonogo pin list`.";
    KnownGoodGone "KNOWN_GOOD_GONE" Fail Fail "The version is known-good, but its files are neither kept nor in the project as they were." "Build it again to the byte, or go back to another version: `gonogo known-good list`.";
    KnownGoodRefused "KNOWN_GOOD_REFUSED" Hold Permission "The version cannot be called known-good so: it never had requests here, it was taken back, or who says so may not decide." "Read which of them it is; a version that was taken back needs `--why`.";
    PreApproved "PRE_APPROVED" Pass Done "The environment's approval policy has approved every way back to known-good beforehand." "Nothing; the operation's first record says so.";
    PostureOpen "POSTURE_OPEN" Hold Hold "The rollback posture holds the environment to another version." "End it first: `gonogo rollback-posture --reopen`.";
    PostureUnproven "POSTURE_UNPROVEN" Hold Unjudged "A step of the rollback posture could not be proven, so it does not count as done." "Do what the step says and run `gonogo rollback-posture` again; it goes on where it stands.";
    // Plans, approvals, operations.
    NothingToDo "NOTHING_TO_DO" Pass Done "The asked version already serves all traffic with the same content." "Nothing.";
    PlanLint "PLAN_LINT" Fail Config "The plan cannot work as written." "Fix what the lint lists; then plan again.";
    PlanEdited "PLAN_EDITED" Fail Fail "The plan's file does not match its fingerprint or its record." "Plan again: `gonogo plan`.";
    PlanUnrecorded "PLAN_UNRECORDED" Fail Fail "The ledger holds no record of this plan." "Plan again: `gonogo plan`.";
    PlanNotFound "PLAN_NOT_FOUND" Invalid NotFound "No plan has this id." "List plans: `gonogo evidence list --kind plan`.";
    ConfigChanged "CONFIG_CHANGED" Fail Fail "The configuration changed after planning." "See `gonogo plan diff PLAN`; then plan again. Earlier approvals do not carry over.";
    ArtifactChanged "ARTIFACT_CHANGED" Fail Fail "An artifact or input file changed after planning." "Plan again: `gonogo plan`. Earlier approvals do not carry over.";
    ToolChanged "TOOL_CHANGED" Fail Fail "The plan was made by another version of gonogo." "Plan again with this version.";
    ArtifactMissing "ARTIFACT_MISSING" Invalid NotFound "An artifact does not exist." "Build it, or correct its path in gonogo.toml.";
    ArtifactUnreadable "ARTIFACT_UNREADABLE" Invalid Input "An artifact cannot be read." "Check its permissions.";
    ApprovalMissing "APPROVAL_MISSING" Hold Permission "No approval names this plan." "Ask an approver: `gonogo approve PLAN`.";
    ApprovalInvalid "APPROVAL_INVALID" Hold Permission "An approval breaks at least one rule; every broken rule is listed." "Ask for a new approval: `gonogo approve PLAN`.";
    ApprovalExpired "APPROVAL_EXPIRED" Hold Permission "An approval's time is over." "Ask for a new approval: `gonogo approve PLAN`.";
    ApprovalKeyRequired "APPROVAL_KEY_REQUIRED" Hold Permission "The environment takes no decision by login: it must be signed with the approver's own key." "Sign it where your key is: `gonogo approve PLAN --key FILE --out FILE`; then `gonogo approval submit FILE`.";
    ApprovalRevoked "APPROVAL_REVOKED" Hold Permission "An approval was taken back." "Ask for a new approval: `gonogo approval request PLAN`.";
    ApprovalUsed "APPROVAL_USED" Hold Hold "An approval was used already, so it cannot be taken back." "Ask the operation to end instead: `gonogo cancel OP`.";
    ApprovalNotYours "APPROVAL_NOT_YOURS" Hold Permission "Somebody else gave this, and only they or an admin take it back." "Ask whoever gave it, or an admin.";
    DelegationRefused "DELEGATION_REFUSED" Hold Permission "A voice cannot be delegated like this; the text says why." "Delegate within what the environment's `approval.delegation` admits.";
    DelegationInvalid "DELEGATION_INVALID" Hold Permission "An approval was given for somebody else, and no delegation that holds says so." "Ask the approver themselves, or for a new delegation: `gonogo approval delegate`.";
    PlanSuperseded "PLAN_SUPERSEDED" Fail Fail "A newer plan for the environment was made after this one, or after its approval." "Apply the newer plan, or plan this change again; earlier approvals do not carry over.";
    BreakGlassRefused "BREAK_GLASS_REFUSED" Hold Permission "The glass may not be broken like this; the text says which rule is against it." "Ask for an approval: `gonogo approval request PLAN`.";
    IncidentOpen "INCIDENT_OPEN" Hold Hold "An incident that breaking the glass opened has not been reviewed." "Somebody else reviews it: `gonogo incident close INCIDENT --review TEXT`.";
    IncidentOwn "INCIDENT_OWN" Hold Permission "Whoever opened an incident, asked for what it let through, or applied that, does not close it." "Ask somebody else to review it.";
    IncidentReviewer "INCIDENT_REVIEWER" Hold Permission "Who reviews an incident is no approver of its environment, or does not come with the listed key." "Ask one of the environment's approvers to review it.";
    RejectionStands "REJECTION_STANDS" Hold Hold "A rejection is not taken back; only its giver's own later approval ends it." "Whoever gave it approves the plan, if it is right by now.";
    TimeRefused "TIME_REFUSED" Invalid Usage "A time that was given is over by now, or further ahead than the rule allows." "Give a time from now on, within what the text names.";
    IncidentClosed "INCIDENT_CLOSED" Hold Hold "The incident was closed before." "Nothing; `gonogo incident show INCIDENT` has its review.";
    ApprovalReused "APPROVAL_REUSED" Hold Permission "An approval was used before." "Ask for a new approval: `gonogo approve PLAN`.";
    ApprovalSelfGiven "APPROVAL_SELF_GIVEN" Hold Permission "The approver is the requester, and the environment does not allow that." "Ask somebody else: `gonogo approve PLAN`.";
    ApprovalQuorum "APPROVAL_QUORUM" Hold Permission "Fewer valid approvals than the environment demands." "Ask another approver: `gonogo approve PLAN`.";
    ApprovalRejected "APPROVAL_REJECTED" Hold Permission "An approver or the requester rejected the plan, and no quorum outvotes that." "Plan again with what they ask for; or they approve it after all: `gonogo approve PLAN`.";
    ApprovalWeakened "APPROVAL_WEAKENED" Hold Permission "The configuration asks for less approval than the last operation here was held to, so the plan must hold under both." "Have those approve who had to approve before; from the next operation on the new policy stands alone.";
    RequesterUnlisted "REQUESTER_UNLISTED" Hold Permission "The environment does not know who asks, so approver and requester could be one." "Ask under a listed name with its key, or list the name in `requesters`.";
    IdempotencyConflict "IDEMPOTENCY_CONFLICT" Fail Fail "The idempotency key was used for another plan." "Use another key, or the plan that the key belongs to.";
    OperationOpen "OPERATION_OPEN" Hold Hold "Another operation runs in this environment." "Follow it: `gonogo watch OP`; or cancel it: `gonogo cancel OP`.";
    OperationNotFound "OPERATION_NOT_FOUND" Invalid NotFound "No operation has this id." "List operations: `gonogo history`.";
    OperationEnded "OPERATION_ENDED" Hold Hold "The operation has ended; there is nothing to cancel." "To go back, use `gonogo rollback`.";
    NoKnownGood "NO_KNOWN_GOOD" Hold Hold "There is no earlier known-good version to go back to." "`gonogo known-good list` shows which versions are; any other one is released: `gonogo release --to VERSION`.";
    IdAmbiguous "ID_AMBIGUOUS" Invalid Usage "Several ids start with this text." "Give more characters.";
    LeaseHeld "LEASE_HELD" Hold Running "Another live controller drives this operation." "Follow it: `gonogo watch OP`.";
    LeaseLost "LEASE_LOST" Hold Running "This controller lost its lease to another." "Follow the operation: `gonogo watch OP`.";
    TimeOut "TIME_OUT" Hold Running "The operation still runs when --timeout ended." "Follow it: `gonogo watch OP`.";
    ClockWentBack "CLOCK_WENT_BACK" Invalid Unjudged "The wall clock reads earlier than the newest record." "Set the clock right; nothing was changed.";
    NotConfirmed "NOT_CONFIRMED" Hold Usage "A destructive command was not confirmed." "Repeat it with --yes.";
    // Configuration and input.
    ConfigNotFound "CONFIG_NOT_FOUND" Invalid NotFound "No gonogo.toml was found here or above." "Create one, or name it with --config; `gonogo help config` shows an example.";
    ConfigUnreadable "CONFIG_UNREADABLE" Invalid Config "The configuration cannot be read." "Check its path, permissions and encoding.";
    ConfigSyntax "CONFIG_SYNTAX" Invalid Config "The configuration is not TOML." "Correct the marked place.";
    ConfigUnknownKey "CONFIG_UNKNOWN_KEY" Invalid Config "A key is not known." "Correct or remove it; the nearest known key is named.";
    ConfigDuplicateKey "CONFIG_DUPLICATE_KEY" Invalid Config "A key stands twice." "Keep one.";
    ConfigMissingKey "CONFIG_MISSING_KEY" Invalid Config "A needed key is absent." "Add it; `gonogo help config` shows an example.";
    ConfigValue "CONFIG_VALUE" Invalid Config "A value has the wrong type, unit or range." "Correct it as the text says.";
    ConfigRequires "CONFIG_REQUIRES" Invalid Config "The configuration asks for another version of gonogo." "Install that version, or change `requires`.";
    GatesUnstated "GATES_UNSTATED" Invalid Config "The environment says nothing about gates." "State `gates = \"none\"` to demand none; silence is an error.";
    GateUnknown "GATE_UNKNOWN" Invalid Config "The environment names a gate that does not exist." "Correct the name, or state `gates = \"none\"`.";
    EnvironmentUnknown "ENVIRONMENT_UNKNOWN" Invalid Usage "No environment has this name." "Use one of the names listed.";
    VersionUnknown "VERSION_UNKNOWN" Invalid Usage "No version has this name." "Use one of the names listed, or describe it in gonogo.toml.";
    SecretInConfig "SECRET_IN_CONFIG" Invalid Config "A value looks like a secret." "Pass it by `env_from` and keep it out of the file.";
    InputMalformed "INPUT_MALFORMED" Invalid Input "An input file cannot be understood." "Correct it as the text says.";
    SecretInInput "SECRET_IN_INPUT" Invalid Usage "A text that would be kept looks as if a token or another secret were in it." "Leave it out; revoke a token that others have seen: `gonogo token revoke`.";
    InputNotFound "INPUT_NOT_FOUND" Invalid NotFound "An input does not exist." "Correct its path or id.";
    ArgumentInvalid "ARGUMENT_INVALID" Invalid Usage "An argument cannot be used." "Correct it as the text says.";
    KeyUnreadable "KEY_UNREADABLE" Invalid Permission "A key cannot be read or is not a P-256 key in PKCS#8." "Check the path and permissions.";
    KeyNotListed "KEY_NOT_LISTED" Hold Permission "The configuration lists another key for this name, or another name for this key." "Give the listed key with --key FILE, or act under your own name with --as NAME.";
    ReasonUnknown "REASON_UNKNOWN" Invalid NotFound "No reason has this code." "List all codes: `gonogo explain`.";
    // The target.
    // Doors.
    Unauthenticated "UNAUTHENTICATED" Hold Permission "Nobody is shown to be asking: no token, or none that is valid." "Send `Authorization: Bearer TOKEN`; `gonogo token create` makes one.";
    ScopeMissing "SCOPE_MISSING" Hold Permission "Who asks may not do this." "Ask somebody who may, or for a token with the scope that the text names.";
    TokenAudience "TOKEN_AUDIENCE" Hold Permission "The token was made for somebody else to accept." "Ask the issuer for a token whose `aud` is this server's `[oidc] audience`.";
    CsrfMissing "CSRF_MISSING" Hold Permission "A request that changes something came with a session's cookie and without its CSRF token." "Send what `GET /v1/sessions/current` says as `X-CSRF-Token`.";
    PasswordRefused "PASSWORD_REFUSED" Invalid Usage "The new password is too easily guessed." "Choose a longer one: four or five words.";
    AgentMayNotDecide "AGENT_MAY_NOT_DECIDE" Hold Permission "An agent tried to decide what only people decide." "Ask a person: `gonogo approve PLAN`, or the approval's page.";
    ApplyDisabled "APPLY_DISABLED" Hold Permission "This server's doors change nothing on targets." "Start it with `--allow-apply`, or use a server that may.";
    ToolUnknown "TOOL_UNKNOWN" Invalid Usage "No use case has this name here." "`docs/reference/doors.md` lists them; `gonogo call --list` too.";
    RouteUnknown "ROUTE_UNKNOWN" Invalid NotFound "Nothing is at this address." "`GET /openapi.json` lists what is.";
    MethodRefused "METHOD_REFUSED" Invalid Usage "The address takes other methods." "Use one of those in the answer's `Allow` header.";
    MethodUnknown "METHOD_UNKNOWN" Invalid Usage "The protocol's method is not one that is answered here." "Use a method that the answer to `initialize` or `server/discover` names.";
    MediaTypeRefused "MEDIA_TYPE_REFUSED" Invalid Usage "The body is of another type than JSON in UTF-8." "Send `Content-Type: application/json`.";
    NotAcceptable "NOT_ACCEPTABLE" Invalid Usage "The caller accepts no type that can be answered with." "Accept `application/json`.";
    BodyLate "BODY_LATE" Invalid Usage "The body did not come in time." "Send it at once.";
    BodyTooLarge "BODY_TOO_LARGE" Invalid Usage "The body is larger than what is read." "Send less.";
    UriTooLong "URI_TOO_LONG" Invalid Usage "The address that is asked for is longer than what is read." "Ask for less at once; what is long belongs into a body.";
    HeadTooLarge "HEAD_TOO_LARGE" Invalid Usage "The request has more or larger headers than what is read." "Send fewer; no header that is read here is long.";
    HostRefused "HOST_REFUSED" Hold Permission "The request names another host, or comes from a page of another origin." "Use the address that the server prints, or name the host in `[server]`.";
    FingerprintMismatch "FINGERPRINT_MISMATCH" Hold Hold "The fingerprint that was given is not the plan's." "Plan again, and have that plan approved.";
    Overloaded "OVERLOADED" Hold Unavailable "Too many requests of this class are under way." "Try again after the time in `Retry-After`.";
    RateLimited "RATE_LIMITED" Hold Unavailable "Too much was asked in a short time, in one name or from one address." "Try again after the time in `Retry-After`.";
    IssuerKeysStale "ISSUER_KEYS_STALE" Hold Unavailable "The issuer's keys cannot be read, or were last read too long ago: no token of its can be checked." "See whether `[oidc] jwks` can be read from the server's machine.";
    ServerMisconfigured "SERVER_MISCONFIGURED" Hold Unavailable "The server's configuration was changed and cannot be read." "Have whoever runs the server correct its gonogo.toml; `gonogo status` on the server's machine, in the directory of that file, and the server's log say what is wrong.";
    DeadlineExceeded "DEADLINE_EXCEEDED" Hold Unavailable "The answer did not come within the time of its class." "Try again; what was begun goes on and is found by its key.";
    ServerUnreachable "SERVER_UNREACHABLE" Hold Unavailable "The gonogo server does not answer." "Check its address and that it runs: `gonogo serve`.";
    ResourceChanged "RESOURCE_CHANGED" Hold Hold "The resource is not what `If-Match` says: it has changed since it was looked at." "Look again and decide on what is there now.";
    WebhookUnknown "WEBHOOK_UNKNOWN" Invalid NotFound "No webhook has this name." "List them: `gonogo webhook list`.";
    WebhookFailed "WEBHOOK_FAILED" Hold Unavailable "A notice was not taken." "Read what the receiver answered; check its address and the secret.";
    ServerFailed "SERVER_FAILED" Hold Unavailable "Something before the gonogo server, or the server itself, failed without a word of gonogo's." "Try again, with the same key where something is to be done; then look at what stands before the server.";
    ServerAnswer "SERVER_ANSWER" Invalid Unavailable "What answered is no gonogo server, or a newer one." "Check the address and the versions.";
    // A workflow service that carries applications out.
    WorkflowUnwired "WORKFLOW_UNWIRED" Hold Unavailable "The environment is carried out by a workflow service, and not everything is said that a dispatch to it needs." "Say what the text names, in `[workflow]` or by its variable; reading and planning go on.";
    WorkflowUnreachable "WORKFLOW_UNREACHABLE" Hold Unavailable "The workflow service cannot be reached, or broke the connection off." "Try again later with the same key; reading and planning go on.";
    WorkflowTimeout "WORKFLOW_TIMEOUT" Hold Unavailable "The workflow service did not answer in time." "Try again later with the same key: what was sent is asked about, never sent twice.";
    WorkflowFailed "WORKFLOW_FAILED" Hold Unavailable "The workflow service failed with a status of 500 or above." "Look at the service; try again later with the same key.";
    WorkflowBusy "WORKFLOW_BUSY" Hold Unavailable "The workflow service takes no more for now." "Try again with the same key after the time that it named.";
    WorkflowDenied "WORKFLOW_DENIED" Fail Unavailable "The workflow service does not let this gonogo in." "Check the token that `[workflow]` names; then plan and approve again.";
    WorkflowRefused "WORKFLOW_REFUSED" Fail Unavailable "The workflow service refused the operation." "Read its words; fix the cause, plan and approve again.";
    WorkflowAnswer "WORKFLOW_ANSWER" Invalid Unavailable "The workflow service answered with what the contract does not know." "Check its address and that it speaks the contract: docs/remote-workflows.md.";
    WorkflowLost "WORKFLOW_LOST" Fail Hold "The workflow service does not say any more what became of an operation that it has taken, or may have." "Look at the target and at the service; gonogo does not guess.";
    WorkflowSucceeded "WORKFLOW_SUCCEEDED" Pass Done "The workflow service says that it did what was planned." "Nothing; the version is known-good by its word.";
    WorkflowRunFailed "WORKFLOW_RUN_FAILED" Fail Fail "The workflow service says that the operation failed." "Read its words; look at the target, then plan again.";
    WorkflowRunTimedOut "WORKFLOW_RUN_TIMED_OUT" Fail Fail "The workflow service says that the operation took more time than it had." "Make sure that nothing of it still runs there before anything is tried again.";
    AgentUnreachable "AGENT_UNREACHABLE" Hold Unavailable "The traffic agent does not answer." "Start it: `gonogo agent --env ENV`.";
    AgentRefused "AGENT_REFUSED" Fail Unavailable "The traffic agent refused the call." "Read the text beside it.";
    WitnessStateDamaged "WITNESS_STATE_DAMAGED" Invalid Unjudged "What a witness has cosigned before cannot be read." "Restore its directory from where you keep it; a witness that forgot may cosign another past.";
    ExportFailed "EXPORT_FAILED" Hold Unavailable "The ledger's files could not be brought where they should go." "Repeat it: what is there already is right and stays.";
    ExportConflict "EXPORT_CONFLICT" Fail Fail "The place holds something else than this log." "Choose an empty place, or find out who wrote there.";
    PortTaken "PORT_TAKEN" Invalid Unavailable "The port is used by another process." "Stop that process, or change `listen`.";
    PermissionDenied "PERMISSION_DENIED" Invalid Permission "The operating system refused access." "Check owner and permissions of the named object.";
    // The store and the ledger.
    StoreFull "STORE_FULL" Invalid Unavailable "The disk is full; the operation does not advance and nothing acknowledged is lost." "Free space; then any gonogo command goes on.";
    StoreSyncFailed "STORE_SYNC_FAILED" Invalid Internal "The disk failed to make a record durable; the process ended." "Check the disk; then run `gonogo status`.";
    StoreFailed "STORE_FAILED" Invalid Internal "The store could not be read or written." "Read the cause beside it; check the disk.";
    LedgerCorrupt "LEDGER_CORRUPT" Invalid Unjudged "The ledger does not match its own digests." "Stop; keep a copy of .gonogo and find out what wrote there.";
    LedgerRolledBack "LEDGER_ROLLED_BACK" Invalid Unjudged "The ledger or its lock is an older copy: it lacks what was acknowledged." "Stop; keep both copies and follow docs/recovery.md.";
    LedgerTailCut "LEDGER_TAIL_CUT" Excused Done "An unfinished last record, never acknowledged, was cut after a crash." "Nothing.";
    // Dry runs.
    RunPassed "RUN_PASSED" Pass Done "The run may be signed off." "Nothing; the packet proves it.";
    RunWarned "RUN_WARNED" Hold Hold "The run has findings that a person must accept or remove." "Read the review; accept with `--allow-warnings` or a rule of the allow-list, or run again.";
    RunFailed "RUN_FAILED" Fail Fail "The run may not be signed off." "Read the findings, fix their causes and run again.";
    RunUnjudged "RUN_UNJUDGED" Invalid Unjudged "The run's evidence is missing, broken or was made on a simulated clock." "Read the findings; run again.";
    RunActive "RUN_ACTIVE" Hold Running "The run still goes on." "Wait for its end; a dry run is followed with `gonogo dry-run watch --progress DIR`.";
    RunUnfinished "RUN_UNFINISHED" Hold Unjudged "The packet holds no verdict of the run." "Give the verdict first: `gonogo dry-run finalize DIR`; then ask for the packet again.";
    VerdictDiffers "VERDICT_DIFFERS" Fail Fail "The verdict that follows from the packet's raw bytes is not the one that was signed." "Do not trust the sign-off.";
    VerdictUnderivable "VERDICT_UNDERIVABLE" Hold Unjudged "The signed verdict cannot be derived again here." "Verify with the version that the text names, or ask for a packet with the raw bytes.";
    // Test reports and what is judged by them.
    EvidenceMissing "EVIDENCE_MISSING" Hold Unjudged "What must be shown was not shown." "Run what the obligation names.";
    EvidenceStale "EVIDENCE_STALE" Hold Unjudged "The evidence is older than the policy admits, or dated in the future." "Run again.";
    EvidenceWrongTree "EVIDENCE_WRONG_TREE" Hold Unjudged "The evidence is about another tree than the one under judgement." "Run on this tree.";
    EvidenceOtherDeclaration "EVIDENCE_OTHER_DECLARATION" Hold Unjudged "A run or a dry run was made when the configuration declared something else than now, or with less asked of it." "Run again.";
    EvidenceUnparsable "EVIDENCE_UNPARSABLE" Invalid Unjudged "A report cannot be read, or says something that no reader knows." "Read the place that the text names; write the report again.";
    EvidenceTruncated "EVIDENCE_TRUNCATED" Invalid Unjudged "A report ends before its end." "Look for a crash or a full disk; run again.";
    EvidenceCountMismatch "EVIDENCE_COUNT_MISMATCH" Invalid Unjudged "A report declares another number of tests than it holds." "Find the tests that are missing from the report; run again.";
    EvidenceCachedOnly "EVIDENCE_CACHED_ONLY" Hold Unjudged "Every result was taken from a cache: nothing ran." "Run without the cache.";
    SchemaUnknown "SCHEMA_UNKNOWN" Invalid Unjudged "A file has a schema that this version does not know." "Use the version that wrote it, or write it again.";
    IdCollision "ID_COLLISION" Invalid Unjudged "One name stands for two tests, so nobody can say which of them passed." "Give the tests different names.";
    ZeroTests "ZERO_TESTS" Invalid Unjudged "No test ran." "Check the filter and the command.";
    ShardMissing "SHARD_MISSING" Hold Unjudged "A shard of the plan has no run." "Run it; the text names its index.";
    ShardPlanMismatch "SHARD_PLAN_MISMATCH" Invalid Unjudged "Shards are of different plans, trees or totals, or two of them ran the same tests." "Run all shards by one plan.";
    RunIncomplete "RUN_INCOMPLETE" Invalid Unjudged "The run ended before all was done." "Read why it ended; run again.";
    RunTooFast "RUN_TOO_FAST" Hold Hold "The run was green in less time than it can take." "Check that it really ran what it should.";
    ExitCodeConflict "EXIT_CODE_CONFLICT" Invalid Unjudged "The report and the runner's exit code contradict each other." "Read the log: what failed is not in the report.";
    ExitCodeMissing "EXIT_CODE_MISSING" Hold Unjudged "A report was read, and nobody says how its runner ended." "Give the runner's exit code with the report.";
    GitFailed "GIT_FAILED" Hold Unavailable "git could not say which tree this is." "Read what git says; mend the repository.";
    RedactionFailed "REDACTION_FAILED" Invalid Unjudged "Secrets could not be taken out of an artifact, so it was not kept." "Read the text: space, permissions; run again.";
    PreflightFailed "PREFLIGHT_FAILED" Fail Fail "What a run needs is not there: space, inodes, a program." "Mend what the text names; nothing was run.";
    EvidenceContractFailed "EVIDENCE_CONTRACT_FAILED" Invalid Unjudged "The artifacts of a run do not agree with each other, so none of them can be believed." "Read `evidence_contract.json` of the run; run again.";
    SuiteUnknown "SUITE_UNKNOWN" Invalid Config "No suite or profile has this name." "Use a name of the configuration.";
    RunUnknown "RUN_UNKNOWN" Invalid NotFound "No run has this id." "`gonogo suite list` shows them.";
    NothingToRerun "NOTHING_TO_RERUN" Excused Done "The run has nothing that was not good, so nothing was run." "Nothing.";
    ArtifactsChanged "ARTIFACTS_CHANGED" Invalid Unjudged "The files of a run are not those that were recorded." "Do not trust the run; run again.";
    TreeChanged "TREE_CHANGED" Invalid Unjudged "The tree was changed while it was tested, so nobody can say what was tested." "Keep the tree still, or let the tests write elsewhere; run again.";
    TestFailed "TEST_FAILED" Fail Fail "A test failed." "Run it alone, and read its first failure.";
    TestErrored "TEST_ERRORED" Fail Fail "A test could not be carried out." "Read its log; it may not be the test's fault.";
    TestPrecluded "TEST_PRECLUDED" Fail Fail "A test that was planned never ran." "Mend what stood before it: a build, a fixture, a bail-out.";
    TestMissing "TEST_MISSING" Hold Unjudged "A test that must be there has no result." "Find out why it did not run.";
    TestRemoved "TEST_REMOVED" Hold Hold "A test that the baseline has is gone." "If it was meant: a waiver says so.";
    NewlySkipped "NEWLY_SKIPPED" Hold Hold "A test that ran before is skipped now." "Run it again, or say in a waiver why not.";
    UnexpectedPass "UNEXPECTED_PASS" Fail Fail "A test passed that was expected to fail." "Take the expectation away.";
    FlakyBlocking "FLAKY_BLOCKING" Hold Hold "A test, a document that a run kept, or a dry run failed and passed on one tree." "Mend it, or put a test into quarantine with owner and expiry.";
    Regression "REGRESSION" Fail Fail "A test that passed in the baseline fails." "Run it alone; the diff ranks what to look at first.";
    BaselineMissing "BASELINE_MISSING" Hold Unjudged "There is nothing to compare with." "Name a baseline, or record one.";
    BaselineIncomparable "BASELINE_INCOMPARABLE" Hold Unjudged "The baseline is of another variant or plan." "Compare with a run of the same.";
    SignatureUnclassified "SIGNATURE_UNCLASSIFIED" Hold Hold "Nothing says what kind of failure it is." "Add a rule for it to the runbook.";
    OwnerMissing "OWNER_MISSING" Hold Hold "Nobody owns what failed." "Add an owner to the table.";
    // What a change costs.
    PerfWithinBudget "PERF_WITHIN_BUDGET" Pass Done "What was measured is shown to be within its budget." "Nothing.";
    PerfImproved "PERF_IMPROVED" Pass Done "What was measured is shown to be better than before." "Nothing; a tighter budget would keep it.";
    PerfBudgetExceeded "PERF_BUDGET_EXCEEDED" Fail Fail "A measured figure is beyond its budget." "Profile what the budget's methodology names.";
    PerfRegressed "PERF_REGRESSED" Fail Fail "The change is shown to cost more than before, by more than is of no matter." "Profile both sides with the command that was measured.";
    PerfInsufficient "PERF_INSUFFICIENT" Hold Unjudged "Too few samples to judge." "Measure to the end of the protocol.";
    PerfUnproven "PERF_UNPROVEN" Hold Unjudged "All samples were taken, and they show neither a regression nor that there is none." "Measure more work in one run, or on a quieter host.";
    PerfUnconfirmed "PERF_UNCONFIRMED" Hold Hold "A regression was seen, and fresh samples did not show it again." "Find out what differed between both measurements; measuring again does not make it a pass.";
    PerfNoiseFloor "PERF_NOISE_FLOOR" Hold Unjudged "The same program beside itself differs by more than half of the budget, so nothing can be told here." "Measure on a quieter host, more work in one run, or by instruction count.";
    PerfHostMismatch "PERF_HOST_MISMATCH" Hold Unjudged "It was measured on another class of host than the budget is for." "Measure on a host of that class.";
    PerfSampleInvalid "PERF_SAMPLE_INVALID" Invalid Unjudged "A sample is no finite number, is negative, or has another unit." "Look at what wrote it.";
    PerfProtocolBroken "PERF_PROTOCOL_BROKEN" Invalid Unjudged "The samples were not taken as the protocol says: other order, other rules, or more after the end." "Measure again by the protocol; do not add to what is there.";
    PerfMemoryGrowth "PERF_MEMORY_GROWTH" Fail Fail "Memory grew under load by more than is allowed." "Look for what is kept; take a heap profile at both ends.";
    PerfLatencyDrift "PERF_LATENCY_DRIFT" Fail Fail "Latency at the end of the load is far above that of its begin." "Look for queues and caches that grow.";
    PerfErrors "PERF_ERRORS" Fail Fail "There were errors under load." "Read the first of them in the log.";
    PerfNotReady "PERF_NOT_READY" Hold Hold "What was explored says itself that it is blocked." "Resolve the blocking reasons that it lists.";
    PerfIncoherent "PERF_INCOHERENT" Invalid Unjudged "An artifact contradicts itself." "Write it again from its source; the text names the place.";
    // Recorded HTTP.
    CommandFailed "COMMAND_FAILED" Fail Fail "A command that was run for somebody did not succeed." "Read what it printed.";
    RecordingMismatch "RECORDING_MISMATCH" Fail Fail "A request came that the recording does not hold." "Read the nearest recorded request and what differs; mend the code, or record again.";
    RecordingUnused "RECORDING_UNUSED" Hold Hold "Recorded exchanges were not asked for." "Find out why the requests did not come, or record again.";
    RecordingStale "RECORDING_STALE" Hold Hold "The recording is older than allowed, or dated in the future." "Record again.";
    RecordingLeak "RECORDING_LEAK" Fail Fail "A recording holds what looks like a secret." "Add a redaction for it and record again; change the secret if others could read it.";
    RecordingMissing "RECORDING_MISSING" Hold Unjudged "There is no recording to play." "Record one where the real service can be reached.";
    RecordingExists "RECORDING_EXISTS" Hold Permission "There is a recording already, and a new one would replace it." "Confirm that it may be replaced.";
    RecordingInvalid "RECORDING_INVALID" Invalid Unjudged "A recording cannot be read, or does not hold what it says." "Read the place that the text names; record again.";
    RecordingPartial "RECORDING_PARTIAL" Invalid Unjudged "Not everything that passed could be recorded, so nothing was saved." "Read what was left out; record again.";
    RecordingEmpty "RECORDING_EMPTY" Invalid Unjudged "No request came through the proxy." "Check that the tests use the addresses in their environment.";
    // Gates: policies, excuses, and what is compared.
    CheckFailed "CHECK_FAILED" Fail Fail "A value breaks the rule of its gate." "Read the value and the rule in the text; mend what the value is about.";
    CheckWarned "CHECK_WARNED" Hold Hold "A value is below its rule where the rule says that little hangs on it." "Decide whether it may stay; mend it, or write down why it may.";
    CheckUndecidable "CHECK_UNDECIDABLE" Invalid Unjudged "A rule cannot be applied: the value is not there, is of another type, or would be divided by zero." "Write the document again, or correct the rule.";
    FlakeBudgetExceeded "FLAKE_BUDGET_EXCEEDED" Hold Hold "More of a target's tests are flaky than its budget admits." "Mend some of them before anything else is excused.";
    QuarantineApplied "QUARANTINE_APPLIED" Excused Done "A test's failure is the one that it is quarantined for." "Mend it before its quarantine ends.";
    QuarantineExpired "QUARANTINE_EXPIRED" Fail Fail "A quarantine's time is over, and it excuses nothing." "Mend the test and remove the entry, or renew it once.";
    QuarantineInvalid "QUARANTINE_INVALID" Invalid Unjudged "A quarantine breaks a rule, or its file cannot be read." "Correct the entry as the text says.";
    QuarantineSignatureMismatch "QUARANTINE_SIGNATURE_MISMATCH" Fail Fail "A quarantined test fails in another way than the one that it is quarantined for." "Look at it as a new failure.";
    QuarantineBudget "QUARANTINE_BUDGET" Hold Hold "More of a target's tests are in quarantine than its budget admits." "Mend some of them and remove their entries.";
    WaiverApplied "WAIVER_APPLIED" Excused Done "A gate that is not good is excused by a waiver." "Do what the waiver's remove_when says before it expires.";
    WaiverExpiring "WAIVER_EXPIRING" Excused Done "An excuse ends within days." "Do what its remove_when says, or the gate blocks again.";
    WaiverExpired "WAIVER_EXPIRED" Fail Fail "A waiver's time is over, and it excuses nothing." "Remove it, or ask for a new one.";
    WaiverInvalid "WAIVER_INVALID" Invalid Unjudged "A waiver breaks a rule, or its file cannot be read." "Correct the entry as the text says.";
    WaiverSelfApproved "WAIVER_SELF_APPROVED" Fail Fail "An excuse is approved by its owner or by the change's author." "Ask somebody else to approve it.";
    ApproverNotEntitled "APPROVER_NOT_ENTITLED" Hold Permission "Whoever signs may not approve this: they made or own it, the entry names another approver, or the base's policy lists others." "Ask somebody who may: `approvers` in the base's gates.toml lists them by key.";
    ExcuseUnapproved "EXCUSE_UNAPPROVED" Hold Hold "The change under judgement brings its own excuse, and nobody else has signed for it." "Ask its approver to sign it, or let it in by a change of its own.";
    PolicyError "POLICY_ERROR" Invalid Unjudged "The policy cannot be read." "Correct the place that the text names.";
    PolicyUndefined "POLICY_UNDEFINED" Invalid Unjudged "The policy asks for something that is not declared, or for nothing." "Declare it, or correct the policy.";
    PolicyChangedBySubject "POLICY_CHANGED_BY_SUBJECT" Hold Hold "The change under judgement changes what it is judged by." "Ask somebody else to approve the new policy, or let it in by a change of its own.";
    PolicyChangeApproved "POLICY_CHANGE_APPROVED" Excused Done "The change changes what it is judged by, and somebody else approved that." "Nothing.";
    TreeDriftAfterLand "TREE_DRIFT_AFTER_LAND" Fail Fail "The tree that landed is not the one that was judged." "Judge the landed tree, or take it back.";
    ClockSkew "CLOCK_SKEW" Invalid Unjudged "A time lies in the future, or times contradict each other." "Set the clocks right; run again.";
    RollbackModeActive "ROLLBACK_MODE_ACTIVE" Excused Done "The rollback mode of promotion is on: what is not good is excused until it expires." "Mend the cause and take the mode out of the policy.";
    RollbackModeExpired "ROLLBACK_MODE_EXPIRED" Pass Done "The rollback mode of promotion has expired; the strict rules hold again." "Take the mode out of the policy.";
    LaneStopped "LANE_STOPPED" Hold Unjudged "The lane stopped at an earlier gate, so this one was not looked at." "Mend the earlier gate.";
    // Packets.
    PacketVerified "PACKET_VERIFIED" Pass Done "Every check of the packet passed." "Nothing.";
    PacketCorrupt "PACKET_CORRUPT" Fail Fail "The packet's bytes do not match its digests or signatures." "Ask for the packet again; do not trust this one.";
    PacketMemberMissing "PACKET_MEMBER_MISSING" Fail Fail "The packet lacks a member that its manifest names." "Ask for the packet again; do not trust this one.";
    PacketMemberAdded "PACKET_MEMBER_ADDED" Fail Fail "The packet holds a member that its manifest does not name." "Ask for the packet again; do not trust this one.";
    PacketIncomplete "PACKET_INCOMPLETE" Hold Unjudged "The packet leaves something out, so it cannot be judged in full." "Ask for a packet with what is named as left out.";
    OperationUnfinished "OPERATION_UNFINISHED" Hold Unjudged "The packet was written before its operation had ended, so it says nothing about the result." "Ask for the packet again when the operation has ended: `gonogo packet OP`.";
    SignatureInvalid "SIGNATURE_INVALID" Fail Fail "A signature does not verify." "Do not trust it.";
    SignerUnknown "SIGNER_UNKNOWN" Fail Fail "A record is signed by a key that was not enrolled before it." "Do not trust it.";
    TrustMissing "TRUST_MISSING" Hold Hold "The packet agrees with itself, but no trusted log key was given." "Give the log's key: `gonogo verify PACKET --log-key KEY`.";
    TrustMismatch "TRUST_MISMATCH" Fail Fail "The packet is not signed by the log key that you trust." "Do not trust it.";
    QuorumUnmet "QUORUM_UNMET" Hold Unjudged "Fewer witnesses cosigned the checkpoint than the policy asks for." "Get the witnesses to cosign: `gonogo ledger cosign`; then write the packet again.";
    SplitView "SPLIT_VIEW" Fail Fail "The log showed two histories: a checkpoint that you remember and the packet's cannot both be true." "Do not trust the log; keep both checkpoints, they are the proof, and show them to its operator and its witnesses.";
    HistoryUnproven "HISTORY_UNPROVEN" Hold Unjudged "Nothing in the packet links it to a checkpoint that you remember." "Ask for a packet with a consistency proof from the checkpoint that you remember.";
    ArtifactMismatch "ARTIFACT_MISMATCH" Fail Fail "No record of the release in the packet is about the artifact that you have." "Do not deploy it; ask for the packet of this very artifact.";
    TimestampInvalid "TIMESTAMP_INVALID" Fail Fail "The time-stamp in the packet is not a good one of its checkpoint." "Ask for the packet again; do not trust the time.";
    ReplayDiffers "REPLAY_DIFFERS" Fail Fail "Deciding again from the recorded samples gives another decision." "Do not trust the decisions.";
    InclusionFailed "INCLUSION_FAILED" Fail Fail "A record is not in the log that the checkpoint signs." "Do not trust it.";
    StreamBroken "STREAM_BROKEN" Fail Fail "A stream of records has a gap, a repeat or a wrong link." "Do not trust it; records were left out or reordered.";
    // Last resort.
    OutputFailed "OUTPUT_FAILED" Invalid Output "Output cannot be written." "Check the path, permissions and space.";
    Internal "INTERNAL" Invalid Internal "gonogo broke one of its own assumptions." "Report it with the text printed.";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl FromStr for Reason {
    type Err = ReasonError;

    fn from_str(text: &str) -> Result<Self, ReasonError> {
        let found = Self::ALL.iter().find(|r| r.code() == text);
        found
            .copied()
            .ok_or_else(|| ReasonError(text.chars().take(80).collect()))
    }
}

stored_as_text!(Reason, "^[A-Za-z][A-Za-z0-9_]{1,63}$");

/// A text that is no reason code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a reason code")]
pub struct ReasonError(String);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_parse_back() {
        let codes: BTreeSet<_> = Reason::ALL.iter().map(|r| r.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert_eq!(reason.code().parse(), Ok(*reason));
            assert!(
                reason
                    .code()
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b == b'_')
            );
            assert!(reason.meaning().ends_with('.') && !reason.next_action().is_empty());
        }
    }

    #[test]
    fn only_a_pass_or_an_excuse_exits_with_zero() {
        for reason in Reason::ALL {
            let green = reason.exit() == Exit::Done;
            assert_eq!(
                green,
                matches!(reason.verdict(), Verdict::Pass | Verdict::Excused),
                "{reason}"
            );
        }
    }

    #[test]
    fn the_worst_verdict_wins() {
        assert_eq!(
            [Verdict::Pass, Verdict::Invalid, Verdict::Hold]
                .into_iter()
                .max(),
            Some(Verdict::Invalid)
        );
    }
}
