"""Row 11: every sync and write of the real program failing in turn, under strace; then a file size limit, which cuts writes short.

A command that appends a record either succeeds, or exits non-zero and acknowledges nothing. Afterwards the ledger is whole, every
acknowledged record is shown under the digest that was acknowledged (`lab.Project.holds`: `fsck` alone is not believed), and the
command can be given again. COUNT: how many places of each kind at most (50).
"""
import os
import resource
import shutil
import signal
import subprocess

import lab
from lab import Project, Ran, check, passed, skipped

COUNT = int(os.environ.get("COUNT", "50"))
# So many successes in a row, and the command makes no N-th call any more.
UNREACHED = 20


class Trial:
    def __init__(self, project):
        self.project, self.n, self.told = project, 0, {}

    def run(self, what, before=(), limit=None):
        """One append under a fault; then the ledger must be well without one."""
        self.n += 1
        name = f"p{self.n}"
        ran = self.once(name, before, limit)
        if ran.status == 0:
            self.project.acknowledge(name, ran.out)
        else:
            # An answer may have been cut, or be a refusal; an acknowledgement it may not be.
            check('"success": true' not in ran.out, f"{what}: acknowledged, and failed: {ran}")
            check(ran.status > 0 and "panicked" not in ran.err, f"{what}: {ran}")
        self.project.holds(f"{what}: {ran}\nthen")
        there = self.names()
        if ran.status != 0:
            again = self.project.enrol(name)
            # The record may have reached the disk although nobody was told; then its key is enrolled, and the second time says so.
            known = name in there
            check(again.status == 0 or known, f"{what}: {ran}\nagain: {again}")
            check(name in self.names(), f"{what}: not there after the second time")
            self.told["repeated"] = self.told.get("repeated", 0) + (again.status == 0)
            self.told["there already"] = self.told.get("there already", 0) + known
        self.told["succeeded" if ran.status == 0 else "failed"] = self.told.get("succeeded" if ran.status == 0 else "failed", 0) + 1
        return ran.status != 0

    def once(self, name, before, limit):
        if limit is None:
            return self.project.enrol(name, before=before)

        def limited():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        args = ["ledger", "keys", "enrol", lab.new_key(name), "--who", name, "--json"]
        done = subprocess.run(
            self.project.command(*args), cwd=self.project.dir, env=self.project.env, capture_output=True, preexec_fn=limited, timeout=60
        )
        return Ran(args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def names(self):
        return {key["who"] for key in self.project.data("ledger", "keys", "list")["keys"]}


def strace(calls, fault, n):
    quiet = ["--seccomp-bpf", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", "signal=none"]
    return ["strace", *quiet, "-e", f"inject={calls}:{fault}:when={n}"]


def main():
    if not shutil.which("strace"):
        skipped("no strace")
    probe = subprocess.run([*strace("fsync", "error=EIO", 1), "true"], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    if probe.returncode != 0:
        forbidden = any(words in probe.stderr for words in ("Operation not permitted", "Permission denied", "Function not implemented"))
        check(forbidden, f"strace is there and fails: {probe}")
        skipped(f"strace may not trace here: {probe.stderr.strip()[:100]}")
    project = Project("faults")
    project.run("history").expect(0)
    trial = Trial(project)
    report = []
    for calls, fault in (
        ("fdatasync,fsync", "error=EIO"),
        ("write,pwrite64,pwritev", "error=ENOSPC"),
        ("write,pwrite64,pwritev", "error=EIO"),
        ("openat,linkat,rename,renameat2,unlink", "error=ENOSPC"),
        ("ftruncate,fallocate", "error=ENOSPC"),
    ):
        failed = missed = 0
        for n in range(1, COUNT + 1):
            met = trial.run(f"{calls}:{fault}:when={n}", strace(calls, fault, n))
            failed, missed = failed + met, 0 if met else missed + 1
            if missed == UNREACHED:
                break
        check(failed > 0 or "ftruncate" in calls, f"{calls}: no fault was ever met; nothing was tested")
        report.append(f"{calls.split(',')[0]} {fault.split('=')[1]} {failed}")
    segment = sorted((project.dir / ".gonogo/ledger/journal").iterdir())[-1]
    short = sum(trial.run(f"limit +{d}", limit=segment.stat().st_size + d) for d in range(0, 1300, 1300 // COUNT))
    check(short > 0, "no write was cut short")
    told = ", ".join(f"{k} {v}" for k, v in sorted(trial.told.items()))
    passed(f"failures met: {', '.join(report)}, cut short {short}; of {trial.n} appends: {told}; {len(project.acknowledged)} acknowledged, none lost of {project.holds()}")


if __name__ == "__main__":
    main()
