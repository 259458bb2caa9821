//! A client of MCP that says exactly what a test wants said: on standard input, or over HTTP.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Answer, Server};
use crate::project::{CONFIG, Project};

/// No answer may take longer.
const LONGEST: Duration = Duration::from_secs(60);

/// The revision without a handshake.
pub(crate) const MODERN: &str = "2026-07-28";

/// The last revision with one.
pub(crate) const LEGACY: &str = "2025-11-25";

/// The extension under which clients say that they understand tasks.
pub(crate) const TASKS: &str = "io.modelcontextprotocol/tasks";

/// `gonogo mcp` and the client that talks to it; both end when dropped.
pub(crate) struct Agent {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    next: i64,
    /// What each request says of itself; none in the revisions with a handshake.
    meta: Value,
}

impl Agent {
    /// Starts `gonogo mcp` in a project and shakes hands.
    #[track_caller]
    pub(crate) fn start(project: &Project, args: &[&str]) -> Self {
        let mut agent = Self::silent(project, args);
        agent.initialize(LEGACY, &json!({}));
        agent
    }

    /// As [`Self::start`], in the revision without a handshake, with these capabilities.
    #[track_caller]
    pub(crate) fn modern(project: &Project, args: &[&str], capabilities: &Value) -> Self {
        let mut agent = Self::silent(project, args);
        agent.meta = meta(capabilities);
        agent
    }

    /// Starts `gonogo mcp` and says nothing.
    #[track_caller]
    pub(crate) fn silent(project: &Project, args: &[&str]) -> Self {
        Self::of(project.command(&[&["mcp"], args].concat()))
    }

    /// Starts this command and says nothing.
    #[track_caller]
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (heard, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines() {
                let Ok(line) = line else { return };
                if heard.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            input: child.stdin.take(),
            child,
            lines,
            next: 1,
            meta: Value::Null,
        }
    }

    /// Says a line as it is.
    #[track_caller]
    pub(crate) fn say(&mut self, line: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line).unwrap();
        input.write_all(b"\n").unwrap();
        input.flush().unwrap();
    }

    /// The next message.
    #[track_caller]
    pub(crate) fn hear(&mut self) -> Value {
        let line = self.lines.recv_timeout(LONGEST).unwrap();
        // Nothing but messages is on standard output.
        let message: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert_eq!(message["jsonrpc"], "2.0", "{message:#}");
        message
    }

    /// Asks, and gives the whole answer to that.
    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        let (id, mut params) = (self.next, params);
        self.next += 1;
        if !self.meta.is_null() {
            params["_meta"] = self.meta.clone();
        }
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.say(message.to_string().as_bytes());
        loop {
            let answer = self.hear();
            if answer["id"] == id {
                return answer;
            }
        }
    }

    /// Shakes hands, and gives what was answered.
    #[track_caller]
    pub(crate) fn initialize(&mut self, version: &str, capabilities: &Value) -> Value {
        let hello = json!({
            "protocolVersion": version,
            "capabilities": capabilities,
            "clientInfo": {"name": "a-test", "version": "1"},
        });
        let answer = self.ask("initialize", hello)["result"].clone();
        self.say(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        answer
    }

    /// Names of the tools, in order.
    #[track_caller]
    pub(crate) fn tools(&mut self) -> Vec<String> {
        names(&self.ask("tools/list", json!({}))["result"])
    }

    /// Calls a tool and gives its result.
    #[track_caller]
    pub(crate) fn call(&mut self, tool: &str, input: Value) -> Value {
        let answer = self.ask("tools/call", json!({"name": tool, "arguments": input}));
        assert!(answer.get("result").is_some(), "{answer:#}");
        answer["result"].clone()
    }

    /// Calls a tool that must answer, and gives the envelope's data.
    #[track_caller]
    pub(crate) fn data(&mut self, tool: &str, input: Value) -> Value {
        let result = self.call(tool, input);
        assert_eq!(result["isError"], false, "{result:#}");
        assert_eq!(result["structuredContent"]["success"], true, "{result:#}");
        result["structuredContent"]["data"].clone()
    }

    /// Makes a plan and gives its id and its fingerprint.
    #[track_caller]
    pub(crate) fn planned(&mut self, version: &str) -> (String, String) {
        let data = self.data("plan_change", json!({"version": version}));
        let text = |v: &Value| v.as_str().unwrap().to_owned();
        (
            text(&data["planResult"]["id"]),
            text(&data["planFingerprint"]),
        )
    }

    /// Ends its input and gives the exit code and what was still said.
    #[track_caller]
    pub(crate) fn end(mut self) -> (i32, Vec<String>) {
        drop(self.input.take());
        let mut rest = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(LONGEST) {
            rest.push(line);
        }
        (self.child.wait().unwrap().code().unwrap_or(-1), rest)
    }

    /// Ends the server with no chance to say anything.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a request says of itself in the revision without a handshake.
pub(crate) fn meta(capabilities: &Value) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "a-test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    })
}

/// Names of the tools that were listed, in order.
#[track_caller]
pub(crate) fn names(result: &Value) -> Vec<String> {
    let all = result["tools"].as_array().unwrap().iter();
    all.map(|t| t["name"].as_str().unwrap().to_owned())
        .collect()
}

/// The text of a tool's result.
#[track_caller]
pub(crate) fn text(result: &Value) -> &str {
    let content = result["content"].as_array().unwrap();
    assert_eq!(content.len(), 1, "{result:#}");
    content[0]["text"].as_str().unwrap()
}

/// Sends one message to `/mcp` as a client of the last revision with a handshake does, with these headers more.
#[track_caller]
pub(crate) fn post(server: &Server<'_>, headers: &[(&str, &str)], message: &Value) -> Answer {
    post_text(server, headers, &message.to_string())
}

/// As [`post`], with any text.
#[track_caller]
pub(crate) fn post_text(server: &Server<'_>, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut all = headers.to_vec();
    for usual in [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ] {
        if !headers.iter().any(|(name, _)| *name == usual.0) {
            all.push(usual);
        }
    }
    server.say("POST", "/mcp", &all, body).unwrap()
}

/// A tool's call as a message.
pub(crate) fn calling(tool: &str, input: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": input}})
}

/// A project in which agents ask, and `rita`, `ines` or `you` must approve.
#[track_caller]
pub(crate) fn watched() -> Project {
    let project = Project::new();
    std::fs::create_dir_all(project.path(".gonogo/keys")).unwrap();
    let key = |name: &str| {
        let file = format!(".gonogo/keys/{name}.p256.pem");
        let made = project.data(&["key", "new", "--out", &file]);
        made["key"].as_str().unwrap().to_owned()
    };
    let approvers = ["rita", "ines", "you"].map(|name| {
        format!(
            "{{ id = \"{name}\", role = \"owner\", key = \"{}\" }}",
            key(name)
        )
    });
    let requesters =
        ["agent", "bot"].map(|name| format!("{{ id = \"{name}\", key = \"{}\" }}", key(name)));
    let policy = format!(
        "approval = {{ roles = [\"owner\"], required = 1, max_sla = \"60m\", approvers = [{}], requesters = [{}] }}",
        approvers.join(", "),
        requesters.join(", ")
    );
    project.configure(&CONFIG.replace("approval = \"self\"", &policy));
    project
}

/// Lets `rita` approve a plan.
#[track_caller]
pub(crate) fn approved(project: &Project, plan: &str) {
    project.run_as("rita", &["approve", plan]).expect(0);
}
