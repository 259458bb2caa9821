"""What every row needs: the program under test, projects for it, and how a row ends.

The environment says where things are: GONOGO (the program), WORK (a directory for this row, emptied), MATERIAL (what
material.py made), EXAMPLES (our example programs). A row ends by passed(), by skipped(), or by an error, which is a failure.
"""
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
    """A project in a directory of its own."""

    def __init__(self, name, ledger="", config=CONFIG):
        self.dir = WORK / name
        self.dir.mkdir(parents=True)
        self.port = free_port()
        self.env = {"GONOGO_ACTOR": "you", "NO_COLOR": "1", "GONOGO_MEMORY": "none", "HOME": str(WORK), "PATH": os.environ["PATH"]}
        text = config.replace("PROGRAM", PROGRAM).replace("PORT", str(self.port))
        (self.dir / "gonogo.toml").write_text(text + ledger)
        shutil.copytree(ROOT / "examples/storefront/versions", self.dir / "versions")

    def copied(self, name):
        """The same project copied to another place, as a backup would be."""
        twin = object.__new__(Project)
        twin.__dict__.update(self.__dict__)
        twin.env = dict(self.env)
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
        return self.run("ledger", "keys", "enrol", new_key(name), "--who", name, "--json", **kw)

    def size(self):
        return self.data("ledger", "status")["size"]

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
