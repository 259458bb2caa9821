//! What people and programs see: answers on stdout, talk on stderr, colour only where a person looks.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use gonogo_app::calls::Context;
use gonogo_app::{AppError, catalogue};
use gonogo_core::clock::{Clock, SystemClock};
use gonogo_core::envelope::{Class, Frame};
use gonogo_core::{Exit, Reason};
use serde_json::{Value, json};

use crate::addressing::Asked;
use crate::args::Output;

/// Where and how to write.
pub struct Screen {
    /// One envelope on stdout and nothing else there.
    pub json: bool,
    /// The answer and nothing around it.
    pub quiet: bool,
    colour: bool,
    /// The server that this command asks.
    there: Option<Asked>,
    /// Set when the answer could not be written.
    unsaid: AtomicBool,
}

/// A style, by meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Good,
    Bad,
    Wait,
    Strong,
}

impl Screen {
    pub fn new(output: &Output) -> Self {
        let plain = output.no_color || std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        let colour = !plain && !dumb && !output.json && std::io::stdout().is_terminal();
        Self {
            json: output.json,
            quiet: output.quiet,
            colour,
            there: None,
            unsaid: AtomicBool::new(false),
        }
    }

    /// From now on commands are told as they work for who asks this server.
    pub fn asks(&mut self, server: Asked) {
        self.there = Some(server);
    }

    /// Whether a server is asked: paths are of its machine then.
    pub fn is_there(&self) -> bool {
        self.there.is_some()
    }

    fn addressed<'a>(&self, line: &'a str) -> Cow<'a, str> {
        match &self.there {
            Some(there) => there.tell(line),
            None => Cow::Borrowed(line),
        }
    }

    /// The exit code of a command that would end with `exit`: an answer that nobody got is no success.
    pub fn ended(&self, exit: Exit) -> Exit {
        if !self.unsaid.load(Ordering::Relaxed) || exit != Exit::Done {
            return exit;
        }
        let text = "the answer could not be written to standard output";
        let error = AppError::new(Reason::OutputFailed, text);
        write_line(&mut std::io::stderr().lock(), &told(&error));
        error.exit()
    }

    /// Writes to standard output and remembers if that failed.
    fn put(&self, line: &str) {
        if !write_line(&mut std::io::stdout().lock(), line) {
            self.unsaid.store(true, Ordering::Relaxed);
        }
    }

    /// Whether colours are shown.
    pub fn paints(&self) -> bool {
        self.colour
    }

    /// Paints `text` where a person looks. Meaning never depends on it.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Wait => "33",
            Tone::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Writes one line of the answer. A reader that went away ends the talking quietly.
    pub fn say(&self, line: &str) {
        if !self.json {
            self.put(&self.addressed(line));
        }
    }

    /// Writes one row of an answer without an end: a line for people, or one line of JSON.
    pub fn row(&self, line: &str, json: impl Fn() -> Value) {
        if self.json {
            self.put(&json().to_string());
        } else {
            self.put(line);
        }
    }

    /// Writes one line that stands around the answer on stdout: what leads to it, or what to do next.
    pub fn frame(&self, line: &str) {
        if !self.quiet {
            self.say(line);
        }
    }

    /// Writes one line of talk.
    pub fn talk(&self, line: &str) {
        if !self.quiet {
            write_line(&mut std::io::stderr().lock(), &self.addressed(line));
        }
    }

    /// Ends a command well: the envelope under `--json`, else nothing more.
    pub fn answer(&self, use_case: &str, data: Value) {
        if self.json {
            self.put(&json_text(&frame(use_case).success(data)));
        }
    }

    /// Ends a call of a use case well: `{envelope, handle?}`, for people as for programs.
    pub fn wrapped(&self, use_case: &str, data: Value, handle: Option<Value>) {
        let mut body = json!({"envelope": frame(use_case).success(data)});
        if let (Some(handle), Some(map)) = (handle, body.as_object_mut()) {
            map.insert("handle".into(), handle);
        }
        self.put(&json_text(&body));
    }

    /// Ends a call of a use case with an error: the envelope on stdout, as it is where the call goes well, and the words for people on stderr.
    pub fn wrapped_fail(&self, use_case: &str, error: &AppError) -> Exit {
        if !self.json {
            let failure = frame(use_case).failure(&error.failure());
            self.put(&json_text(&json!({ "envelope": failure })));
        }
        self.fail(use_case, error)
    }

    /// The trace that this command belongs to.
    pub fn trace(&self) -> String {
        TRACE.clone()
    }

    /// Where in its trace this command is.
    pub fn context(&self) -> Context {
        let of_caller = parent().filter(|c| c.trace == *TRACE);
        of_caller.unwrap_or_else(|| Context::of(&TRACE))
    }

    /// Ends a command with an error and returns its exit code.
    pub fn fail(&self, use_case: &str, error: &AppError) -> Exit {
        if self.json {
            self.put(&json_text(&frame(use_case).failure(&error.failure())));
        } else {
            let text = told(error);
            write_line(&mut std::io::stderr().lock(), &self.addressed(&text));
        }
        error.exit()
    }
}

/// One trace a command: the caller's, or a new one.
static TRACE: LazyLock<String> = LazyLock::new(|| {
    let said = std::env::var("GONOGO_TRACE_ID").ok();
    // It stands in everything that the command begins.
    let said = said.filter(|t| !gonogo_app::doors::is_secret(t));
    said.or_else(|| parent().map(|c| c.trace))
        .unwrap_or_else(gonogo_app::identity::new_trace)
});

/// The span that this command is a part of, as whoever runs it says in the variable `TRACEPARENT`.
fn parent() -> Option<Context> {
    let text = std::env::var("TRACEPARENT").ok()?;
    Context::read(&text)
}

/// What a use case may do.
fn class(use_case: &str) -> Class {
    let door = gonogo_app::doors::find(use_case).map(|t| t.facts.class);
    door.or(catalogue::find(use_case).map(|u| u.class))
        .unwrap_or(Class::Read)
}

fn frame(use_case: &str) -> Frame {
    Frame {
        tool_id: use_case.into(),
        tool_version: env!("CARGO_PKG_VERSION").into(),
        class: class(use_case),
        trace_id: TRACE.clone(),
        timestamp: SystemClock::default().now().wall,
    }
}

/// An error for people.
fn told(error: &AppError) -> String {
    let mut text = format!("error[{}]: {}\n", error.reason, error.message);
    for hint in error.shown_hints() {
        text.push_str(&format!("\n  hint: {hint}"));
    }
    text
}

fn json_text(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn print_json(value: &Value) {
    write_line(&mut std::io::stdout().lock(), &json_text(value));
}

/// Says whether the line was written. A closed pipe is the reader's decision and counts as written.
fn write_line(to: &mut dyn Write, line: &str) -> bool {
    match writeln!(to, "{line}").and_then(|()| to.flush()) {
        Err(e) => e.kind() == std::io::ErrorKind::BrokenPipe,
        Ok(()) => true,
    }
}

/// Answers for clap: help and version on stdout with 0, everything else as a usage error.
pub fn clap_answer(error: &clap::Error, json: bool) -> ExitCode {
    use clap::error::ErrorKind;
    let asked = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    let exit = if asked { Exit::Done } else { Exit::Usage };
    let text = error.render().to_string();
    match (json, error.kind()) {
        (true, ErrorKind::DisplayHelp) => print_json(&frame("help").success(json!({"text": text}))),
        (true, ErrorKind::DisplayVersion) => {
            let data = json!({"version": env!("CARGO_PKG_VERSION")});
            print_json(&frame("version").success(data));
        }
        (true, _) => {
            let text = text.trim().trim_start_matches("error: ");
            let error = AppError::new(Reason::ArgumentInvalid, text);
            print_json(&frame("usage").failure(&error.failure()));
        }
        // A closed pipe is the reader's decision and no fault of the command.
        (false, _) => drop(error.print()),
    }
    ExitCode::from(exit.code())
}
