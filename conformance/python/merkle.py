"""Row 2: the roots of published logs, computed by pymerkle from the entry bundles alone."""
import base64
import re
import struct

from lab import MATERIAL, check, passed
from pymerkle import InmemoryTree


def entries(log, size):
    """All entries of a published log, bundle by bundle."""
    found = []
    for n in range(0, (size + 255) // 256):
        digits = f"{n:03d}" if n < 1000 else f"x{n // 1000:03d}/{n % 1000:03d}"
        width = min(256, size - 256 * n)
        data = (log / "tile/entries" / (digits if width == 256 else f"{digits}.p/{width}")).read_bytes()
        at, before = 0, len(found)
        while at < len(data):
            (length,) = struct.unpack_from(">H", data, at)
            found.append(data[at + 2 : at + 2 + length])
            at += 2 + length
        check(at == len(data) and len(found) - before == width, f"{log}: bundle {n}")
    return found


def checkpoint(log):
    _, size, root = (log / "checkpoint").read_text().split("\n")[:3]
    return int(size), base64.b64decode(root)


def main():
    made = sorted((d for d in (MATERIAL / "logs").iterdir() if re.fullmatch(r"\d+", d.name)), key=lambda d: int(d.name))
    largest = entries(made[-1], checkpoint(made[-1])[0])
    tree = InmemoryTree(algorithm="sha256")
    for entry in largest:
        tree.append_entry(entry)
    for log in made:
        size, root = checkpoint(log)
        check(size == int(log.name), f"{log} has {size} entries")
        check(entries(log, size) == largest[:size], f"{log} is not the beginning of the largest")
        check(tree.get_root(size) == root, f"{log}: another root")
    check(tree.get_root(len(largest) - 1) != checkpoint(made[-1])[1], "a root that fits every size")

    size, root = checkpoint(MATERIAL / "log")
    real = InmemoryTree(algorithm="sha256")
    for entry in entries(MATERIAL / "log", size):
        real.append_entry(entry)
    check(real.get_root() == root, "the exported log has another root")
    passed(f"roots of {len(made)} logs up to {len(largest)} entries and of an exported one with {size}")


main()
