"""Row 7: `gonogo witness serve`, driven through raw sockets by a log of our own making in Python: each status code, and races."""
import base64
import hashlib
import itertools
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from lab import WORK, Witness, check, passed

ORIGIN = "log.example"


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def root(leaves):
    """RFC 6962, section 2.1."""
    if len(leaves) < 2:
        return sha(b"\0", leaves[0]) if leaves else sha()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha(b"\1", root(leaves[:k]), root(leaves[k:]))


def consistency(m, leaves, whole=True):
    """RFC 6962, section 2.1.2: PROOF(m, D[n])."""
    n = len(leaves)
    if m in (0, n):
        return [] if whole else [root(leaves)]
    k = 1 << (n - 1).bit_length() - 1
    if m <= k:
        return consistency(m, leaves[:k], whole) + [root(leaves[k:])]
    return consistency(m - k, leaves[k:], False) + [root(leaves[:k])]


class Log:
    def __init__(self, origin=ORIGIN, world="a"):
        self.origin, self.key = origin, Ed25519PrivateKey.generate()
        self.leaves = [f"{world} {n}".encode() for n in range(200)]
        public = self.key.public_key().public_bytes_raw()
        self.id = sha(origin.encode(), b"\n\x01", public)[:4]
        self.vkey = f"{origin}+{self.id.hex()}+" + base64.b64encode(b"\x01" + public).decode()

    def checkpoint(self, size, leaves=None, extra=""):
        text = f"{self.origin}\n{size}\n{base64.b64encode(root((leaves or self.leaves)[:size])).decode()}\n{extra}"
        signature = base64.b64encode(self.id + self.key.sign(text.encode())).decode()
        return f"{text}\n— {self.origin} {signature}\n"

    def request(self, old, size, leaves=None):
        leaves = leaves or self.leaves
        proof = [base64.b64encode(h).decode() + "\n" for h in consistency(old, leaves[:size])]
        return f"old {old}\n{''.join(proof)}\n{self.checkpoint(size, leaves)}".encode()


def send(witness, raw):
    """Raw bytes in; status, headers and body out."""
    with socket.create_connection((witness.host, witness.port), timeout=20) as s:
        s.sendall(raw)
        data = b""
        while part := s.recv(65536):
            data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
    return int(lines[0].split(" ")[1]), headers, body


def post(witness, body, path="/add-checkpoint", method="POST"):
    head = f"{method} {path} HTTP/1.1\r\nhost: w\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    return send(witness, head.encode() + body)


def get(witness, origin=ORIGIN):
    return post(witness, b"", f"/{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint", "GET")


def cosigned(vkey, note, line):
    """Verifies a cosignature of type 04 over a note; returns its time."""
    name, _, key = vkey.split("+", 2)
    key = base64.b64decode(key)
    blob = base64.b64decode(line.removeprefix(f"— {name} "))
    check(blob[:4] == sha(name.encode(), b"\n", key)[:4] and key[0] == 4, "another key id")
    (time,) = struct.unpack(">Q", blob[4:12])
    text = note.split("\n\n")[0] + "\n"
    try:
        Ed25519PublicKey.from_public_bytes(key[1:]).verify(blob[12:], f"cosignature/v1\ntime {time}\n{text}".encode())
    except InvalidSignature:
        raise AssertionError("a bad cosignature") from None
    return time


def status_codes(witness, vkey, log):
    seen = {}

    def expect(status, body, what, kind=None, **kw):
        got, headers, text = post(witness, body, **kw)
        check(got == status, f"{what}: {got} {text!r}, expected {status}")
        check(kind is None or headers["content-type"] == kind, f"{what}: {headers}")
        seen.setdefault(status, []).append(what)
        return text

    check(get(witness)[0] == 404, "a checkpoint before any was cosigned")
    line = expect(200, log.request(0, 10), "first").decode()
    cosigned(vkey, log.checkpoint(10), line.strip())
    note = get(witness)[2].decode()
    check(note.startswith(log.checkpoint(10)) and cosigned(vkey, note, note.strip().split("\n")[-1]), f"kept: {note}")
    expect(200, log.request(10, 10), "the same again")
    expect(200, log.request(10, 64), "growth")

    size = "text/x.tlog.size"
    check(expect(409, log.request(10, 70), "old size behind", size) == b"64\n", "409 names the size")
    check(expect(409, log.request(65, 70), "old size ahead", size) == b"64\n", "409 names the size")
    other = Log(world="b")
    check(expect(409, log.request(64, 64, other.leaves), "another tree of that size", size) == b"64\n", "409 names the size")
    expect(422, log.request(64, 80, other.leaves), "another past")
    broken = log.request(64, 80).split(b"\n")
    broken[1] = base64.b64encode(sha(b"x"))
    expect(422, b"\n".join(broken), "a wrong proof")
    expect(422, b"\n".join(broken[:1] + broken[2:]), "a proof cut short")
    expect(403, other.request(64, 80), "another key under the log's name")
    expect(403, log.request(64, 80).replace(b"\n80\n", b"\n81\n"), "changed after signing")
    expect(404, Log("unknown.example").request(0, 5), "an unknown log")
    expect(404, log.request(64, 80), "another path", path="/elsewhere")
    expect(405, b"", "GET", method="GET")
    good = log.request(64, 80)
    for what, body in {
        "empty": b"",
        "no old size": good.removeprefix(b"old 64\n"),
        "old size with a zero in front": good.replace(b"old 64", b"old 064"),
        "old size below zero": good.replace(b"old 64", b"old -64"),
        "old size above the new": log.request(0, 80).replace(b"old 0", b"old 99"),
        "no empty line": good.replace(b"\n\n", b"\n", 1),
        "a proof line that is no hash": good.replace(b"old 64\n", b"old 64\nAAAA\n"),
        "64 proof lines": good.replace(b"old 64\n", b"old 64\n" + (base64.b64encode(sha()) + b"\n") * 64),
        "no signature": good[: good.index("—".encode())],
        "not UTF-8": good + b"\xff",
        "zeros": bytes(1000),
    }.items():
        expect(400, body, what)
    expect(413, good + b"x" * 70_000, "too long")
    check(get(witness)[2].decode().split("\n")[1] == "64", "a refusal changed what is kept")
    expect(200, good, "and after all that, growth")
    return seen


def races(home, vkey, name, log):
    """Whatever arrives together: what is kept never gets smaller, and of two pasts one is kept."""
    fork = Log(world="fork")
    fork.leaves = log.leaves[:80] + fork.leaves[80:]
    kept, done, stop = [], [], threading.Event()

    def watch():
        while not stop.is_set():
            kept.append(int(get(witness)[2].decode().split("\n")[1]))

    def ask(request):
        size, leaves = request
        for _ in range(8):
            old = int(get(witness)[2].decode().split("\n")[1])
            if old > size:
                return
            status, _, body = post(witness, log.request(old, size, leaves))
            if status == 200:
                cosigned(vkey, log.checkpoint(size, leaves), body.decode().strip())
                done.append((size, leaves is log.leaves))
            check(status in (200, 409, 422), f"{status} {body!r}")

    with Witness(home, name, [log.vkey]) as witness:
        check(get(witness)[2].decode().split("\n")[1] == "80", "a restart forgot what was cosigned")
        watcher = threading.Thread(target=watch)
        watcher.start()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, itertools.product(range(81, 121), (log.leaves, fork.leaves))))
        stop.set()
        watcher.join()
        last = int(get(witness)[2].decode().split("\n")[1])
    check(kept == sorted(kept), "what is kept went back")
    check(len(done) >= 2 and last == max(size for size, _ in done), f"kept {last}, cosigned {done}")
    check(len({ours for _, ours in done}) == 1, "two pasts were cosigned")
    with Witness(home, name, [log.vkey]) as witness:
        check(int(get(witness)[2].decode().split("\n")[1]) == last, "a kill forgot what was cosigned")
    return len(done), len(kept)


def main():
    home, name, log = WORK / "home", "witness.example", Log()
    vkey = Witness.key(home, name)
    with Witness(home, name, [log.vkey]) as witness:
        seen = status_codes(witness, vkey, log)
    codes = ", ".join(f"{code}: {len(cases)}" for code, cases in sorted(seen.items()))
    wins, looks = races(home, vkey, name, log)
    check((home / "conflicts").is_dir(), "the second tree of one size was not kept as evidence")
    passed(f"status codes ({codes}); {wins} of 80 racing checkpoints cosigned, none backwards in {looks} looks")


main()
