//! A workflow service on a socket of this machine that answers as a test wants, and a project that is wired to it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::project::{CONFIG, Project, wait};

/// A request that the service got.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

impl Asked {
    pub(crate) fn is_dispatch(&self) -> bool {
        self.method == "POST" && self.path == "/operations/dispatch"
    }

    pub(crate) fn is_status(&self) -> bool {
        self.method == "GET" && self.path.starts_with("/operations/")
    }

    pub(crate) fn is_cancel(&self) -> bool {
        self.method == "POST" && self.path.ends_with("/cancel")
    }
}

/// What it answers.
#[derive(Debug, Clone)]
pub(crate) enum Say {
    /// JSON with a status.
    Json(u16, Value),
    /// Any bytes with a status and headers.
    Raw(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Nothing, for longer than anybody waits.
    Hang,
    /// Nothing, and the connection ends.
    Close,
    /// A yes, and less than was promised of its body.
    Cut,
    /// This status, and a body that never ends.
    Stall(u16),
}

type How = Box<dyn FnMut(&Asked) -> Say + Send>;

/// The service; goes on until the test's process ends.
pub(crate) struct Flow {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    how: Arc<Mutex<How>>,
}

/// What a well-behaved service says when it takes an operation.
pub(crate) fn receipt(id: &str) -> Value {
    json!({
        "operationId": id, "workflowId": format!("release-{id}"), "submittedAt": "2026-01-01T00:00:00Z",
        "statusUrl": format!("http://flow.example/operations/{id}"),
    })
}

/// A status record.
pub(crate) fn record(word: &str) -> Value {
    json!({"status": word, "traceId": "t", "toolId": "apply_change", "startedAt": "2026-01-01T00:00:00Z"})
}

impl Flow {
    pub(crate) fn start(how: impl FnMut(&Asked) -> Say + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let how: Arc<Mutex<How>> = Arc::new(Mutex::new(Box::new(how)));
        let flow = Self {
            port,
            asked: Arc::clone(&asked),
            how: Arc::clone(&how),
        };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (asked, how) = (Arc::clone(&asked), Arc::clone(&how));
                std::thread::spawn(move || answer(stream, &asked, &how));
            }
        });
        flow
    }

    /// From now on it answers so.
    pub(crate) fn now(&self, how: impl FnMut(&Asked) -> Say + Send + 'static) {
        *self.how.lock().unwrap() = Box::new(how);
    }

    /// Everything that it was asked, oldest first.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The dispatches that it got.
    pub(crate) fn dispatches(&self) -> Vec<Asked> {
        let mut all = self.asked();
        all.retain(Asked::is_dispatch);
        all
    }

    pub(crate) fn forget(&self) {
        self.asked.lock().unwrap().clear();
    }
}

fn answer(stream: TcpStream, asked: &Mutex<Vec<Asked>>, how: &Mutex<How>) {
    let Some(request) = read(&stream) else {
        return;
    };
    asked.lock().unwrap().push(request.clone());
    let say = (how.lock().unwrap())(&request);
    let mut stream = stream;
    let (status, headers, body) = match say {
        Say::Json(status, body) => (
            status,
            vec![("content-type", "application/json".into())],
            body.to_string().into_bytes(),
        ),
        Say::Raw(status, headers, body) => (status, headers, body),
        Say::Hang => {
            // Ends when the other side has had enough.
            let _ = stream.set_read_timeout(Some(Duration::from_secs(120)));
            let _ = stream.read(&mut [0]);
            return;
        }
        Say::Close => return,
        Say::Cut => {
            let _ = stream.write_all(
                b"HTTP/1.1 202 Accepted\r\ncontent-length: 500\r\n\r\n{\"operationId\": \"w",
            );
            return;
        }
        Say::Stall(status) => {
            let head =
                format!("HTTP/1.1 {status} X\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{{\r\n");
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.set_read_timeout(Some(Duration::from_secs(120)));
            let _ = stream.read(&mut [0]);
            return;
        }
    };
    let mut text = format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    let _ = stream.write_all(text.as_bytes());
    let _ = stream.write_all(&body);
}

fn read(stream: &TcpStream) -> Option<Asked> {
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .ok()?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length");
    let mut body = vec![0; length.and_then(|l| l.parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Asked {
        method,
        path,
        headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    })
}

/// A well-behaved service: takes everything once, under the sender's ids, and says `word` of it.
pub(crate) fn good(word: &'static str) -> impl FnMut(&Asked) -> Say + Send + 'static {
    let mut known: BTreeMap<String, &'static str> = BTreeMap::new();
    move |asked| {
        if asked.is_dispatch() {
            let id = asked.body["operationId"].as_str().unwrap().to_owned();
            known.insert(id.clone(), word);
            return Say::Json(202, receipt(&id));
        }
        let id = asked.path.split('/').nth(2).unwrap_or_default().to_owned();
        if asked.is_cancel() {
            known.insert(id, "cancelled");
            return Say::Json(202, json!({}));
        }
        match known.get(&id) {
            Some(word) if asked.is_status() => Say::Json(200, record(word)),
            _ => Say::Json(404, json!({"error": "no such operation"})),
        }
    }
}

/// A project whose only environment is carried out by the service on this port.
pub(crate) fn wired(port: u16) -> Project {
    Project::with(&config(port, ""))
}

/// Its configuration, with `more` under `[workflow]`.
pub(crate) fn config(port: u16, more: &str) -> String {
    let by = CONFIG.replace(
        "strategy = \"quick\"",
        "strategy = \"quick\"\napply_by = \"workflow\"",
    );
    format!(
        r#"{by}
[workflow]
name = "release"
task_queue = "releases"
dispatch_url = "http://127.0.0.1:{port}/operations/dispatch"
status_base_url = "http://127.0.0.1:{port}"
dispatch_within = "1s"
status_within = "1s"
status_every = "300ms"
lost_after = "1s"
{more}
"#
    )
}

/// Pids of the project's controllers.
pub(crate) fn controllers(project: &Project) -> Vec<i32> {
    let is = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|b| *b == 0).any(|word| word == b"controller")
    };
    let mut all = project.processes();
    all.retain(is);
    all
}

/// Ends every controller at once, and waits until none is left.
pub(crate) fn kill_controllers(project: &Project) -> usize {
    let all = controllers(project);
    for pid in &all {
        let pid = rustix::process::Pid::from_raw(*pid).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    wait("the controllers' end", Duration::from_secs(10), || {
        controllers(project).is_empty().then_some(())
    });
    all.len()
}

/// The only operation, once this holds of it.
pub(crate) fn operation_when(
    project: &Project,
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Value {
    wait(what, Duration::from_secs(40), || {
        let all = project.data(&["ops", "list", "--limit", "1"]);
        let one = all["operations"].get(0)?.clone();
        holds(&one).then_some(one)
    })
}
