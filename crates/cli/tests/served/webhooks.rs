//! Notices: what happens is told to a receiver on a socket, signed, at least once, and nowhere else.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::client::Server;
use crate::project::{CONFIG, Project, files, now, wait};

const SOON: Duration = Duration::from_secs(20);

/// A receiver, and what it was told.
struct Receiver {
    port: u16,
    told: Arc<Mutex<Vec<Told>>>,
}

#[derive(Debug, Clone)]
struct Told {
    head: String,
    body: Vec<u8>,
}

impl Told {
    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines();
        let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        found.unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Receiver {
    /// Answers one after the other as `answers` say, then the last of them for good; an empty one is a silence.
    fn start(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let told = Arc::new(Mutex::new(Vec::new()));
        let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
        let kept = Arc::clone(&told);
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for (n, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                if let Some(one) = hear(&mut stream) {
                    kept.lock().unwrap().push(one);
                }
                let answer = &answers[n.min(answers.len() - 1)];
                if answer.is_empty() {
                    silent.push(stream);
                } else {
                    let text = format!(
                        "HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                    );
                    let _ = stream.write_all(text.as_bytes());
                }
            }
        });
        Self { port, told }
    }

    fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    fn section(&self, name: &str, events: &str) -> String {
        format!(
            "\n[webhooks.{name}]\nurl = \"http://127.0.0.1:{}/hook\"\nsecret_file = \"hook.secret\"\nevents = {events}\nallow = [\"127.0.0.1\"]\ntimeout = \"2s\"\n",
            self.port
        )
    }
}

fn hear(stream: &mut TcpStream) -> Option<Told> {
    stream.set_read_timeout(Some(SOON)).ok()?;
    let mut bytes = Vec::new();
    let mut block = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length: usize = head
                .lines()
                .find_map(|l| l.strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            let begin = head.len() + 4;
            if bytes.len() >= begin + length {
                let head = String::from_utf8_lossy(&bytes[..begin]).into_owned();
                let head = head.lines().map(|line| match line.split_once(": ") {
                    Some((name, value)) => format!("{}: {value}\n", name.to_lowercase()),
                    None => format!("{line}\n"),
                });
                return Some(Told {
                    head: head.collect(),
                    body: bytes[begin..].to_vec(),
                });
            }
        }
        match stream.read(&mut block) {
            Ok(0) | Err(_) => return None,
            Ok(n) => bytes.extend_from_slice(&block[..n]),
        }
    }
}

/// A project that tells these receivers, and its secret.
fn project(sections: &[String]) -> (Project, String) {
    let project = Project::with(&format!("{CONFIG}{}", sections.concat()));
    let made = project.run(&["webhook", "secret", "--out", "hook.secret"]);
    assert_eq!(made.status, 0, "{made:?}");
    let secret = project.text("hook.secret").trim().to_owned();
    assert!(secret.starts_with("whsec_"));
    (project, secret)
}

#[test]
fn what_happens_is_told_signed_and_once() {
    let receiver = Receiver::start(&["204 No Content"]);
    let (project, secret) = project(&[receiver.section("ops", "[\"plan.created\"]")]);
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let id = wait("the webhook's begin", SOON, || {
        project
            .path(".gonogo/webhooks/ops.json")
            .exists()
            .then(|| project.plan("1.0.0"))
    });
    let told = wait("the notice", SOON, || receiver.told().first().cloned());
    let says = told.json();
    assert_eq!(says["type"], "plan.created");
    assert_eq!(says["data"]["plan"], id.as_str());
    assert_eq!(says["data"]["environment"], "local");
    assert_eq!(says["data"]["service"], "shop");
    let (hook, at) = (told.header("webhook-id"), told.header("webhook-timestamp"));
    assert!(
        told.head.starts_with("POST /hook HTTP/1.1"),
        "{}",
        told.head
    );
    let good = gonogo_app::notices::signature(&secret, hook, at.parse().unwrap(), &told.body);
    assert_eq!(told.header("webhook-signature"), good.unwrap());
    // A second plan is a second notice, with another id; the first is not told again.
    project.plan("2.0.0");
    wait("the second notice", SOON, || {
        (receiver.told().len() == 2).then_some(())
    });
    assert_ne!(receiver.told()[1].header("webhook-id"), hook);
    let list = wait("both counted", SOON, || {
        let list = project.data(&["webhook", "list"])["webhooks"][0].clone();
        (list["delivered"] == 2).then_some(list)
    });
    assert_eq!(list["waiting"].as_array().unwrap().len(), 0, "{list}");
    drop(server);
    // The secret is in its file alone.
    let secret = secret.as_bytes();
    for (path, bytes) in files(&project.path(".gonogo")) {
        assert!(
            !bytes.windows(secret.len()).any(|w| w == secret),
            "{path:?}"
        );
    }
    assert!(!list.to_string().contains("whsec_"));
}

#[test]
fn what_was_not_taken_is_sent_again_with_the_same_id() {
    let receiver = Receiver::start(&[
        "500 Oops",
        "503 Busy\r\nretry-after: 4000",
        "302 Found\r\nlocation: http://127.0.0.1:1/",
        "200 OK",
    ]);
    let (project, _) = project(&[]);
    // What was there before the webhook was is not told.
    let plan = project.plan("1.0.0");
    let section = receiver.section("ops", "[\"plan.created\"]");
    project.configure(&format!("{CONFIG}{section}"));
    let nothing = project.data(&["webhook", "deliver"]);
    assert_eq!(
        (&nothing["delivered"], &nothing["waiting"]),
        (&0.into(), &0.into())
    );
    project.plan("2.0.0");
    for (said, wait_ms) in [("500", 5_000), ("503", 4_000_000), ("302", 5_000)] {
        let failed = project.run(&["webhook", "deliver", "--json"]);
        assert_eq!(failed.status, 69, "{failed:?}");
        let standing = project.data(&["webhook", "list"])["webhooks"][0].clone();
        let waiting = &standing["waiting"][0];
        assert!(
            waiting["said"].as_str().unwrap().contains(said),
            "{standing}"
        );
        assert_eq!(waiting["attempts"], 1);
        // It is not due yet: nothing is sent.
        let before = receiver.told().len();
        let quiet = project.run(&["webhook", "deliver", "--json"]);
        quiet.expect(69);
        let quiet = quiet.envelope()["data"].take();
        assert_eq!(
            (&quiet["delivered"], &quiet["waiting"]),
            (&0.into(), &1.into())
        );
        assert_eq!(receiver.told().len(), before);
        let due: gonogo_core::Timestamp = waiting["due"].as_str().unwrap().parse().unwrap();
        let ahead = due.as_millis()
            - gonogo_core::clock::Clock::now(&gonogo_core::clock::SystemClock::default())
                .wall
                .as_millis();
        assert!(
            ahead > wait_ms - 5_000 + 1 && ahead <= wait_ms,
            "{said}: {ahead}"
        );
        assert_eq!(project.data(&["webhook", "resend", "ops"])["due"], 1);
    }
    let done = project.data(&["webhook", "deliver"]);
    assert_eq!(
        (&done["delivered"], &done["waiting"]),
        (&1.into(), &0.into())
    );
    let told = receiver.told();
    assert_eq!(told.len(), 4);
    assert!(
        told.iter()
            .all(|t| t.header("webhook-id") == told[0].header("webhook-id"))
    );
    assert!(!String::from_utf8_lossy(&told[0].body).contains(&plan));
}

#[test]
fn a_receiver_that_is_gone_is_asked_no_more_until_somebody_says_so() {
    let receiver = Receiver::start(&["410 Gone", "200 OK"]);
    let (project, _) = project(&[receiver.section("ops", "[\"*\"]")]);
    project.data(&["webhook", "deliver"]);
    project.plan("1.0.0");
    project.plan("2.0.0");
    assert_eq!(project.run(&["webhook", "deliver"]).status, 69);
    // Nothing is sent, and what waits is not done; what is to be done is said.
    let quiet = project.run(&["webhook", "deliver"]);
    let next = "gonogo webhook resend ops";
    assert_eq!(quiet.status, 69, "{quiet:?}");
    assert!((quiet.out.clone() + &quiet.err).contains(next), "{quiet:?}");
    assert_eq!(receiver.told().len(), 1);
    let list = project.run(&["webhook", "list"]);
    assert!(
        list.out.contains("stopped") && list.out.contains("410") && list.out.contains(next),
        "{list:?}"
    );
    project.data(&["webhook", "resend", "ops"]);
    project.data(&["webhook", "deliver"]);
    let told = receiver.told();
    assert!(told.len() >= 3, "{}", told.len());
    assert_eq!(told[0].header("webhook-id"), told[1].header("webhook-id"));
}

#[test]
fn whether_anybody_was_paged_stands_beside_the_emergency() {
    let receiver = Receiver::start(&["500 Oops", "200 OK"]);
    let project = Project::new();
    project
        .run(&["webhook", "secret", "--out", "hook.secret"])
        .expect(0);
    let mut listed = Vec::new();
    for name in ["you", "dana", "finn"] {
        let file = format!("{name}.pem");
        let key = project.data(&["key", "new", "--out", &file])["key"].take();
        listed.push(format!(
            "{{ id = \"{name}\", role = \"sre\", key = {key} }}"
        ));
    }
    let approval = format!("approval = {{ approvers = [{}] }}", listed.join(", "));
    let glass = "\n[break_glass.outage]\nwho = [\"finn\"]\nenvironments = [\"local\"]\npages = \"on-call\"\n";
    let config = CONFIG.replace("approval = \"self\"", &approval);
    let section = receiver.section("on-call", "[\"break_glass.used\"]");
    project.configure(&format!("{config}{glass}{section}"));
    let as_person = |name: &str, args: &[&str]| {
        let key = format!("{name}.pem");
        let ran = project.run(&[args, &["--as", name, "--key", &key, "--json"]].concat());
        ran.expect(0);
        ran.envelope()["data"].take()
    };
    let plan = as_person("you", &["plan", "--to", "1.0.0"])["plan"]["id"].take();
    let plan = plan.as_str().unwrap();
    let broken = as_person(
        "finn",
        &[
            "break-glass",
            "--policy",
            "outage",
            "--reason",
            "down",
            plan,
        ],
    );
    let incident = broken["incident"]["incident"].as_str().unwrap();
    let paged = &broken["incident"]["paged"];
    assert_eq!(paged["taken"], false, "{broken:#}");
    assert!(paged["said"].as_str().unwrap().contains("500"), "{paged}");
    project.data(&["webhook", "resend", "on-call"]);
    project.run(&["webhook", "deliver"]).expect(0);
    let shown = project.data(&["incident", "show", incident]);
    assert_eq!(shown["paged"]["taken"], true, "{shown:#}");
    assert_eq!(project.records("incident-page").len(), 2);
    // No other notice that the same receiver takes is a page.
    assert!(shown["paged"].get("said").is_none());
}

#[test]
fn a_receiver_that_hangs_keeps_nobody_waiting_and_a_killed_server_loses_nothing() {
    let hangs = Receiver::start(&[""]);
    let takes = Receiver::start(&["200 OK"]);
    let (project, _) = project(&[
        hangs.section("hangs", "[\"plan.created\"]"),
        takes.section("takes", "[\"plan.created\"]"),
    ]);
    let mut server = Server::start(&project, &["--dev"]);
    wait("the begin", SOON, || {
        let begun = |name: &str| {
            project
                .path(&format!(".gonogo/webhooks/{name}.json"))
                .exists()
        };
        (begun("hangs") && begun("takes")).then_some(())
    });
    project.plan("1.0.0");
    wait("the one who hangs is told", SOON, || {
        hangs.told().first().cloned()
    });
    project.plan("2.0.0");
    wait("the other one hears both", SOON, || {
        (takes.told().len() == 2).then_some(())
    });
    // Until that is on disk it would be told again.
    wait("both are noted", SOON, || {
        let all = project.data(&["webhook", "list"])["webhooks"].clone();
        (all[1]["delivered"] == 2).then_some(())
    });
    let running = server.running.take().unwrap();
    running.signal(rustix::process::Signal::KILL);
    running.join();
    let before = hangs.told();
    let server = Server::start(&project, &["--dev"]);
    let again = project.data(&["webhook", "resend", "hangs"]);
    assert_eq!(again["due"], 2);
    let since = now();
    wait("it is told again", SOON, || {
        let told = hangs.told();
        told[before.len()..]
            .iter()
            .any(|t| t.header("webhook-id") == before[0].header("webhook-id"))
            .then_some(())
    });
    assert!(since.elapsed() < SOON);
    assert_eq!(takes.told().len(), 2);
    drop(server);
}

#[test]
fn no_address_leads_to_this_machine_unless_it_is_named() {
    let receiver = Receiver::start(&["200 OK"]);
    let port = receiver.port;
    for (url, allow) in [
        (format!("https://127.0.0.1:{port}/"), "[]"),
        (format!("https://localhost:{port}/"), "[]"),
        (format!("https://[::ffff:127.0.0.1]:{port}/"), "[]"),
        (format!("http://127.0.0.1:{port}/"), "[\"10.0.0.0/8\"]"),
        (format!("http://localhost:{port}/"), "[\"10.0.0.0/8\"]"),
        (format!("http://127.1:{port}/"), "[\"10.0.0.0/8\"]"),
    ] {
        let section = format!(
            "\n[webhooks.ops]\nurl = \"{url}\"\nsecret_file = \"hook.secret\"\nallow = {allow}\n"
        );
        let (project, _) = project(&[section]);
        let says = project.refuses(&["webhook", "test", "ops"], 69, &["WEBHOOK_FAILED"]);
        let text = says["message"].as_str().unwrap().to_owned();
        assert!(text.contains("private network"), "{url}: {text}");
    }
    assert_eq!(receiver.told().len(), 0);
    let (project, _) = project(&[receiver.section("ops", "[\"*\"]")]);
    project.data(&["webhook", "test", "ops"]);
    assert_eq!(receiver.told()[0].json()["type"], "webhook.test");
    project.refuses(&["webhook", "test", "other"], 66, &["WEBHOOK_UNKNOWN"]);
}

#[test]
fn a_secret_that_is_none_stops_the_sending_and_is_not_shown() {
    let receiver = Receiver::start(&["200 OK"]);
    let (project, _) = project(&[receiver.section("ops", "[\"*\"]")]);
    project.data(&["webhook", "deliver"]);
    project.plan("1.0.0");
    for secret in [
        "",
        "whsec_c2hvcnQ=",
        "hunter2hunter2hunter2hunter2",
        "whsec_AA\nwhsec_BB\nwhsec_CC",
    ] {
        std::fs::write(project.path("hook.secret"), secret).unwrap();
        let ran = project.run(&["webhook", "deliver", "--json"]);
        assert_eq!(ran.status, 69, "{ran:?}");
        let all = format!("{}{}", ran.out, ran.err);
        assert!(
            all.contains("hook.secret") && !all.contains("hunter2") && !all.contains("c2hvcnQ"),
            "{all}"
        );
        project.refuses(&["webhook", "test", "ops"], 78, &["CONFIG_VALUE"]);
    }
    assert_eq!(receiver.told().len(), 0);
    // The new secret and the one before sign both, so that a receiver can change in between.
    let (one, two) = (
        gonogo_app::notices::new_secret(),
        gonogo_app::notices::new_secret(),
    );
    std::fs::write(project.path("hook.secret"), format!("{one}\n{two}\n")).unwrap();
    project.data(&["webhook", "deliver"]);
    let told = receiver.told()[0].clone();
    let (id, at) = (
        told.header("webhook-id"),
        told.header("webhook-timestamp").parse().unwrap(),
    );
    let sign = |s: &str| gonogo_app::notices::signature(s, id, at, &told.body).unwrap();
    assert_eq!(
        told.header("webhook-signature"),
        format!("{} {}", sign(&one), sign(&two))
    );
}

/// Reads a notice and what came with it, and verifies it as receivers do.
const RECEIVER: &str = r#"
import json, sys
from standardwebhooks import Webhook, WebhookVerificationError
given = json.load(sys.stdin)
body = bytes(given["body"])
print(Webhook(given["secret"]).verify(body, given["headers"])["type"])
try:
    Webhook(given["secret"]).verify(body.replace(b"plan", b"plam", 1), given["headers"])
except WebhookVerificationError:
    print("refused")
"#;

/// A Python that has the library, installed into a directory of the build; or why there is none.
fn receiver_of_others() -> Result<std::path::PathBuf, String> {
    if let Some(why) = gonogo_testkit::lacks("python3", &["--version"]) {
        return Err(why);
    }
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("webhooks-python");
    let python = dir.join("bin/python");
    let ran = |program: &std::path::Path, args: &[&str]| {
        let out = std::process::Command::new(program).args(args).output();
        let out = out.map_err(|e| e.to_string())?;
        let told = String::from_utf8_lossy(&out.stderr).into_owned();
        out.status.success().then_some(()).ok_or(told)
    };
    let has = |python: &std::path::Path| ran(python, &["-c", "import standardwebhooks"]).is_ok();
    if !has(&python) {
        ran("python3".as_ref(), &["-m", "venv", dir.to_str().unwrap()])?;
        ran(
            &python,
            &["-m", "pip", "install", "--quiet", "standardwebhooks==1.1.0"],
        )?;
    }
    Ok(python)
}

#[test]
fn the_standards_own_library_takes_a_notice_and_refuses_a_changed_one() {
    let python = match receiver_of_others() {
        Ok(python) => python,
        Err(why) => {
            gonogo_testkit::skip("notices in the eyes of standardwebhooks (PyPI)", &why);
            return;
        }
    };
    let receiver = Receiver::start(&["200 OK"]);
    let (project, secret) = project(&[receiver.section("ops", "[\"*\"]")]);
    project.data(&["webhook", "deliver"]);
    project.plan("1.0.0");
    project.data(&["webhook", "deliver"]);
    let told = receiver.told()[0].clone();
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers: std::collections::BTreeMap<_, _> = names
        .iter()
        .map(|name| (*name, told.header(name)))
        .collect();
    let given = serde_json::json!({"secret": secret, "headers": headers, "body": told.body});
    let mut child = std::process::Command::new(&python)
        .args(["-c", RECEIVER])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(given.to_string().as_bytes()).unwrap();
    drop(input);
    let said = child.wait_with_output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&said.stdout),
        "plan.created\nrefused\n"
    );
}

#[test]
fn what_happens_before_anything_was_sent_is_told() {
    let receiver = Receiver::start(&["204 No Content"]);
    let (project, _) = project(&[]);
    let section = receiver.section("ops", "[\"plan.created\"]");
    project.configure(&format!("{CONFIG}{section}"));
    // Nobody sends yet, and nothing has looked for this webhook.
    let plan = project.plan("1.0.0");
    let done = project.data(&["webhook", "deliver"]);
    assert_eq!(done["delivered"], 1, "{done:#}");
    assert_eq!(receiver.told()[0].json()["data"]["plan"], plan.as_str());
}

#[test]
fn a_notice_is_taken_by_the_status_however_the_answer_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let told = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&told);
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            kept.lock().unwrap().extend(hear(&mut stream));
            // One byte of ten, and never another.
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n1";
            let _ = stream.write_all(head.as_bytes());
            open.push(stream);
        }
    });
    let receiver = Receiver { port, told };
    let (project, _) = project(&[receiver.section("ops", "[\"plan.created\"]")]);
    project.plan("1.0.0");
    let done = project.data(&["webhook", "deliver"]);
    assert_eq!(
        (&done["delivered"], &done["waiting"]),
        (&1.into(), &0.into()),
        "{done:#}"
    );
    assert_eq!(receiver.told().len(), 1);
}
