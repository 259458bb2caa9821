"""The server as schemathesis sees it: every address of its own OpenAPI document, all checks, stateful, as two users.

SEED fixes what is asked (1 unless given, `random` for another each time), SECONDS how long (60 unless given). The row fails with
schemathesis, and if what was asked was not enough to prove anything: an address that was never asked, or too few that ever said yes.
"""
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from lab import CONFIG, PROGRAM, ROOT, WORK, Load, Project, check, free_port, passed

SEED = os.environ.get("SEED", "1")
SECONDS = int(os.environ.get("SECONDS", "60"))
# Of the document's addresses, so many must have said yes at least once.
SAID_YES = 32

SECOND = """
[environments.second]
target = "host"
listen = "127.0.0.1:ANOTHER"
gates = "none"
approval = "self"
strategy = "quick"
checks = "easy"

[server]
requests_each_minute = 4294967295
requests_burst = 4294967295
"""


def serve(project, port):
    """The server, once it is ready."""
    log = open(WORK / "serve.log", "wb")
    command = project.command("serve", "--allow-apply", "--listen", f"127.0.0.1:{port}")
    server = subprocess.Popen(command, cwd=project.dir, env=project.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    until = time.monotonic() + 30
    while True:
        check(server.poll() is None, f"the server ended: {(WORK / 'serve.log').read_text()}")
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return server
        except URLError:
            check(time.monotonic() < until, "the server is not ready")
            time.sleep(0.05)


def token(project, name):
    return project.data("token", "create", "--name", name, "--role", "admin")["token"]


def asked(report):
    """Each address with the statuses that it answered with."""
    statuses = {}
    for line in report.read_text().splitlines():
        for recorder in json.loads(line).values():
            cases = (recorder.get("recorder") or {}) if isinstance(recorder, dict) else {}
            for label, interaction in interactions(cases):
                statuses.setdefault(label, set()).add(interaction)
    return statuses


def interactions(recorder):
    cases = recorder.get("cases") or {}
    for case, interaction in (recorder.get("interactions") or {}).items():
        response = interaction.get("response")
        value = (cases.get(case) or {}).get("value") or {}
        if response is not None and value:
            yield f"{value['method']} {value['path']}", response["status_code"]


def main():
    project = Project("shop", config=CONFIG + SECOND.replace("ANOTHER", str(free_port())))
    try:
        # A release, so that there is an operation, evidence and a version that is known to be good.
        with Load(project.port):
            project.run("release", "--to", "1.0.0", "--env", "local").expect(0)
        # A plan starts the other environment's agent: without one, whoever looks there is rightly told 503.
        project.run("plan", "--to", "1.0.0", "--env", "second").expect(0)
        port = free_port()
        users = {"auth": [{"name": n, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {token(project, n)}"}]} for n in ("vera", "otto")]}
        (WORK / "users.json").write_text(json.dumps(users))
        config = (ROOT / "conformance/http/schemathesis.toml").read_text().replace("USERS", str(WORK / "users.json"))
        (WORK / "schemathesis.toml").write_text(config)
        server = serve(project, port)
        command = [Path(sys.executable).parent / "st", "--config-file", WORK / "schemathesis.toml", "run"]
        command += [f"http://127.0.0.1:{port}/openapi.json", "--checks", "all", "--max-time", str(SECONDS), "--workers", "1"]
        command += ["--report", "ndjson", "--report-ndjson-path", WORK / "report.ndjson"]
        command += ["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "30", "--no-color"]
        if SEED != "random":
            command += ["--seed", SEED]
        ran = subprocess.run(map(str, command), cwd=WORK, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS * 4 + 300)
        (WORK / "schemathesis.log").write_text(ran.stdout + ran.stderr)
        check(ran.returncode == 0, f"schemathesis ended with {ran.returncode}:\n{ran.stdout[-6000:]}{ran.stderr[-2000:]}")
        check(server.poll() is None, "the server is gone")
        with urlopen(f"http://127.0.0.1:{port}/openapi.json") as answer:
            document = json.load(answer)
        all_of_them = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
        statuses = asked(WORK / "report.ndjson")
        # What describes itself is where it begins, and is not among what it asks.
        all_of_them.discard("GET /openapi.json")
        never = sorted(all_of_them - set(statuses))
        check(not never, f"never asked: {never}")
        yes = {label for label, seen in statuses.items() if any(200 <= s < 300 for s in seen)} & all_of_them
        check(len(yes) >= SAID_YES, f"only {len(yes)} addresses ever said yes; never: {sorted(all_of_them - yes)}")
        told = next(line.strip() for line in ran.stdout.splitlines() if "generated" in line)
        server.send_signal(signal.SIGTERM)
        check(server.wait(timeout=40) == 0, "the server did not end as it was asked")
    finally:
        project.end()
    project.holds("after the fuzzing")
    passed(f"{told}; {len(all_of_them)} addresses, {len(yes)} of them said yes at least once")


if __name__ == "__main__":
    main()
