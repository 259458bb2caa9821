"""Rows 8 and 9 with the real program: two copies of a project that grow apart, and old data under a new lock or the reverse."""
import shutil

import lab
from lab import WORK, Project, Witness, check, passed

NAMES = (f"p{n}" for n in range(10_000))


def grow(project, count, **kw):
    for _ in range(count):
        project.enrol(next(NAMES), **kw).expect(0)


def notes(conflict):
    return [(conflict / name).read_text() for name in ("seen-before", "seen-now")]


def conflicts(memory):
    return sorted(memory.glob("logs/*/conflicts/*"))


def head(note):
    return note.split("\n")[:3]


def by_memory():
    memory = WORK / "memory"
    remember = {"GONOGO_MEMORY": str(memory)}
    one = Project("one")
    grow(one, 3)
    two, short = one.copied("two"), one.copied("short")
    grow(one, 3)
    grow(two, 3)
    grow(short, 1)
    before = [p.size() for p in (one, two, short)]
    check(before[0] == before[1] > before[2], f"{before}")

    # The copies' checkpoints are good by themselves; only who remembers can tell.
    one.run("history", env=remember).expect(0)
    two.run("ledger", "fsck").expect(0)
    two.enrol(next(NAMES), env=remember).refused(2, "SPLIT_VIEW")
    kept = conflicts(memory)
    check(len(kept) == 1, f"{kept}")
    same_size = [head(n) for n in notes(kept[0])]
    check(same_size[0][:2] == same_size[1][:2] and same_size[0][2] != same_size[1][2], f"{same_size}")
    check((kept[0] / "log.vkey").read_text().strip() == (one.dir / ".gonogo/ledger/log.vkey").read_text().strip(), "another log")
    signers = {n.split("— ")[1].split(" ")[0] for n in notes(kept[0])}
    check(signers == {"ledger.shop"}, f"the log itself signed both: {signers}")

    grow(two, 2)
    two.run("history", "--json", env=remember).refused(2, "SPLIT_VIEW")
    short.enrol(next(NAMES), env=remember).refused(3, "LEDGER_ROLLED_BACK")
    check(len(conflicts(memory)) == 3, f"{conflicts(memory)}")
    check([p.size() for p in (one, two, short)] == [before[0], before[1] + 2, before[2]], "a refused command appended")
    one.enrol(next(NAMES), env=remember).expect(0)
    # Each is whole by itself, with all that was acknowledged there.
    for project in (one, two, short):
        project.holds(project.dir.name)
    return len(conflicts(memory))


def by_witness():
    home, name = WORK / "witness", "witness.example"
    vkey = Witness.key(home, name)
    one = Project("watched")
    grow(one, 2)
    log = (one.dir / ".gonogo/ledger/log.vkey").read_text().strip()
    two = one.copied("watched-twin")
    grow(one, 2)
    grow(two, 2)
    with Witness(home, name, [log]) as witness:
        for project in (one, two):
            (project.dir / "policy").write_text(f"log {log}\nwitness w1 {vkey} http://{witness.host}:{witness.port}\nquorum w1\n")
            config = project.dir / "gonogo.toml"
            config.write_text(config.read_text() + '\n[ledger]\npolicy = "policy"\n')
        check(one.run("ledger", "cosign", "--json").expect(0).envelope()["data"]["quorum"] is True, "no quorum")
        told = two.run("ledger", "cosign", "--json")
        check(told.status not in (0, 1), f"the second past was cosigned: {told}")
        grow(two, 3)
        again = two.run("ledger", "cosign", "--json")
        check(again.status not in (0, 1), f"the second past was cosigned: {again}")
        one.run("ledger", "cosign").expect(0)
        # The witness keeps both checkpoints of the size at which they contradict each other.
        pairs = list((home / "conflicts").glob("*/*"))
        check(pairs, "the witness kept no evidence")
    return f"exit {told.status}, {again.status}"


def rolled_back():
    project = Project("restored")
    grow(project, 3)
    project.holds("yesterday")
    state = project.dir / ".gonogo"
    yesterday = WORK / "yesterday"
    shutil.copytree(state, yesterday)
    grow(project, 3)
    size = project.holds("today")
    today = WORK / "today"
    shutil.copytree(state, today)
    refusals = 0
    for what, data, lock, published in (
        ("old data, new lock", yesterday, today, yesterday),
        ("old data, new lock and published checkpoint", yesterday, today, today),
        ("new data, old lock", today, yesterday, today),
        # Nothing but the journal is newer than the lock.
        ("new data, old lock and published checkpoint", today, yesterday, yesterday),
        ("new data, old lock, nothing published", today, yesterday, None),
    ):
        shutil.rmtree(state)
        shutil.copytree(data, state)
        replace(state, lock, "lock.db*")
        replace(state, published, "checkpoint")
        files = snapshot(state)
        check(("checkpoint" in files) == (published is not None), f"{what}: {list(files)}")
        out = WORK / f"exported-{refusals}"
        for command in (
            ["history"],
            ["evidence", "list"],
            ["plan", "--to", "1.0.0"],
            ["ledger", "status"],
            ["ledger", "fsck"],
            ["ledger", "tail"],
            ["ledger", "export", out],
            ["ledger", "keys", "enrol", lab.new_key(next(NAMES)), "--who", "late"],
        ):
            ran = project.run(*command, "--json")
            check(ran.status == 3 and "LEDGER_ROLLED_BACK" in ran.codes(), f"{what}: {ran}")
            refusals += 1
        check(not out.exists(), f"{what}: something was exported")
        check(snapshot(state) == files, f"{what}: a refused command changed the ledger")
    # Data and lock of one day are not refused: that is what memory and witnesses are for.
    shutil.rmtree(state)
    shutil.copytree(today, state)
    check(project.holds("today again") == size, "not as many records as before")
    project.enrol(next(NAMES)).expect(0)
    check(project.holds("one more") == size + 1, "not one record more")
    return refusals


def replace(state, other, pattern):
    """Puts what another copy has of some files of the ledger in the place of its own; nothing, if there is no other copy."""
    for file in (state / "ledger").glob(pattern):
        file.unlink()
    for file in (other / "ledger").glob(pattern) if other else ():
        shutil.copy2(file, state / "ledger")


def snapshot(state):
    """Journal and published checkpoint, if there is one; SQLite's own files may be touched by being read."""
    kept = [*sorted((state / "ledger/journal").iterdir()), *(state / "ledger").glob("checkpoint")]
    return {str(f.relative_to(state / "ledger")): f.read_bytes() for f in kept}


def main():
    kept = by_memory()
    exits = by_witness()
    refusals = rolled_back()
    passed(f"{kept} conflicting pairs kept by memory; a witness refused the twin twice ({exits}); old data and old locks: {refusals} refusals")


main()
