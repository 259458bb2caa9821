//! `demo`: the main job on this machine, through the same use cases as everybody's.
//!
//! A project in a directory of its own, the example shop under open-loop load, three releases: 1.0.0 from nothing, 2.0.0
//! through its stages to promoted, 3.0.0 (five answers in a hundred are errors) caught and rolled back.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gonogo_app::evidence::{self, Look};
use gonogo_app::{AppError, Workspace, hosting};
use gonogo_core::{Exit, Reason};
use gonogo_load::{Arrivals, Handle, Load, LoadConfig, Report, Shot};
use gonogo_release::machine::Ending;
use serde_json::json;

use super::live::thousands;
use super::{Answer, live, open_quietly, releasing};
use crate::args::{self, Select};
use crate::screen::{Screen, Tone};

/// Requests a second.
const RATE: f64 = 400.0;
/// The load ends by itself after this, whatever happens.
const LONGEST: Duration = Duration::from_secs(300);

const CONFIG: &str = r#"# The project of `gonogo demo`. Change it and go on: `gonogo release --to 2.0.0`.
service = "storefront"

[version]                       # how any version runs; `{version}` is its name
run = [PROGRAM, "storefront", "--behaviour", "versions/{version}.toml"]
artifacts = [PROGRAM, "versions/{version}.toml"]
ready = { http = "/readyz", interval = "50ms", timeout = "1s", within = "10s" }
drain = { signal = "TERM", within = "5s" }

[environments.local]
target = "host"
listen = "LISTEN"
gates = "none"                  # said, not assumed
approval = "self"
strategy = "canary"
checks = "shop"

[strategies.canary]
stages = [
  { weight = "10%", bake = "2s", within = "40s" },
  { weight = "50%", bake = "2s", within = "20s" },
]
soak = "3s"
promote_within = "10s"
sample_every = "250ms"

[checks.shop]
min_requests = 100
errors = { margin = "1%", limit = "2%" }
slow = { over = "500ms", margin = "5%", limit = "20%" }
"#;

pub fn demo(a: &args::Demo, screen: &Screen) -> Answer {
    let dir = place(a.dir.as_deref())?;
    let listen = free_port()?;
    lay_out(&dir, listen)?;
    let select = Select {
        config: Some(dir.join("gonogo.toml")),
        name: Some("you".into()),
        key: None,
        ..Select::default()
    };
    let ws = Arc::new(open_quietly(&select)?);
    screen.say(&format!("project   {}", dir.display()));
    let load = begin_load(listen)?;
    let shown = show(&ws, &load, screen);
    load.stop();
    let report = load.join();
    let ended = end(&ws, a.keep, screen);
    let (runs, early) = shown?;
    ended?;
    summary(&ws, &runs, early, &report, a.keep, screen)
}

/// One release of the demo.
struct Run {
    version: &'static str,
    want: Ending,
    ended: Ending,
    operation: gonogo_core::id::OperationId,
    packet: PathBuf,
}

fn show(ws: &Arc<Workspace>, load: &Handle, screen: &Screen) -> Result<(Vec<Run>, u64), AppError> {
    let acts: [(&str, Ending, &str); 3] = [
        (
            "1.0.0",
            Ending::Promoted,
            "1.0.0 from nothing: no stable to compare with, so absolute limits judge it",
        ),
        ("2.0.0", Ending::Promoted, "2.0.0 is as good as 1.0.0"),
        (
            "3.0.0",
            Ending::RolledBack,
            "3.0.0 answers five requests in a hundred with an error",
        ),
    ];
    let mut runs = Vec::new();
    let mut early = 0;
    for (version, want, text) in acts {
        screen.say("");
        screen.say(&screen.paint(Tone::Strong, &format!("── {text}")));
        let planned = gonogo_app::planning::plan(ws, None, version)?;
        live::say_plan(screen, &planned.plan);
        let id = releasing::approve_and_submit(ws, &planned.plan, screen)?;
        match live::drive_and_follow(ws, &id, screen, None)? {
            live::Seen::Ended(view, terminal) => {
                live::say_end(screen, &view, &terminal);
                let packet = ws.packet_path(&view.operation.operation_id);
                if runs.is_empty() {
                    early = load.snapshot().failed();
                }
                runs.push(Run {
                    version,
                    want,
                    ended: terminal.result,
                    operation: view.operation.operation_id,
                    packet,
                });
            }
            live::Seen::Left(id) => {
                return Err(AppError::new(
                    Reason::TimeOut,
                    format!("the demo was left; {id} goes on by itself"),
                ));
            }
        }
    }
    // A moment more of load, so that the zero after the rollback is seen from outside as well.
    let before = load.snapshot().sent;
    while load.snapshot().sent < before + RATE as u64 && !load.is_finished() {
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok((runs, early))
}

fn summary(
    ws: &Workspace,
    runs: &[Run],
    early: u64,
    report: &Report,
    keep: bool,
    screen: &Screen,
) -> Answer {
    screen.say("");
    screen.say(&screen.paint(Tone::Strong, "── seen from outside, by the load generator"));
    let bad_answers = report.versions.get("3.0.0").map_or(0, |v| v.server_errors);
    // Before the first version serves, nobody can answer; after it, only the bad version's own errors are allowed.
    let lost = report.failed().saturating_sub(early + bad_answers);
    screen.say(&format!(
        "requests  {} sent · {} failed before 1.0.0 served · since then {} failed besides 3.0.0's own · p99 {:.1} ms",
        thousands(report.sent),
        thousands(early),
        thousands(lost),
        report.latency.p99_ms
    ));
    let mut bad = json!(null);
    if let Some(v) = report.versions.get("3.0.0") {
        let took = (v.last_ms - v.first_ms) / 1000.0;
        screen.say(&format!(
            "3.0.0     served {} requests, {} of them errors · {took:.2} s from its first answer to its last",
            thousands(v.answers),
            thousands(v.server_errors)
        ));
        bad = json!({"answers": v.answers, "errors": v.server_errors, "faultToZeroS": took});
    }
    screen.say("");
    screen.say(&screen.paint(
        Tone::Strong,
        "── checked offline: signatures, inclusion, order, and every decision made again",
    ));
    let key = ws.ledger.log_vkey().to_string();
    let me = called();
    let mut all_right = lost == 0;
    let mut checked = Vec::new();
    for run in runs {
        let look = Look {
            log_key: Some(key.clone()),
            replay: true,
            ..Look::default()
        };
        let seen = evidence::verify(&run.packet, &look)?;
        let right = seen.exit == Exit::Done && run.ended == run.want;
        all_right &= right;
        let (word, tone) = if seen.exit == Exit::Done {
            ("verified", Tone::Good)
        } else {
            ("NOT verified", Tone::Bad)
        };
        screen.say(&format!(
            "{}  {} {}",
            screen.paint(tone, word),
            run.version,
            run.ended.name().replace('_', " ")
        ));
        screen.say(&format!(
            "  {me} verify {} --replay --log-key '{key}'",
            run.packet.display()
        ));
        checked.push(json!({"version": run.version, "operationId": run.operation, "status": run.ended.name(),
            "expected": run.want.name(), "verified": seen.exit == Exit::Done, "packet": run.packet}));
    }
    let config = &ws.config.path;
    screen.say("");
    if keep {
        screen.say(&format!(
            "running   the shop goes on; end it: {me} --config {} agent --stop --with-services",
            config.display()
        ));
    }
    screen.say(&format!(
        "next      {me} --config {} history",
        config.display()
    ));
    screen.answer(
        "demo_run",
        json!({"runs": checked, "badVersion": bad, "sent": report.sent, "lost": lost,
        "logKey": key, "config": config}),
    );
    if all_right {
        return Ok(Exit::Done);
    }
    screen.talk(&screen.paint(
        Tone::Bad,
        "the demo did not go as it should; the lines above say where. On a machine that is busy with other work a good version \
         may answer late, and is then judged as it answered: try again when it is quiet",
    ));
    Ok(Exit::Fail)
}

/// How this program is called from here: by its name if the shell finds it, else by its path.
fn called() -> String {
    let Ok(me) = std::env::current_exe() else {
        return "gonogo".into();
    };
    let found = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path)
            .map(|dir| dir.join("gonogo"))
            .find(|program| program.is_file())
    });
    if found
        .and_then(|program| program.canonicalize().ok())
        .is_some_and(|program| program == me)
    {
        return "gonogo".into();
    }
    let here = std::env::current_dir().ok();
    let near = here
        .as_deref()
        .and_then(|here| me.strip_prefix(here).ok())
        .map(Path::to_path_buf);
    near.unwrap_or(me).display().to_string()
}

fn place(given: Option<&Path>) -> Result<PathBuf, AppError> {
    let Some(dir) = given else {
        let made = tempfile::Builder::new().prefix("gonogo-demo-").tempdir();
        return made
            .map(tempfile::TempDir::keep)
            .map_err(|e| AppError::io("create", &std::env::temp_dir(), &e));
    };
    if dir.join("gonogo.toml").exists() {
        let text = format!(
            "`{}` holds a project already; give an empty directory",
            dir.display()
        );
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    }
    std::fs::create_dir_all(dir).map_err(|e| {
        let text = format!("cannot create `{}`: {e}", dir.display());
        AppError::new(Reason::OutputFailed, text)
    })?;
    dir.canonicalize()
        .map_err(|e| AppError::io("find", dir, &e))
}

fn lay_out(dir: &Path, listen: SocketAddr) -> Result<(), AppError> {
    let program =
        std::env::current_exe().map_err(|e| AppError::io("find", Path::new("gonogo"), &e))?;
    let versions = dir.join("versions");
    let write = |path: &Path, text: &str| {
        std::fs::write(path, text).map_err(|e| AppError::io("write", path, &e))
    };
    std::fs::create_dir_all(&versions).map_err(|e| AppError::io("create", &versions, &e))?;
    for (name, text) in gonogo_storefront::VERSIONS {
        write(&versions.join(format!("{name}.toml")), text)?;
    }
    let program = serde_json::to_string(&program)
        .map_err(|e| AppError::new(Reason::Internal, e.to_string()))?;
    let config = CONFIG
        .replace("PROGRAM", &program)
        .replace("LISTEN", &listen.to_string());
    write(&dir.join("gonogo.toml"), &config)
}

/// A port that nobody uses at this moment.
fn free_port() -> Result<SocketAddr, AppError> {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
    free.map_err(|e| AppError::new(Reason::PortTaken, format!("no free port on 127.0.0.1: {e}")))
}

fn begin_load(listen: SocketAddr) -> Result<Handle, AppError> {
    let config = LoadConfig {
        rate: RATE,
        duration: LONGEST,
        connections: 64,
        timeout: Duration::from_secs(5),
        arrivals: Arrivals::Poisson,
        mix: vec![
            Shot::read("/").weighted(2),
            Shot::read("/products").weighted(5),
            Shot::read("/products/mug").weighted(2),
            Shot::post("/cart", r#"{"product":"mug","quantity":1}"#),
        ],
        ..LoadConfig::new(listen)
    };
    Load::start(config)
        .map_err(|e| AppError::new(Reason::Internal, format!("the load generator: {e}")))
}

fn end(ws: &Workspace, keep: bool, screen: &Screen) -> Result<(), AppError> {
    if keep {
        return Ok(());
    }
    let environment = ws.config.environment(None)?;
    screen.talk("stopping the shop and its agent");
    hosting::stop_agent(ws, environment, true)
}
