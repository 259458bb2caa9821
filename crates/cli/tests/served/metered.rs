//! `/metrics` as Prometheus reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::client::Server;
use crate::project::{CONFIG, Project, free_port, wait};

/// Where `promtool` and `prometheus` are, if they are to be used.
const PROGRAMS: &str = "GONOGO_TEST_PROMETHEUS";

/// Status, content type and body of what is at an address.
fn fetch(port: u16, path: &str, headers: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let text = format!(
        "GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n{headers}\r\n"
    );
    stream.write_all(text.as_bytes()).unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).unwrap();
    let (head, body) = all.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let kind = head.lines().find_map(|l| l.strip_prefix("content-type: "));
    (status, kind.unwrap_or_default().to_owned(), body.to_owned())
}

type Series = BTreeMap<(String, BTreeMap<String, String>), f64>;

/// Reads the text format strictly: what is not as the standard says fails the test.
#[track_caller]
fn read(text: &str) -> Series {
    let (mut kinds, mut helped) = (BTreeMap::new(), BTreeSet::new());
    let mut series = Series::new();
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(helped.insert(name.to_owned()), "{name} is helped twice");
            assert!(help.ends_with('.'), "{line}");
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(helped.contains(name), "{line}");
            assert!(
                kinds.insert(name.to_owned(), kind.to_owned()).is_none(),
                "{line}"
            );
            continue;
        }
        let (left, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        let (name, labels) = match left.split_once('{') {
            None => (left, BTreeMap::new()),
            Some((name, rest)) => {
                let mut labels = BTreeMap::new();
                for pair in rest.strip_suffix("\"}").unwrap().split("\",") {
                    let (key, word) = pair.split_once("=\"").unwrap();
                    assert!(
                        labels.insert(key.to_owned(), word.to_owned()).is_none(),
                        "{line}"
                    );
                }
                (name, labels)
            }
        };
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end).filter(|f| kinds.contains_key(*f)))
            .unwrap_or(name);
        assert!(kinds.contains_key(family), "{line} is of no kind");
        assert!(value.is_nan() || value >= 0.0, "{line}");
        assert!(
            series.insert((name.to_owned(), labels), value).is_none(),
            "{line} twice"
        );
    }
    for (name, _) in kinds.iter().filter(|(_, kind)| *kind == "histogram") {
        histogram(name, &series);
    }
    series
}

/// Buckets grow, the last one is everything, and there is a sum.
#[track_caller]
fn histogram(name: &str, series: &Series) {
    let mut of: BTreeMap<BTreeMap<String, String>, Vec<(f64, f64)>> = BTreeMap::new();
    for ((series, labels), value) in series {
        if *series == format!("{name}_bucket") {
            let mut labels = labels.clone();
            let bound: f64 = labels.remove("le").unwrap().parse().unwrap();
            of.entry(labels).or_default().push((bound, *value));
        }
    }
    assert!(!of.is_empty(), "{name} has no bucket");
    for (labels, mut buckets) in of {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(
            buckets.windows(2).all(|w| w[0].1 <= w[1].1),
            "{name} {labels:?}"
        );
        let last = buckets.last().unwrap();
        assert!(last.0.is_infinite());
        assert_eq!(last.1, series[&(format!("{name}_count"), labels.clone())]);
        assert!(series.contains_key(&(format!("{name}_sum"), labels)));
        for bound in [2.0, 5.0] {
            assert!(buckets.iter().any(|b| b.0 == bound), "{name}: {bound}");
        }
    }
}

fn value(series: &Series, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let labels = labels
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    series.get(&(name.to_owned(), labels.collect())).copied()
}

#[test]
fn metrics_count_what_was_asked_and_nothing_that_a_caller_says_becomes_a_label() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    server.get("/v1/entities");
    server.get("/v1/entities");
    server
        .invoke("plan_change", json!({"version": "1.0.0"}))
        .data();
    server.invoke("plan_get", json!({"plan": "pln_000000000000"}));
    server.invoke("made_up_by_a_caller", json!({}));
    server.get("/v1/made/up/by/a/caller");
    let (status, kind, text) = fetch(server.port, "/metrics", "");
    assert_eq!(
        (status, kind.as_str()),
        (200, "text/plain; version=0.0.4; charset=utf-8")
    );
    let series = read(&text);
    let calls = |tool: &str, class: &str, code: &str| {
        let labels = [("tool", tool), ("class", class), ("code", code)];
        value(&series, "gonogo_requests_total", &labels)
    };
    assert_eq!(calls("read_entities", "read", "OK"), Some(2.0));
    assert_eq!(calls("plan_change", "plan", "OK"), Some(1.0));
    assert_eq!(
        calls("plan_get", "read", "INPUT_VALIDATION_FAILED"),
        Some(1.0)
    );
    assert!(!text.contains("made"), "{text}");
    let took = [("tool", "read_entities"), ("class", "read")];
    assert_eq!(
        value(&series, "gonogo_request_duration_seconds_count", &took),
        Some(2.0)
    );
    for lane in ["read", "plan", "apply"] {
        let under_way = value(&series, "gonogo_requests_in_flight", &[("lane", lane)]);
        assert_eq!(under_way, Some(0.0), "{lane}");
    }
    let plain = |name: &str| value(&series, name, &[]).unwrap();
    assert!(
        plain("gonogo_ledger_records") >= 2.0,
        "the plan is recorded"
    );
    assert_eq!(plain("gonogo_store_readable"), 1.0);
    assert_eq!(plain("gonogo_open_effect_oldest_age_seconds"), 0.0);
    assert!(plain("process_resident_memory_bytes") > 1e6);
    assert!(plain("process_open_fds") > 3.0);
    let answers = value(&series, "gonogo_http_responses_total", &[("status", "404")]);
    assert!(answers.is_some_and(|n| n >= 2.0), "{text}");
    // Counters only grow.
    let again = read(&fetch(server.port, "/metrics", "").2);
    for (key, before) in series
        .iter()
        .filter(|((name, _), _)| name.ends_with("_total"))
    {
        assert!(again[key] >= *before, "{key:?}");
    }
}

#[test]
fn metrics_are_for_those_who_may_look_unless_it_is_said_otherwise() {
    let project = Project::new();
    let own = free_port();
    let at = format!("127.0.0.1:{own}");
    let server = Server::start(&project, &["--metrics-listen", &at]);
    server
        .get("/metrics")
        .refuses(401, "UNAUTHORIZED", "UNAUTHENTICATED");
    let token = project.data(&["token", "create", "--name", "prom", "--role", "viewer"]);
    let bearer = format!(
        "authorization: Bearer {}\r\n",
        token["token"].as_str().unwrap()
    );
    let (status, _, text) = fetch(server.port, "/metrics", &bearer);
    assert_eq!(status, 200);
    read(&text);
    let other = project.data(&["token", "create", "--name", "x", "--scope", "plan:create"]);
    let weak = format!("Bearer {}", other["token"].as_str().unwrap());
    let answer = server.say("GET", "/metrics", &[("authorization", &weak)], "");
    answer
        .unwrap()
        .refuses(403, "UNAUTHORIZED", "SCOPE_MISSING");
    // At its own address it is for everybody, and nothing else is there.
    let (status, _, text) = fetch(own, "/metrics", "");
    assert_eq!(status, 200);
    read(&text);
    assert_eq!(fetch(own, "/v1/status", "").0, 404);
    assert_eq!(fetch(own, "/livez", "").0, 404);
    // Said in the configuration, it is open where the rest is; a page of somebody else's still reads nothing.
    project.configure(&format!("{CONFIG}\n[telemetry]\nmetrics_open = true\n"));
    assert_eq!(fetch(server.port, "/metrics", "").0, 200);
    let foreign = server.say("GET", "/metrics", &[("host", "evil.example")], "");
    foreign
        .unwrap()
        .refuses(403, "UNAUTHORIZED", "HOST_REFUSED");
    let method = server.say("POST", "/metrics", &[], "").unwrap();
    method.refuses(405, "INPUT_VALIDATION_FAILED", "METHOD_REFUSED");
}

#[test]
fn promtool_finds_nothing_to_say_and_prometheus_scrapes() {
    let Some(dir) = std::env::var_os(PROGRAMS).map(PathBuf::from) else {
        let why = format!("{PROGRAMS} names no directory with promtool and prometheus");
        return gonogo_testkit::skip("a scrape by Prometheus", &why);
    };
    let project = Project::new();
    let own = free_port();
    let server = Server::start(
        &project,
        &["--dev", "--metrics-listen", &format!("127.0.0.1:{own}")],
    );
    server
        .invoke("plan_change", json!({"version": "1.0.0"}))
        .data();
    let (_, _, text) = fetch(own, "/metrics", "");
    let mut child = Command::new(dir.join("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let said = child.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    assert!(said.status.success() && words.trim().is_empty(), "{words}");
    let rules = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/alerts.yml");
    let checked = Command::new(dir.join("promtool"))
        .args(["check", "rules"])
        .arg(&rules)
        .output()
        .unwrap();
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
    // A real one asks, and its own answer says that it got something.
    let port = free_port();
    let config = project.path("prometheus.yml");
    let rules = rules.canonicalize().unwrap();
    std::fs::write(
        &config,
        format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{}']\nscrape_configs: [{{job_name: gonogo, static_configs: [{{targets: ['127.0.0.1:{own}']}}]}}]\n",
            rules.display()
        ),
    )
    .unwrap();
    let prometheus = Command::new(dir.join("prometheus"))
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            project.path("tsdb").display()
        ))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _running = crate::project::Running::of(prometheus);
    let query = "/api/v1/query?query=gonogo_requests_total%7Btool%3D%22plan_change%22%7D";
    wait("a scrape", Duration::from_secs(60), || {
        TcpStream::connect(("127.0.0.1", port)).ok()?;
        let (status, _, body) = fetch(port, query, "");
        (status == 200 && body.contains("\"plan_change\"") && body.contains("\"1\"")).then_some(())
    });
}

#[test]
fn calls_that_cannot_be_kept_are_counted() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    let file = project.path(".gonogo/calls.db");
    // Nothing can be written where a directory lies.
    drop(std::fs::remove_file(&file));
    std::fs::create_dir_all(&file).unwrap();
    let counted = || -> Option<f64> {
        server.get("/v1/plans");
        let (_, _, text) = fetch(server.port, "/metrics", "");
        let line = text
            .lines()
            .find_map(|l| l.strip_prefix("gonogo_calls_unwritten_total "));
        line.unwrap().parse().ok().filter(|n| *n > 0.0)
    };
    wait("the count", Duration::from_secs(20), counted);
}
