//! `ledger …` and `witness …`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

/// `ledger`.
#[derive(Debug, ClapArgs)]
pub struct LedgerArgs {
    /// What to do
    #[command(subcommand)]
    pub what: LedgerWhat,
}

/// `ledger …`.
#[derive(Debug, Subcommand)]
pub enum LedgerWhat {
    /// Show how the ledger stands: its key, its size, its root, what is published and witnessed
    Status,
    /// Check every record, signature, tile, checkpoint and blob against all others
    Fsck,
    /// Show the last records, and those that come
    Tail {
        /// How many records to begin with
        #[arg(long, short = 'n', value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=1000), help_heading = "Selection")]
        count: u64,
        /// Go on with what is recorded from now on, until Ctrl-C
        #[arg(long, short)]
        follow: bool,
    },
    /// Prove that the ledger extends an older state of itself
    Consistency {
        /// The older state: a file with its signed checkpoint, or its number of records
        #[arg(long, value_name = "FILE|SIZE", help_heading = "Selection")]
        from: String,
    },
    /// Publish, and copy the published files to a directory or an S3 bucket
    Export {
        /// A directory, or `s3://bucket/prefix` with keys and endpoint in the AWS_* variables
        #[arg(value_name = "PLACE")]
        to: String,
    },
    /// Serve the published files over HTTP, as C2SP tlog-tiles has them
    Serve {
        /// Address to listen on
        #[arg(
            long,
            value_name = "ADDRESS",
            default_value = "127.0.0.1:8091",
            help_heading = "Connection"
        )]
        listen: SocketAddr,
    },
    /// Throw the index away and build it again from the journal
    Reindex,
    /// Make a lost lock.db anew from the newest checkpoint that is known
    Relock {
        /// A signed checkpoint of this log that somebody else kept; the newest of this and what is here counts
        #[arg(long, value_name = "FILE", help_heading = "Selection")]
        from: Option<PathBuf>,
        /// Confirm: this directory alone cannot show that it is not an older copy
        #[arg(long, help_heading = "Approval and safety")]
        yes: bool,
    },
    /// Ask the witnesses to cosign the newest checkpoint now
    Cosign,
    /// List, enrol, change and revoke keys, each as a record
    Keys {
        /// What to do
        #[command(subcommand)]
        what: KeysWhat,
    },
    /// Erase a blob for good, and record who wanted that and why
    Erase {
        /// The blob's digest
        #[arg(value_name = "DIGEST")]
        blob: String,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        why: String,
        /// Confirm: the bytes cannot be brought back
        #[arg(long, help_heading = "Approval and safety")]
        yes: bool,
    },
}

/// `ledger keys …`.
#[derive(Debug, Subcommand)]
pub enum KeysWhat {
    /// List every key that was ever enrolled
    List,
    /// Enrol somebody's public key, so that it may sign records from now on
    Enrol {
        /// Public key: a PEM file of P-256
        #[arg(value_name = "FILE")]
        public: PathBuf,
        /// Whose it is
        #[arg(long, value_name = "NAME")]
        who: String,
        /// In which role it signs
        #[arg(long, value_name = "ROLE", default_value = "person")]
        role: String,
    },
    /// Give the controller a new key and revoke the old one
    Rotate {
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// Revoke a key: what it signs from now on does not count
    Revoke {
        /// Key id; a unique prefix of at least 8 digits
        #[arg(value_name = "KEY", id = "revoked")]
        key: String,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        why: String,
        /// Confirm: a revoked key is never enrolled again
        #[arg(long, help_heading = "Approval and safety")]
        yes: bool,
    },
}

/// `witness`.
#[derive(Debug, ClapArgs)]
pub struct WitnessArgs {
    /// What to do
    #[command(subcommand)]
    pub what: WitnessWhat,
}

/// `witness …`.
#[derive(Debug, Subcommand)]
pub enum WitnessWhat {
    /// Make a witness's key, or show the one that is there
    Init(WitnessHome),
    /// Answer `add-checkpoint` requests, as C2SP tlog-witness has them
    Serve {
        #[command(flatten)]
        home: WitnessHome,
        /// Key of a log to cosign, as `gonogo ledger status` prints it; may be given several times
        #[arg(long = "log", value_name = "VKEY", help_heading = "Selection")]
        logs: Vec<String>,
        /// File with one `log VKEY` line for each log to cosign
        #[arg(long = "logs", value_name = "FILE", help_heading = "Selection")]
        list: Option<PathBuf>,
        /// Address to listen on
        #[arg(
            long,
            value_name = "ADDRESS",
            default_value = "127.0.0.1:8092",
            help_heading = "Connection"
        )]
        listen: SocketAddr,
    },
}

/// Where a witness lives.
#[derive(Debug, Clone, ClapArgs)]
pub struct WitnessHome {
    /// Directory of its key and of what it has cosigned; on a machine that the log's operator does not hold
    #[arg(long, value_name = "DIR", help_heading = "Selection")]
    pub dir: PathBuf,
    /// Its name in signatures, such as `witness.example.org`
    #[arg(
        long = "name",
        id = "witness",
        value_name = "NAME",
        help_heading = "Selection"
    )]
    pub name: String,
}
