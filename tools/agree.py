#!/usr/bin/env python3
"""Compares verify-packet.py with `gonogo verify`: on a good packet, on damaged copies of it, and on packets forged for one defect each.

    agree.py --gonogo target/debug/gonogo --packet RELEASE.tar --log-key VKEY [--step N] [--random N] [--jobs N]

The packet is one of an operation, such as `gonogo demo` makes. Both must give the same exit code each time, and the one that the
format document asks for where a case has one. Exit 1 if they ever do not. Everything is repeatable: `--seed` fixes the damage.
"""
import argparse
import collections
import contextlib
import io
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

from cases import cases
from forge import LOG, archive, forge, release, statements, verifier

STATE = {}


def start(state):
    """Once in each worker: what all its comparisons share, and a directory of its own."""
    STATE.update(state, folder=tempfile.mkdtemp(dir=state["folder"]))
    os.environ["GONOGO_MEMORY"] = "none"  # otherwise gonogo would compare with what it verified before


def put(name, body):
    path = os.path.join(STATE["folder"], name)
    with open(path, "wb") as file:
        file.write(body)
    return path


def unpack(raw, changes):
    """The packet as a directory, with something more in it: pairs of what it is, and its name."""
    folder, elsewhere = (os.path.join(STATE["folder"], name) for name in ("packet", "elsewhere"))
    for path in folder, elsewhere:
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
    for name, body in verifier.read_archive(raw).items():
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        put(os.path.join("packet", name), body)
    for sort, name in changes:
        path = os.path.join(folder, name)
        if sort == "linked":  # a member that lies elsewhere
            os.rename(path, os.path.join(elsewhere, name))
            os.symlink(os.path.join(elsewhere, name), path)
        else:
            {"directory": os.makedirs, "pipe": os.mkfifo, "file": os.mknod}[sort](path)
    return folder


def compare(job):
    """Runs both verifiers on one job; returns its group, its name, what is expected, and both answers (gonogo's may be None)."""
    group, name, expected, raw, reader, ask = job
    raw = raw() if callable(raw) else damage(*raw) if isinstance(raw, tuple) else raw
    arguments = [put("packet.tar", raw) if "unpacked" not in reader else unpack(raw, reader["unpacked"])]
    if "policy" in reader:
        arguments += ["--policy", put("policy", reader["policy"])]
    elif reader.get("key") is not None:
        arguments += ["--log-key", reader["key"]]
    for n, kept in enumerate(reader.get("since", ())):
        arguments += ["--since", put(f"since{n}", kept)]
    if "artifact" in reader:
        arguments += ["--artifact", put("artifact", reader["artifact"])]
    arguments += reader.get("arguments", ())
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            ours = verifier.main(arguments)
        except SystemExit as end:  # the command, or what was given, cannot be understood
            ours = end.code
        except Exception:  # as the verifier's hook for errors does it
            ours = 2
    theirs = None
    if ask:
        done = subprocess.run([STATE["gonogo"], "verify", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        theirs = done.returncode
    return group, name, expected, ours, theirs


def damage(which, kind, seed):
    """One damaged copy of the packet `which`. A copy that is equal to the packet by chance stays good."""
    raw, other = STATE["packets"][which], STATE["packets"]["other"]
    if kind == "xor":
        at, value = seed
        return raw[:at] + bytes([raw[at] ^ value]) + raw[at + 1:]
    dice = random.Random(seed)
    at = dice.randrange(len(raw))
    block, blocks = at // 512 * 512, len(raw) // 512
    size = dice.choice((1, 7, 512, 1024, 5120))
    if kind == "flip":
        return raw[:at] + bytes([raw[at] ^ (1 << dice.randrange(8))]) + raw[at + 1:]
    if kind == "cut":
        return raw[:at] + raw[at + size:]
    if kind == "truncate":
        return raw[:at]
    if kind == "insert":
        return raw[:at] + dice.randbytes(size) + raw[at:]
    if kind == "duplicate":
        return raw[:block] + raw[block:block + 512] + raw[block:]
    if kind == "move":
        to = dice.randrange(blocks) * 512
        rest = raw[:block] + raw[block + 512:]
        return rest[:to] + raw[block:block + 512] + rest[to:]
    if kind == "digit":  # one character of a text by another of the same sort: base64, digits and hex stay what they were
        places = [place for place in range(at, min(at + 4096, len(raw))) if chr(raw[place]).isalnum()]
        return raw if not places else raw[:places[0]] + dice.choice(b"0123456789abcdefABCDEF").to_bytes(1, "big") + raw[places[0] + 1:]
    files = verifier.read_archive(raw)
    names = sorted(files)
    one, two = dice.sample(names, 2)
    if kind == "swap":
        files[one], files[two] = files[two], files[one]
    if kind == "drop":
        del files[one]
    if kind == "splice":
        theirs = verifier.read_archive(other)
        for name in dice.sample(sorted(theirs), dice.choice((1, 2, 5))):
            files[name] = theirs[name]
    if kind == "edit":  # a member of another length, in an archive of good form
        body, place = files[one], dice.randrange(len(files[one]) + 1)
        files[one] = dice.choice((body[:place], body + b"\n", body[:place] + b" " + body[place:], body[:place] + body[place + 1:], b""))
    return archive(files)


KINDS = ("flip", "cut", "truncate", "insert", "duplicate", "move", "digit", "swap", "drop", "splice", "edit")


def jobs(options, state, key):
    """All comparisons, the good packets first."""
    trusted, small = {"key": key}, {"key": LOG.vkey}
    for name, reader, expected in (("given", trusted, 0), ("small", small, 0), ("other", trusted, 0), ("small", {}, 1), ("given", {}, 1),
                                   ("given", small, 2), ("small", trusted, 2)):
        yield "good", f"{name}, {'trusting ' + reader['key'].split('+')[0] if reader else 'no trust'}", expected, state["packets"][name], reader, True
    for case in cases(state["said"]):
        yield "forged", case.name, case.expected, case.raw, {"key": LOG.vkey, **case.reader}, True
    length, asked = len(state["packets"]["small"]), max(1, options.ask)
    dice = random.Random(options.seed)
    for n, at in enumerate(range(0, length, options.step)):
        yield "each byte", f"byte {at}", 2, ("small", "xor", (at, dice.randrange(1, 256))), small, n % asked == 0
    for n in range(options.random):
        kind = KINDS[n % len(KINDS)]
        yield f"random {kind}", f"seed {options.seed + n}", None, ("given", kind, options.seed + n), trusted, True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--gonogo", required=True)
    parser.add_argument("--packet", required=True, help="an operation's packet that verifies")
    parser.add_argument("--log-key", required=True, help="its log's key")
    parser.add_argument("--other", help="a second packet of the same log, to splice with; without it, the first is used")
    parser.add_argument("--step", type=int, default=3, help="damage every N-th byte of the small packet")
    parser.add_argument("--ask", type=int, default=40, help="of these, ask gonogo too for every N-th")
    parser.add_argument("--random", type=int, default=2000, help="random damages of the given packet")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    with open(options.packet, "rb") as file:
        given = file.read()
    with open(options.other or options.packet, "rb") as file:
        other = file.read()
    said = statements(given)
    stream, fill, listed = release(said)
    packets = {"given": given, "other": other, "small": archive(forge(stream=stream, fill=fill, listed=listed)[0])}
    began, groups, bad = time.monotonic(), collections.defaultdict(collections.Counter), []
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        state = {"gonogo": os.path.abspath(options.gonogo), "packets": packets, "said": said, "folder": folder}
        with multiprocessing.Pool(options.jobs, start, (state,)) as pool:
            for group, name, expected, ours, theirs in pool.imap_unordered(compare, jobs(options, state, options.log_key), chunksize=8):
                groups[group].update(all=1, asked=theirs is not None, accepted=ours == 0)
                if theirs not in (None, ours) or expected not in (None, ours):
                    bad.append(f"{group}: {name}: verify-packet {ours}, gonogo {theirs}, the document {'-' if expected is None else expected}")
    print(f"{'group':18} {'packets':>8} {'asked both':>11} {'accepted':>9}")
    for group, counts in groups.items():
        print(f"{group:18} {counts['all']:8} {counts['asked']:11} {counts['accepted']:9}")
    print(*sorted(bad), sep="\n")
    print(f"{len(bad)} disagreements, {sum(counts['all'] for counts in groups.values())} packets, {time.monotonic() - began:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
