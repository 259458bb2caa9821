//! A server of the program under test, and a client that says exactly what a test wants said.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::project::{Project, Running, free_port, wait};

/// How long a server may take to listen.
const SOON: Duration = Duration::from_secs(20);

/// A server; ends when dropped.
pub(crate) struct Server<'a> {
    /// The project that it serves.
    pub(crate) project: &'a Project,
    /// Its port on loopback.
    pub(crate) port: u16,
    pub(crate) running: Option<Running>,
}

impl<'a> Server<'a> {
    /// Starts one with these arguments.
    pub(crate) fn start(project: &'a Project, args: &[&str]) -> Self {
        Self::started(project, args, None)
    }

    /// Starts one that may have so many files open.
    pub(crate) fn start_limited(project: &'a Project, args: &[&str], files: u64) -> Self {
        Self::started(project, args, Some(files))
    }

    fn started(project: &'a Project, args: &[&str], files: Option<u64>) -> Self {
        let port = free_port();
        let listen = format!("127.0.0.1:{port}");
        let all = [&["serve", "--listen", &listen], args].concat();
        let running = match files {
            None => project.start(&all),
            Some(files) => {
                let wanted = project.command(&all);
                let mut limited = Command::new("sh");
                limited
                    .args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\"")])
                    .arg(wanted.get_program())
                    .args(wanted.get_args())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null());
                for (name, value) in wanted.get_envs() {
                    match value {
                        Some(value) => limited.env(name, value),
                        None => limited.env_remove(name),
                    };
                }
                if let Some(dir) = wanted.get_current_dir() {
                    limited.current_dir(dir);
                }
                Running::of(limited.spawn().unwrap())
            }
        };
        let server = Self {
            project,
            port,
            running: Some(running),
        };
        wait("the server", SOON, || {
            let answer = server.say("GET", "/livez", &[], "")?;
            (answer.status == 200).then_some(())
        });
        server
    }

    /// Says one request and gives the answer; none if there was none.
    pub(crate) fn say(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Option<Answer> {
        let mut text = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            text.push_str(&format!("host: 127.0.0.1:{}\r\n", self.port));
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if method != "GET" && !headers.iter().any(|(name, _)| *name == "content-length") {
            text.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        hear(self.send(&format!("{text}\r\n{body}"))?)
    }

    fn send(&self, text: &str) -> Option<TcpStream> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let longest = Some(Duration::from_secs(60));
        stream.set_read_timeout(longest).ok()?;
        stream.write_all(text.as_bytes()).ok()?;
        Some(stream)
    }

    /// Asks for an address and does not wait for the answer.
    #[track_caller]
    pub(crate) fn ask(&self, path: &str) -> TcpStream {
        let host = format!("host: 127.0.0.1:{}", self.port);
        let text = format!("GET {path} HTTP/1.1\r\nconnection: close\r\n{host}\r\n\r\n");
        self.send(&text).unwrap()
    }

    /// Looks at an address.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.say("GET", path, &[], "").unwrap()
    }

    /// Sends JSON to an address.
    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_as(None, path, body)
    }

    /// As [`Self::post`], with a token.
    #[track_caller]
    pub(crate) fn post_as(&self, token: Option<&str>, path: &str, body: &Value) -> Answer {
        let bearer = token.map(|t| format!("Bearer {t}"));
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(bearer.iter().map(|b| ("authorization", b.as_str())));
        self.say("POST", path, &headers, &body.to_string()).unwrap()
    }

    /// Calls a use case by its name.
    #[track_caller]
    pub(crate) fn invoke(&self, tool: &str, input: Value) -> Answer {
        let body =
            serde_json::json!({"toolId": tool, "traceId": "trace-of-a-test", "input": input});
        self.post("/tools/invoke", &body)
    }

    /// Waits until an operation has ended, and gives it.
    #[track_caller]
    pub(crate) fn ended(&self, operation: &str) -> Value {
        wait("the operation's end", Duration::from_secs(60), || {
            let doc = self.get(&format!("/operations/{operation}")).body["data"].clone();
            (doc["status"] != "running").then_some(doc)
        })
    }
}

/// The answer to what was sent; none if there is none.
pub(crate) fn hear(mut stream: TcpStream) -> Option<Answer> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    Answer::read(&String::from_utf8_lossy(&bytes))
}

/// What a server answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Answer {
    fn read(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|l| l.split_once(": "));
        Some(Self {
            status,
            headers: headers
                .map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()))
                .collect(),
            body: serde_json::from_str(body).unwrap_or(Value::Null),
        })
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The envelope, whether it is wrapped or not.
    pub(crate) fn envelope(&self) -> &Value {
        match self.body.get("envelope") {
            Some(envelope) => envelope,
            None => &self.body,
        }
    }

    /// The answer's data.
    #[track_caller]
    pub(crate) fn data(&self) -> &Value {
        assert_eq!(self.envelope()["success"], true, "{self:#?}");
        &self.envelope()["data"]
    }

    /// Says that it is this refusal, in the contract's form.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, code: &str, reason: &str) {
        let error = &self.envelope()["error"];
        assert_eq!(self.status, status, "{self:#?}");
        assert_eq!(self.envelope()["success"], false, "{self:#?}");
        assert_eq!(error["code"], code, "{self:#?}");
        let reasons = error["details"]["reasonCodes"].as_array().unwrap();
        assert!(reasons.contains(&reason.into()), "{self:#?}");
        assert_eq!(error["traceId"], self.envelope()["metadata"]["traceId"]);
        assert_eq!(
            error["retriable"] == true,
            error.get("retriableReason").is_some(),
            "{self:#?}"
        );
    }
}
