//! The clap tree. Help texts are part of the product: first line imperative, no period.

pub mod approval;
pub mod controls;
pub mod doors;
pub mod dry_run;
pub mod gate;
pub mod gates;
pub mod init;
mod ledger;
pub mod mcp;
pub mod ops;
pub mod people;
pub mod perf;
pub mod record;
pub mod runbook;
pub mod suite;
pub mod webhook;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use gonogo_core::{Span, Timestamp};

pub use ledger::{KeysWhat, LedgerArgs, LedgerWhat, WitnessArgs, WitnessHome, WitnessWhat};

/// Prove that a release is safe, then ship it, or hold it with reasons
#[derive(Debug, Parser)]
#[command(
    name = "gonogo",
    version,
    propagate_version = true,
    disable_help_subcommand = true
)]
#[command(
    after_help = "Start with `gonogo demo`. Topics: `gonogo help config`, `gonogo help exit-codes`."
)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub output: Output,
}

/// Which project and who.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Selection")]
pub struct Select {
    /// Read this file instead of the gonogo.toml found here or above
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Act under this name instead of your user name
    #[arg(long = "as", global = true, value_name = "NAME", env = "GONOGO_ACTOR")]
    pub name: Option<String>,
    /// Sign with this P-256 key instead of the project's key of that name
    #[arg(long, global = true, value_name = "FILE", env = "GONOGO_KEY_FILE")]
    pub key: Option<PathBuf>,
    /// Ask this gonogo server instead of the project here; its token is in GONOGO_TOKEN or --token-file
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "GONOGO_SERVER",
        help_heading = "Connection"
    )]
    pub server: Option<String>,
    /// Read the server's token from this file
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "GONOGO_TOKEN_FILE",
        help_heading = "Connection"
    )]
    pub token_file: Option<PathBuf>,
    /// Whether the server was named on the command line itself
    #[arg(skip)]
    pub server_said: bool,
    /// Whether the name was
    #[arg(skip)]
    pub name_said: bool,
    /// Whether the key was
    #[arg(skip)]
    pub key_said: bool,
}

/// How to answer.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Print one JSON envelope on stdout, also for failures
    #[arg(long, global = true)]
    pub json: bool,
    /// Print the answer only
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Print without colour
    #[arg(long, global = true)]
    pub no_color: bool,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a plan, or show, compare and lint one
    Plan(Plan),
    /// Approve exactly the plan that is stored now
    Approve(Approve),
    /// Ask for approvals, list and show what waits, decide, take back, delegate
    Approval(approval::ApprovalArgs),
    /// Do without missing approvals in an emergency, and open an incident
    BreakGlass(approval::BreakGlassArgs),
    /// List, show and close incidents
    Incident(approval::IncidentArgs),
    /// Apply an approved plan and follow it
    Apply(Apply),
    /// Plan, approve and apply in one
    Release(Release),
    /// Show environments, or one operation
    Status(Status),
    /// Follow an operation to its end
    Watch(Watch),
    /// Ask a running operation to end and to be undone
    Cancel(Cancel),
    /// Go back: undo the running operation, or return to the last known-good version
    Rollback(Rollback),
    /// Let nothing new be applied for a time, or list such times; going back works as ever
    Freeze(controls::FreezeArgs),
    /// End a freeze, if the gates pass again
    Unfreeze(controls::UnfreezeArgs),
    /// Hold an environment to one version, or list what is held
    Pin(controls::PinArgs),
    /// Remove an environment's pin
    Unpin(controls::UnpinArgs),
    /// List versions that are good to go back to, or say that one is
    KnownGood(controls::KnownGoodArgs),
    /// Freeze, pin to known-good, plan again and open again: each step proven by what it does
    RollbackPosture(controls::PostureArgs),
    /// List operations
    History(History),
    /// List, show, end and go on with operations, and say what to do about them
    Ops(ops::OpsArgs),
    /// Supervise a runtime for seconds or days, keep every byte, and sign it off
    DryRun(dry_run::DryRunArgs),
    /// Run suites of tests, or read their reports; explain, compare and replay what failed
    Suite(suite::SuiteArgs),
    /// Measure what a change costs, and judge it by declared budgets
    Perf(perf::PerfArgs),
    /// Judge recorded evidence by the policy: go, hold or no-go, with reasons
    Gate(gate::GateArgs),
    /// Show the gates of a release, check them, and sign them off
    Gates(gates::GatesArgs),
    /// Compare measured times, errors and traces with what is promised
    Slo(gates::SloArgs),
    /// Run a command behind a proxy that records what services answer, or plays it
    Record(record::RecordArgs),
    /// Look up known failures: what they mean, where to look, how to mend them
    Runbook(runbook::RunbookArgs),
    /// Propose what gonogo.toml could say of this repository
    Init(init::InitArgs),
    /// List and show records of the ledger
    Evidence(Evidence),
    /// Write an operation's records and proofs into one file
    Packet(Packet),
    /// Verify a packet offline
    Verify(Verify),
    /// Check, show, publish and keep the ledger as a whole
    Ledger(LedgerArgs),
    /// Cosign the checkpoints of logs, so that nobody can be shown another past
    Witness(WitnessArgs),
    /// Explain a reason code
    Explain(Explain),
    /// Answer over HTTP what the command line answers
    Serve(doors::ServeArgs),
    /// Answer an agent over standard input and output, as MCP
    Mcp(mcp::McpArgs),
    /// Make, list and take back tokens for the network's doors
    Token(doors::TokenArgs),
    /// Tell other services what happens, signed
    Webhook(webhook::WebhookArgs),
    /// Make, list and remove people who log in with a password
    User(people::UserArgs),
    /// Show who asks: name, roles, scopes, until when
    Whoami,
    /// Call a use case by its name, with JSON, as agents do
    Call(doors::CallArgs),
    /// Run the traffic and process host of an environment
    Agent(Agent),
    /// Show a whole release and a whole rollback on this machine
    Demo(Demo),
    /// Make and show signing keys
    Key(Key),
    /// Show a topic: config, exit-codes, approval, server
    Help(Help),
    /// Print shell completions
    Completions(Completions),
    /// Write man pages
    Man(Reference),
    /// Drive an operation whose controller is gone
    #[command(hide = true)]
    Controller(Controller),
    /// Write the reference pages
    #[command(hide = true)]
    Reference(Reference),
}

/// Where and what.
#[derive(Debug, Clone, ClapArgs)]
pub struct Wanted {
    /// Environment; the only one of the configuration if absent
    #[arg(long, value_name = "ENV", env = "GONOGO_ENV")]
    pub env: Option<String>,
    /// Version to bring there
    #[arg(long, value_name = "VERSION", required = true)]
    pub to: Option<String>,
}

/// `plan`.
#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Plan {
    #[command(subcommand)]
    pub what: Option<PlanWhat>,
    #[command(flatten)]
    pub wanted: Wanted,
}

/// `plan …`.
#[derive(Debug, Subcommand)]
pub enum PlanWhat {
    /// Show a plan
    Show {
        /// Plan; a unique prefix of its id
        plan: String,
    },
    /// Compare a plan with another, or with what would be planned now
    Diff {
        /// Plan; a unique prefix of its id
        plan: String,
        /// The other plan
        #[arg(long, value_name = "PLAN")]
        against: Option<String>,
        /// Exit with 1 if something differs
        #[arg(long)]
        exit_code: bool,
    },
    /// Find what cannot work before anybody approves it
    Lint {
        /// Plan; a unique prefix of its id
        plan: String,
    },
}

/// `approve`.
#[derive(Debug, Clone, ClapArgs)]
pub struct Approve {
    /// Plan; a unique prefix of its id
    pub plan: String,
    /// Role in which you approve; the one listed for you if absent
    #[arg(long, value_name = "ROLE", help_heading = "Approval and safety")]
    pub role: Option<String>,
    /// For how many minutes it holds; as long as the environment allows if absent
    #[arg(long, value_name = "N", help_heading = "Approval and safety")]
    pub sla_minutes: Option<u64>,
    /// Why
    #[arg(long, value_name = "TEXT", help_heading = "Approval and safety")]
    pub note: Option<String>,
    /// Say no instead of yes
    #[arg(long, help_heading = "Approval and safety")]
    pub reject: bool,
    /// Speak for this approver, who delegated their voice to you
    #[arg(
        long = "for",
        value_name = "NAME",
        help_heading = "Approval and safety"
    )]
    pub for_: Option<String>,
    /// Also write the signed approval to this file
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub out: Option<PathBuf>,
}

/// How to wait.
#[derive(Debug, Clone, ClapArgs)]
pub struct Waiting {
    /// Return when the operation has begun, and let a controller of its own drive it (exit 75)
    #[arg(long, help_heading = "Output")]
    pub detach: bool,
    /// Stop following after this time (exit 75); the operation goes on
    #[arg(long, value_name = "TIME", help_heading = "Output")]
    pub timeout: Option<Span>,
}

/// `apply`.
#[derive(Debug, ClapArgs)]
pub struct Apply {
    /// Plan; a unique prefix of its id
    pub plan: String,
    /// Idempotency key: the same key and plan is the same operation
    #[arg(long, value_name = "KEY", help_heading = "Approval and safety")]
    pub idempotency_key: Option<String>,
    /// Signed approval from another machine (can be repeated)
    #[arg(long, value_name = "FILE", help_heading = "Approval and safety")]
    pub approval: Vec<PathBuf>,
    #[command(flatten)]
    pub waiting: Waiting,
}

/// `release`.
#[derive(Debug, ClapArgs)]
pub struct Release {
    #[command(flatten)]
    pub wanted: Wanted,
    #[command(flatten)]
    pub waiting: Waiting,
}

/// `status`.
#[derive(Debug, ClapArgs)]
pub struct Status {
    /// Operation; a unique prefix of its id
    pub operation: Option<String>,
    /// Only this environment
    #[arg(
        long,
        value_name = "ENV",
        env = "GONOGO_ENV",
        help_heading = "Selection"
    )]
    pub env: Option<String>,
}

/// `watch`.
#[derive(Debug, ClapArgs)]
pub struct Watch {
    /// Operation; a unique prefix of its id
    pub operation: String,
    /// Stop following after this time (exit 75); the operation goes on
    #[arg(long, value_name = "TIME", help_heading = "Output")]
    pub timeout: Option<Span>,
}

/// `cancel`.
#[derive(Debug, ClapArgs)]
pub struct Cancel {
    /// Operation; a unique prefix of its id
    pub operation: String,
    /// Why
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "no reason given",
        hide_default_value = true
    )]
    pub why: String,
    /// Confirm: what the operation did is undone
    #[arg(long, help_heading = "Approval and safety")]
    pub yes: bool,
    #[command(flatten)]
    pub waiting: Waiting,
}

/// `rollback`.
#[derive(Debug, ClapArgs)]
pub struct Rollback {
    /// Environment; the only one of the configuration if absent
    #[arg(
        long,
        value_name = "ENV",
        env = "GONOGO_ENV",
        help_heading = "Selection"
    )]
    pub env: Option<String>,
    /// Known-good version to go back to, or a plan that went to one; the pinned one, or the one before the serving one, if absent
    #[arg(long, value_name = "VERSION|PLAN", help_heading = "Selection")]
    pub to: Option<String>,
    /// Show what would go back and what differs, and change nothing
    #[arg(long, conflicts_with = "yes", help_heading = "Output")]
    pub show: bool,
    /// Why
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "rollback asked for",
        hide_default_value = true
    )]
    pub why: String,
    /// Confirm: traffic moves at once
    #[arg(long, help_heading = "Approval and safety")]
    pub yes: bool,
    #[command(flatten)]
    pub waiting: Waiting,
}

/// `history`.
#[derive(Debug, ClapArgs)]
pub struct History {
    /// Only this environment
    #[arg(
        long,
        value_name = "ENV",
        env = "GONOGO_ENV",
        help_heading = "Selection"
    )]
    pub env: Option<String>,
    /// At most this many
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Selection"
    )]
    pub limit: u32,
}

/// `evidence`.
#[derive(Debug, ClapArgs)]
pub struct Evidence {
    #[command(subcommand)]
    pub what: EvidenceWhat,
}

/// `evidence …`.
#[derive(Debug, Subcommand)]
pub enum EvidenceWhat {
    /// List records, oldest first
    List {
        /// Only this stream, like operation/op_…, or the operation's or plan's id
        #[arg(long, value_name = "STREAM", help_heading = "Selection")]
        stream: Option<String>,
        /// Only this kind, like decision
        #[arg(long, value_name = "KIND", help_heading = "Selection")]
        kind: Option<String>,
        /// Only about this: a digest, or a file whose digest is taken
        #[arg(long, value_name = "DIGEST|FILE", help_heading = "Selection")]
        subject: Option<String>,
        /// Only by this actor
        #[arg(long, value_name = "NAME", help_heading = "Selection")]
        actor: Option<String>,
        /// Only with this reason code, like BASE_STATE_MOVED
        #[arg(long, value_name = "CODE", help_heading = "Selection")]
        reason: Option<String>,
        /// Only of this time or later, like 2026-01-31T12:00:00Z, by the writer's clock
        #[arg(long, value_name = "TIME", help_heading = "Selection")]
        since: Option<Timestamp>,
        /// Only before this time, by the writer's clock
        #[arg(long, value_name = "TIME", help_heading = "Selection")]
        until: Option<Timestamp>,
        /// Only after this index
        #[arg(long, value_name = "INDEX", help_heading = "Selection")]
        after: Option<u64>,
        /// At most this many
        #[arg(
            long,
            value_name = "N",
            default_value_t = 50,
            value_parser = clap::value_parser!(u32).range(1..),
            help_heading = "Selection"
        )]
        limit: u32,
    },
    /// Record an attestation or a report of another tool, with its signatures checked
    Submit {
        /// DSSE envelope, .intoto.jsonl, Sigstore bundle, JUnit XML, SPDX or CycloneDX JSON
        file: PathBuf,
        /// Public key that must have signed it: NAME=FILE, or FILE; may be given several times
        #[arg(long, value_name = "NAME=FILE", help_heading = "Approval and safety")]
        signer: Vec<String>,
        /// How many of the signers must have signed; all, if not said
        #[arg(
            long,
            value_name = "N",
            requires = "signer",
            help_heading = "Approval and safety"
        )]
        threshold: Option<usize>,
        /// What it must be about, or what a report is about: a digest, or a file whose digest is taken
        #[arg(long, value_name = "DIGEST|FILE", help_heading = "Selection")]
        about: Option<String>,
    },
    /// Show one record
    Show {
        /// Index, or the first digits of the record's digest
        record: String,
    },
}

/// `packet`.
#[derive(Debug, ClapArgs)]
pub struct Packet {
    /// Operation; a unique prefix of its id
    pub operation: String,
    /// Write to this file instead of .gonogo/packets
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Link to the log's state of so many records, which a reader remembers; may be given several times
    #[arg(long, value_name = "SIZE", help_heading = "Selection")]
    pub since: Vec<u64>,
    /// Ask this RFC 3161 authority for a time-stamp over the checkpoint
    #[arg(
        long,
        value_name = "URL",
        requires = "tsa_root",
        help_heading = "Connection"
    )]
    pub timestamp: Option<String>,
    /// Root certificates (PEM) that the time-stamp is checked under before it goes into the packet
    #[arg(
        long,
        value_name = "FILE",
        requires = "timestamp",
        help_heading = "Connection"
    )]
    pub tsa_root: Option<PathBuf>,
}

/// `verify`.
#[derive(Debug, ClapArgs)]
pub struct Verify {
    /// Packet: the file, or the directory that it was unpacked into
    pub packet: PathBuf,
    /// The log key that you trust, as `gonogo packet` prints it; without any trust the answer is 1 at best
    #[arg(
        long,
        value_name = "KEY",
        conflicts_with_all = ["policy", "trusted_root"],
        help_heading = "Approval and safety"
    )]
    pub log_key: Option<String>,
    /// A C2SP tlog-policy: the logs that you trust, and the witnesses that must have cosigned
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "trusted_root",
        help_heading = "Approval and safety"
    )]
    pub policy: Option<PathBuf>,
    /// A Sigstore trusted root that names the log
    #[arg(long, value_name = "FILE", help_heading = "Approval and safety")]
    pub trusted_root: Option<PathBuf>,
    /// Believe the packet's own policy if you give none; shows that it is in order, not who made it
    #[arg(long, help_heading = "Approval and safety")]
    pub trust_packet: bool,
    /// A checkpoint of the log that you kept; the packet must continue it. May be given several times
    #[arg(long, value_name = "FILE", help_heading = "Approval and safety")]
    pub since: Vec<PathBuf>,
    /// Root certificates (PEM) of the time-stamping authorities that you trust
    #[arg(long, value_name = "FILE", help_heading = "Approval and safety")]
    pub tsa_root: Option<PathBuf>,
    /// A file that the release must be about, by its digest
    #[arg(long, value_name = "FILE")]
    pub artifact: Option<PathBuf>,
    /// Decide again from the recorded samples and compare, byte for byte
    #[arg(long)]
    pub replay: bool,
}

/// `explain`.
#[derive(Debug, ClapArgs)]
pub struct Explain {
    /// Reason code; all of them if absent
    pub code: Option<String>,
}

/// `agent`.
#[derive(Debug, ClapArgs)]
pub struct Agent {
    /// Environment; the only one of the configuration if absent
    #[arg(
        long,
        value_name = "ENV",
        env = "GONOGO_ENV",
        help_heading = "Selection"
    )]
    pub env: Option<String>,
    /// Stop the running agent; the services go on
    #[arg(long, help_heading = "Approval and safety")]
    pub stop: bool,
    /// With --stop: stop the services too
    #[arg(long, requires = "stop", help_heading = "Approval and safety")]
    pub with_services: bool,
}

/// `demo`.
#[derive(Debug, ClapArgs)]
pub struct Demo {
    /// Directory for the demo's project; a fresh one under the temporary directory if absent
    #[arg(long, value_name = "DIR", help_heading = "Selection")]
    pub dir: Option<PathBuf>,
    /// Keep the services running at the end, to look around
    #[arg(long, help_heading = "Approval and safety")]
    pub keep: bool,
}

/// `key`.
#[derive(Debug, ClapArgs)]
pub struct Key {
    #[command(subcommand)]
    pub what: KeyWhat,
}

/// `key …`.
#[derive(Debug, Subcommand)]
pub enum KeyWhat {
    /// Make a signing key; never overwrites
    New {
        /// Where
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Show a key's id, as `approvers` in gonogo.toml names it
    Show {
        /// The key file
        file: PathBuf,
    },
}

/// `help`.
#[derive(Debug, ClapArgs)]
pub struct Help {
    /// Topic
    pub topic: Option<String>,
}

/// `completions`.
#[derive(Debug, ClapArgs)]
pub struct Completions {
    /// Shell
    pub shell: clap_complete::Shell,
}

/// `controller`.
#[derive(Debug, ClapArgs)]
pub struct Controller {
    /// Operation
    pub operation: String,
}

/// `reference`.
#[derive(Debug, ClapArgs)]
pub struct Reference {
    /// Directory to write to
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::{Command, CommandFactory};

    fn clashes(command: &Command, path: &str, global: &BTreeSet<String>, found: &mut Vec<String>) {
        for inner in command.get_subcommands() {
            let path = format!("{path} {}", inner.get_name());
            let ids = inner.get_arguments().map(|a| a.get_id().as_str());
            found.extend(
                ids.filter(|id| global.contains(*id))
                    .map(|id| format!("{path}: {id}")),
            );
            clashes(inner, &path, global, found);
        }
    }

    #[test]
    fn no_argument_takes_the_place_of_one_that_all_commands_have() {
        let root = super::Args::command();
        let global = root.get_arguments().filter(|a| a.is_global_set());
        let global: BTreeSet<String> = global.map(|a| a.get_id().to_string()).collect();
        assert!(global.contains("name"), "`--as`");
        let mut found = Vec::new();
        clashes(&root, "gonogo", &global, &mut found);
        assert_eq!(found, Vec::<String>::new());
    }
}
