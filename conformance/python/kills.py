"""Row 10, on a real disk: four writers run the real program without pause, and it is killed at random times.

COUNT kills (200), SEED (1). Whatever was acknowledged before a kill must be shown by the ledger under the digest that was
acknowledged (`lab.Project.holds`: `fsck` alone is not believed), and the ledger must be whole.
"""
import os
import random
import subprocess
import threading
import time

import lab
from lab import Project, check, passed

COUNT = int(os.environ.get("COUNT", "200"))
SEED = int(os.environ.get("SEED", "1"))
WRITERS = 4


class Shared:
    def __init__(self, longest):
        self.lock, self.longest = threading.Lock(), longest
        self.kills, self.runs, self.refused, self.errors = 0, 0, 0, []


def write(project, writer, shared):
    chance = random.Random(SEED * 100 + writer)
    n = 0
    while shared.kills < COUNT and not shared.errors:
        name, n = f"w{writer}-{n}", n + 1
        command = project.command("ledger", "keys", "enrol", lab.new_key(name), "--who", name, "--json")
        process = subprocess.Popen(command, cwd=project.dir, env=project.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        killed = False
        try:
            out, err = process.communicate(timeout=chance.uniform(0, shared.longest))
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            killed = process.returncode == -9
        acknowledged = '"success": true' in out and out.rstrip().endswith("}")
        with shared.lock:
            shared.runs += 1
            shared.kills += killed
            if acknowledged:
                project.acknowledge(name, out)
            elif not killed and "LOCKED" in out + err:
                shared.refused += 1
            elif not killed:
                shared.errors.append(f"{name}: exit {process.returncode}: {out}{err}")


def main():
    project = Project("kills")
    project.run("history").expect(0)
    begin = time.monotonic()
    project.enrol("measured").expect(0)
    # Four at a time on few cores are slower than one; kills are to come at all moments of a run.
    shared = Shared(longest=6 * (time.monotonic() - begin))
    writers = [threading.Thread(target=write, args=(project, w, shared)) for w in range(WRITERS)]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    check(not shared.errors, "\n".join(shared.errors[:3]))
    records = project.holds("after the kills")
    there = {key["who"] for key in project.data("ledger", "keys", "list")["keys"]}
    lost = project.acknowledged.keys() - there
    check(not lost, f"{len(lost)} acknowledged keys do not count: {sorted(lost)[:5]}")
    count = len(project.acknowledged)
    check(count > COUNT / 10, f"only {count} acknowledged: the load was too small")
    silent = len(there - project.acknowledged.keys())
    project.enrol("afterwards").expect(0)
    check(project.holds("after one more") == records + 1, "the record after the kills is not the only new one")
    passed(
        f"{shared.kills} kills in {shared.runs} runs: {count} acknowledged, 0 lost of {records}; "
        f"{silent} more were recorded before their writer could say so; {shared.refused} gave up waiting"
    )


main()
