"""What every row needs: the program under test, projects for it, and how a row ends.

The environment says where things are: GONOGO (the program), WORK (a directory for this row, emptied), MATERIAL (what
material.py made), EXAMPLES (our example programs). A row ends by passed(), by skipped(), or by an error, which is a failure.
"""
import base64
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from http.client import HTTPConnection
from pathlib import Path

PROGRAM = os.environ["GONOGO"]
WORK = Path(os.environ["WORK"])
MATERIAL = Path(os.environ["MATERIAL"])
EXAMPLES = Path(os.environ["EXAMPLES"])
ROOT = Path(__file__).resolve().parents[2]
SKIPPED = 77

CONFIG = """service = "shop"

[version]
run = ["PROGRAM", "storefront", "--behaviour", "versions/{version}.toml"]
artifacts = ["versions/{version}.toml"]
ready = { http = "/readyz", interval = "20ms", timeout = "2s", within = "10s" }
drain = { signal = "TERM", within = "2s" }

[environments.local]
target = "host"
listen = "127.0.0.1:PORT"
gates = "none"
approval = "self"
strategy = "quick"
checks = "easy"

[strategies.quick]
stages = [{ weight = "50%", bake = "200ms", within = "20s" }]
soak = "400ms"
promote_within = "15s"
sample_every = "100ms"

[checks.easy]
min_requests = 30
errors = { margin = "5%", limit = "15%" }
slow = { over = "1s", margin = "20%", limit = "50%" }
client_errors = { margin = "20%", limit = "50%" }
"""


def passed(text):
    print(text)
    sys.exit(0)


def skipped(why):
    print(why)
    sys.exit(SKIPPED)


def check(condition, text):
    """An assertion that is never switched off."""
    if not condition:
        raise AssertionError(text)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Ran:
    """How a run of the program ended."""

    def __init__(self, args, status, out, err):
        self.args, self.status, self.out, self.err = args, status, out, err

    def __str__(self):
        return f"{self.args}: exit {self.status}\n{self.out}{self.err}"

    def envelope(self):
        return json.loads(self.out)

    def codes(self):
        return self.envelope()["error"]["details"]["reasonCodes"]

    def expect(self, status):
        check(self.status == status, f"expected exit {status}: {self}")
        return self

    def refused(self, status, code):
        """The refusal that is expected, as exit code and as reason."""
        self.expect(status)
        check(code in self.codes(), f"expected {code}: {self}")
        return self


class Project:
    """A project in a directory of its own. It knows what the program acknowledged, and every record that it ever showed."""

    def __init__(self, name, ledger="", config=CONFIG):
        self.dir = WORK / name
        self.dir.mkdir(parents=True)
        self.port = free_port()
        self.acknowledged, self.seen = {}, {}
        self.env = {"GONOGO_ACTOR": "you", "NO_COLOR": "1", "GONOGO_MEMORY": "none", "HOME": str(WORK), "PATH": os.environ["PATH"]}
        text = config.replace("PROGRAM", PROGRAM).replace("PORT", str(self.port))
        (self.dir / "gonogo.toml").write_text(text + ledger)
        shutil.copytree(ROOT / "examples/storefront/versions", self.dir / "versions")

    def copied(self, name):
        """The same project copied to another place, as a backup would be."""
        twin = object.__new__(Project)
        twin.__dict__.update(self.__dict__)
        twin.env, twin.acknowledged, twin.seen = dict(self.env), dict(self.acknowledged), dict(self.seen)
        twin.dir = WORK / name
        shutil.copytree(self.dir, twin.dir)
        return twin

    def command(self, *args):
        return [PROGRAM, *map(str, args)]

    def run(self, *args, before=(), env=None, timeout=90):
        command = [*before, *self.command(*args)]
        done = subprocess.run(
            command, cwd=self.dir, env={**self.env, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout
        )
        return Ran(args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def data(self, *args, **kw):
        return self.run(*args, "--json", **kw).expect(0).envelope()["data"]

    def enrol(self, name, **kw):
        """A command that appends one record: enrols a new person's key."""
        ran = self.run("ledger", "keys", "enrol", new_key(name), "--who", name, "--json", **kw)
        if ran.status == 0:
            self.acknowledge(name, ran.out)
        return ran

    def acknowledge(self, name, out):
        """Takes the program at its word: the key of this name is in the ledger. The word must be about the key that was given."""
        told = json.loads(out)
        check(told["success"] is True and told["data"]["key"] == key_id(name), f"{name}: not acknowledged: {out}")
        self.acknowledged[name] = key_id(name)

    def size(self):
        return self.data("ledger", "status")["size"]

    def records(self):
        """Every record as `evidence list` shows them; `ledger tail` shows the same last ones."""
        found, page = [], {"moreAfter": None}
        while not found or page["moreAfter"] is not None:
            after = [] if page["moreAfter"] is None else ["--after", page["moreAfter"]]
            page = self.data("evidence", "list", "--limit", 1000, *after)
            found += page["records"]
        tail = self.data("ledger", "tail", "-n", 1000)["records"]
        check(tail == found[-1000:], "`ledger tail` and `evidence list` differ")
        return found

    def lacks(self):
        """The names of acknowledged keys without their record: the very key, under the digest that was acknowledged."""
        there = {}
        for record in self.records():
            body = record["body"]
            if record["kind"] == "key-event" and body["event"] == "enrol":
                key = base64.b64decode(body["spki"])
                check(hashlib.sha256(key).hexdigest() == body["keyid"], f"another key: {record}")
                there[body["who"]] = (body["keyid"], [s["digest"] for s in record["subject"]])
        return sorted(n for n, id in self.acknowledged.items() if there.get(n) != (id, [f"sha256:{id}"]))

    def holds(self, what="the ledger"):
        """Nothing is lost, whatever `fsck` sees: it passes and counts as many records as are shown, each record that was ever
        shown is in its place and the same, and whatever was acknowledged is there."""
        fsck = self.run("ledger", "fsck", "--json")
        check(fsck.status == 0, f"{what}: {fsck}")
        fsck = fsck.envelope()["data"]
        records = self.records()
        check([r["index"] for r in records] == list(range(len(records))), f"{what}: records are left out: {records}")
        # What was written and never acknowledged, the next command that may write takes up; `evidence list` may.
        counted = fsck["records"] + fsck["unacknowledged"]
        check(counted == len(records), f"{what}: {len(records)} records are shown; fsck: {fsck}")
        shown = {r["index"]: (r["digest"], r["leafHash"]) for r in records}
        changed = [n for n, was in self.seen.items() if shown.get(n) != was]
        check(not changed, f"{what}: the records {changed} are gone or others")
        self.seen = shown
        lost = self.lacks()
        check(not lost, f"{what}: {len(lost)} acknowledged records are lost: {lost[:5]}")
        return len(records)

    def end(self):
        """Ends what runs in the project, by process id."""
        for entry in Path("/proc").iterdir():
            try:
                here = entry.name.isdigit() and Path(os.readlink(entry / "cwd")).is_relative_to(self.dir)
            except OSError:
                continue
            if here and int(entry.name) != os.getpid():
                try:
                    os.kill(int(entry.name), signal.SIGKILL)
                except ProcessLookupError:
                    pass


def new_key(name):
    """A P-256 key by openssl; returns the file of the public half."""
    public = WORK / "people" / f"{name}.pub"
    if not public.exists():
        public.parent.mkdir(exist_ok=True)
        private = subprocess.run(
            ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], check=True, capture_output=True
        ).stdout
        pem = subprocess.run(["openssl", "pkey", "-pubout"], input=private, check=True, capture_output=True).stdout
        public.write_bytes(pem)
    return public


def key_id(name):
    """The key's id: the SHA-256 of its SubjectPublicKeyInfo."""
    lines = new_key(name).read_text().split("\n")
    return hashlib.sha256(base64.b64decode("".join(line for line in lines if "-" not in line))).hexdigest()


class Load:
    """Requests to a project's address until the end of the `with` block; failures do not matter here."""

    def __init__(self, port, threads=4):
        self.port, self.stop = port, threading.Event()
        self.threads = [threading.Thread(target=self._go, daemon=True) for _ in range(threads)]

    def _go(self):
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        while not self.stop.is_set():
            try:
                connection.request("GET", "/products")
                connection.getresponse().read()
                self.stop.wait(0.01)
            except OSError:
                connection.close()
                self.stop.wait(0.05)
            except Exception:  # an answer that was cut
                connection.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(10)


class Witness:
    """`gonogo witness serve` in a directory of its own, killed at the end of the `with` block."""

    def __init__(self, home, name, logs):
        self.home, self.name, self.logs = home, name, logs

    @staticmethod
    def key(home, name):
        done = subprocess.run([PROGRAM, "witness", "init", "--dir", home, "--name", name, "--json"], check=True, capture_output=True)
        return json.loads(done.stdout)["data"]["key"]

    def __enter__(self):
        logs = [part for log in self.logs for part in ("--log", log)]
        command = [PROGRAM, "witness", "serve", "--dir", self.home, "--name", self.name, "--listen", "127.0.0.1:0", *logs]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "http://" in line:
                address = line.split("http://")[1].split("/")[0]
                self.host, self.port = address.split(":")[0], int(address.split(":")[1])
                break
        else:
            raise AssertionError("the witness did not begin")
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def unpack(packet, to):
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    subprocess.run(["tar", "-xf", packet, "-C", to], check=True)
    return to


def pae(kind, body):
    """DSSE's pre-authentication encoding."""
    kind = kind.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)
