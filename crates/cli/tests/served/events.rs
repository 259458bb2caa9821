//! Events as they happen, and preconditions on what was looked at.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Server;
use crate::project::Project;

/// An event of a stream.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    id: Option<u64>,
    kind: String,
    data: Value,
}

/// A reader of a stream of events, as a browser is one.
struct Reader(BufReader<TcpStream>);

impl Reader {
    fn open(server: &Server<'_>, path: &str, last: Option<u64>) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let last = last.map_or(String::new(), |id| format!("last-event-id: {id}\r\n"));
        let text = format!(
            "GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\naccept: text/event-stream\r\n{last}\r\n",
            server.port
        );
        stream.write_all(text.as_bytes()).unwrap();
        let mut reader = Self(BufReader::new(stream));
        let head = reader.until_blank();
        assert!(head[0].contains(" 200 "), "{head:?}");
        let is = |line: &String| line.eq_ignore_ascii_case("content-type: text/event-stream");
        assert!(head.iter().any(is), "{head:?}");
        reader
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end_matches(['\r', '\n']).to_owned()
    }

    fn until_blank(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.line() {
                line if line.is_empty() => return lines,
                line => lines.push(line),
            }
        }
    }

    /// The next event; chunk sizes and comments are passed over.
    fn next(&mut self) -> Event {
        let mut event = Event {
            id: None,
            kind: String::new(),
            data: Value::Null,
        };
        loop {
            let line = self.line();
            match line.split_once(": ") {
                Some(("id", id)) => event.id = Some(id.parse().unwrap()),
                Some(("event", kind)) => event.kind = kind.into(),
                Some(("data", data)) => {
                    event.data = serde_json::from_str(data).unwrap();
                    return event;
                }
                _ => {}
            }
        }
    }

    fn ended(mut self) -> bool {
        let mut rest = Vec::new();
        std::io::Read::read_to_end(&mut self.0, &mut rest).is_ok()
    }
}

#[test]
fn a_stream_goes_on_behind_the_last_event_and_misses_nothing() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    let mut live = Reader::open(&server, "/v1/events?kind=plan", None);
    let first = project.plan("1.0.0");
    let second = project.plan("2.0.0");
    let events = [live.next(), live.next()];
    for (event, plan) in events.iter().zip([&first, &second]) {
        assert_eq!(event.kind, "plan");
        assert_eq!(event.data["stream"], format!("plan/{plan}"));
        assert_eq!(event.id, event.data["index"].as_u64());
    }
    drop(live);
    // Whoever was cut off behind the first gets the second, and what came meanwhile.
    let third = project.plan("3.0.0");
    let mut again = Reader::open(&server, "/v1/events?kind=plan", events[0].id);
    assert_eq!(again.next(), events[1]);
    assert_eq!(again.next().data["stream"], format!("plan/{third}"));
    // From the begin, and of one stream alone.
    let mut whole = Reader::open(&server, "/v1/events?from=begin", None);
    assert_eq!(whole.next().id, Some(0));
    let path = format!("/v1/events?stream=plan/{second}");
    assert_eq!(Reader::open(&server, &path, None).next(), events[1]);
}

#[test]
fn a_stream_ends_when_its_reader_may_not_read_any_more_and_when_the_server_does() {
    let project = Project::new();
    let made = project.data(&["token", "create", "--name", "vera", "--role", "viewer"]);
    let token = made["token"].as_str().unwrap();
    let mut server = Server::start(&project, &[]);
    let bearer = format!("Bearer {token}");
    let refused = server.say("GET", "/v1/events", &[], "").unwrap();
    refused.refuses(401, "UNAUTHORIZED", "UNAUTHENTICATED");
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let text = format!(
        "GET /v1/events?from=begin HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nauthorization: {bearer}\r\n\r\n",
        server.port
    );
    stream.write_all(text.as_bytes()).unwrap();
    let mut reader = Reader(BufReader::new(stream));
    reader.until_blank();
    assert_eq!(reader.next().id, Some(0));
    let id = made["id"].as_str().unwrap();
    project
        .run(&["token", "revoke", id, "--why", "a test"])
        .expect(0);
    // The revocation is a record, and is the first one that the reader does not get.
    loop {
        let event = reader.next();
        if event.kind == "error" {
            assert_eq!(event.data["reasonCodes"], json!(["UNAUTHENTICATED"]));
            break;
        }
        assert_ne!(event.kind, "token-revoked", "{event:?}");
    }
    assert!(reader.ended());
    drop(server.running.take());
    let server = Server::start(&project, &["--dev"]);
    let reader = Reader::open(&server, "/v1/events", None);
    let running = server.running.as_ref().unwrap();
    running.signal(rustix::process::Signal::TERM);
    assert!(reader.ended(), "the stream ends with the server, at once");
}

#[test]
fn what_cannot_be_a_place_in_the_ledger_is_refused() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    for path in [
        "/v1/events?after=-1",
        "/v1/events?after=x",
        "/v1/events?from=yesterday",
        "/v1/events?colour=red",
        "/v1/events?after=99999999999999999999",
    ] {
        let answer = server.get(path);
        answer.refuses(400, "INPUT_VALIDATION_FAILED", "INPUT_MALFORMED");
    }
    let answer = server.say("GET", "/v1/events", &[("last-event-id", "abc")], "");
    answer
        .unwrap()
        .refuses(400, "INPUT_VALIDATION_FAILED", "INPUT_MALFORMED");
    // A record that is not there yet is no place to go on behind: such a reader would wait for nothing, or miss what comes.
    let size = project.data(&["ledger", "status"])["size"].as_u64();
    let size = size.expect("the ledger's length");
    for beyond in [size, size + 1, (1 << 53) - 1] {
        let answer = server.get(&format!("/v1/events?after={beyond}"));
        answer.refuses(404, "INPUT_VALIDATION_FAILED", "INPUT_NOT_FOUND");
        let last = [("last-event-id", &*beyond.to_string())];
        let answer = server.say("GET", "/v1/events", &last, "").unwrap();
        answer.refuses(404, "INPUT_VALIDATION_FAILED", "INPUT_NOT_FOUND");
    }
    let answer = server.say("POST", "/v1/events", &[], "").unwrap();
    answer.refuses(405, "INPUT_VALIDATION_FAILED", "METHOD_REFUSED");
}

#[test]
fn an_operation_that_has_ended_has_no_more_events_to_wait_for() {
    let project = Project::serving();
    let id = project.data(&["history"])["operations"][0]["id"].clone();
    let id = id.as_str().unwrap();
    let server = Server::start(&project, &["--dev"]);
    let path = format!("/v1/events?stream=operation/{id}");
    let mut reader = Reader::open(&server, &path, None);
    let last = loop {
        let event = reader.next();
        if event.kind == "result" {
            break event;
        }
    };
    let after = format!("{path}&after={}", last.id.unwrap());
    assert_eq!(server.get(&after).status, 204, "nothing will come");
}

#[test]
fn a_decision_on_what_has_changed_since_is_refused() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let plan = project.plan("1.0.0");
    let path = format!("/v1/plans/{plan}/approvals");
    let seen = server.get(&path);
    let tag = seen.header("etag").unwrap().to_owned();
    let fingerprint =
        server.get(&format!("/v1/plans/{plan}")).data()["plan"]["fingerprint"].clone();
    let yes = json!({"planFingerprint": fingerprint, "decision": "approved"}).to_string();
    let decide = |tag: &str| {
        let headers = [("content-type", "application/json"), ("if-match", tag)];
        server.say("POST", &path, &headers, &yes).unwrap()
    };
    decide("\"0000\"").refuses(412, "CONFLICT", "RESOURCE_CHANGED");
    assert!(project.records("approval").is_empty());
    assert_eq!(decide(&format!("\"0000\", {tag}")).status, 201);
    // It was looked at before the first yes was there.
    decide(&tag).refuses(412, "CONFLICT", "RESOURCE_CHANGED");
    assert_eq!(decide("*").status, 201);
}
