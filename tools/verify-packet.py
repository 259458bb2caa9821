#!/usr/bin/env python3
"""Verifies a gonogo evidence packet with none of gonogo's code; written from docs/reference/evidence-format.md alone (§).
JSON is parsed only after its signature verified; what has one spelling is compared with it. Not checked: what records mean
(approvals, results, replay), and time-stamps. The first failure of exit 2 ends the work, so does what nobody foresaw."""
import argparse, base64, datetime, hashlib, json, pathlib, re, sys  # fmt: skip # noqa: E401
from decimal import Decimal
from types import SimpleNamespace
from pymerkle import InmemoryTree
from pymerkle.hasher import MerkleHasher
from securesystemslib.dsse import Envelope
from securesystemslib.signer import Signature, SSlibKey

TREE, P256 = MerkleHasher("sha256"), bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
FIXED = {"SHA256SUMS", "checkpoint", "manifest.sigstore.json", "packet.json", "proofs/manifest.tlog-proof"}
FIXED |= {"trust/policy", "trust/trusted_root.json"}
NAMES = re.compile(r"blobs/sha256/[0-9a-f]{64}|checkpoint\.tsr|consistency/[1-9][0-9]*\.proof|proofs/[0-9]{6}\.tlog-proof"
                   r"|records/[0-9]{6}\.sigstore\.json|" + "|".join(map(re.escape, FIXED)))
ANSWERS = ("verified", "agrees with itself, but nobody vouches for it", "NOT verified: do not trust it", "incomplete")
KINDS = {"TALLY": '{"count":COUNT,"digest":DIGEST}', "DIGEST": '"sha256:HEX"', "HEX": "[0-9a-f]{64}", "B64": "[A-Za-z0-9+/=]*",
         "COUNT": "(?:0|[1-9][0-9]*)", "TEXT": r'"(?:[^"\\]|\\.)*"', "STREAM": r'"(?=[^"]{1,200}")[\w.-]+(?:/[\w.-]+)*"',
         "ITEM": '{"blob":DIGEST,"reason":TEXT}', "HEAD": '{"count":COUNT,"head":DIGEST,"stream":STREAM}',
         "SUBJECT": '{"digest":{"sha256":"HEX"},"name":TEXT}'}  # fmt: skip

def shape(text):
    """A pattern of canonical JSON, with the kinds of values above by their names."""
    for name in ("ITEM", "HEAD", "SUBJECT", "TALLY", "DIGEST", "STREAM", "HEX", "B64", "COUNT", "TEXT"):
        text = text.replace(name, KINDS[name])
    return re.compile(text, re.A)

STATEMENT = shape(
    r'{"_type":"https://in-toto\.io/Statement/v1","predicate":{"actor":TEXT,"key":TEXT,"ledger":{"root":DIGEST,"size":COUNT},'
    r'"prev":(?:null,"seq":0|DIGEST,"seq":[1-9][0-9]*),"stream":STREAM,"time":TEXT,"tool":{"name":TEXT,"version":TEXT}},'
    r'"predicateType":"https://gonogo\.dev/attestation/([a-z][a-z0-9-]{0,63})/v1","subject":\[SUBJECT(?:,SUBJECT)*\]}')
ENROL = shape('{"event":"enrol","keyid":"HEX","role":TEXT,"spki":"B64","who":TEXT}')
REVOKE = shape('{"event":"revoke","keyid":"HEX","why":TEXT}')
MANIFEST = shape(r'{"format":"gonogo\.packet\.v2","members":TALLY,"omitted":\[(?:ITEM(?:,ITEM)*)?\],"records":TALLY,'
                 r'"streams":\[(?:HEAD(?:,HEAD)*)?\],"verdict":TEXT}')
LEAF = shape(
    r'{"apiVersion":"0\.0\.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":"SHA2_256","digest":"(B64)"},'
    '"signature":{"content":"(B64)","verifier":{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":{"rawBytes":"(B64)"}}}}}}')
BUNDLE = shape(
    r'{"dsseEnvelope":{"payload":"(B64)","payloadType":"application/vnd\.in-toto\+json","signatures":\[{"keyid":"(HEX)","sig":'
    r'"(B64)"}\]},"mediaType":"application/vnd\.dev\.sigstore\.bundle\.v0\.3\+json","verificationMaterial":{"publicKey":{"hint":'
    r'"\2"},"tlogEntries":\[{"canonicalizedBody":"(B64)","inclusionProof":{"checkpoint":{"envelope":(TEXT)},"hashes":\[((?:"B64",?)*)'
    r'\],"logIndex":"(COUNT)","rootHash":"(B64)","treeSize":"(COUNT)"},"integratedTime":"0","kindVersion":{"kind":"hashedrekord",'
    r'"version":"0\.0\.2"},"logId":{"keyId":"(B64)"},"logIndex":"\7"}\]}}')
TRUSTED = (
    '{"certificateAuthorities":[],"ctlogs":[],"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1",'
    '"timestampAuthorities":[],"tlogs":[{"baseUrl":"https://%s","hashAlgorithm":"SHA2_256","logId":{"keyId":"%s"},"publicKey":'
    '{"keyDetails":"PKIX_ED25519","rawBytes":"%s","validFor":{"start":"1970-01-01T00:00:00Z"}}}]}')

def demand(holds, text):
    if not holds:
        raise ValueError(text if re.match("[A-Z_]+: ", text) else "PACKET_CORRUPT: " + text)

def sha256(raw):
    return hashlib.sha256(raw).digest()

def b64(raw):
    return base64.b64encode(raw).decode()

def unbase64(text, length=None):
    raw = base64.b64decode(text)
    demand(b64(raw) == text and length in (None, len(raw)), "not the one base64 of its bytes, or of another length")
    return raw

def decimal(text):
    demand(re.fullmatch("0|[1-9][0-9]{0,18}", text) and int(text) < 2**63, f"`{text[:30]}` is no decimal number")
    return int(text)

def canonical(value, depth=1):
    """RFC 8785: keys sorted by UTF-16 code units, doubles as ECMAScript writes them, no white space."""
    demand(depth < 128 or not isinstance(value, (dict, list)), "JSON is nested too deeply")
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(canonical(key) + ":" + canonical(value[key], depth + 1) for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(item, depth + 1) for item in value) + "]"
    demand(not isinstance(value, (int, float)) or abs(value) < 2**53, "a number is beyond 2^53 - 1, or not finite")
    if isinstance(value, float):
        exact = Decimal(repr(value or 0)).normalize()
        return format(exact, "f" if exact.adjusted() > -7 else "e")
    return json.dumps(value, ensure_ascii=False)

def moment(value):
    text = re.sub("^0000", "2000", value)  # Python knows no year 0; both are leap years
    again = datetime.datetime.fromisoformat(text[:-1]).isoformat(timespec="milliseconds") + "Z"
    return again == text and value <= "9999-12-30T22:00:00.000Z"

def statement(raw):
    """Reads what was signed (§1). A key that stands twice and other spellings do not come back as they were."""
    value = json.loads(raw.decode())
    demand(len(raw) <= 2**20 and canonical(value).encode() == raw, "a statement is too long, or not canonical")
    said, body = value["predicate"], value["predicate"].pop("body")
    found = STATEMENT.fullmatch(canonical(value))
    demand(found and isinstance(body, dict) and moment(said["time"]), "a statement has not the form of section 1")
    for text in (said["actor"], said["key"]):
        demand(len(text.encode()) in range(1, 201) and not re.search("[\0-\x1f\x7f-\x9f]", text), "no good actor or key")
    subjects = {subject["digest"]["sha256"] for subject in value["subject"]}
    return dict(said, kind=found[1], body=body, form=canonical(body), subjects=subjects)

def climb(fn, sn, start, path):
    """The loop that RFC 9162 sections 2.1.3.2 and 2.1.4.2 share: the roots of the older and of the newer tree."""
    older = newer = start
    for node in path:
        demand(sn, "a path is too long")
        if fn & 1 or fn == sn:
            older, newer = TREE.hash_pair(node, older), TREE.hash_pair(node, newer)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            newer = TREE.hash_pair(newer, node)
        fn, sn = fn >> 1, sn >> 1
    demand(sn == 0, "a path is too short")
    return older, newer

def check(kind, scheme, public, signature, message, text):
    try:
        SSlibKey("", kind, scheme, {"public": public}).verify_signature(Signature("", signature.hex()), message)
    except Exception:
        demand(False, f"SIGNATURE_INVALID: {text}")

class Key:
    """A vkey (§4) of type 1, a log, or 4, a witness."""
    def __init__(self, vkey, kind):
        self.name, short, packed = (vkey.split("+", 2) + ["", ""])[:3]
        raw = unbase64(packed, 33)
        self.full, self.kind, self.raw = sha256(self.name.encode() + b"\n" + raw), kind, raw[1:]
        good = short == self.full[:4].hex() and raw[0] == kind and len(self.name) < 256
        demand(good and re.fullmatch("[^\\s\0-\x1f\x7f-\x9f]+", self.name), f"`{vkey}` is no key of type {kind}")

    def signed(self, note):
        """Whether the note bears a signature by this key; one that does not verify spoils the note."""
        found = [raw[4:] for name, raw in note.lines if (name, raw[:4]) == (self.name, self.full[:4])]
        for raw in found:
            good = len(raw) == (64 if self.kind == 1 else 72) and (self.kind == 1 or raw[0] < 128)
            prefix = b"" if self.kind == 1 else b"cosignature/v1\ntime %d\n" % int.from_bytes(raw[:8], "big")
            demand(good, f"SIGNATURE_INVALID: one by `{self.name}` has another length or time")
            check("ed25519", "ed25519", self.raw.hex(), raw[-64:], prefix + note.text, f"one by `{self.name}`")
        return bool(found)

def read_note(raw):
    """A checkpoint: a signed note of three lines (§4)."""
    found = re.fullmatch("(([^\0-\x1f]+)\n(.+)\n(.+)\n)\n((?:— [^\\s+\0-\x1f]+ [A-Za-z0-9+/=]+\n){1,64})", raw.decode())
    demand(found, "not a checkpoint: three lines, an empty one, and up to 64 signatures")
    size, root = decimal(found[3]), unbase64(found[4], 32)
    lines = [(name, unbase64(signature)) for name, signature in re.findall("— (.+) (.+)\n", found[5])]
    good = all(len(signature) > 4 for _, signature in lines) and (size or root == sha256(b""))
    demand(good, "a signature is empty, or an empty tree has another root")
    return SimpleNamespace(text=found[1].encode(), origin=found[2], size=size, root=root, lines=lines, raw=raw.decode())

def read_policy(raw):
    """A C2SP tlog-policy (§5): logs, witnesses, and a function that says whether these signers are the quorum, or None."""
    logs, named, taken, quorums = [], {"none": None}, [], []
    good = raw.endswith(b"\n") and len(raw) <= 2**18 and not re.search(b"[\0-\x08\x0b-\x1f\x7f]", raw)
    demand(good, "not the text of a policy")
    for line in raw.decode().split("\n"):
        kind, *words = re.findall("[^ \t]+", line) or ["#"]
        count, name = len(words), (words or [""])[0]
        if kind == "log" and count in (1, 2):
            logs.append(Key(name, 1))
        elif kind == "witness" and count in (2, 3) and name not in named:
            named[name] = Key(words[1], 4)
        elif kind == "group" and count > 2 and name not in named:
            least, members = {"any": 1, "all": count - 2}.get(words[1]) or decimal(words[1]), words[2:]
            taken += members
            good = len(set(taken)) == len(taken) and all(map(named.get, members)) and 1 <= least <= len(members)
            demand(good, f"group `{name}` cannot be as it is written")
            named[name] = (least, members)
        elif kind == "quorum" and count == 1 and name in named:
            quorums.append(name)
        else:
            demand(kind[0] == "#", f"`{line[:60]}` is no line of a policy")
    witnesses = [key for key in named.values() if isinstance(key, Key)]
    for keys in (logs, witnesses):
        demand(len({key.raw for key in keys}) == len(keys) <= 256, "a policy has too many keys, or one twice")
    demand(len(quorums) == 1 and len(named) - len(witnesses) <= 257, "not one quorum, or too many groups")

    def met(name, signers):
        value = named[name]
        return value in signers if isinstance(value, Key) else sum(met(m, signers) for m in value[1]) >= value[0]
    quorum = None if quorums == ["none"] else lambda signers: met(quorums[0], signers)
    return SimpleNamespace(logs=logs, witnesses=witnesses, quorum=quorum)

def archive(files):
    """The one archive of these members (§9)."""
    parts = []
    for name, body in sorted(files.items()):
        head = name.encode("latin-1").ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % len(body)
        head, tail = head + b"0" * 11 + b"\0", b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\0" * 2
        parts += [head, b"%06o\0 " % (sum(head + tail) + 256), tail, bytes(167), body, bytes(-len(body) % 512)]
    return b"".join(parts) + bytes(1024)

def read_archive(raw):
    files, at = {}, 0
    while any(raw[at:at + 512]):
        digits = raw[at + 124:at + 135]
        size = int(digits, 8) if digits.isdigit() else len(raw)
        files[raw[at:at + 100].rstrip(b"\0").decode("latin-1")] = raw[at + 512:at + 512 + size]
        at += 512 + size + -size % 512
    demand(archive(files) == raw, "the archive has not its one form")
    return files

def read_directory(path):
    found = [(entry.relative_to(path), entry) for entry in path.rglob("*")]
    plain = all(not e.is_symlink() and (e.is_file() or e.is_dir() and len(name.parts) < 3) for name, e in found)
    demand(plain, "the directory holds what is no file of a packet")
    return {name.as_posix(): entry.read_bytes() for name, entry in found if entry.is_file()}

def read_record(raw, proof, note):
    """A bundle (§7), its proof (§8) and the statement in it, parsed after its signature verified (§2)."""
    found = BUNDLE.fullmatch(raw.decode())
    demand(found, "a bundle has not its one spelling")
    payload, leaf, log, path = unbase64(found[1]), unbase64(found[4]), unbase64(found[10]), found[6].split(",")
    path = [unbase64(node[1:-1], 32) for node in path if path != [""]]
    pae, index, keyid = Envelope(payload, "application/vnd.in-toto+json", {}).pae(), decimal(found[7]), found[2]
    context = (canonical(note.raw), ",".join(f'"{b64(node)}"' for node in path), b64(note.root), str(note.size))
    demand(found.group(5, 6, 8, 9) == context and len(path) <= 64, "a bundle is of another checkpoint, or its path is no path")
    lines = ["c2sp.org/tlog-proof@v1", f"index {index}", *map(b64, path), "", note.raw]
    demand(proof == "\n".join(lines).encode(), f"the proof of leaf {index} is not what follows from its bundle")
    inner = LEAF.fullmatch(leaf.decode())
    demand(inner and inner.group(1, 2) == (b64(sha256(pae)), found[3]), f"leaf {index} is of another record")
    spki, pem = unbase64(inner[3], 91), f"-----BEGIN PUBLIC KEY-----\n{inner[3]}\n-----END PUBLIC KEY-----\n"
    demand(spki.startswith(P256) and sha256(spki).hex() == keyid, "SIGNATURE_INVALID: a key id is not that of a P-256 key")
    check("ecdsa", "ecdsa-sha2-nistp256", pem, unbase64(found[3]), pae, f"leaf {index}")
    said = SimpleNamespace(**statement(payload))
    return SimpleNamespace(said=said, payload=payload, leaf=leaf, log=log, path=path, index=index, keyid=keyid)

def read_members(files):
    """The members (§9, checks 1 and 2): the checkpoint, the packet's log, the records, the manifest, the older roots' proofs."""
    for name, body in files.items():
        demand(NAMES.fullmatch(name), f"PACKET_MEMBER_ADDED: {name}")
        demand(name[:6] != "blobs/" or sha256(body).hex() == name[13:], f"`{name}` has another digest")
        demand(len(body) <= 2**18 or not re.match("checkpoint|packet|trust", name), f"`{name}` is too long")
    count = sum(name.startswith("records/") for name in files)
    pairs = [(f"records/{n:06}.sigstore.json", f"proofs/{n:06}.tlog-proof") for n in range(count)]
    pairs.append(("manifest.sigstore.json", "proofs/manifest.tlog-proof"))
    missing = sorted(FIXED.union(*pairs) - files.keys())
    demand(not missing, f"PACKET_MEMBER_MISSING: {missing[:3]}")
    demand(sum(name.startswith("proofs/") for name in files) == count + 1, "PACKET_MEMBER_ADDED: a proof without record")
    note = read_note(files["checkpoint"])
    records = [read_record(files[bundle], files[proof], note) for bundle, proof in pairs]
    log = [key for key in read_policy(files["trust/policy"]).logs if {key.full} == {record.log for record in records}]
    demand(log, "`trust/policy` does not name the log of the bundles")
    manifest, stream = records[-1].said, records[-1].said.stream.partition("/")[2]
    demand(manifest.kind == "packet-manifest" and MANIFEST.fullmatch(manifest.form), "the manifest is no manifest")
    summed = sorted(name for name in files if re.match("blobs/|packet|trust/", name))
    sums = "".join(f"{sha256(files[name]).hex()}  {name}\n" for name in summed).encode()
    leaves = b"".join(TREE.hash_buff(record.leaf) for record in records[:-1])
    for field, size, raw in ("members", len(summed), sums), ("records", count, leaves):
        tally = {"count": size, "digest": "sha256:" + sha256(raw).hex()}
        demand(manifest.body[field] == tally, f"the manifest tells of other {field}")
    told = {"blobs": len(summed) - 3, "format": "gonogo.packet.v2", "origin": note.origin, "records": count, "stream": stream}
    trusted = canonical(note.origin)[1:-1], b64(log[0].full), b64(bytes.fromhex("302a300506032b6570032100") + log[0].raw)
    same = {"SHA256SUMS": sums, "packet.json": canonical(told).encode(), "trust/trusted_root.json": (TRUSTED % trusted).encode()}
    demand(all(files[name] == body for name, body in same.items()), f"one of {sorted(same)} is not what it must be")
    proofs = {decimal(name[12:-6]): files[name].decode().split("\n") for name in files if name.startswith("consistency/")}
    good = all(lines[-1] == "" and len(lines) <= 65 and size < note.size for size, lines in proofs.items())
    demand(good and len(proofs) <= 1024, "a consistency proof has another form, or there are too many")
    return note, log[0], records, {size: [unbase64(line, 32) for line in lines[:-1]] for size, lines in proofs.items()}

def check_tree(note, records, proofs):
    """Checks 6 and 10: each record is in the tree, and the roots of the older trees, by their sizes."""
    last, roots, tree = -1, {0: sha256(b""), note.size: note.root}, InmemoryTree("sha256")
    for record in records:
        demand(last < record.index < note.size, "INCLUSION_FAILED: leaf indexes do not ascend")
        last, root = record.index, climb(record.index, note.size - 1, TREE.hash_buff(record.leaf), record.path)[1]
        demand(root == note.root, f"INCLUSION_FAILED: leaf {last} is not in the tree")
        tree.append_entry(record.leaf)  # if every leaf is here, pymerkle's own tree of them must have the root too
    demand(len(records) < note.size or tree.get_root() == note.root, "INCLUSION_FAILED: the leaves give another root")
    for size, path in proofs.items():
        fn, sn = size - 1, note.size - 1
        if size & fn == 0:  # a power of two: the proof leaves the older root out, and leaf 0 leads to it
            path = [climb(0, fn, TREE.hash_buff(records[0].leaf), records[0].path[:fn.bit_length()])[1], *path]
        while fn & 1:
            fn, sn = fn >> 1, sn >> 1
        roots[size], root = climb(fn, sn, path[0], path[1:])
        demand(root == note.root, f"the proof from {size} leaves does not lead to the checkpoint")
    return roots

def check_signers(records):
    """Check 8 (§6); returns how many records each role signed."""
    roles, revoked, counts = {}, set(), {}
    for record in records:
        said, who, where = record.said, record.keyid, f"SIGNER_UNKNOWN: leaf {record.index}: "
        event, enrols, key = said.kind == "key-event", ENROL.fullmatch(said.form), said.body.get("keyid")
        demand(not event or said.stream == "system" and (enrols or REVOKE.fullmatch(said.form)), where + "no key event")
        if event and enrols:
            spki = unbase64(said.body["spki"], 91)
            demand(spki.startswith(P256) and sha256(spki).hex() == key and key not in roles, where + "enrolled twice, or no key")
        if not roles:
            first = event and enrols and (record.index, said.seq, key, said.body["role"]) == (0, 0, who, "controller")
            demand(first, where + "leaf 0 does not enrol the controller")
            roles[who] = "controller"
        demand(who in roles and who not in revoked, where + "its key is not enrolled, or revoked")
        may = roles[who] == "controller" or said.kind not in ("key-event", "packet-manifest")
        demand(may, where + f"a key of role `{roles[who]}` may not sign this")
        counts[roles[who]] = counts.get(roles[who], 0) + 1
        if event and enrols:
            roles[key] = said.body["role"]
        elif event and key in roles:
            revoked.add(key)
    return ", ".join(f"{role} {count}" for role, count in sorted(counts.items()))

def check_streams(records):
    """Check 9."""
    listed = {item["stream"]: (item["count"], item["head"]) for item in records[-1].said.body["streams"]}
    heads, about = {stream: (0, None) for stream in listed}, records[-1].said.stream
    good = len(listed) == len(records[-1].said.body["streams"]) and about[:7] == "packet/" and about[7:] in listed
    demand(good, "STREAM_BROKEN: a stream is listed twice, or the manifest is about another stream")
    for record in records:
        said, where = record.said, f"STREAM_BROKEN: leaf {record.index}: "
        demand(said.ledger["size"] <= record.index, where + "older than what it says that it saw")
        if record is not records[-1] and said.stream in listed:
            demand((said.seq, said.prev) == heads[said.stream], where + f"`{said.stream}` has a gap")
            heads[said.stream] = (said.seq + 1, "sha256:" + sha256(record.payload).hex())
        else:
            known = record is records[-1] or (said.stream, said.kind) == ("system", "key-event")
            demand(known, where + f"`{said.stream}` is not listed")
    demand(heads == listed, "STREAM_BROKEN: a stream has another count or head than the manifest says")

def linked(raw, log, roots):
    """Whether a kept checkpoint is one of this log's history (check 10)."""
    try:
        kept = read_note(raw)
        known = log.signed(kept) and kept.origin == log.name and kept.size in roots
    except ValueError:
        return False
    demand(not known or roots[kept.size] == kept.root, "SPLIT_VIEW: the log showed two histories: keep both checkpoints")
    return known

def verify(files, policy, since, wanted):
    """All checks (§10). Raises for exit 2; yields the name of a check, 0, 1 or 3, and what it found."""
    note, log, records, proofs = read_members(files)
    demand(log.signed(note) and log.name == note.origin, "SIGNATURE_INVALID: the log did not sign the checkpoint")
    yield ("trust", 0, log.name) if policy else ("trust", 1, "TRUST_MISSING: you named no log that you trust")
    demand(not policy or log.full in [key.full for key in policy.logs], "TRUST_MISMATCH: not the log that you trust")
    if policy and policy.quorum:
        signers = [key for key in policy.witnesses if key.signed(note)]
        met = policy.quorum(signers)
        yield "quorum", 0 if met else 3, f"{'' if met else 'QUORUM_UNMET: '}{len(signers)} witnesses cosigned"
    roots = check_tree(note, records, proofs)
    yield "signers", 0, check_signers(records)
    check_streams(records)
    if since:
        good = all([linked(raw, log, roots) for raw in since])
        yield "history", 0 if good else 3, "linked" if good else "HISTORY_UNPROVEN: a checkpoint is not linked, or not the log's"
    omitted = records[-1].said.body["omitted"]
    yield "blobs", 3 if omitted else 0, f"{'PACKET_INCOMPLETE: ' if omitted else ''}{len(omitted)} are left out"
    if wanted:
        stream = records[-1].said.stream[7:]
        release = [record.said for record in records[:-1] if re.fullmatch(re.escape(stream) + "|plan/.*", record.said.stream)]
        found = any(wanted in said.subjects - {sha256(said.stream.encode()).hex()} for said in release)
        demand(found, f"ARTIFACT_MISMATCH: no record of the release is about sha256:{wanted}")

def main(arguments):
    parser = argparse.ArgumentParser(description="Verify a gonogo evidence packet offline.")
    parser.error = lambda text: sys.exit(print(f"{parser.prog}: {text}", file=sys.stderr) or 64)
    parser.add_argument("packet", type=pathlib.Path, help="the archive, or the directory that it was unpacked into")
    trust = parser.add_mutually_exclusive_group()
    trust.add_argument("--log-key", metavar="VKEY", help="the log that you trust")
    trust.add_argument("--policy", type=pathlib.Path, help="a C2SP tlog-policy: logs and witnesses that you trust")
    parser.add_argument("--since", type=pathlib.Path, action="append", default=[], help="a checkpoint that you kept")
    parser.add_argument("--artifact", type=pathlib.Path, help="what the release must be about")
    options = parser.parse_args(arguments)
    try:
        given = options.policy.read_bytes() if options.policy else f"log {options.log_key}\nquorum none\n".encode()
        policy = None if options.policy is options.log_key is None else read_policy(given)
        since = [path.read_bytes() for path in options.since]
        wanted = options.artifact and sha256(options.artifact.read_bytes()).hex()
        raw = None if options.packet.is_dir() else options.packet.read_bytes()
    except (OSError, ValueError) as error:
        print(f"what you gave cannot be read: {ascii(str(error))}", file=sys.stderr)
        return 66 if isinstance(error, OSError) else 64 if options.policy is None else 65
    exits, skipped = {0}, {"quorum", "history", "timestamp", "artifact"}
    try:
        for name, code, text in verify(read_directory(options.packet) if raw is None else read_archive(raw), policy, since, wanted):
            print(f"{name:9} {ascii(text)[1:-1]}")
            exits.add(code)
    except Exception as error:  # whatever it is, the packet is not verified
        exits = {2}
        print(f"FAILED    {ascii(str(error) or type(error).__name__)[1:-1]}")
    code = next(code for code in (2, 3, 1, 0) if code in exits)
    print(f"{ANSWERS[code]}; not checked: time-stamps, approvals, recorded result, replay, and what you brought nothing for")
    return code

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
