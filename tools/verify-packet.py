#!/usr/bin/env python3
"""Verifies a gonogo evidence packet without gonogo's code: from docs/reference/evidence-format.md (§) alone. What has
one spelling is written again from what was read, and compared; statements are parsed after they were verified. Not
checked: what records mean (approvals, results, replay), time-stamps. Any fault is exit 2, also a missing package."""
import argparse, base64, datetime, hashlib, itertools, json, pathlib, re, struct, sys, types  # fmt: skip # noqa: E401
sys.excepthook = lambda kind, error, trace: sys.exit(print(f"cannot verify: {error!a}", file=sys.stderr) or 2)
from pymerkle.hasher import MerkleHasher  # noqa: E402
from rfc8785 import dumps  # noqa: E402
from securesystemslib.dsse import Envelope  # noqa: E402
from securesystemslib.exceptions import UnverifiedSignatureError  # noqa: E402
from securesystemslib.signer import Signature, SSlibKey  # noqa: E402

TREE, DER = MerkleHasher("sha256"), bytes.fromhex("302a300506032b6570032100")
ANSWERS = ("verified", "agrees with itself, but nobody vouches for it", "NOT verified: do not trust it", "incomplete")
HEX, COUNT, TEXT = "[0-9a-f]{64}", "(?:0|[1-9][0-9]*)", r'"(?:[^"\\]|\\.)*"'  # in canonical JSON
DIGEST, NAME = f'"sha256:{HEX}"', r'"(?:[^"\\\x7f-\x9f]|\\["\\])+"'
STREAM = r'"(?=[^"]{1,200}")[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*"'
P256 = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE[A-Za-z0-9+/]{85}[AQgw]=="  # base64 of 26 fixed bytes (§2), 04, 64 bytes
STATEMENT = re.compile(
    rf'{{"_type":"https://in-toto\.io/Statement/v1","predicate":{{"actor":{NAME},"body":{{}},"key":{NAME},"ledger":{{'
    rf'"root":{DIGEST},"size":{COUNT}}},"prev":(?:null,"seq":0|{DIGEST},"seq":[1-9][0-9]*),"stream":{STREAM},"time":'
    rf'{TEXT},"tool":{{"name":{TEXT},"version":{TEXT}}}(?:,"trace":"[A-Za-z0-9._:-]{{1,128}}")?}},"predicateType":"https://gonogo\.dev/attestation/([a-z][a-z0'
    rf'-9-]{{0,63}})/v1","subject":\[(?:{{"digest":{{"sha256":"{HEX}"}},"name":{TEXT}}},?)+\]}}')
ENROL = re.compile(f'{{"event":"enrol","keyid":"{HEX}","role":{TEXT},"spki":"{P256}","who":{TEXT}}}')
REVOKE = re.compile(f'{{"event":"revoke","keyid":"{HEX}","why":{TEXT}}}')
OMITTED = re.compile(rf'\[(?:{{"blob":{DIGEST},"reason":{TEXT}}},?)*\]')

def demand(holds, text):
    if not holds:
        raise ValueError(text)

def sha256(raw): return hashlib.sha256(raw).digest()
def digest(raw): return "sha256:" + sha256(raw).hex()
def b64(raw): return base64.b64encode(raw).decode()
def unbase64(text): return base64.b64decode(text)  # passes over other characters: compare with what is written again

def statement(raw):
    """Reads what was signed (§1). A key that stands twice, a number too large, other spellings do not come back."""
    value = json.loads(raw, parse_float=lambda text: float(text) if abs(float(text)) < 2**53 else None)
    levels = itertools.accumulate((c in b"[{") - (c in b"]}") for c in re.sub(rb'"(?:[^"\\]|\\.)*"', b"", raw))
    demand(len(raw) <= 2**20 and max(levels) < 128 and dumps(value) == raw, "a statement is too long or not canonical")
    said = value["predicate"]
    found = STATEMENT.fullmatch(dumps({**value, "predicate": {**said, "body": {}}}).decode())
    time = re.sub("^0000", "2000", said["time"])  # Python knows no year 0
    again = datetime.datetime.fromisoformat(time[:-1]).isoformat(timespec="milliseconds") + "Z"
    good = found and isinstance(said["body"], dict) and again == time and said["time"] <= "9999-12-30T22:00:00.000Z"
    demand(good and len(said["actor"].encode()) <= 200 >= len(said["key"].encode()), "a statement of another form")
    subjects = {subject["digest"]["sha256"] for subject in value["subject"]} - {sha256(said["stream"].encode()).hex()}
    return types.SimpleNamespace(**said, kind=found[1], subjects=subjects)

def climb(index, last, node, path, code="INCLUSION_FAILED"):
    """The roots of the older and the newer tree that a path leads to (RFC 9162, 2.1.3.2 and 2.1.4.2)."""
    meet, older, newer = (index ^ last).bit_length(), node, node
    good = index <= last and len(path) == meet + bin(index >> meet).count("1")
    demand(good and all(len(node) == 32 for node in path), f"{code}: a path of another form")
    for level, node in enumerate(path):
        right = level < meet and not index >> level & 1
        newer = TREE.hash_pair(newer, node) if right else TREE.hash_pair(node, newer)
        older = older if right else TREE.hash_pair(node, older)
    return older, newer

class Key:
    """A vkey (§4) of type 1, a log, or 4, a witness."""
    def __init__(self, vkey, kind=1):
        self.name, short, packed = vkey.split("+", 2)
        raw = unbase64(packed)
        self.full, self.kind, self.raw = sha256(self.name.encode() + b"\n" + raw), kind, raw[1:]
        good = re.fullmatch("[^\\s\0-\x1f\x7f-\x9f]+", self.name) and len(self.name.encode()) < 256 and len(raw) == 33
        demand(good and raw[0] == kind and (short, packed) == (self.full[:4].hex(), b64(raw)), f"no vkey: {vkey}")

    def signed(self, note):
        """Whether the note bears a signature by this key; one that does not verify spoils the note."""
        found = [raw[4:] for name, raw in note.lines if (name, raw[:4]) == (self.name, self.full[:4])]
        for raw in found:
            time, key = raw[:-64], SSlibKey(self.name, "ed25519", "ed25519", {"public": self.raw.hex()})
            head = b"cosignature/v1\ntime %d\n" % int.from_bytes(time, "big") if time else b""
            demand(len(time) == (8 if self.kind == 4 else 0) and time < b"\x80", f"SIGNATURE_INVALID: {self.name}")
            key.verify_signature(Signature(self.name, raw[-64:].hex()), head + note.text)
        return bool(found)

def read_note(raw):
    """A checkpoint: a signed note of three lines (§4)."""
    text, _, signatures = raw.decode().partition("\n\n")
    origin, size, root = text.split("\n")
    size, root, lines = int(size), unbase64(root), re.findall("— ([^\\s+\0-\x1f]+) (.+)\n", signatures)
    text, lines = f"{origin}\n{size}\n{b64(root)}\n", [(name, unbase64(packed)) for name, packed in lines]
    again = text + "\n" + "".join(f"— {name} {b64(packed)}\n" for name, packed in lines)
    good = again.encode() == raw and size < 2**63 and len(root) == 32 and (size or root == sha256(b""))
    demand(good and len(lines) <= 64 and all(len(packed) > 4 for _, packed in lines), "a checkpoint of another form")
    return types.SimpleNamespace(text=text.encode(), origin=origin, size=size, root=root, lines=lines, raw=again)

def read_policy(raw):
    """A C2SP tlog-policy (§5): logs, witnesses, and a function that says whether signers are the quorum, or None."""
    logs, witnesses, named, free, quorums = [], [], {"none": None}, {}, []
    demand(len(raw) <= 2**18 and re.fullmatch(b"[^\0-\x08\x0b-\x1f\x7f]*\n", raw), "not the text of a policy")
    for line in raw.decode().split("\n"):
        kind, *words = re.findall("[^ \t]+", line) or ["#"]
        if kind == "log" and len(words) in (1, 2):
            logs.append(Key(words[0], 1))
        elif kind == "witness" and len(words) in (2, 3) and words[0] not in named:
            witnesses.append(Key(words[1], 4))
            named[words[0]] = free[words[0]] = lambda signers, key=witnesses[-1]: key in signers
        elif kind == "group" and len(words) > 2 and words[0] not in named:
            least = {"any": 1, "all": len(words) - 2, **{str(n): n for n in range(1, len(words) - 1)}}.get(words[1])
            held = [free.pop(member, None) for member in words[2:]]
            demand(least and all(held), f"a group cannot be as it is written: `{line[:60]}`")
            named[words[0]] = free[words[0]] = lambda signers, m=held, k=least: sum(met(signers) for met in m) >= k
        elif kind == "quorum" and len(words) == 1 and words[0] in named:
            quorums.append(named[words[0]])
        else:
            demand(kind[0] == "#", f"`{line[:60]}` is no line of a policy")
    keys, groups = [key.raw for key in logs + witnesses], len(named) - 1 - len(witnesses)
    good = len(set(keys)) == len(keys) and len(quorums) == 1 and max(len(logs), len(witnesses), groups) <= 256
    demand(good, "a policy has too many keys, one twice, or no quorum")
    return types.SimpleNamespace(logs=logs, witnesses=witnesses, quorum=quorums[0])

def read_archive(raw):
    """The members of an archive; each header is written again (§9)."""
    files, at, before, zero = {}, 0, b"", b"0000000"
    while any(raw[at:at + 512]):
        name, size = raw[at:at + 100].rstrip(b"\0"), int(b"0" + raw[at + 124:at + 135], 8)
        head = struct.pack("100s8s8s8s12s12s8s1s100x8s64x8s8s167x", name, b"0000644", zero, zero, b"%011o" % size,
                           b"0" * 11, b" " * 8, b"0", b"ustar\x0000", zero, zero)
        head, body = head[:148] + b"%06o\0 " % sum(head) + head[156:], raw[at + 512:at + 512 + size]
        whole = head + body + bytes(-size % 512)
        demand(raw[at:at + len(whole)] == whole and name > before, "the archive has not its one form")
        files[name.decode("latin-1")], before, at = body, name, at + len(whole)
    demand(raw[at:] == bytes(1024), "the archive has another end")
    return files

def read_directory(path):
    found = [(entry.relative_to(path), entry) for entry in path.rglob("*")]
    plain = all(not e.is_symlink() and (e.is_file() or len(name.parts) < 3 and [*e.iterdir()] is not None)
                for name, e in found)  # `iterdir` raises if that is no directory, or cannot be read
    demand(plain, "the directory holds what is no file of a packet")
    return {name.as_posix(): entry.read_bytes() for name, entry in found if entry.is_file()}

def read_record(raw, proof, note):
    """A bundle (§7), its proof (§8) and leaf (§3), written again; its signature; then what was signed (§2)."""
    told = json.loads(raw)
    (entry,), sent = told["verificationMaterial"]["tlogEntries"], told["dsseEnvelope"]
    payload, sig, leaf = map(unbase64, (sent["payload"], sent["signatures"][0]["sig"], entry["canonicalizedBody"]))
    log, index, hashes = entry["logId"]["keyId"], int(entry["logIndex"]), entry["inclusionProof"]["hashes"]
    path, spki = [unbase64(node) for node in hashes], re.search(f'"rawBytes":"({P256})"', leaf.decode())[1]
    parts = [b"ecdsa-sha2-nistp256", b"nistp256", unbase64(spki)[26:]]  # OpenSSH's form of the key, for its fingerprint
    mark = "SHA256:" + b64(sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)))[:-1]
    pae, hashes = Envelope(payload, "application/vnd.in-toto+json", {}).pae(), [b64(node) for node in path]
    body = {"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": {
        "data": {"algorithm": "SHA2_256", "digest": b64(sha256(pae))}, "signature": {"content": b64(sig), "verifier": {
            "keyDetails": "PKIX_ECDSA_P256_SHA_256", "publicKey": {"rawBytes": spki}}}}}}
    entry = {"canonicalizedBody": b64(leaf), "integratedTime": "0", "logId": {"keyId": log}, "logIndex": str(index),
             "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"}, "inclusionProof": {
                 "checkpoint": {"envelope": note.raw}, "hashes": hashes, "logIndex": str(index),
                 "rootHash": b64(note.root), "treeSize": str(note.size)}}
    bundle = {"dsseEnvelope": {"payload": b64(payload), "payloadType": "application/vnd.in-toto+json", "signatures": [
        {"keyid": mark, "sig": b64(sig)}]}, "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": mark}, "tlogEntries": [entry]}}
    lines = "\n".join(["c2sp.org/tlog-proof@v1", f"index {index}", *hashes, "", note.raw]).encode()
    demand((dumps(body), dumps(bundle), lines) == (leaf, raw, proof), f"leaf {index}: another leaf, bundle or proof")
    start, name = TREE.hash_buff(leaf), sha256(unbase64(spki)).hex()
    demand(climb(index, note.size - 1, start, path)[1] == note.root, f"INCLUSION_FAILED: leaf {index}: another root")
    pem = f"-----BEGIN PUBLIC KEY-----\n{spki}\n-----END PUBLIC KEY-----\n"
    SSlibKey(name, "ecdsa", "ecdsa-sha2-nistp256", {"public": pem}).verify_signature(Signature(name, sig.hex()), pae)
    return types.SimpleNamespace(said=statement(payload), keyid=name, digest=digest(payload), hash=start, log=log,
                                 index=index, path=path)

def read_members(files):
    """Members (§9, checks 1 and 2): the checkpoint, the packet's log, the records, and consistency proofs by size."""
    count = len([name for name in files if re.match("records/[0-9]{6}[.]", name)])
    pairs = [(f"records/{n:06}.sigstore.json", f"proofs/{n:06}.tlog-proof") for n in range(count)]
    pairs.append(("manifest.sigstore.json", "proofs/manifest.tlog-proof"))
    needed = {"SHA256SUMS", "checkpoint", "packet.json", "trust/policy", "trust/trusted_root.json"}.union(*pairs)
    optional = rf"blobs/sha256/{HEX}|checkpoint\.tsr|consistency/[1-9][0-9]*\.proof"
    added = [name for name in files if name not in needed and not re.fullmatch(optional, name)]
    demand(needed <= files.keys(), f"PACKET_MEMBER_MISSING: {sorted(needed - files.keys())[:3]}")
    demand(not added, f"PACKET_MEMBER_ADDED: {added[:3]}")
    note = read_note(files["checkpoint"])
    records = [read_record(files[bundle], files[proof], note) for bundle, proof in pairs]
    named = {b64(key.full): key for key in read_policy(files["trust/policy"]).logs}
    log, said, body = named.get(records[-1].log), records[-1].said, records[-1].said.body
    demand(log and len({record.log for record in records}) == 1, "`trust/policy` does not name the log of the bundles")
    demand(all(a.index < b.index for a, b in zip(records, records[1:])), "INCLUSION_FAILED: indexes do not ascend")
    summed = sorted(name for name in files if re.match("blobs/|packet|trust/", name))
    sums = "".join(f"{sha256(files[name]).hex()}  {name}\n" for name in summed).encode()
    told = {"format": "gonogo.packet.v2", "members": {"count": len(summed), "digest": digest(sums)}, "omitted":
            body["omitted"], "records": {"count": count, "digest": digest(b"".join(r.hash for r in records[:-1]))},
            "streams": body["streams"], "verdict": str(body["verdict"])}
    good = said.kind == "packet-manifest" and OMITTED.fullmatch(dumps(body["omitted"]).decode())
    demand(good and dumps(told) == dumps(body), "the manifest has another form, or is of other members")
    proofs = {int(n[12:-6]): [unbase64(x) for x in files[n].split(b"\n")[:-1]] for n in files if n[:4] == "cons"}
    told = {"blobs": len(summed) - 3, "format": "gonogo.packet.v2", "origin": note.origin, "records": count}
    spki = {"keyDetails": "PKIX_ED25519", "rawBytes": b64(DER + log.raw), "validFor": {"start": "1970-01-01T00:00:00Z"}}
    entry = {"baseUrl": "https://" + note.origin, "hashAlgorithm": "SHA2_256", "logId": {"keyId": b64(log.full)}}
    trusted = {"certificateAuthorities": [], "ctlogs": [], "timestampAuthorities": [], "tlogs": [
        {**entry, "publicKey": spki}], "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}
    again = {f"consistency/{n}.proof": "".join(b64(x) + "\n" for x in path).encode() for n, path in proofs.items()}
    again.update({"SHA256SUMS": sums, "packet.json": dumps({**told, "stream": said.stream[7:]}),
                  "trust/trusted_root.json": dumps(trusted)})
    wrong = [name for name, body in files.items() if again.get(name, body) != body or name[:6] == "blobs/" and
             name[13:] != sha256(body).hex() or name[:10] == "checkpoint" and len(body) > 2**18]
    demand(not wrong and len(proofs) <= 1024, f"not what they must be, too long or too many: {wrong[:3]}")
    return note, log, records, proofs

def older_roots(note, first, proofs):
    """The roots of the trees that are linked to the checkpoint, by their sizes (§8, check 10)."""
    roots = {0: sha256(b""), note.size: note.root}
    for size, path in proofs.items():
        fn, sn = size - 1, note.size - 1
        if size & fn == 0:  # a power of two: the proof leaves the older root out, and leaf 0 leads to it
            path = [climb(0, fn, first.hash, first.path[:fn.bit_length()], "PACKET_CORRUPT")[1], *path]
        while fn & 1:
            fn, sn = fn >> 1, sn >> 1
        roots[size], root = climb(fn, sn, path[0], path[1:], "PACKET_CORRUPT")
        demand(root == note.root and size < note.size, f"`consistency/{size}.proof` does not lead to the checkpoint")
    return roots

def check_records(records):
    """Checks 8 (§6) and 9, in the order of leaves; returns the roles that signed, for whoever wants to judge them."""
    roles, about = {}, records[-1].said
    heads = {item["stream"]: (0, None) for item in about.body["streams"]}
    for record in records:
        said, body, who, form = record.said, record.said.body, record.keyid, dumps(record.said.body).decode()
        event, key, role, good = said.kind == "key-event", body.get("keyid"), body.get("role"), True
        if event:
            enrols = ENROL.fullmatch(form) and sha256(unbase64(body["spki"])).hex() == key and key not in roles
            good = said.stream == "system" and (enrols or REVOKE.fullmatch(form))
        first = (event, record.index, said.seq, key, role) == (True, 0, 0, who, "controller")
        signer = role if first else roles.get(who)  # none: not enrolled, or revoked
        good = good and (signer == "controller" or signer is not None and not event and said.kind != "packet-manifest")
        demand(good, f"SIGNER_UNKNOWN: leaf {record.index}: no good key event, or its key may not sign it")
        said.role = signer
        if event and (role is not None or key in roles):
            roles[key] = role
        good = event or said is about
        if said.stream in heads and said is not about:
            good = (said.seq, said.prev) == heads[said.stream]
            heads[said.stream] = (said.seq + 1, record.digest)
        demand(good and said.ledger["size"] <= record.index, f"STREAM_BROKEN: leaf {record.index}: a gap, or too young")
    told = [{"count": count, "head": head, "stream": stream} for stream, (count, head) in heads.items() if count]
    good = dumps(told) == dumps(about.body["streams"]) and about.stream[:7] == "packet/" and about.stream[7:] in heads
    demand(good, "STREAM_BROKEN: the manifest is about other streams")
    return ", ".join(sorted({record.said.role for record in records}))

def verify(files, policy, since, wanted):
    """All checks (§10). Raises for exit 2; yields the other exit codes, and what was found."""
    note, log, records, proofs = read_members(files)
    demand(log.signed(note) and log.name == note.origin, "SIGNATURE_INVALID: the log did not sign the checkpoint")
    demand(not policy or log.full in [key.full for key in policy.logs], "TRUST_MISMATCH: not the log that you trust")
    yield (0, f"log {log.name}, {note.size} leaves") if policy else (1, "TRUST_MISSING: you named no log to trust")
    if policy and policy.quorum:
        signers = [key for key in policy.witnesses if key.signed(note)]
        yield (0, "the quorum cosigned") if policy.quorum(signers) else (3, f"QUORUM_UNMET: {len(signers)} cosigned")
    roots, about = older_roots(note, records[0], proofs), records[-1].said
    yield 0, f"signed by the roles {check_records(records)}"
    for raw in since:
        try:
            kept = read_note(raw)
            known = log.signed(kept) and kept.origin == log.name and kept.size in roots
        except Exception:  # it is no note, or its signature does not verify
            known = False
        demand(not known or roots[kept.size] == kept.root, "SPLIT_VIEW: two histories: keep both checkpoints")
        yield (0, "linked to what you kept") if known else (3, "HISTORY_UNPROVEN: what you kept is not linked")
    yield (3, "PACKET_INCOMPLETE: blobs are left out") if about.body["omitted"] else (0, "no blob is left out")
    told = [record.said for record in records]
    head = next(said for said in told if said.stream == about.stream[7:])
    plans = [said for said in told[:told.index(head)] if said.kind + "/" == "plan/" == said.stream[:5]]
    linked = any(wanted in said.subjects and said.subjects & head.subjects for said in [*plans, head])
    demand(not wanted or linked and head.role == "controller", f"ARTIFACT_MISMATCH: the release is not about {wanted}")

def main(arguments):
    parser = argparse.ArgumentParser(description="Verify a gonogo evidence packet (an archive or a directory) offline.")
    parser.error = lambda text: parser.exit(64, f"{parser.prog}: {text}\n")
    parser.add_argument("packet", type=pathlib.Path)
    trust = parser.add_mutually_exclusive_group()
    trust.add_argument("--log-key", type=Key, metavar="VKEY", help="the log that you trust")
    trust.add_argument("--policy", type=pathlib.Path, help="a C2SP tlog-policy: logs and witnesses that you trust")
    parser.add_argument("--since", type=pathlib.Path, action="append", default=[], help="a checkpoint that you kept")
    parser.add_argument("--artifact", type=pathlib.Path, help="what the release must be about")
    options, exits, fault = parser.parse_args(arguments), {0}, 65  # `fault`: the exit if what comes next fails
    try:
        policy = options.log_key and types.SimpleNamespace(logs=[options.log_key], quorum=None)
        policy = read_policy(options.policy.read_bytes()) if options.policy else policy
        since = [path.read_bytes() for path in options.since]
        wanted = options.artifact and sha256(options.artifact.read_bytes()).hex()
        raw, fault = None if options.packet.is_dir() else options.packet.read_bytes(), 2
        files = read_directory(options.packet) if raw is None else read_archive(raw)
        for code, text in verify(files, policy, since, wanted):
            exits.add(code)
            print(("ok    " if code == 0 else "hold  ") + ascii(text)[1:-1])
    except Exception as error:  # whatever it is, nothing is verified
        if fault > 2:
            parser.exit(66 if isinstance(error, OSError) else fault, f"{parser.prog}: cannot read: {error!a}\n")
        exits.add(2)
        sort = "SIGNATURE_INVALID" if isinstance(error, UnverifiedSignatureError) else "PACKET_CORRUPT"
        print("FAIL ", ascii(str(error) if re.match("[A-Z_]+: ", str(error)) else f"{sort}: {error}")[1:-1])
    code = next(code for code in (2, 3, 1, 0) if code in exits)
    return print(f"{ANSWERS[code]}; not checked: time-stamps, what records mean, and what you gave nothing for") or code

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
