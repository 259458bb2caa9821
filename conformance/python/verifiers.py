"""Row 15: `gonogo verify` and tools/verify-packet.py, which shares no line with it, give the same exit code for every packet.

The short form of tools/agree.py: all forged packets, fewer damaged ones. It counts only if that many packets were compared.
"""
import re
import subprocess
import sys

from lab import MATERIAL, PROGRAM, ROOT, check, passed

# Of each group: packets at least, how many of them gonogo was asked about, too, and how many were good.
LEAST = {"good": (7, 7, 3), "forged": (540, 540, 110), "each byte": (500, 10, 0)}
KINDS = ("flip", "cut", "truncate", "insert", "duplicate", "move", "digit", "swap", "drop", "splice", "edit")
LEAST.update({f"random {kind}": (20, 20, 0) for kind in KINDS})


def main():
    given = ["--packet", MATERIAL / "packet.tar", "--other", MATERIAL / "other.tar", "--log-key", (MATERIAL / "log.vkey").read_text().strip()]
    short = ["--step", "80", "--ask", "40", "--random", "220", "--jobs", "2"]
    done = subprocess.run([sys.executable, ROOT / "tools/agree.py", "--gonogo", PROGRAM, *given, *short], capture_output=True, text=True)
    check(done.returncode == 0, f"the verifiers differ, or could not be compared:\n{done.stdout}{done.stderr}")
    table = re.findall(r"^(\S.*?) +(\d+) +(\d+) +(\d+)$", done.stdout, re.M)
    counts = {group: tuple(map(int, numbers)) for group, *numbers in table}
    for group, least in LEAST.items():
        found = counts.get(group, (0, 0, 0))
        check(all(n >= m for n, m in zip(found, least)), f"too few packets were compared: {group}: {found}, not {least}")
    key = given[-1]
    for artifact, expected in ((MATERIAL / "artifact", 0), (MATERIAL / "other.tar", 2)):
        asked = [MATERIAL / "packet.tar", "--log-key", key, "--artifact", artifact]
        for verifier in ([sys.executable, ROOT / "tools/verify-packet.py"], [PROGRAM, "verify"]):
            found = subprocess.run([*verifier, *asked], capture_output=True, text=True)
            check(found.returncode == expected, f"{verifier[-1]} about {artifact.name}: {found.returncode}, not {expected}\n{found.stdout}{found.stderr}")
    last = done.stdout.strip().split("\n")[-1]
    total = sum(packets for packets, *_ in counts.values())
    check(last.startswith(f"0 disagreements, {total} packets"), f"no such end was expected: {last}")
    forged, asked = counts["forged"][0], sum(asked for _, asked, _ in counts.values())
    passed(f"{total} packets, {forged} of them forged; gonogo was asked about {asked}; no disagreement")


main()
