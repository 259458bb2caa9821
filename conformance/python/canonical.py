"""Row 6: canonical JSON beside PyPI's rfc8785 and npm's canonicalize; what must not be admitted is not.

COUNT random values (100,000, or as the environment says). RFC 8785's own table of numbers is checked, too.
"""
import json
import os
import re
import struct
import subprocess

import rfc8785
from lab import EXAMPLES, ROOT, WORK, check, passed

# RFC 8785, appendix B: the bits of a double and its text.
NUMBERS = """
0000000000000000 0|8000000000000000 0|0000000000000001 5e-324|8000000000000001 -5e-324|7fefffffffffffff 1.7976931348623157e+308
ffefffffffffffff -1.7976931348623157e+308|4340000000000000 9007199254740992|c340000000000000 -9007199254740992
4430000000000000 295147905179352830000|44b52d02c7e14af5 9.999999999999997e+22|44b52d02c7e14af6 1e+23
44b52d02c7e14af7 1.0000000000000001e+23|444b1ae4d6e2ef4e 999999999999999700000|444b1ae4d6e2ef4f 999999999999999900000
444b1ae4d6e2ef50 1e+21|3eb0c6f7a0b5ed8c 9.999999999999997e-7|3eb0c6f7a0b5ed8d 0.000001|41b3de4355555553 333333333.3333332
41b3de4355555554 333333333.33333325|41b3de4355555555 333333333.3333333|41b3de4355555556 333333333.3333334
41b3de4355555557 333333333.33333343|becbf647612f3696 -0.0000033333333333333333|43143ff3c1cb0959 1424953923781206.2
"""

# Section 4's cases. None: refused; else the canonical text.
ADMISSION = {
    '{"a":1,"a":2}': None,
    r'{"a":1,"\u0061":2}': None,
    '{"x":{"a":1,"a":1}}': None,
    "9007199254740993": None,
    "9007199254740992": None,
    "-9007199254740992": None,
    "9007199254740991": "9007199254740991",
    "-9007199254740991": "-9007199254740991",
    "18446744073709551616": None,
    "18446744073709551615": None,
    "1e400": None,
    "-1e400": None,
    "1e21": None,
    "1e16": None,
    "NaN": None,
    "Infinity": None,
    r'"\ud800"': None,
    r'"\udc00\ud800"': None,
    r'{"\ud800":1}': None,
    b'"\xff"': None,
    b'"\xed\xa0\x80"': None,
    "[1,]": None,
    "1 2": None,
    "01": None,
    "": None,
    "-0": "0",
    "-0.0": "0",
    "4.50": "4.5",
    "5e-324": "5e-324",
    "1e2": "100",
    '{"\u20ac":1,"\\r":2,"\ufb33":3,"1":4,"\U0001f602":5,"\u0080":6,"\u00f6":7}': '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\U0001f602":5,"\ufb33":3}',
    r'"\u20ac$\u000F\u000aA\u0027\u0042\u0022\u005c\\\"\/"': '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"',
}


def admit(texts):
    lines = b"\n".join(t if isinstance(t, bytes) else t.encode() for t in texts) + b"\n"
    done = subprocess.run([EXAMPLES / "conformance_json", "admit"], input=lines, capture_output=True, check=True)
    return [line.split(" ", 1) for line in done.stdout.decode().rstrip("\n").split("\n")]


def numbers():
    rows = [row.split(" ") for line in NUMBERS.strip().split("\n") for row in line.split("|")]
    told = []
    for (bits, text), (word, ours) in zip(rows, admit([repr(of_bits(bits)) for bits, _ in rows])):
        check(rfc8785.dumps(of_bits(bits)).decode() == text, f"rfc8785 writes {bits} otherwise")
        small = abs(of_bits(bits)) < 2**53
        check(word == ("admitted" if small else "refused"), f"{text}: {word}")
        check(not small or ours == text, f"{text}: ours is {ours}")
        told.append(word)
    return len(told)


def of_bits(bits):
    return struct.unpack(">d", bytes.fromhex(bits))[0]


def main():
    count = os.environ.get("COUNT", "100000")
    lines = WORK / "values.txt"
    with lines.open("wb") as out:
        subprocess.run([EXAMPLES / "conformance_json", "values", count, "20260731"], stdout=out, check=True)
    seen = 0
    with lines.open("rb") as values:
        for line in values:
            spelling, ours = line.rstrip(b"\n").split(b"\t")
            theirs = rfc8785.dumps(json.loads(spelling))
            check(theirs == ours, f"{spelling!r}: ours {ours!r}, rfc8785 {theirs!r}")
            seen += 1
    check(seen == int(count), f"{seen} values")

    for (text, expected), (word, told) in zip(ADMISSION.items(), admit(ADMISSION)):
        check((word == "admitted") == (expected is not None), f"{text!r} is {word}: {told}")
        check(expected is None or told == expected, f"{text!r}: {told!r}, expected {expected!r}")
    fixed = numbers()

    tree = subprocess.run(
        [os.environ.get("CARGO", "cargo"), "tree", "--workspace", "-e", "features", "--prefix", "none", "-f", "{p} {f}"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout
    check(re.search(r"serde_json", tree), "cargo tree does not name serde_json")
    check("arbitrary_precision" not in tree, "serde_json/arbitrary_precision is on: canonical numbers break")
    # The rest of the row is canonical.mjs, over the same file.
    passed(f"{seen} values and {fixed} numbers of the RFC as rfc8785 has them; {len(ADMISSION)} cases of admission; arbitrary_precision is off")


main()
