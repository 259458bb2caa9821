//! The live page over real sockets, and in a real browser where one is installed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use gonogo_app::dry_run::serving::{self, LOOPBACK, LiveServer};
use serde_json::{Value, json};

/// 2026-03-02T06:00:00Z.
const START: i64 = 1_772_431_200_000;

fn ask(server: &LiveServer, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

fn get(server: &LiveServer, path: &str, host: &str) -> String {
    ask(
        server,
        &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
    )
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

fn started(dir: &Path) -> LiveServer {
    LiveServer::start(
        LOOPBACK,
        dir.join("progress.json"),
        &["run-7.example.org".to_owned()],
    )
    .unwrap()
}

/// Progress of a run that goes on; `texts` are what the child printed.
fn progress(phase: &str, texts: &[&str]) -> Value {
    let history: Vec<Value> = (0..360_i64)
        .filter(|i| !(200..230).contains(i))
        .map(|i| {
            json!({
                "at": START + i * 60_000, "seconds": 60.0,
                "lines": 900 + (i * 7_919) % 400 + if i % 120 < 8 { 900 } else { 0 },
                "warnings": i64::from(i % 37 == 0), "errors": i64::from(i % 101 == 3) * 4,
                "gap_seconds": 1.0 + ((i * 31) % 17) as f64 / 4.0,
                "memory_mb": 180.0 + i as f64 / 9.0, "cpu_percent": 20.0 + ((i * 104_729) % 31) as f64,
            })
        })
        .collect();
    let incidents: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(i, text)| {
            json!({
                "severity": if i % 3 == 0 { "fail" } else { "warn" }, "occurred_at": "2026-03-02T08:00:00.000Z",
                "last_at": format!("2026-03-02T1{}:0{}:00.000Z", i / 10 % 2, i % 10), "message": text, "kind": "log_level",
                "count": i * 37 + 1, "open": i == 1, "accepted": if i % 5 == 4 { json!(text) } else { Value::Null },
            })
        })
        .collect();
    json!({
        "status": if incidents.is_empty() { "running" } else { "fail" }, "phase": phase, "sequence": 41, "now": "2026-03-02T12:00:00.000Z",
        "interval_seconds": 60.0, "started_at": "2026-03-02T06:00:00.000Z", "elapsed_seconds": 21_600.0,
        "target_duration_seconds": 259_200.0, "required_duration_seconds": 259_200.0, "total_lines": 402_113, "total_bytes": 95_702_894,
        "line_counts": {"stdout": 402_000, "stderr": 113},
        "level_counts": {"info": 401_000, "warning": 900, "error": 100, texts.first().copied().unwrap_or("debug"): 113},
        "first_line_at": "2026-03-02T06:00:01.000Z", "last_line_at": "2026-03-02T11:59:59.000Z", "longest_gap_seconds": 1_800.0,
        "lines_per_second": 18.4, "command": ["python3", "main.py", texts.get(2).copied().unwrap_or("--paper")], "minimum_uptime_ratio": 0.98,
        "require_diary_evidence": true, "require_performance_evidence": true, "incidents": incidents, "incidents_not_kept": 0,
        "config_metadata": {"run_label": texts.get(3).copied().unwrap_or("Paper trading, March candidate")},
        "resources": {"cpu_percent": 31.2, "memory_mb": 219.9, "processes": 4, "disk_free_bytes": 19_000_000_000_u64, "disk_full_in_seconds": 700_000.0},
        "history": history,
    })
}

const HOSTILE: &[&str] = &[
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">",
    "\u{1b}[2J\u{202e}gpj.exe \u{0} \u{2066}",
    "javascript:alert(1)",
    "<svg onload=alert(1)>& \"quoted\"",
    "\n\n# heading | table | `code`",
    "__proto__",
    "שלום עולם 100%",
];

#[test]
fn two_things_are_served_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let server = started(dir.path());
    assert!(server.address().ip().is_loopback() && !server.is_public());
    assert_eq!(status(&get(&server, "/progress.json", "localhost")), "404");
    fs::write(
        dir.path().join("progress.json"),
        progress("running", &[]).to_string(),
    )
    .unwrap();
    let answer = get(&server, "/progress.json", "localhost");
    assert_eq!(status(&answer), "200");
    let head = answer.to_ascii_lowercase();
    for header in [
        "content-type: application/json",
        "cache-control: no-store",
        "progress-age-ms: ",
        "nosniff",
        "same-origin",
    ] {
        assert!(head.contains(header), "{header}: {head:.800}");
    }
    assert!(
        !head.contains("access-control"),
        "other origins may not read it"
    );
    let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(body["sequence"], 41);

    let page = get(&server, "/", "localhost");
    assert_eq!(status(&page), "200");
    assert!(
        page.contains("content-security-policy: default-src 'none'; script-src 'sha256-"),
        "{page:.900}"
    );
    assert!(!page.contains("unsafe-inline"));
    for path in [
        "/index.html",
        "/../progress.json",
        "/progress.json/",
        "//progress.json",
        "/%2e%2e/etc/passwd",
        "/favicon.ico",
    ] {
        assert_eq!(status(&get(&server, path, "localhost")), "404", "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = ask(
            &server,
            &format!(
                "{method} / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            ),
        );
        assert_eq!(status(&answer), "405", "{method}");
    }
    let head = ask(
        &server,
        "HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(status(&head), "200");
    assert!(head.ends_with("\r\n\r\n"));
}

#[test]
fn a_foreign_name_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("progress.json"), "{}").unwrap();
    let server = started(dir.path());
    let port = server.address().port();
    for host in [
        "127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "[::1]",
        "10.1.2.3",
        "run-7.example.org",
        "Run-7.Example.org",
    ] {
        assert_eq!(
            status(&get(&server, "/progress.json", host)),
            "200",
            "{host}"
        );
        assert_eq!(
            status(&get(&server, "/progress.json", &format!("{host}:{port}"))),
            "200",
            "{host}"
        );
    }
    for host in [
        "evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost:x",
        "[::1",
        "localhost@evil.example",
    ] {
        assert_eq!(
            status(&get(&server, "/progress.json", host)),
            "421",
            "{host}"
        );
    }
    assert_eq!(
        status(&ask(&server, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n")),
        "400"
    );
    assert_eq!(
        status(&ask(
            &server,
            "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
        )),
        "400"
    );
    assert_eq!(
        status(&ask(
            &server,
            "GET http://evil.example/progress.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )),
        "421"
    );
}

#[test]
fn what_cannot_be_read_is_said_and_the_end_is_prompt() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("progress.json");
    fs::create_dir(&path).unwrap();
    let server = started(dir.path());
    let answer = get(&server, "/progress.json", "localhost");
    assert_eq!(status(&answer), "500");
    assert!(
        !answer.contains(dir.path().to_str().unwrap()),
        "paths stay here: {answer}"
    );
    fs::remove_dir(&path).unwrap();
    fs::File::create(&path)
        .unwrap()
        .set_len(serving::LIMIT + 1)
        .unwrap();
    assert_eq!(status(&get(&server, "/progress.json", "localhost")), "500");
    // A client that says nothing does not hold the end up.
    let idle = TcpStream::connect(server.address()).unwrap();
    let address = server.address();
    drop(server);
    drop(idle);
    assert!(
        TcpStream::connect(address).is_err(),
        "nobody listens any more"
    );
}

/// What a browser makes of the page: its document after the scripts have run. None where no browser is installed; that is listed as skipped.
fn browser(url: &str, extra: &[&str]) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    let programs = ["chromium", "chromium-browser", "google-chrome"];
    let Some(program) = programs
        .into_iter()
        .find(|name| gonogo_testkit::lacks(name, &["--version"]).is_none())
    else {
        gonogo_testkit::skip(
            "the live page in a browser",
            "neither chromium nor google-chrome is installed",
        );
        return None;
    };
    let output = Command::new("timeout")
        .args([
            "-k",
            "5",
            "60",
            program,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--enable-logging=stderr",
        ])
        .arg(format!("--user-data-dir={}", dir.path().display()))
        .args(["--virtual-time-budget=6000", "--dump-dom"])
        .args(extra)
        .arg(url)
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let complaints: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("CONSOLE"))
        .collect();
    assert!(complaints.is_empty(), "the page complains: {complaints:?}");
    // Our own script and style sheet are not what is shown.
    let page = String::from_utf8_lossy(&output.stdout).into_owned();
    let (before, after) = page.rsplit_once("<script>").unwrap_or((&page, ""));
    let (head, body) = before.split_once("<style>").unwrap_or((before, ""));
    let body = body.split_once("</style>").map_or(body, |(_, body)| body);
    Some(format!(
        "{head}{body}{}",
        after.rsplit_once("</script>").map_or("", |(_, rest)| rest)
    ))
}

/// Saves a picture where `GONOGO_PEOPLE_OUT` says.
fn picture(server: &LiveServer, name: &str, size: &str, dark: bool) {
    let Ok(out) = std::env::var("GONOGO_PEOPLE_OUT") else {
        return;
    };
    let scheme = if dark {
        "preferredColorScheme=0"
    } else {
        "preferredColorScheme=1"
    };
    let _ = browser(
        &server.url(),
        &[
            &format!("--screenshot={out}/{name}.png"),
            &format!("--window-size={size}"),
            &format!("--blink-settings={scheme}"),
        ],
    );
}

#[test]
fn a_browser_draws_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let texts = [
        "order gateway refused order 8812",
        "performance telemetry is stale: 9m 12s",
        "--paper",
        "Paper trading, March candidate",
        "pump was started again",
    ];
    fs::write(
        dir.path().join("progress.json"),
        progress("running", &texts).to_string(),
    )
    .unwrap();
    let server = started(dir.path());
    let Some(page) = browser(&server.url(), &[]) else {
        return;
    };
    for expected in [
        "✖ FAIL",
        " so far",
        "order gateway refused order 8812",
        "402,113",
        "6h ",
        " of 3d 0s",
        "Live: written",
        "219.9 MiB",
        "class=\"area\"",
        "goes on",
        "accepted by",
        "The longest silence shown",
        "role=\"img\"",
        "401,000",
    ] {
        assert!(page.contains(expected), "{expected} is missing:\n{page}");
    }
    assert!(
        !page.contains("Infinity") && !page.contains("NaN"),
        "{page}"
    );
    picture(&server, "live-wide", "1280,1700", false);
    picture(&server, "live-narrow", "420,3400", true);
}

#[test]
fn a_browser_runs_nothing_that_a_child_printed() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("progress.json"),
        progress("running", HOSTILE).to_string(),
    )
    .unwrap();
    let server = started(dir.path());
    let Some(page) = browser(&server.url(), &[]) else {
        return;
    };
    assert!(
        page.contains("<title>✖ fail — dry run</title>"),
        "{page:.600}"
    );
    assert!(!page.contains("<img"), "{page}");
    assert!(page.contains("\\x1b[2J\\u{202e}gpj.exe"), "{page}");
    assert!(
        !page.contains(['\u{1b}', '\u{202e}', '\u{2066}']),
        "hidden characters reached the page"
    );
    picture(&server, "live-hostile", "1000,2600", true);
}

#[test]
fn a_browser_is_told_when_the_feed_stops_and_when_the_run_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("progress.json");
    fs::write(&path, progress("running", &[]).to_string()).unwrap();
    let long_ago = std::time::UNIX_EPOCH + Duration::from_millis(START.unsigned_abs() / 2);
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
    let server = started(dir.path());
    let Some(page) = browser(&server.url(), &[]) else {
        return;
    };
    assert!(
        page.contains("The feed has stopped: nobody has written progress for"),
        "{page}"
    );
    assert!(
        page.contains("? UNKNOWN") && page.contains("<title>? stopped"),
        "{page:.600}"
    );
    assert!(
        !page.contains("✔"),
        "nothing looks well when nobody stands behind it"
    );
    picture(&server, "live-stopped", "1280,1500", false);

    let mut over = progress("complete", &["order gateway refused order 8812"]);
    over["exit_code"] = json!(-11);
    over["sign_off"] = json!({"status": "fail", "findings": [{"severity": "fail", "message": "the run lasted 6 h, 72 h are required"}]});
    fs::write(&path, over.to_string()).unwrap();
    let page = browser(&server.url(), &[]).unwrap();
    for expected in [
        "the verdict is there",
        "the run lasted 6 h, 72 h are required",
        "Ended by signal 11",
        "Complete. Written",
    ] {
        assert!(page.contains(expected), "{expected} is missing:\n{page}");
    }

    // Nothing to show yet, and what is no progress at all.
    fs::remove_file(&path).unwrap();
    let page = browser(&server.url(), &[]).unwrap();
    assert!(
        page.contains("No progress can be read (nothing has been written yet)"),
        "{page}"
    );
    picture(&server, "live-empty", "1000,900", false);
    fs::write(&path, "[1, 2").unwrap();
    let page = browser(&server.url(), &[]).unwrap();
    assert!(page.contains("No progress can be read"), "{page}");
}

#[test]
fn a_browser_bears_with_progress_of_any_shape() {
    let dir = tempfile::tempdir().unwrap();
    let server = started(dir.path());
    let strange = [
        json!({"phase": "running"}),
        json!({"phase": "running", "status": 7, "history": [null, {"at": "x"}, {"at": 5, "seconds": 0}], "incidents": [null, 3, {}], "level_counts": {"a": "b"}, "resources": [], "command": "x"}),
        json!({"phase": "complete", "status": "great", "sign_off": {}, "summary": {}, "now": "never", "elapsed_seconds": 1e300}),
    ];
    for value in strange {
        fs::write(dir.path().join("progress.json"), value.to_string()).unwrap();
        let Some(page) = browser(&server.url(), &[]) else {
            return;
        };
        assert!(
            page.contains("INVALID") || page.contains("? "),
            "{value}: {page}"
        );
        assert!(!page.contains("No progress can be read"), "{value}: {page}");
        assert!(!page.contains("NaN"), "{value}: {page}");
    }
}
