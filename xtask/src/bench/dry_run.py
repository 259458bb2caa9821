"""Measures `gonogo dry-run` beside its peers, in turns; prints one JSON object.

Usage: dry_run.py GONOGO WORKDIR RUNS LINES KILLS KEEPER_KILLS DUCKDB_HOME SECTION...

WORKDIR should lie on a file system in memory: the disk is not what is measured. Every figure is a median over RUNS, with the CPU
seconds and the highest resident memory of all processes that did the work (of ours without `cat`'s share, which is small).
"""

import gzip
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import time

GONOGO, WORK, RUNS, LINES, KILLS, KEEPERS, DUCKDB = sys.argv[1:8]
RUNS, LINES, KILLS, KEEPERS = int(RUNS), int(LINES), int(KILLS), int(KEEPERS)
SECTIONS = sys.argv[8:]
INPUT = os.path.join(WORK, "in.jsonl")
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
SEGMENT = 16 << 20

TRACE = """Traceback (most recent call last):
  File "/srv/app/worker.py", line 214, in step
    self.apply(order)
  File "/srv/app/orders.py", line 88, in apply
    raise ValueError("order %d is stale" % order.number)
ValueError: order %d is stale
"""


def generate(path, lines):
    """JSONL of about 240 bytes a line, half a percent warnings, some errors, a Python trace each 50,000 lines."""
    if os.path.exists(path) and os.path.getsize(path) > lines * 200:
        return
    block, draw = [], random.Random(7)
    with open(path, "wb", buffering=4 << 20) as out:
        for n in range(lines):
            level = "warning" if n % 200 == 7 else "error" if n % 100_000 == 41 else "info"
            ms, s, m, h = n % 1000, n // 1000 % 60, n // 60_000 % 60, n // 3_600_000 % 24
            noise = draw.getrandbits(96)
            line = (
                '{"timestamp":"2026-03-01T%02d:%02d:%02d.%03dZ","level":"%s","event":"heartbeat","message":"heartbeat #%d",'
                '"seq":%d,"service":"trader","region":"eu-central-1","order":"%024x","latency_ms":%d.%d,"queue":%d,"venue":"%s"'
                % (h, m, s, ms, level, n, n, noise, noise % 97, noise % 10, noise % 1024, ("XETR", "XPAR", "XAMS")[noise % 3])
            )
            block.append(line + "}")
            if n % 50_000 == 25_000:
                block.append(TRACE.replace("%d is stale\n", "%d is stale\n" % n).rstrip("\n"))
            if len(block) >= 20_000:
                out.write(("\n".join(block) + "\n").encode())
                block = []
        if block:
            out.write(("\n".join(block) + "\n").encode())


def measured(run, prepare=None):
    """Runs RUNS times; returns medians of seconds, CPU seconds and the highest resident memory in MiB."""
    walls, cpus, peaks = [], [], []
    for _ in range(RUNS):
        if prepare:
            prepare()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = time.monotonic()
        said = run()
        wall = time.monotonic() - begin
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        walls.append(said if isinstance(said, float) else wall)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        peaks.append(after.ru_maxrss / 1024)
    return {
        "seconds": statistics.median(walls),
        "cpu": statistics.median(cpus),
        "all": walls,
        "peak_mib": peaks[-1],
    }


def apart(function):
    """In a process of its own: the highest memory of children is counted for ever."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.write(write, json.dumps(function()).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    text = b""
    while piece := os.read(read, 65536):
        text += piece
    os.close(read)
    _, status = os.waitpid(pid, 0)
    if status != 0:
        raise RuntimeError("a measurement failed")
    return json.loads(text)


def empty(name):
    path = os.path.join(WORK, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def journal(directory):
    """The keeper's journal of the one run in `directory`."""
    for entry in os.listdir(directory):
        path = os.path.join(directory, entry, "keeper.jsonl")
        if os.path.exists(path):
            with open(path) as lines:
                return [json.loads(line) for line in lines if line.endswith("\n")], os.path.dirname(path)
    raise RuntimeError(f"no run in {directory}")


def dry_run(directory, *flags, command=None, wait=True, hours="1"):
    argv = [GONOGO, "dry-run", "run", "--log-dir", directory, "--duration-hours", hours, "--no-diary-required",
            "--no-performance-required", "--ballast", "4MiB", *flags, "--", *(command or ["cat", INPUT])]
    process = subprocess.Popen(argv, **QUIET)
    if wait:
        process.wait()
    return process


def capture(*flags):
    """Seconds from the child's start to the last byte indexed and, with views, rendered."""
    directory = empty("capture")

    def once():
        shutil.rmtree(directory, ignore_errors=True)
        dry_run(directory, *flags)
        entries, _ = journal(directory)
        at = {e["event"]: e["at"]["boot"] for e in entries}
        return (at["ended"] - at["child_started"]) / 1e9

    result = measured(once)
    shutil.rmtree(directory, ignore_errors=True)
    return result


def peer(script):
    directory = os.path.join(WORK, "peer")
    result = measured(
        lambda: subprocess.run(["sh", "-c", script.format(input=INPUT, dir=directory)], check=True, **QUIET) and None,
        prepare=lambda: empty("peer"),
    )
    shutil.rmtree(directory, ignore_errors=True)
    return result


def runit(config):
    return "printf '" + config + "' > {dir}/config && cat {input} | svlogd{tt} -b 65536 {dir}"


def section_capture():
    size = os.path.getsize(INPUT)
    lines = LINES + LINES // 50_000 * 6
    figures = {"bytes": size, "lines": lines}
    plain = ["--no-views", "--no-resource-monitor", "--progress-interval-minutes", "0"]
    kinds = {
        "raw": lambda: capture(*plain),
        "views": lambda: capture("--no-resource-monitor", "--progress-interval-minutes", "0"),
        "gzip": lambda: capture(*plain, "--compression", "gzip"),
        "zstd": lambda: capture(*plain, "--compression", "zstd"),
        "s6-log -b": lambda: peer("cat {input} | s6-log -b -l 0 n1000 s16777216 {dir}"),
        "multilog t": lambda: peer("cat {input} | multilog t n1000 s16777215 {dir}"),
        "svlogd -tt": lambda: peer("printf 's16777216\\nn1000\\n' > {dir}/config && cat {input} | svlogd -tt -b 65536 {dir}"),
        "s6-log + gzip -1": lambda: peer("cat {input} | s6-log -b -l 0 n1000 s16777216 '!gzip -1' {dir}"),
        "svlogd !gzip -1": lambda: peer("printf 's16777216\\nn1000\\n!gzip -1\\n' > {dir}/config && cat {input} | svlogd -b 65536 {dir}"),
    }
    for name, kind in kinds.items():
        figure = apart(kind)
        figure["mb_s"] = size / 1e6 / figure["seconds"]
        figure["lines_s"] = lines / figure["seconds"]
        figures[name] = figure
    return figures


def section_warnings():
    """4,000 distinct warnings in a burst: how much longer the child and its capture take than with 4,000 lines of level info."""
    program = "for n in range(4000): print('{\"level\":\"%s\",\"message\":\"disk %d of pool %d is slow\"}' % (LEVEL, n, n * 7919))"
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]
    program = (
        "w=%r\nfor n in range(4000): print('{\"level\":\"%%s\",\"message\":\"%%s %%s %%s %%s is slow\"}' %% (LEVEL, w[n%%10], w[n//10%%10], w[n//100%%10], w[n//1000%%10]))"
        % words
    )
    seconds = {}
    for level in ["info", "warning"]:
        times = []
        for _ in range(RUNS):
            directory = empty("warnings")
            dry_run(directory, command=["python3", "-c", program.replace("LEVEL", repr(level))])
            entries, _ = journal(directory)
            at = {e["event"]: e["at"]["boot"] for e in entries}
            times.append((at["ended"] - at["child_started"]) / 1e9)
        seconds[level] = statistics.median(times)
    return {**seconds, "added": seconds["warning"] - seconds["info"]}


def members():
    """The input as gzip files of 16 MiB of whole lines, as a rotating logger leaves them."""
    directory = os.path.join(WORK, "members")
    if os.path.isdir(directory):
        return sorted(os.path.join(directory, n) for n in os.listdir(directory))
    os.makedirs(directory)
    subprocess.run(["split", "-C", str(SEGMENT), "-d", "-a", "3", "--additional-suffix", ".jsonl", INPUT,
                    os.path.join(directory, "seg")], check=True)
    for name in sorted(os.listdir(directory)):
        subprocess.run(["gzip", "-1", "-n", os.path.join(directory, name)], check=True)
    return sorted(os.path.join(directory, n) for n in os.listdir(directory))


def audit(files):
    argv = [GONOGO, "dry-run", "audit", "--format", "json", "--output", os.path.join(WORK, "audit.json")]
    for file in files:
        argv += ["--log", file]
    code = subprocess.run(argv, **QUIET).returncode
    if code not in (0, 1, 2):
        raise RuntimeError(f"the audit ended with {code}")


def section_audit():
    files = members()
    duck = os.path.join(WORK, "duck.py")
    with open(duck, "w") as out:
        out.write(
            "import sys\nsys.path.insert(0, sys.argv[1])\nimport duckdb\nc = duckdb.connect()\nc.execute('set threads=2')\n"
            "t = \"read_json(?, format='newline_delimited', ignore_errors=true, columns={timestamp:'TIMESTAMP', level:'VARCHAR'})\"\n"
            "print(c.execute(f'select level, count(*) from {t} group by 1', [sys.argv[2]]).fetchall())\n"
            "print(c.execute(f'select max(gap) from (select timestamp - lag(timestamp) over (order by timestamp) as gap from {t})', [sys.argv[2]]).fetchall())\n"
        )
    glob = os.path.join(WORK, "members", "*.gz")
    first = os.path.join(WORK, "duck_levels.py")
    with open(duck) as whole, open(first, "w") as out:
        out.write("".join(whole.readlines()[:-1]))
    once = os.path.join(WORK, "duck_once.py")
    with open(duck) as whole, open(once, "w") as out:
        out.write(
            "".join(whole.readlines()[:6])
            + "c.execute(f'create temp table t as select timestamp, level from {t}', [sys.argv[2]])\n"
            "print(c.execute('select level, count(*) from t group by 1').fetchall())\n"
            "print(c.execute('select max(gap) from (select timestamp - lag(timestamp) over (order by timestamp) as gap from t)').fetchall())\n"
        )
    run = lambda argv: subprocess.run(argv, check=True, **QUIET) and None
    figures = {
        "members": len(files),
        "ours": apart(lambda: measured(lambda: audit(files))),
        "DuckDB levels": apart(lambda: measured(lambda: run(["python3", first, DUCKDB, glob]))),
        "DuckDB in one pass": apart(lambda: measured(lambda: run(["python3", once, DUCKDB, glob]))),
        "DuckDB levels and gap": apart(lambda: measured(lambda: run(["python3", duck, DUCKDB, glob]))),
        "rg -z": apart(lambda: measured(lambda: run(["sh", "-c", f"rg -z -j2 -c '\"level\":\"(error|critical|fatal)\"' {glob}"]))),
    }
    with open(os.path.join(WORK, "audit.json")) as report:
        logs = json.load(report)["summary"]["logs"]
    figures["found"] = {"lines": logs["total_lines"], "levels": logs["level_counts"], "traces": sum(i["count"] for i in logs["content_incidents"])}
    return figures


def section_audit10m():
    # The same log two and a half times over.
    path = os.path.join(WORK, "ten.jsonl")
    subprocess.run(["sh", "-c", f"cat {INPUT} {INPUT} > {path} && head -n {LINES // 2} {INPUT} >> {path}"], check=True)
    figure = apart(lambda: measured(lambda: audit([path])))
    os.remove(path)
    return figure


def digest_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def captured(directory):
    """Digest and size of the captured standard output: uncompressed segments in order."""
    digest, size = hashlib.sha256(), 0
    for name in sorted(n for n in os.listdir(directory) if n.startswith("stdout.")):
        with open(os.path.join(directory, name), "rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
                size += len(piece)
    return digest.hexdigest(), size


def until(check, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.001)
    raise RuntimeError("nothing came")


def pids(directory, event):
    try:
        entries, _ = journal(directory)
    except (RuntimeError, json.JSONDecodeError, FileNotFoundError):
        return None
    return [e["pid"] for e in entries if e["event"] == event]


def section_pump():
    """The pump is killed at random moments while 951 MB go through it."""
    wanted, seed = digest_of(INPUT), random.Random(1)
    size, whole, kills, lost = os.path.getsize(INPUT), 0, 0, 0
    for _ in range(KILLS):
        directory = empty("pump")
        process = dry_run(directory, "--no-views", wait=False)
        known = until(lambda: pids(directory, "pump_started"))
        for _ in range(seed.choice([1, 1, 1, 2, 3])):
            time.sleep(seed.random() * 0.8)
            now = pids(directory, "pump_started") or known
            try:
                os.kill(now[-1], signal.SIGKILL)
                kills += 1
            except ProcessLookupError:
                pass
        process.wait()
        _, place = journal(directory)
        digest, got = captured(place)
        whole += digest == wanted
        lost += size - got
        shutil.rmtree(directory, ignore_errors=True)
    return {"runs": KILLS, "identical": whole, "kills": kills, "bytes_lost": lost}


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def section_keeper():
    """The keeper is killed: the child must be gone, nearly all bytes there, and `finalize` must give a verdict."""
    seed, ended, verdicts, lost, seconds = random.Random(2), 0, 0, [], []
    program = (
        "import os,sys,time\nn=0\nwhile True:\n os.write(1, b'{\"level\":\"info\",\"message\":\"beat\",\"n\":%09d}\\n' % n)\n"
        " os.pwrite(3, b'%020d' % (n + 1), 0)\n n+=1\n if n % 100 == 0: time.sleep(0.001)\n"
    )
    for _ in range(KEEPERS):
        directory = empty("keeper")
        counter = os.path.join(WORK, "counter")
        open(counter, "wb").close()
        wrapper = f"exec 3<>{counter}; exec python3 -c \"$0\""
        process = dry_run(directory, "--no-views", command=["sh", "-c", wrapper, program], wait=False)
        child = until(lambda: pids(directory, "child_started"))[0]
        keeper = until(lambda: pids(directory, "begun"))[0]
        begin = time.monotonic()
        time.sleep(0.3 + seed.random())
        harness = seed.random() < 0.5
        if harness:
            os.kill(process.pid, signal.SIGKILL)
        os.kill(keeper, signal.SIGKILL)
        ran = time.monotonic() - begin
        process.wait()
        finalize = subprocess.run([GONOGO, "--json", "dry-run", "finalize", directory], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        answer = json.loads(finalize.stdout)
        verdicts += bool(answer["success"] and finalize.returncode in (1, 2, 3) and answer["data"]["status"])
        ended += not alive(child)
        _, place = journal(directory)
        with open(counter, "rb") as file:
            printed = int(file.read() or b"0")
        line = len(b'{"level":"info","message":"beat","n":000000000}\n')
        lines = printed - captured(place)[1] // line
        lost.append(lines)
        seconds.append(lines / max(printed, 1) * ran)
        shutil.rmtree(directory, ignore_errors=True)
    return {"runs": KEEPERS, "child_ended": ended, "verdicts": verdicts, "lines_lost": max(lost), "seconds_lost": max(seconds)}


def section_full():
    """A file system in memory fills up while 300 MB go through the capture, and is made larger again."""
    rooms = [24, 48, 96, 160, 240]
    program = [sys.executable, __file__, *sys.argv[1:8]]
    results = []
    for room in rooms[: max(RUNS, 1)]:
        said = subprocess.run(["unshare", "-rm", *program, f"full_inside:{room}"], stdout=subprocess.PIPE, check=True)
        results.append(json.loads(said.stdout.splitlines()[-1])["full_inside"])
    return {"runs": len(results), **{k: sum(r[k] for r in results) for k in ["identical", "incidents", "verdicts"]},
            "blocked_s": max(r["blocked_s"] for r in results)}


def section_full_inside(room):
    directory, size = empty("full"), 300_000_000
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}m", "tmpfs", directory], check=True)
    wanted = hashlib.sha256()
    with open(INPUT, "rb") as file:
        wanted.update(file.read(size))
    process = dry_run(directory, "--no-views", command=["head", "-c", str(size), INPUT], wait=False)

    def events(name):
        try:
            _, place = journal(directory)
            with open(os.path.join(place, "pump.jsonl")) as lines:
                return [e for e in map(json.loads, (line for line in lines if line.endswith("\n"))) if e["event"] == name]
        except (RuntimeError, FileNotFoundError, json.JSONDecodeError):
            return []

    until(lambda: events("blocked"))
    subprocess.run(["mount", "-o", "remount,size=2g", directory], check=True)
    code = process.wait()
    digest, _ = captured(journal(directory)[1])
    place = journal(directory)[1]
    with open(os.path.join(place, "verdict.json")) as verdict:
        verdict = json.load(verdict)
    told = json.dumps(verdict).count('"capture_blocked"')
    result = {"identical": int(digest == wanted.hexdigest()), "incidents": int(told > 0),
              "verdicts": int(code in (1, 2, 3)), "blocked_s": max(e["ms"] for e in events("unblocked")) / 1e3}
    subprocess.run(["umount", directory], check=True)
    return result


def section_memory():
    """72 hours at 432 times the speed: ten minutes. Resident memory of keeper and pump over the simulated hours."""
    hours = 72.0 if RUNS > 1 else 7.2
    directory = empty("memory")
    program = (
        "import sys,time\nn=0\nwhile True:\n"
        " print('{\"level\":\"%s\",\"event\":\"heartbeat\",\"message\":\"beat %d of pool %s\"}' % ('warning' if n%50==0 else 'info', n, 'abcdefghij'[n%10]*(n%17)), flush=True)\n"
        " n+=1\n time.sleep(0.002)\n"
    )
    process = dry_run(directory, "--simulated-clock", "432", "--progress-interval-minutes", "5", "--log-rotate-hours", "6", "--compression",
                      "zstd", command=["python3", "-c", program], wait=False, hours=str(hours))
    until(lambda: pids(directory, "pump_started"))
    points, begin = [], time.monotonic()
    while process.poll() is None:
        total = 0
        for event in ["begun", "pump_started"]:
            pid = pids(directory, event)[-1]
            try:
                with open(f"/proc/{pid}/status") as status:
                    total += next((int(line.split()[1]) for line in status if line.startswith("VmRSS")), 0)
            except FileNotFoundError:
                total = 0
                break
        if total:
            points.append(((time.monotonic() - begin) * 432 / 3600, total / 1024))
        time.sleep(hours * 3600 / 432 / 400)
    warm = [p for p in points if p[0] > hours / 12]
    slopes = sorted((b[1] - a[1]) / (b[0] - a[0]) for i, a in enumerate(warm) for b in warm[i + 20 :: 7])
    shutil.rmtree(directory, ignore_errors=True)
    return {"hours": hours, "samples": len(warm), "first_mib": warm[0][1], "last_mib": warm[-1][1],
            "slope_mib_h": statistics.median(slopes)}


def main():
    os.makedirs(WORK, exist_ok=True)
    if SECTIONS == ["generate"]:
        generate(INPUT, LINES)
        return
    # In a process of its own: a child's highest memory begins with its parent's.
    subprocess.run([sys.executable, __file__, *sys.argv[1:8], "generate"], check=True)
    results = {}
    for section in SECTIONS:
        name, *values = section.split(":")
        results[name] = globals()[f"section_{name}"](*values)
    print(json.dumps(results))


main()
