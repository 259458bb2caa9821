#!/usr/bin/env python3
"""Verifies a gonogo evidence packet, without gonogo's code: from docs/reference/evidence-format.md (§) alone. JSON is
parsed only after its signature verified; what has one spelling is compared with it. Not checked: what records mean
(approvals, results, replay), and time-stamps. The first failure of exit 2 ends the work, foreseen or not."""
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
ANSWERS = ("verified", "agrees with itself, but nobody vouches for it", "NOT verified: do not trust it", "incomplete")
KINDS = {  # of values in canonical JSON; each may use those after it
    "ITEM": '{"blob":DIGEST,"reason":TEXT}', "HEAD": '{"count":COUNT,"head":DIGEST,"stream":STREAM}',
    "SUBJECT": '{"digest":{"sha256":"HEX"},"name":TEXT}', "TALLY": '{"count":COUNT,"digest":DIGEST}',
    "DIGEST": '"sha256:HEX"', "HEX": "[0-9a-f]{64}", "B64": "[A-Za-z0-9+/=]*", "COUNT": "(?:0|[1-9][0-9]*)",
    "TEXT": r'"(?:[^"\\]|\\.)*"', "STREAM": r'"(?=[^"]{1,200}")[\w.-]+(?:/[\w.-]+)*"',
}  # fmt: skip

def shape(text):
    for name, pattern in KINDS.items():
        text = text.replace(name, pattern)
    return re.compile(text, re.A)

NAMES = shape(r"blobs/sha256/HEX|checkpoint\.tsr|consistency/[1-9][0-9]*\.proof|proofs/[0-9]{6}\.tlog-proof|"
              r"records/[0-9]{6}\.sigstore\.json|" + "|".join(map(re.escape, FIXED)))
STATEMENT = shape(
    r'{"_type":"https://in-toto\.io/Statement/v1","predicate":{"actor":TEXT,"key":TEXT,"ledger":{"root":DIGEST,"size":C'
    r'OUNT},"prev":(?:null,"seq":0|DIGEST,"seq":[1-9][0-9]*),"stream":STREAM,"time":TEXT,"tool":{"name":TEXT,"version":'
    r'TEXT}},"predicateType":"https://gonogo\.dev/attestation/([a-z][a-z0-9-]{0,63})/v1","subject":\[SUBJECT(?:,SUBJECT'
    r')*\]}')
ENROL = shape('{"event":"enrol","keyid":"HEX","role":TEXT,"spki":"B64","who":TEXT}')
REVOKE = shape('{"event":"revoke","keyid":"HEX","why":TEXT}')
MANIFEST = shape(r'{"format":"gonogo\.packet\.v2","members":TALLY,"omitted":\[(?:ITEM(?:,ITEM)*)?\],"records":TALLY,'
                 r'"streams":\[(?:HEAD(?:,HEAD)*)?\],"verdict":TEXT}')
LEAF = shape(
    r'{"apiVersion":"0\.0\.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":"SHA2_256","digest"'
    r':"(B64)"},"signature":{"content":"(B64)","verifier":{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":{"rawByte'
    r's":"(B64)"}}}}}}')
BUNDLE = shape(
    r'{"dsseEnvelope":{"payload":"(B64)","payloadType":"application/vnd\.in-toto\+json","signatures":\[{"keyid":"(.{50}'
    r')","sig":"(B64)"}\]},"mediaType":"application/vnd\.dev\.sigstore\.bundle\.v0\.3\+json","verificationMaterial":{"p'
    r'ublicKey":{"hint":"\2"},"tlogEntries":\[{"canonicalizedBody":"(B64)","inclusionProof":{"checkpoint":{"envelope":('
    r'TEXT)},"hashes":\[((?:"B64",?)*)\],"logIndex":"(COUNT)","rootHash":"(B64)","treeSize":"(COUNT)"},"integratedTime"'
    r':"0","kindVersion":{"kind":"hashedrekord","version":"0\.0\.2"},"logId":{"keyId":"(B64)"},"logIndex":"\7"}\]}}')
TRUSTED = (
    '{"certificateAuthorities":[],"ctlogs":[],"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","'
    'timestampAuthorities":[],"tlogs":[{"baseUrl":"https://%s","hashAlgorithm":"SHA2_256","logId":{"keyId":"%s"},"publi'
    'cKey":{"keyDetails":"PKIX_ED25519","rawBytes":"%s","validFor":{"start":"1970-01-01T00:00:00Z"}}}]}')

def demand(holds, text):
    if not holds:
        raise ValueError(text if re.match("[A-Z_]+: ", text) else "PACKET_CORRUPT: " + text)

def sha256(raw): return hashlib.sha256(raw).digest()
def b64(raw): return base64.b64encode(raw).decode()

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
    demand(isinstance(value, (str, type(None))) or abs(value) < 2**53, "a number is beyond 2^53 - 1, or not finite")
    if not isinstance(value, float):
        return json.dumps(value, ensure_ascii=False)
    exact = Decimal(repr(value or 0)).normalize()
    return format(exact, "f" if exact.adjusted() > -7 else "e")

def statement(raw):
    """Reads what was signed (§1). A key that stands twice and other spellings do not come back as they were."""
    value = json.loads(raw.decode())
    demand(len(raw) <= 2**20 and canonical(value).encode() == raw, "a statement is too long, or not canonical")
    said, body = value["predicate"], value["predicate"].pop("body")
    found, time = STATEMENT.fullmatch(canonical(value)), re.sub("^0000", "2000", said["time"])  # Python knows no year 0
    again = datetime.datetime.fromisoformat(time[:-1]).isoformat(timespec="milliseconds") + "Z"
    good = found and isinstance(body, dict) and again == time and said["time"] <= "9999-12-30T22:00:00.000Z"
    texts = [re.sub("[\0-\x1f\x7f-\x9f]", "x" * 201, said[name]).encode() for name in ("actor", "key")]
    demand(good and all(1 <= len(text) <= 200 for text in texts), "a statement has not the form of section 1")
    subjects = {subject["digest"]["sha256"] for subject in value["subject"]} - {sha256(said["stream"].encode()).hex()}
    return SimpleNamespace(**said, kind=found[1], body=body, form=canonical(body), subjects=subjects)

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
        named = len(self.name.encode()) < 256 and re.fullmatch("[^\\s\0-\x1f\x7f-\x9f]+", self.name)
        demand(named and short == self.full[:4].hex() and raw[0] == kind, f"`{vkey}` is no key of type {kind}")

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
    pattern = "(([^\0-\x1f]+)\n(.+)\n(.+)\n)\n((?:— [^\\s+\0-\x1f]+ [A-Za-z0-9+/=]+\n){1,64})"
    found = re.fullmatch(pattern, raw.decode())
    demand(found, "not a checkpoint: three lines, an empty one, and up to 64 signatures")
    size, root, lines = decimal(found[3]), unbase64(found[4], 32), re.findall("— (.+) (.+)\n", found[5])
    lines = [(name, unbase64(signature)) for name, signature in lines]
    good = all(len(raw) > 4 for _, raw in lines) and (size or root == sha256(b""))
    demand(good, "an empty signature, or a wrong root")
    return SimpleNamespace(text=found[1].encode(), origin=found[2], size=size, root=root, lines=lines, raw=raw.decode())

def read_policy(raw):
    """A C2SP tlog-policy (§5): logs, witnesses, and a function that says whether signers are the quorum, or None."""
    logs, named, taken, quorums = [], {"none": None}, [], []
    demand(len(raw) <= 2**18 and re.fullmatch(b"[^\0-\x08\x0b-\x1f\x7f]*\n", raw), "not the text of a policy")
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
        size = int(b"0" + raw[at + 124:at + 135], 8)
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
    pae, index = Envelope(payload, "application/vnd.in-toto+json", {}).pae(), decimal(found[7])
    context = (canonical(note.raw), ",".join(f'"{b64(node)}"' for node in path), b64(note.root), str(note.size))
    demand(found.group(5, 6, 8, 9) == context and len(path) <= 64, "a bundle has another checkpoint or no path")
    lines = ["c2sp.org/tlog-proof@v1", f"index {index}", *map(b64, path), "", note.raw]
    demand(proof == "\n".join(lines).encode(), f"the proof of leaf {index} is not what follows from its bundle")
    inner = LEAF.fullmatch(leaf.decode())
    demand(inner and inner.group(1, 2) == (b64(sha256(pae)), found[3]), f"leaf {index} is of another record")
    spki, pem = unbase64(inner[3], 91), f"-----BEGIN PUBLIC KEY-----\n{inner[3]}\n-----END PUBLIC KEY-----\n"
    parts = [b"ecdsa-sha2-nistp256", b"nistp256", spki[26:]]  # OpenSSH's form of the key, for its fingerprint (§2)
    name = "SHA256:" + b64(sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)))[:-1]
    demand(spki.startswith(P256) and name == found[2], "SIGNATURE_INVALID: a bundle names another key than its leaf")
    check("ecdsa", "ecdsa-sha2-nistp256", pem, unbase64(found[3]), pae, f"leaf {index}")
    names = {"digest": "sha256:" + sha256(payload).hex(), "hash": TREE.hash_buff(leaf), "log": log, "path": path}
    return SimpleNamespace(said=statement(payload), leaf=leaf, index=index, keyid=sha256(spki).hex(), **names)

def read_members(files):
    """Members (§9, checks 1 and 2): the checkpoint, the packet's log, the records, and consistency proofs by size."""
    for name, body in files.items():
        demand(NAMES.fullmatch(name), f"PACKET_MEMBER_ADDED: {name}")
        demand(name[:6] != "blobs/" or sha256(body).hex() == name[13:], f"`{name}` has another digest")
        demand(len(body) <= 2**18 or not re.match("checkpoint|packet|trust", name), f"`{name}` is too long")
    count = sum(name.startswith("records/") for name in files)
    pairs = [(f"records/{n:06}.sigstore.json", f"proofs/{n:06}.tlog-proof") for n in range(count)]
    pairs.append(("manifest.sigstore.json", "proofs/manifest.tlog-proof"))
    missing = sorted(FIXED.union(*pairs) - files.keys())
    demand(not missing, f"PACKET_MEMBER_MISSING: {missing[:3]}")
    demand(sum(name.startswith("proofs/") for name in files) == count + 1, "PACKET_MEMBER_ADDED: a proof of no record")
    note = read_note(files["checkpoint"])
    records = [read_record(files[bundle], files[proof], note) for bundle, proof in pairs]
    logs, said = read_policy(files["trust/policy"]).logs, records[-1].said
    log = next(iter(key for key in logs if {key.full} == {record.log for record in records}), None)
    demand(log, "`trust/policy` does not name the log of the bundles")
    demand(said.kind == "packet-manifest" and MANIFEST.fullmatch(said.form), "the manifest is no manifest")
    summed = sorted(name for name in files if re.match("blobs/|packet|trust/", name))
    sums = "".join(f"{sha256(files[name]).hex()}  {name}\n" for name in summed).encode()
    leaves = b"".join(record.hash for record in records[:-1])
    for field, size, raw in ("members", len(summed), sums), ("records", count, leaves):
        tally = {"count": size, "digest": "sha256:" + sha256(raw).hex()}
        demand(said.body[field] == tally, f"the manifest tells of other {field}")
    told = {"blobs": len(summed) - 3, "format": "gonogo.packet.v2", "origin": note.origin, "records": count}
    told = canonical({**told, "stream": said.stream.partition("/")[2]}).encode()
    key = b64(bytes.fromhex("302a300506032b6570032100") + log.raw)
    trusted = (TRUSTED % (canonical(note.origin)[1:-1], b64(log.full), key)).encode()
    for name, body in ("SHA256SUMS", sums), ("packet.json", told), ("trust/trusted_root.json", trusted):
        demand(files[name] == body, f"`{name}` is not what it must be")
    proofs = {decimal(name[12:-6]): body.decode().split("\n") for name, body in files.items() if name[:4] == "cons"}
    good = all(lines[-1] == "" and len(lines) <= 65 and size < note.size for size, lines in proofs.items())
    demand(good and len(proofs) <= 1024, "a consistency proof has another form, or there are too many")
    return note, log, records, {size: [unbase64(line, 32) for line in proofs[size][:-1]] for size in proofs}

def check_tree(note, records, proofs):
    """Checks 6 and 10: each record is in the tree; returns the roots of older trees, by their sizes."""
    last, roots, tree = -1, {0: sha256(b""), note.size: note.root}, InmemoryTree("sha256")
    for record in records:
        demand(last < record.index < note.size, "INCLUSION_FAILED: leaf indexes do not ascend")
        last, root = record.index, climb(record.index, note.size - 1, record.hash, record.path)[1]
        demand(root == note.root, f"INCLUSION_FAILED: leaf {last} is not in the tree")
        tree.append_entry(record.leaf)  # if every leaf is here, pymerkle's own tree of them must have the root too
    demand(len(records) < note.size or tree.get_root() == note.root, "INCLUSION_FAILED: the leaves give another root")
    for size, path in proofs.items():
        fn, sn = size - 1, note.size - 1
        if size & fn == 0:  # a power of two: the proof leaves the older root out, and leaf 0 leads to it
            path = [climb(0, fn, records[0].hash, records[0].path[:fn.bit_length()])[1], *path]
        while fn & 1:
            fn, sn = fn >> 1, sn >> 1
        roots[size], root = climb(fn, sn, path[0], path[1:])
        demand(root == note.root, f"the proof from {size} leaves does not lead to the checkpoint")
    return roots

def check_records(records):
    """Checks 8 (§6) and 9, in the order of leaves; returns the roles that signed, for whoever wants to judge them."""
    roles, revoked, about = {}, set(), records[-1].said
    listed = {item["stream"]: (item["count"], item["head"]) for item in about.body["streams"]}
    heads = {stream: (0, None) for stream in listed}
    good = len(listed) == len(about.body["streams"]) and about.stream[:7] == "packet/" and about.stream[7:] in listed
    demand(good, "STREAM_BROKEN: a stream is listed twice, or the manifest is about another stream")
    for record in records:
        said, body, who, where = record.said, record.said.body, record.keyid, f"leaf {record.index}: "
        event, enrols = said.kind == "key-event", said.kind == "key-event" and ENROL.fullmatch(said.form)
        good = not event or said.stream == "system" and (enrols or REVOKE.fullmatch(said.form))
        if good and enrols:
            spki = unbase64(body["spki"], 91)
            good = spki.startswith(P256) and sha256(spki).hex() == body["keyid"] not in roles
        demand(good, f"SIGNER_UNKNOWN: {where}no good key event, or a second enrolment")
        if enrols and not roles and (record.index, said.seq, body["keyid"], body["role"]) == (0, 0, who, "controller"):
            roles[who] = "controller"
        demand(who in roles and who not in revoked, f"SIGNER_UNKNOWN: {where}its key is not enrolled, or revoked")
        good = roles[who] == "controller" or said.kind not in ("key-event", "packet-manifest")
        demand(good, f"SIGNER_UNKNOWN: {where}role `{roles[who]}` may not sign this")
        if enrols:
            roles[body["keyid"]] = body["role"]
        elif event and body["keyid"] in roles:
            revoked.add(body["keyid"])
        good = said is about or (said.stream, said.kind) == ("system", "key-event")
        if said is not about and said.stream in listed:
            good = (said.seq, said.prev) == heads[said.stream]
            heads[said.stream] = (said.seq + 1, record.digest)
        good = good and said.ledger["size"] <= record.index
        demand(good, f"STREAM_BROKEN: {where}a gap, a stream that is not listed, or it saw what is younger")
    demand(heads == listed, "STREAM_BROKEN: a stream has another count or head than the manifest says")
    return ", ".join(sorted({roles[record.keyid] for record in records}))

def verify(files, policy, since, wanted):
    """All checks (§10). Raises for exit 2; yields the other exit codes, and what was found."""
    note, log, records, proofs = read_members(files)
    demand(log.signed(note) and log.name == note.origin, "SIGNATURE_INVALID: the log did not sign the checkpoint")
    demand(not policy or log.full in [key.full for key in policy.logs], "TRUST_MISMATCH: not the log that you trust")
    yield (0, f"log {log.name}, {note.size} leaves") if policy else (1, "TRUST_MISSING: you named no log to trust")
    if policy and policy.quorum:
        signers = [key for key in policy.witnesses if key.signed(note)]
        yield (0, "the quorum cosigned") if policy.quorum(signers) else (3, f"QUORUM_UNMET: {len(signers)} cosigned")
    roots = check_tree(note, records, proofs)
    yield 0, f"signed by the roles {check_records(records)}"
    for raw in since:
        try:
            kept = read_note(raw)
            known = log.signed(kept) and kept.origin == log.name and kept.size in roots
        except ValueError:
            known = False
        demand(not known or roots[kept.size] == kept.root, "SPLIT_VIEW: two histories: keep both checkpoints")
        yield (0, "linked to what you kept") if known else (3, "HISTORY_UNPROVEN: what you kept is not linked")
    if records[-1].said.body["omitted"]:
        yield 3, "PACKET_INCOMPLETE: blobs are left out"
    own = re.escape(records[-1].said.stream[7:])
    release = [record.said for record in records[:-1] if re.match(f"{own}$|plan/", record.said.stream)]
    found = not wanted or any(wanted in said.subjects for said in release)
    demand(found, f"ARTIFACT_MISMATCH: no record of the release is about sha256:{wanted}")

def main(arguments):
    parser = argparse.ArgumentParser(description="Verify a gonogo evidence packet (an archive or a directory) offline.")
    parser.error = lambda text: sys.exit(print(f"{parser.prog}: {text}", file=sys.stderr) or 64)
    parser.add_argument("packet", type=pathlib.Path)
    trust = parser.add_mutually_exclusive_group()
    trust.add_argument("--log-key", metavar="VKEY", help="the log that you trust")
    trust.add_argument("--policy", type=pathlib.Path, help="a C2SP tlog-policy: logs and witnesses that you trust")
    parser.add_argument("--since", type=pathlib.Path, action="append", default=[], help="a checkpoint that you kept")
    parser.add_argument("--artifact", type=pathlib.Path, help="what the release must be about")
    options, exits = parser.parse_args(arguments), {0}
    try:
        given = options.policy.read_bytes() if options.policy else f"log {options.log_key}\nquorum none\n".encode()
        policy = None if options.policy is options.log_key is None else read_policy(given)
        since = [path.read_bytes() for path in options.since]
        wanted = options.artifact and sha256(options.artifact.read_bytes()).hex()
        raw = None if options.packet.is_dir() else options.packet.read_bytes()
    except (OSError, ValueError) as error:
        print(f"what you gave cannot be read: {ascii(str(error))}", file=sys.stderr)
        return 66 if isinstance(error, OSError) else 64 if options.policy is None else 65
    try:
        files = read_directory(options.packet) if raw is None else read_archive(raw)
        for code, text in verify(files, policy, since, wanted):
            exits.add(code)
            print(("ok    " if code == 0 else "hold  ") + ascii(text)[1:-1])
    except Exception as error:  # whatever it is, the packet is not verified
        exits.add(2)
        print(f"FAIL  {ascii(str(error) or type(error).__name__)[1:-1]}")
    code = next(code for code in (2, 3, 1, 0) if code in exits)
    print(f"{ANSWERS[code]}; not checked: time-stamps, approvals, result, replay, and what you brought nothing for")
    return code

if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Exception as failure:  # Python's own exit code for this would be 1, which means something else here
        sys.exit(print(f"cannot verify: {ascii(failure)}", file=sys.stderr) or 2)
