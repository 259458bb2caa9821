"""Row 13 with the real program: an approval is used once, for one plan, in one environment, for a time, over one state of the target.

Each refusal must change nothing and be a record itself.
"""
import re
import time

from lab import CONFIG, Load, Project, check, passed

OTHER = CONFIG[CONFIG.index("[environments.local]") : CONFIG.index("[strategies")].replace("environments.local", "environments.second")


def refuse(project, args, status, code, say):
    """A refused command; its record must be there afterwards."""
    before = refusals(project)
    project.run(*args, "--json").refused(status, code)
    after = refusals(project)
    check(len(after) == len(before) + 1, f"{say}: the refusal is not recorded")
    say and print(f"  {say}: exit {status}, {code}, recorded")


def refusals(project):
    return project.data("evidence", "list", "--kind", "refusal", "--limit", "1000")["records"]


def plan(project, version, *more):
    return project.data("plan", "--to", version, *more)["plan"]["id"]


def serving(project):
    return [slot["version"] for slot in project.data("status")["environments"][0]["observed"]["slots"]]


def approved(project, version, *more):
    id = plan(project, version)
    project.data("approve", id, *more)
    return id


def from_nothing(project):
    """A first release that fails leaves nothing, so that the same plan fits the same empty state again."""
    id = approved(project, "crash-at-start")
    project.run("apply", id).expect(2)
    refuse(project, ["apply", id, "--idempotency-key", "again"], 77, "APPROVAL_REUSED", "an approval used again: applied twice from empty state")
    check(serving(project) == [], "something serves")


def edited(project):
    id = approved(project, "1.0.0")
    file = project.dir / f".gonogo/plans/{id}.json"
    good = file.read_text()
    file.write_text(good.replace('"service": "shop"', '"service": "shoq"', 1))
    check(file.read_text() != good, "nothing was changed")
    refuse(project, ["apply", id], 2, "PLAN_EDITED", "one byte of the plan changed")
    file.write_text(good)

    config = project.dir / "gonogo.toml"
    text = config.read_text()
    config.write_text(text.replace('min_requests = 30', 'min_requests = 31'))
    refuse(project, ["apply", id], 2, "CONFIG_CHANGED", "the environment's checks changed")
    config.write_text(text)

    # The approval of one environment for the plan of another: plans differ, so the file does not fit.
    given = project.dir / "approval.json"
    project.data("approve", id, "--out", given)
    elsewhere = plan(project, "1.0.0", "--env", "second")
    file = project.dir / f".gonogo/plans/{elsewhere}.json"
    right = file.read_text()
    file.write_text(re.sub(r'"environment": "second"', '"environment": "local"', right, count=1))
    if file.read_text() != right:
        refuse(project, ["apply", elsewhere], 2, "PLAN_EDITED", "the plan's environment changed")
        file.write_text(right)
    refuse(project, ["apply", elsewhere], 77, "APPROVAL_MISSING", "the approval of another environment")
    return id


def moved(project, early):
    with Load(project.port):
        project.run("apply", early).expect(0)
        (project.dir / "versions/1.1.0.toml").write_text('version = "1.1.0"\n')
        project.run("release", "--to", "1.1.0", "--env", "local").expect(0)
        late = approved(project, "2.0.0")
        # Going back replaces no plan, and moves what the plan was made against.
        project.run("rollback", "--yes", "--env", "local").expect(0)
    refuse(project, ["apply", early, "--idempotency-key", "again"], 2, "PLAN_SUPERSEDED", "a plan applied again, over what it made")
    refuse(project, ["apply", late], 2, "BASE_STATE_MOVED", "the target moved between plan and apply")
    check(serving(project) == ["1.0.0"], f"{serving(project)}")


def main():
    begin = time.monotonic()
    expiring = Project("expiring")
    old = approved(expiring, "1.0.0", "--sla-minutes", "1")
    project = Project("approvals", config=CONFIG.replace("[strategies", OTHER.replace("PORT", "1") + "[strategies", 1))
    try:
        environment = project.env
        project.env = {**environment, "GONOGO_ENV": "local"}
        from_nothing(project)
        early = edited(project)
        moved(project, early)
        count = len(refusals(project))
    finally:
        project.end()
    # The shortest time that an approval may hold is a minute.
    time.sleep(max(0, 61 - (time.monotonic() - begin)))
    try:
        refuse(expiring, ["apply", old], 77, "APPROVAL_EXPIRED", "an approval after its time")
    finally:
        expiring.end()
    passed(f"{count + 1} refusals, each recorded")


main()
