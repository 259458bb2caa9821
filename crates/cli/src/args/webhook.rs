//! `webhook`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `webhook`.
#[derive(Debug, Args)]
pub struct WebhookArgs {
    #[command(subcommand)]
    pub what: WebhookWhat,
}

/// `webhook …`.
#[derive(Debug, Subcommand)]
pub enum WebhookWhat {
    /// Send what is due now, once; `gonogo serve` does it all the time
    Deliver,
    /// List what can be told
    Events,
    /// List webhooks, what waits for them, and what was given up
    List,
    /// Let a webhook that was stopped go on, and send again what waits and what was given up
    Resend {
        /// The webhook's name in the configuration
        webhook: String,
    },
    /// Make a secret to sign with
    Secret {
        /// Write it to this file, for you alone, instead of showing it
        #[arg(long, value_name = "FILE", help_heading = "Output")]
        out: Option<PathBuf>,
    },
    /// Send one `webhook.test` now, and say what the receiver answered
    Test {
        /// The webhook's name in the configuration
        webhook: String,
    },
}
