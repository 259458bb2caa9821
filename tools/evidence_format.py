"""The parts of gonogo's evidence, read with none of gonogo's code: JSON, trees, keys, notes, policies, archives.

Written from docs/reference/evidence-format.md alone; § are that page's sections. Whatever that page does not allow raises `Refused`,
or another ValueError. `verify-packet.py` puts the parts together. Trees are hashed by pymerkle, signatures verified by securesystemslib.
"""
import base64
import datetime
import hashlib
import json
import pathlib
import re
from decimal import Decimal

from pymerkle.hasher import MerkleHasher
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Signature, SSlibKey

FORMAT, PAYLOAD, TREE = "gonogo.packet.v2", "application/vnd.in-toto+json", MerkleHasher("sha256")
P256, ED25519 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"), bytes.fromhex("302a300506032b6570032100")


class Refused(ValueError):
    """Why a check failed, or, without a code, why it was skipped. Any other ValueError counts as PACKET_CORRUPT."""
    def __init__(self, text, code="PACKET_CORRUPT"):
        super().__init__(text)
        self.code = code


def demand(holds, text, code="PACKET_CORRUPT"):
    if not holds:
        raise Refused(text, code)
    return True


def sha256(raw):
    return hashlib.sha256(raw).digest()


def b64(raw):
    return base64.b64encode(raw).decode()


def unbase64(text, length=None):
    raw = base64.b64decode(text, validate=True)
    demand(b64(raw) == text and length in (None, len(raw)), "not the one base64 of its bytes, or not of its length")
    return raw


def decimal(text):
    demand(re.fullmatch("0|[1-9][0-9]{0,18}", text) and int(text) < 2**63, f"`{text[:30]}` is no decimal number")
    return int(text)


def canonical(value, depth=1):
    """RFC 8785: keys sorted by UTF-16 code units, doubles as ECMAScript writes them, no white space."""
    demand(depth < 128 or not isinstance(value, (dict, list)), "JSON is nested too deeply")
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(canonical(key) + ":" + canonical(value[key], depth + 1) for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(item, depth + 1) for item in value) + "]"
    if isinstance(value, float):
        exact = Decimal(repr(value)).normalize()
        return format(exact, "f" if exact.adjusted() > -7 else "e") if value else "0"
    return json.dumps(value, ensure_ascii=False)


def parse(raw):
    """Canonical JSON, of bytes whose signature was verified before."""
    def number(kind):
        return lambda text: demand(abs(kind(text)) < 2**53, "a number is beyond 2^53 - 1") and kind(text)

    def pairs(items):
        return demand(len(dict(items)) == len(items), "a key stands twice") and dict(items)

    value = json.loads(raw.decode(), object_pairs_hook=pairs, parse_int=number(int), parse_float=number(float), parse_constant=number(float))
    demand(canonical(value).encode() == raw, "JSON is not canonical")
    return value


def fits(value, shape):
    """A shape is a dict of exactly these fields, a list of one shape, a pattern, a type, a predicate, or the value itself."""
    if isinstance(shape, dict):
        return isinstance(value, dict) and value.keys() == shape.keys() and all(fits(value[key], shape[key]) for key in shape)
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(item, shape[0]) for item in value)
    if isinstance(shape, re.Pattern):
        return isinstance(value, str) and shape.fullmatch(value) is not None
    return isinstance(value, shape) if isinstance(shape, type) else shape(value) if callable(shape) else value == shape


def natural(value):
    return type(value) is int and value >= 0


def label(value):
    return isinstance(value, str) and 1 <= len(value.encode()) <= 200 and not CONTROL.search(value)


def moment(value):
    good = fits(value, TIME) and value <= "9999-12-30T22:00:00.000Z"
    return good and datetime.datetime.fromisoformat(re.sub("^0000", "2000", value[:-1]))  # Python knows no year 0; both are leap years


CONTROL, HEX, DIGEST = (re.compile(text) for text in ("[\0-\x1f\x7f-\x9f]", "[0-9a-f]{64}", "sha256:[0-9a-f]{64}"))
STREAM = re.compile(r"(?=.{1,200}\Z)[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
TIME = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z")
STATEMENT = {"_type": "https://in-toto.io/Statement/v1", "subject": [{"digest": {"sha256": HEX}, "name": str}], "predicate": {
    "actor": label, "body": dict, "key": label, "ledger": {"root": DIGEST, "size": natural}, "seq": natural, "stream": STREAM,
    "prev": lambda value: value is None or fits(value, DIGEST), "tool": {"name": str, "version": str}, "time": moment},
    "predicateType": re.compile("https://gonogo[.]dev/attestation/[a-z][a-z0-9-]{0,63}/v1")}
ENROL = {"event": "enrol", "keyid": HEX, "role": str, "spki": str, "who": str}
REVOKE = {"event": "revoke", "keyid": HEX, "why": str}
TALLY = {"count": natural, "digest": DIGEST}
MANIFEST = {"format": FORMAT, "members": TALLY, "omitted": [{"blob": DIGEST, "reason": str}], "records": TALLY,
            "streams": [{"stream": STREAM, "count": natural, "head": DIGEST}], "verdict": str}


def climb(fn, sn, start, path, code="PACKET_CORRUPT"):
    """The loop that RFC 9162 sections 2.1.3.2 and 2.1.4.2 share: the roots of the older and of the newer tree."""
    older = newer = start
    for node in path:
        demand(sn, "a path is too long", code)
        if fn & 1 or fn == sn:
            older, newer = TREE.hash_pair(node, older), TREE.hash_pair(node, newer)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            newer = TREE.hash_pair(newer, node)
        fn, sn = fn >> 1, sn >> 1
    demand(sn == 0, "a path is too short", code)
    return older, newer


class Key:
    """A vkey (§4) of type 1, a log, or 4, a witness."""
    def __init__(self, vkey, kind):
        self.name, short, packed = (vkey.split("+", 2) + ["", ""])[:3]
        raw = unbase64(packed, 33)
        self.full, self.kind, self.raw = sha256(self.name.encode() + b"\n" + raw), kind, raw[1:]
        demand(fits(self.name, re.compile(r"\S{1,255}")) and not CONTROL.search(self.name), "a key has no good name")
        demand(short == self.full[:4].hex() and raw[0] == kind, f"the key of `{self.name}` has another id or type")

    def signed(self, note):
        """Whether the note bears a signature by this key; one that does not verify spoils the note."""
        found = [raw for name, raw in note.lines if name == self.name and raw[:4] == self.full[:4]]
        for raw in found:
            prefix = b"cosignature/v1\ntime %d\n" % int.from_bytes(raw[4:12], "big") if self.kind == 4 else b""
            try:
                demand(len(raw) == (76 if self.kind == 4 else 68) and (self.kind == 1 or raw[4] < 128), "its length or time is wrong")
                key = SSlibKey("", "ed25519", "ed25519", {"public": self.raw.hex()})
                key.verify_signature(Signature("", raw[-64:].hex()), prefix + note.text)
            except (UnverifiedSignatureError, Refused):
                raise Refused(f"a signature by `{self.name}` does not verify", "SIGNATURE_INVALID") from None
        return bool(found)


class Note:
    """A checkpoint: a signed note of three lines (§4)."""
    def __init__(self, raw):
        head, _, tail = raw.decode().rpartition("\n\n")
        text, lines = head.split("\n"), tail.split("\n")
        demand(lines.pop() == "" and 1 <= len(lines) <= 64 and not re.search("[\0-\x1f]", "".join(text + lines)), "not a signed note")
        matches = [re.fullmatch(r"— ([^\s+]+) (\S+)", line) for line in lines]
        demand(all(matches) and len(text) == 3 and text[0], "a checkpoint has three lines, and then signatures")
        self.text, self.lines = (head + "\n").encode(), [(match[1], unbase64(match[2])) for match in matches]
        self.origin, self.size, self.root = text[0], decimal(text[1]), unbase64(text[2], 32)
        demand(all(len(signature) > 4 for _, signature in self.lines), "a signature of a note is empty")
        demand(self.size or self.root == sha256(b""), "an empty tree has another root")


class Policy:
    """A C2SP tlog-policy (§5)."""
    def __init__(self, raw):
        self.logs, self.named, self.quorum, taken = [], {"none": None}, None, set()
        demand(raw.endswith(b"\n") and not re.search(b"[\0-\x08\x0b-\x1f\x7f]", raw) and len(raw) <= 2**18, "not the text of a policy")
        for line in raw.decode().split("\n"):
            words = re.findall("[^ \t]+", line)
            kind, size, name = (words or ["#"])[0], len(words), words[1] if len(words) > 1 else ""
            if kind == "log" and size in (2, 3):
                self.logs.append(Key(name, 1))
            elif kind == "quorum" and size == 2 and self.quorum is None and name in self.named:
                self.quorum = name
            elif kind == "witness" and size in (3, 4) and name not in self.named:
                self.named[name] = Key(words[2], 4)
            elif kind == "group" and size > 3 and name not in self.named:
                least, members = {"any": 1, "all": size - 3}.get(words[2]) or decimal(words[2]), set(words[3:])
                good = members.isdisjoint(taken) and all(self.named.get(member) for member in members)
                demand(good and 1 <= least <= len(members) == size - 3, f"group `{name}` cannot be as it is written")
                self.named[name] = (least, members)
                taken |= members
            else:
                demand(kind.startswith("#"), f"`{line[:60]}` is no line of a policy")
        self.witnesses = [key for key in self.named.values() if isinstance(key, Key)]
        for keys in (self.logs, self.witnesses, [None] * (len(self.named) - len(self.witnesses) - 1)):
            demand(len(keys) <= 256 and (None in keys or len({key.raw for key in keys}) == len(keys)), "a policy has too many keys, or one twice")
        demand(self.quorum, "a policy has no quorum line")

    def met(self, name, signers):
        value = self.named[name]
        return value in signers if isinstance(value, Key) else sum(self.met(member, signers) for member in value[1]) >= value[0]


def header(name, size):
    """The one header of a member (§9)."""
    head = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % size + b"00000000000\0"
    tail = b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\0" * 2 + bytes(167)
    return head + b"%06o\0 " % (sum(head) + sum(tail) + 8 * 32) + tail


def read_archive(raw):
    members, at, last = {}, 0, b""
    while raw[at:at + 512] != bytes(512):
        name, digits = raw[at:at + 100].rstrip(b"\0"), raw[at + 124:at + 135]
        demand(re.fullmatch(b"[0-7]{11}", digits), "a header has no size")
        demand(raw[at:at + 512] == header(name, int(digits, 8)) and name > last, "a header has not the one form, or no order")
        start, pad = at + 512, -int(digits, 8) % 512
        at = start + int(digits, 8) + pad
        demand(len(raw) >= at and raw[at - pad:at] == bytes(pad), "a member is cut, or its padding is not zero")
        members[name.decode("latin-1")], last = raw[start:at - pad], name
    demand(raw[at:] == bytes(1024), "the archive does not end in two zero blocks")
    return members


def read_directory(path):
    entries = {entry.relative_to(path): entry for entry in pathlib.Path(path).rglob("*")}
    for name, entry in entries.items():
        folder = entry.is_dir() and len(name.parts) < 3
        demand(not entry.is_symlink() and (folder or entry.is_file()), f"`{name}` is no file of a packet")
    return {name.as_posix(): entry.read_bytes() for name, entry in entries.items() if entry.is_file()}
