"""Makes small packets with keys of its own, in order or out of order in one chosen way: what `agree.py` compares verifiers by.

Every maker of a part takes a hook, so that a case says in one line what it does differently.
"""
import importlib.util
import json
import os
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from rfc8785 import dumps

HERE = os.path.dirname(os.path.abspath(__file__))
SPEC = importlib.util.spec_from_file_location("verify_packet", os.path.join(HERE, "verify-packet.py"))
verifier = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(verifier)
sys.excepthook = sys.__excepthook__  # the verifier set one of its own
b64, unbase64, sha256 = verifier.b64, verifier.unbase64, verifier.sha256
ORIGIN = "log.example"


class Signer:
    """A P-256 key for records. Made of a number, so that a run can be repeated."""
    def __init__(self, number, high=False):
        self.key = ec.derive_private_key(number, ec.SECP256R1())
        self.spki = self.key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.keyid = sha256(self.spki).hex()

    def fingerprint(self):
        parts = [b"ecdsa-sha2-nistp256", b"nistp256", self.spki[26:]]
        return "SHA256:" + b64(sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts))).rstrip("=")

    def sign(self, message):
        return self.key.sign(message, ec.ECDSA(hashes.SHA256()))


class NoteKey:
    """An Ed25519 key of a log (kind 1) or a witness (kind 4)."""
    def __init__(self, name, number, kind=1):
        self.name, self.kind = name, kind
        self.key = ed25519.Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))
        self.public = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.full = sha256(name.encode() + b"\n" + bytes([kind]) + self.public)
        self.vkey = f"{name}+{self.full[:4].hex()}+{b64(bytes([kind]) + self.public)}"

    def line(self, text, time=1_700_000_000, spoil=False):
        if self.kind == 1:
            signature = self.key.sign(text.encode())
        else:
            signature = time.to_bytes(8, "big") + self.key.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
        if spoil:
            signature = signature[:-1] + bytes([signature[-1] ^ 1])
        return f"— {self.name} {b64(self.full[:4] + signature)}\n"


CONTROLLER, PERSON, STRANGER = Signer(1001), Signer(1002), Signer(1003)
LOG, OTHER_LOG = NoteKey(ORIGIN, 2001), NoteKey(ORIGIN, 2002)
WITNESSES = [NoteKey(f"w{n}.example", 3000 + n, 4) for n in range(3)]


def archive(files):
    """The one archive of these members (section 9). A name may be any text."""
    parts = []
    for name, body in sorted((name.encode(), body) for name, body in files.items()):
        head = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % len(body) + b"0" * 11 + b"\0"
        tail = b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\0" * 2
        parts += [head, b"%06o\0 " % (sum(head + tail) + 256), tail, bytes(167), body, bytes(-len(body) % 512)]
    return b"".join(parts) + bytes(1024)


class Ledger:
    """Leaves as they are appended; statements by stream."""
    def __init__(self):
        self.records, self.heads, self.known = [], {}, {}

    def root(self):
        return self.subroot(0, len(self.records)) if self.records else sha256(b"")

    def append(self, kind, stream, body, signer=CONTROLLER, subject=None, alter=None, raw=None, sign=None, leaf=None, keyid=None, advance=True):
        """`alter` changes the statement, `raw` its bytes, `sign` makes the signature, `leaf` changes the leaf's text."""
        seq, prev = self.heads.get(stream, (0, None))
        name, digest = subject or (stream, sha256(stream.encode()).hex())
        size = len(self.records)
        statement = {"_type": "https://in-toto.io/Statement/v1", "predicate": {
            "actor": "forge", "body": body, "key": f"key/{size}", "ledger": {"root": "sha256:" + self.root().hex(), "size": size},
            "prev": prev, "seq": seq, "stream": stream, "time": f"2026-01-31T12:00:{size % 60:02}.000Z",
            "tool": {"name": "forge", "version": "1"}},
            "predicateType": f"https://gonogo.dev/attestation/{kind}/v1", "subject": [{"digest": {"sha256": digest}, "name": name}]}
        if alter:
            statement = alter(statement) or statement
        payload = dumps(statement)
        payload = raw(payload) if raw else payload
        pae = b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(payload), payload)
        record = {"payload": payload, "sig": (sign or signer.sign)(pae), "keyid": keyid or signer.fingerprint(), "spki": signer.spki, "index": size}
        text = ('{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":"SHA2_256","digest":"%s"},'
                '"signature":{"content":"%s","verifier":{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":{"rawBytes":"%s"}}}}}}'
                % (b64(sha256(pae)), b64(record["sig"]), b64(signer.spki))).encode()
        record["leaf"] = leaf(text) if leaf else text
        self.records.append(record)
        if advance:
            self.heads[stream] = (seq + 1, "sha256:" + sha256(payload).hex())
        return record

    def path(self, index, size):
        """The audit path of RFC 6962 section 2.1.1, by its definition."""
        def audit(m, low, high):
            if high - low <= 1:
                return []
            k = 1 << ((high - low - 1).bit_length() - 1)
            if m < k:
                return audit(m, low, low + k) + [self.subroot(low + k, high)]
            return audit(m - k, low + k, high) + [self.subroot(low, low + k)]
        return audit(index, 0, size)

    def consistency(self, m, n):
        """RFC 6962 section 2.1.2, by its definition."""
        def sub(m, low, high, whole):
            if m == high - low:
                return [] if whole else [self.subroot(low, high)]
            k = 1 << ((high - low - 1).bit_length() - 1)
            if m <= k:
                return sub(m, low, low + k, whole) + [self.subroot(low + k, high)]
            return sub(m - k, low + k, high, False) + [self.subroot(low, low + k)]
        return sub(m, 0, n, True)

    def subroot(self, low, high):
        """The root over some leaves, by its definition. A record's `hash` stands for the one of its leaf."""
        if high - low == 1:
            return self.records[low].get("hash") or sha256(b"\0" + self.records[low]["leaf"])
        if (low, high) not in self.known:
            k = 1 << ((high - low - 1).bit_length() - 1)
            self.known[low, high] = sha256(b"\1" + self.subroot(low, low + k) + self.subroot(low + k, high))
        return self.known[low, high]


def enrol(signer, role, **changes):
    body = {"event": "enrol", "keyid": signer.keyid, "role": role, "spki": b64(signer.spki), "who": "somebody"}
    return {**body, **changes}


def bundle(record, checkpoint, size, root, log, path):
    envelope = ('{"payload":"%s","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":"%s","sig":"%s"}]}'
                % (b64(record["payload"]), record["keyid"], b64(record["sig"])))
    note = json.dumps(checkpoint, ensure_ascii=False)
    return ('{"dsseEnvelope":%s,"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":'
            '{"hint":"%s"},"tlogEntries":[{"canonicalizedBody":"%s","inclusionProof":{"checkpoint":{"envelope":%s},"hashes":[%s],'
            '"logIndex":"%d","rootHash":"%s","treeSize":"%d"},"integratedTime":"0","kindVersion":{"kind":"hashedrekord","version":'
            '"0.0.2"},"logId":{"keyId":"%s"},"logIndex":"%d"}]}}'
            % (envelope, record["keyid"], b64(record["leaf"]), note, ",".join(f'"{b64(node)}"' for node in path), record["index"],
               b64(root), size, b64(log.full), record["index"])).encode()


def forge(stream="incident/i1", fill=None, keep=None, older=None, manifest=None, manifest_options=None, note=None, files=None,
          consistency=(), blobs=(), omitted=(), log=LOG, policy=None, listed=None, more=0, order=None, place=None, grow=None, tall=None):
    """A packet's files, and the ledger. `fill(ledger)` appends the records; `keep` picks those that go into the packet, `order` arranges
    them, and `place(record, path)` gives a record another leaf index and path. `grow(ledger)` changes the tree before it is signed, and
    `tall` makes it the left end of one with 2^tall leaves, if its size is a power of two."""
    ledger = Ledger()
    if fill:
        fill(ledger)
    else:
        ledger.append("key-event", "system", enrol(CONTROLLER, "controller"))
        ledger.append("note", stream, {"text": "one"})
        ledger.append("note", stream, {"text": "two"})
    kept = [record for record in ledger.records if keep is None or keep(record)]
    kept = order(kept) if order else kept
    out = {f"blobs/sha256/{sha256(blob).hex()}": blob for blob in blobs}
    out["packet.json"] = dumps({"blobs": len(blobs), "format": "gonogo.packet.v2", "origin": log.name, "records": len(kept),
                                "stream": stream})
    out["trust/policy"] = (policy or f"log {log.vkey}\nquorum none\n").encode()
    der = bytes.fromhex("302a300506032b6570032100") + log.public
    out["trust/trusted_root.json"] = (
        '{"certificateAuthorities":[],"ctlogs":[],"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1",'
        '"timestampAuthorities":[],"tlogs":[{"baseUrl":"https://%s","hashAlgorithm":"SHA2_256","logId":{"keyId":"%s"},"publicKey":'
        '{"keyDetails":"PKIX_ED25519","rawBytes":"%s","validFor":{"start":"1970-01-01T00:00:00Z"}}}]}'
        % (log.name, b64(log.full), b64(der))).encode()
    if older:
        older(out)
    sums = "".join(f"{sha256(out[name]).hex()}  {name}\n" for name in sorted(out)).encode()
    streams = [{"stream": name, "count": ledger.heads[name][0], "head": ledger.heads[name][1]} for name in listed or [stream]]
    body = {"format": "gonogo.packet.v2", "streams": streams, "omitted": list(omitted), "verdict": "none",
            "records": {"count": len(kept), "digest": "sha256:" + sha256(b"".join(sha256(b"\0" + r["leaf"]) for r in kept)).hex()},
            "members": {"count": len(out), "digest": "sha256:" + sha256(sums).hex()}}
    if manifest:
        body = manifest(body) or body
    last = ledger.append("packet-manifest", "packet/" + stream, body, **(manifest_options or {}))
    for _ in range(more):
        ledger.append("note", "incident/later", {})
    if grow:
        grow(ledger)
        ledger.known.clear()
    size, above = len(ledger.records), []
    root, told = ledger.subroot(0, size), size
    if tall:
        above, told = [bytes(32)] * (tall - size.bit_length() + 1), 2**tall
        for node in above:
            root = sha256(b"\1" + root + node)
    text = f"{ORIGIN}\n{told}\n{b64(root)}\n"
    checkpoint = text + "\n" + log.line(text)
    if note:
        checkpoint = note(text, checkpoint)
    out["SHA256SUMS"], out["checkpoint"] = sums, checkpoint.encode("utf-8", "surrogateescape")
    for n, record in enumerate(kept + [last]):
        path = ledger.path(record["index"], size) + above
        if place:
            index, path = place(record, path)
            record = {**record, "index": index}
        names = ("manifest", "manifest") if n == len(kept) else (f"records/{n:06}", f"{n:06}")
        out[names[0] + ".sigstore.json"] = bundle(record, checkpoint, told, root, log, path)
        proof = f"c2sp.org/tlog-proof@v1\nindex {record['index']}\n" + "".join(b64(node) + "\n" for node in path) + "\n" + checkpoint
        out[f"proofs/{names[1]}.tlog-proof"] = proof.encode("utf-8", "surrogateescape")
    for older_size in consistency:
        nodes = ledger.consistency(older_size, size)
        out[f"consistency/{older_size}.proof"] = "".join(b64(node) + "\n" for node in nodes).encode()
    if files:
        files(out)
    return out, ledger


def statements(raw):
    """The statements of a packet that a verifier accepted, in order."""
    files = verifier.read_archive(raw)
    names = sorted(name for name in files if name.startswith("records/"))
    return [json.loads(unbase64(json.loads(files[name])["dsseEnvelope"]["payload"])) for name in names]


def release(said):
    """What `forge` needs to sign the records of a real operation again, those that say what was done, with our keys."""
    approver = next(statement["predicate"]["actor"] for statement in said if statement["predicateType"].endswith("/approval/v1"))

    def fill(ledger):
        ledger.append("key-event", "system", enrol(CONTROLLER, "controller"))
        ledger.append("key-event", "system", enrol(PERSON, "person", who=approver))
        for statement in said:
            kind, predicate = statement["predicateType"].split("/")[4], statement["predicate"]
            if kind not in ("plan", "approval", "approval-use", "operation", "result"):
                continue
            body = predicate["body"]
            if kind == "approval":
                signed = body["signed"]
                payload, name = unbase64(signed["payload"]), signed["payloadType"].encode()
                sig = PERSON.sign(b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload))
                signed.update(publicKey=b64(PERSON.spki), signatures=[{"keyid": PERSON.keyid, "sig": b64(sig)}])

            def same(mine, predicate=predicate, subject=statement["subject"]):
                mine["subject"] = subject
                for field in ("actor", "key", "time", "tool"):
                    mine["predicate"][field] = predicate[field]
            signer = PERSON if kind in ("plan", "approval") else CONTROLLER
            ledger.append(kind, predicate["stream"], body, signer, alter=same)
    streams = [statement["predicate"]["stream"] for statement in said]
    operation = next(name for name in streams if name.startswith("operation/"))
    return operation, fill, [operation] + sorted({name for name in streams if name.startswith("plan/")})
