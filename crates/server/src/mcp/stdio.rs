//! MCP over standard input and output: one message a line.
//!
//! `rmcp` carries the protocol; lines are read here, because its own reader grows with the line and ends with the first that is none.
//!
//! Invariants: a line has a limit; what is no message is answered and the next one is read; nothing but messages is written to standard
//! output; when standard input ends, what is under way is answered first.

use std::io::{BufRead, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use gonogo_app::AppError;
use gonogo_app::access::Principal;
use gonogo_app::doors::Server;
use gonogo_app::identity::nonce;
use gonogo_app::project::Project;
use gonogo_core::envelope::Class;
use gonogo_core::{Reason, canonical};
use rmcp::ServiceExt;
use rmcp::model::ClientJsonRpcMessage;
use rmcp::service::{RoleServer, RxJsonRpcMessage, ServerInitializeError, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::answer::{Answer, envelop};
use super::handler::Handler;
use super::way::Way;
use crate::http::{Door, MOST, short};
use crate::lanes::THREADS;

/// Messages that wait to be answered, and answers that wait to be written.
const WAITING: usize = 64;

/// How long the last answers may take to be written.
const LAST: Duration = Duration::from_secs(5);

/// Where calls are carried out.
pub enum Behind {
    /// In this project.
    Project(Arc<Project>),
    /// By this server, in its token's name.
    Server(Server),
}

/// Whoever speaks on standard input.
pub struct Speaker {
    /// Who it is, and what it may do.
    pub principal: Principal,
    /// Whether its tools change targets.
    pub allow_apply: bool,
}

/// Answers messages until standard input ends.
///
/// # Errors
/// Standard output cannot be written; nothing to run on.
pub fn speak(behind: Behind, speaker: Speaker) -> Result<(), AppError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(THREADS)
        .enable_all()
        .build()
        .map_err(|e| AppError::new(Reason::Internal, e.to_string()))?;
    let way = match behind {
        Behind::Project(project) => Way::Here(Arc::new(Door::alone(project, speaker.allow_apply))),
        Behind::Server(server) => Way::There(Arc::new(server)),
    };
    let handler = Handler {
        way,
        principal: speaker.principal,
        trace: None,
    };
    let (out, lines) = mpsc::channel::<String>(WAITING);
    let writer = std::thread::spawn(move || write(lines));
    let (into, messages) = mpsc::channel(WAITING);
    let complaints = out.clone();
    // It may wait for input for ever, and ends with the process.
    std::thread::spawn(move || read(&mut std::io::stdin().lock(), &into, &complaints));
    let ended = runtime.block_on(async move {
        let lines = Lines { messages, out };
        let service = match handler.serve(lines).await {
            Ok(service) => service,
            // Who went away before saying anything has said nothing wrong.
            Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            Err(e) => {
                let text = format!(
                    "the client did not begin as MCP does: {}",
                    short(&e.to_string())
                );
                return Err(AppError::new(Reason::InputMalformed, text));
            }
        };
        let joined = service.waiting().await;
        joined
            .map(drop)
            .map_err(|e| AppError::new(Reason::Internal, e.to_string()))
    });
    runtime.shutdown_timeout(LAST);
    let written = writer.join().unwrap_or(Ok(()));
    ended?;
    written.map_err(|e| {
        let text = format!("cannot write to standard output: {e}");
        AppError::new(Reason::OutputFailed, text)
    })
}

/// Writes lines as they come. A reader that went away is the client's decision.
fn write(mut lines: mpsc::Receiver<String>) -> std::io::Result<()> {
    while let Some(line) = lines.blocking_recv() {
        let mut out = std::io::stdout().lock();
        let written = writeln!(out, "{line}").and_then(|()| out.flush());
        match written {
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            other => other?,
        }
    }
    Ok(())
}

/// Reads messages line by line; what is none is complained about. Ends with the input, or when nobody takes messages any more.
fn read(
    from: &mut impl BufRead,
    into: &mpsc::Sender<ClientJsonRpcMessage>,
    complaints: &mpsc::Sender<String>,
) {
    let mut begun = false;
    loop {
        let mut line = Vec::new();
        let most = MOST as u64 + 1;
        match from.by_ref().take(most).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let understood = match line.last() {
            Some(b'\n') => message(&line),
            _ if line.len() > MOST => {
                if skip_line(from).is_err() {
                    return;
                }
                let text = format!("a line has more than {MOST} bytes");
                Err(Some(complaint(-32_600, Reason::BodyTooLarge, text)))
            }
            // The last line may end without a mark.
            _ => message(&line),
        };
        let sent = match understood {
            // A client begins with a request; before that there is nothing that anything else could be about.
            Ok(message) => {
                let asks = matches!(message, ClientJsonRpcMessage::Request(_));
                begun |= asks;
                match begun {
                    true => into.blocking_send(message).is_ok(),
                    false => true,
                }
            }
            Err(Some(complaint)) => complaints.blocking_send(complaint).is_ok(),
            Err(None) => true,
        };
        if !sent {
            return;
        }
    }
}

/// Skips the rest of a line.
fn skip_line(from: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffer = from.fill_buf()?;
        let (used, ended) = match buffer.iter().position(|b| *b == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        from.consume(used);
        if ended {
            return Ok(());
        }
    }
}

/// A line's message; else what to complain about, which is nothing for an empty line.
fn message(line: &[u8]) -> Result<ClientJsonRpcMessage, Option<String>> {
    let line = line.trim_ascii();
    if line.is_empty() {
        return Err(None);
    }
    // Doubled keys, numbers that lose digits, and bad UTF-8 are refused there.
    let value = canonical::parse(line).map_err(|e| {
        let text = format!("the line: {e}");
        Some(complaint(-32_700, Reason::InputMalformed, text))
    })?;
    serde_json::from_value(value).map_err(|_| {
        let text = "the line is no message of JSON-RPC 2.0".to_owned();
        Some(complaint(-32_600, Reason::InputMalformed, text))
    })
}

/// An error of the protocol about what has no id.
fn complaint(code: i32, reason: Reason, text: String) -> String {
    let trace = format!("trace-{}", nonce());
    let answer = Answer {
        tool: "mcp",
        class: Class::Read,
        trace: &trace,
        base: "",
    };
    let envelope = answer.failure(&AppError::new(reason, text.clone()));
    let error = json!({"code": code, "message": text, "data": {"envelope": envelope}});
    json!({"jsonrpc": "2.0", "id": Value::Null, "error": error}).to_string()
}

/// Standard input and output as `rmcp` takes them.
struct Lines {
    messages: mpsc::Receiver<ClientJsonRpcMessage>,
    out: mpsc::Sender<String>,
}

impl Transport<RoleServer> for Lines {
    type Error = std::io::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let out = self.out.clone();
        async move {
            let line = match &item {
                // An error of the protocol's own has the envelope, too.
                TxJsonRpcMessage::<RoleServer>::Error(_) => {
                    let message = serde_json::to_value(&item)?;
                    let trace = format!("trace-{}", nonce());
                    let told = envelop(message.clone(), &trace);
                    told.unwrap_or(message).to_string()
                }
                _ => serde_json::to_string(&item)?,
            };
            let gone = |_| std::io::Error::from(std::io::ErrorKind::BrokenPipe);
            out.send(line).await.map_err(gone)
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        self.messages.recv().await
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.messages.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

    fn heard(input: &[u8]) -> (usize, Vec<Value>) {
        let (into, mut messages) = mpsc::channel(WAITING);
        let (out, mut complaints) = mpsc::channel(WAITING);
        read(&mut &input[..], &into, &out);
        drop((into, out));
        let count = std::iter::from_fn(|| messages.blocking_recv()).count();
        let told = std::iter::from_fn(|| complaints.blocking_recv());
        (
            count,
            told.map(|t| serde_json::from_str(&t).unwrap()).collect(),
        )
    }

    #[test]
    fn what_is_no_message_is_answered_and_the_next_one_is_read() {
        let long = "x".repeat(3 * MOST);
        for (line, code) in [
            ("}{", -32_700),
            ("\u{0}", -32_700),
            (
                r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
                -32_700,
            ),
            ("[]", -32_600),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32_600),
            (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32_600),
            (&long, -32_600),
        ] {
            let input = format!("{PING}\n{line}\n\r\n{PING}");
            let (count, told) = heard(input.as_bytes());
            let shown: String = line.chars().take(60).collect();
            assert_eq!((count, told.len()), (2, 1), "{shown}");
            assert_eq!(told[0]["error"]["code"], code, "{shown}");
            assert_eq!(told[0]["id"], Value::Null);
            let envelope = &told[0]["error"]["data"]["envelope"];
            assert_eq!(envelope["success"], false, "{envelope}");
        }
    }

    #[test]
    fn before_the_first_request_nothing_else_counts() {
        let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let (count, told) = heard(format!("{note}\n{PING}\n{note}\n").as_bytes());
        assert_eq!((count, told.len()), (2, 0));
    }

    #[test]
    fn a_line_at_the_limit_is_read() {
        let pad = MOST - PING.len() - 1;
        let input = format!("{PING}{}\n{PING}\n", " ".repeat(pad));
        assert_eq!(heard(input.as_bytes()), (2, Vec::new()));
    }
}
