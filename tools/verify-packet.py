#!/usr/bin/env python3
"""Verifies a gonogo evidence packet (`gonogo.packet.v2`) with none of gonogo's code.

Written from docs/reference/evidence-format.md alone; § and check names are that page's. Two rules hold throughout: JSON is parsed
only after its signature verified, and whatever has one spelling is written again and compared byte for byte. What records mean
(approvals, results, replay) is outside the format and is not checked; neither are time-stamps, which need an authority that the
reader trusts. Anything unforeseen is exit 2, never 0 or 1.
"""
import argparse
import json
import os
import pathlib
import re
import sys

from cryptography.hazmat.primitives.serialization import load_der_public_key
from pymerkle import InmemoryTree
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Signature, SSlibKey

from evidence_format import (ED25519, ENROL, FORMAT, HEX, MANIFEST, P256, PAYLOAD, REVOKE, STATEMENT, TREE, Note, Policy, Refused, b64,
                             canonical, climb, decimal, demand, fits, parse, read_archive, read_directory, sha256, unbase64)

CHECKS = "archive members checkpoint trust quorum inclusion signatures signers streams history timestamp blobs artifact".split()
NEEDED = {"archive", "members", "checkpoint", "trust", "inclusion", "signatures"}  # after these failed, the rest has nothing to go by
EXITS = {"TRUST_MISSING": 1, "QUORUM_UNMET": 3, "HISTORY_UNPROVEN": 3, "PACKET_INCOMPLETE": 3}  # of all other codes: 2
ANSWERS = ["verified", "agrees with itself, but nobody vouches for it", "NOT verified: do not trust it", "incomplete: cannot be judged"]
OUTSIDE = ["approvals", "recorded result", "replay"]
SUMMED = {"packet.json", "trust/policy", "trust/trusted_root.json"}
REQUIRED = SUMMED | {"SHA256SUMS", "checkpoint", "manifest.sigstore.json", "proofs/manifest.tlog-proof"}
NAMES = re.compile(r"blobs/sha256/[0-9a-f]{64}|checkpoint\.tsr|consistency/[1-9][0-9]*\.proof|proofs/[0-9]{6}\.tlog-proof"
                   r"|records/[0-9]{6}\.sigstore\.json|" + "|".join(map(re.escape, REQUIRED)))
BUNDLE = re.compile(r'\{"dsseEnvelope":\{"payload":"([^"]*)".*?"keyid":"([^"]*)","sig":"([^"]*)".*?"canonicalizedBody":"([^"]*)"'
                    r'.*"hashes":\[([^]]*)\],"logIndex":"([^"]*)".*"logId":\{"keyId":"([^"]*)".*', re.S)


class Record:
    """What a bundle says (§7), cut out of its text; what these fields spell is all that a bundle may be."""
    def __init__(self, raw, checkpoint, note):
        found = BUNDLE.fullmatch(raw.decode())
        demand(found, "not a bundle")
        self.payload, self.log, self.keyid, self.index = unbase64(found[1]), unbase64(found[7], 32), found[2], decimal(found[6])
        path, key = re.findall('"([^"]*)"', found[5]), re.search('"rawBytes":"([^"]*)"', unbase64(found[4]).decode())
        self.path, self.spki = [unbase64(text, 32) for text in path], unbase64(key[1] if key else "", 91)
        demand(HEX.fullmatch(self.keyid) and self.spki.startswith(P256) and len(path) <= 64, "a key or a path has another form")
        self.envelope = Envelope(self.payload, PAYLOAD, {self.keyid: Signature(self.keyid, unbase64(found[3]).hex())})
        verifier = {"keyDetails": "PKIX_ECDSA_P256_SHA_256", "publicKey": {"rawBytes": b64(self.spki)}}
        self.leaf = canonical({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": {
            "data": {"algorithm": "SHA2_256", "digest": b64(sha256(self.envelope.pae()))},
            "signature": {"content": found[3], "verifier": verifier}}}}).encode()
        self.hash, index = TREE.hash_buff(self.leaf), str(self.index)
        self.proof = "\n".join(["c2sp.org/tlog-proof@v1", "index " + index, *path, "", checkpoint]).encode()
        proof = {"checkpoint": {"envelope": checkpoint}, "hashes": path, "logIndex": index, "rootHash": b64(note.root), "treeSize": str(note.size)}
        entry = {"canonicalizedBody": b64(self.leaf), "inclusionProof": proof, "integratedTime": "0",
                 "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"}, "logId": {"keyId": b64(self.log)}, "logIndex": index}
        demand(raw == canonical({
            "dsseEnvelope": self.envelope.to_dict(), "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"publicKey": {"hint": self.keyid}, "tlogEntries": [entry]}}).encode(), "a bundle has not its one spelling")

    def statement(self):
        """Verifies the signature, then parses the very bytes that were signed (§1, §2)."""
        demand(self.keyid == sha256(self.spki).hex(), "a key id is not the key's", "SIGNATURE_INVALID")
        try:
            self.envelope.verify([SSlibKey.from_crypto(load_der_public_key(self.spki), keyid=self.keyid)], 1)
        except (UnverifiedSignatureError, ValueError):
            raise Refused(f"the signature of leaf {self.index} does not verify", "SIGNATURE_INVALID") from None
        value = parse(self.payload)
        good = len(self.payload) <= 2**20 and fits(value, STATEMENT) and value["subject"]
        demand(good and (value["predicate"]["prev"] is None) == (value["predicate"]["seq"] == 0), "a statement has not the form of section 1")
        subjects = {subject["digest"]["sha256"] for subject in value["subject"]}
        return {**value["predicate"], "kind": value["predicateType"].split("/")[4], "subjects": subjects}


class Packet:
    """The checks of §10, each a method: it returns what it found, or raises Refused."""
    def __init__(self, source, policy=None, since=(), wanted=None):
        self.source, self.policy, self.since, self.wanted = source, policy, since, wanted

    def archive(self):
        self.files = self.source() if callable(self.source) else read_archive(self.source)
        for name, body in self.files.items():
            demand(NAMES.fullmatch(name), f"`{name}` is no member of a packet", "PACKET_MEMBER_ADDED")
            demand(name[:6] != "blobs/" or sha256(body).hex() == name[13:], f"`{name}` has another digest")
            demand(len(body) <= 2**18 or name not in SUMMED and name[:10] != "checkpoint", f"`{name}` is too long")
        return f"{len(self.files)} members in the one form"

    def members(self):
        files, total = self.files, sum(name.startswith("records/") for name in self.files)
        names = [f"records/{n:06}.sigstore.json" for n in range(total)] + ["manifest.sigstore.json"]
        proofs = [f"proofs/{n:06}.tlog-proof" for n in range(total)] + ["proofs/manifest.tlog-proof"]
        missing = sorted(REQUIRED.union(names, proofs) - files.keys())
        demand(not missing, f"{missing[:3]} are missing", "PACKET_MEMBER_MISSING")
        demand(sum(name.startswith("proofs/") for name in files) == total + 1, "a proof has no record", "PACKET_MEMBER_ADDED")
        note, checkpoint = Note(files["checkpoint"]), files["checkpoint"].decode()
        self.note, self.records = note, [Record(files[name], checkpoint, note) for name in names]
        for record, name in zip(self.records, proofs):
            demand(files[name] == record.proof, f"`{name}` is not what follows from its bundle")
        manifest, summed = self.records[-1], sorted(name for name in files if name in SUMMED or name.startswith("blobs/"))
        logs = [key for key in Policy(files["trust/policy"]).logs if {key.full} == {record.log for record in self.records}]
        demand(logs, "`trust/policy` does not name the log of the bundles")
        self.log, said = logs[0], manifest.statement()
        self.stream, self.about = said["stream"].partition("/")[2], said["body"]
        demand(said["kind"] == "packet-manifest" and fits(self.about, MANIFEST), "the manifest is no manifest")
        sums = "".join(f"{sha256(files[name]).hex()}  {name}\n" for name in summed).encode()
        leaves = b"".join(record.hash for record in self.records[:-1])
        for field, count, raw in ("members", len(summed), sums), ("records", total, leaves):
            demand(self.about[field] == {"count": count, "digest": "sha256:" + sha256(raw).hex()}, f"the manifest tells of other {field}")
        public = {"keyDetails": "PKIX_ED25519", "rawBytes": b64(ED25519 + self.log.raw), "validFor": {"start": "1970-01-01T00:00:00Z"}}
        tlog = {"baseUrl": "https://" + note.origin, "hashAlgorithm": "SHA2_256", "logId": {"keyId": b64(self.log.full)}, "publicKey": public}
        for name, text in (("SHA256SUMS", sums.decode()), ("packet.json", canonical({
                "blobs": len(summed) - len(SUMMED), "format": FORMAT, "origin": note.origin, "records": total, "stream": self.stream})),
                ("trust/trusted_root.json", canonical({
                    "certificateAuthorities": [], "ctlogs": [], "timestampAuthorities": [], "tlogs": [tlog],
                    "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}))):
            demand(files[name] == text.encode(), f"`{name}` is not what it must be")
        self.proofs = {}
        for name in (name for name in files if name.startswith("consistency/")):
            size, lines = decimal(name[12:-6]), files[name].decode().split("\n")
            demand(lines.pop() == "" and len(lines) <= 64 and size < note.size, f"`{name}` is no proof for this checkpoint")
            self.proofs[size] = [unbase64(line, 32) for line in lines]
        demand(len(self.proofs) <= 1024, "there are more than 1024 consistency proofs")
        return f"{total} records and {len(summed)} other members as the manifest says"

    def checkpoint(self):
        demand(self.log.signed(self.note) and self.log.name == self.note.origin, "the log did not sign the checkpoint", "SIGNATURE_INVALID")
        return f"log `{self.log.name}` signed {self.note.size} leaves"

    def trust(self):
        demand(self.policy, "no trusted log was given", "TRUST_MISSING")
        demand(self.log.full in [key.full for key in self.policy.logs], "this is not the log that you trust", "TRUST_MISMATCH")
        return f"log `{self.log.name}` is trusted"

    def quorum(self):
        demand(self.policy and self.policy.quorum != "none", "no witness is asked for", None)
        signers = [key for key in self.policy.witnesses if key.signed(self.note)]
        demand(self.policy.met(self.policy.quorum, signers), f"{len(signers)} witnesses cosigned, which is no quorum", "QUORUM_UNMET")
        return f"{len(signers)} witnesses cosigned"

    def inclusion(self):
        size, last, tree = self.note.size, -1, InmemoryTree("sha256")
        for record in self.records:
            demand(last < record.index < size, "leaf indexes do not ascend", "INCLUSION_FAILED")
            root = climb(record.index, size - 1, record.hash, record.path, "INCLUSION_FAILED")[1]
            demand(root == self.note.root, f"leaf {record.index} is not in the tree", "INCLUSION_FAILED")
            last = record.index
            tree.append_entry(record.leaf)
        whole = len(self.records) == size  # every leaf is here: pymerkle's own tree of them must have the root too
        demand(not whole or getattr(tree, "get_root", tree.get_state)() == self.note.root, "the leaves give another root", "INCLUSION_FAILED")
        return f"{len(self.records)} records are in the log" + ", which has no others" * whole

    def signatures(self):
        self.statements = [record.statement() for record in self.records]
        return f"{len(self.records)} signatures verify"

    def signers(self):
        roles, revoked, counts = {}, set(), {}
        for record, said in zip(self.records, self.statements):
            who, body, event = record.keyid, said["body"], said["kind"] == "key-event"
            enrols, where = event and fits(body, ENROL), f"leaf {record.index}: "
            shape = not event or said["stream"] == "system" and (enrols or fits(body, REVOKE))
            demand(shape, where + "a key event has another form or stream", "SIGNER_UNKNOWN")
            if enrols:
                spki = unbase64(body["spki"], 91)
                good = spki.startswith(P256) and sha256(spki).hex() == body["keyid"] not in roles
                demand(good, where + "a key is enrolled twice, or is not what it must be", "SIGNER_UNKNOWN")
            if not roles:
                first = enrols and (record.index, said["seq"], body["keyid"], body["role"]) == (0, 0, who, "controller")
                demand(first, "leaf 0 does not enrol the controller", "SIGNER_UNKNOWN")
                roles[who] = "controller"
            demand(who in roles and who not in revoked, where + "its key is not enrolled, or revoked", "SIGNER_UNKNOWN")
            may = roles[who] == "controller" or said["kind"] not in ("key-event", "packet-manifest")
            demand(may, where + f"a key of role `{roles[who]}` may not sign this", "SIGNER_UNKNOWN")
            if enrols:
                roles[body["keyid"]] = body["role"]
            elif event and body["keyid"] in roles:
                revoked.add(body["keyid"])
            counts[roles[who]] = counts.get(roles[who], 0) + 1
        return "records by role of who signed: " + ", ".join(f"{role} {count}" for role, count in sorted(counts.items()))

    def streams(self):
        listed = {item["stream"]: (item["count"], item["head"]) for item in self.about["streams"]}
        heads = {stream: (0, None) for stream in listed}
        demand(len(listed) == len(self.about["streams"]), "a stream is listed twice", "STREAM_BROKEN")
        for record, said in zip(self.records, self.statements):
            stream, where = said["stream"], f"leaf {record.index}: "
            demand(said["ledger"]["size"] <= record.index, where + "older than what it says that it saw", "STREAM_BROKEN")
            if record is self.records[-1]:
                demand(stream == "packet/" + self.stream and self.stream in listed, "the manifest is about another stream", "STREAM_BROKEN")
            elif stream in listed:
                demand((said["seq"], said["prev"]) == heads[stream], where + f"`{stream}` has a gap", "STREAM_BROKEN")
                heads[stream] = (said["seq"] + 1, "sha256:" + sha256(record.payload).hex())
            else:
                demand((stream, said["kind"]) == ("system", "key-event"), where + f"`{stream}` is not listed", "STREAM_BROKEN")
        demand(heads == listed, "a stream has another count or head than the manifest says", "STREAM_BROKEN")
        return f"{len(listed)} streams without gaps"

    def history(self):
        roots, first, unlinked = {0: sha256(b""), self.note.size: self.note.root}, self.records[0], []
        for size, path in self.proofs.items():
            fn, sn = size - 1, self.note.size - 1
            if size & fn == 0:  # a power of two: the proof leaves the older root out, and leaf 0 leads to it
                path = [climb(0, fn, first.hash, first.path[:fn.bit_length()])[1], *path]
            while fn & 1:
                fn, sn = fn >> 1, sn >> 1
            demand(path, "a consistency proof is empty")
            roots[size], root = climb(fn, sn, path[0], path[1:])
            demand(root == self.note.root, f"the proof from {size} leaves does not lead to the checkpoint")
        demand(self.since, f"no checkpoint was given to compare with; there are {len(self.proofs)} proofs", None)
        for raw in self.since:
            try:
                kept = Note(raw)
                known = self.log.signed(kept) and kept.origin == self.log.name and kept.size in roots
            except ValueError:
                known = False
            demand(not known or roots[kept.size] == kept.root, "the log showed two histories: keep both checkpoints", "SPLIT_VIEW")
            unlinked += [] if known else [raw]
        demand(not unlinked, f"{len(unlinked)} kept checkpoints are not linked, or not of this log", "HISTORY_UNPROVEN")
        return f"{len(self.since)} kept checkpoints are of the same history"

    def timestamp(self):
        raise Refused("this program checks no time-stamps", None)

    def blobs(self):
        demand(not self.about["omitted"], f"{len(self.about['omitted'])} blobs are left out", "PACKET_INCOMPLETE")
        return "no blob is left out"

    def artifact(self):
        demand(self.wanted, "no artifact was given to compare with", None)
        release = [said for said in self.statements[:-1] if said["stream"] == self.stream or said["stream"].startswith("plan/")]
        found = any(self.wanted in said["subjects"] - {sha256(said["stream"].encode()).hex()} for said in release)
        demand(found, f"no record of the release is about sha256:{self.wanted}", "ARTIFACT_MISMATCH")
        return "the release is about the artifact"

    def verify(self):
        """Makes all checks; returns the exit code and a list of (name, state, reason code, text)."""
        report, exits, stop = [], set(), None
        for name in CHECKS:
            state, code = "passed", None
            try:
                demand(not stop, f"`{stop}` failed", None)
                text = getattr(self, name)()
            except (ValueError, RecursionError) as error:
                text, code = str(error), getattr(error, "code", "PACKET_CORRUPT")
                state = "failed" if code else "skipped"
                exits.add(EXITS.get(code, 2) if code else 0)
                stop = name if code and EXITS.get(code, 2) == 2 and name in NEEDED else stop
            report.append((name, state, code, text))
        return next((code for code in (2, 3, 1) if code in exits), 0), report


def main(arguments):
    parser = argparse.ArgumentParser(description="Verify a gonogo evidence packet offline.")
    parser.error = lambda text: sys.exit(print(f"{parser.prog}: {text}", file=sys.stderr) or 64)
    parser.add_argument("packet", help="the archive, or the directory that it was unpacked into")
    trust = parser.add_mutually_exclusive_group()
    trust.add_argument("--log-key", metavar="VKEY", help="the log that you trust")
    trust.add_argument("--policy", metavar="FILE", type=pathlib.Path, help="a C2SP tlog-policy: logs that you trust, and a quorum of witnesses")
    parser.add_argument("--since", metavar="CHECKPOINT", type=pathlib.Path, action="append", default=[], help="a checkpoint that you kept")
    parser.add_argument("--artifact", metavar="FILE", type=pathlib.Path, help="what the release must be about")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args(arguments)
    try:
        given = options.policy.read_bytes() if options.policy else f"log {options.log_key}\nquorum none\n".encode()
        policy = None if options.policy is options.log_key is None else Policy(given)
        since = [path.read_bytes() for path in options.since]
        wanted = options.artifact and sha256(options.artifact.read_bytes()).hex()
        source = (lambda: read_directory(options.packet)) if os.path.isdir(options.packet) else pathlib.Path(options.packet).read_bytes()
    except (OSError, ValueError) as error:
        print(f"what you gave cannot be read: {ascii(str(error))}", file=sys.stderr)
        return 66 if isinstance(error, OSError) else 64 if options.policy is None else 65
    code, report = Packet(source, policy, since, wanted).verify()
    if options.json:
        checks = [dict(zip(("name", "state", "reasonCode", "text"), line)) for line in report]
        print(json.dumps({"checks": checks, "exit": code, "notChecked": OUTSIDE, "verified": code == 0}, indent=2))
        return code
    for name, state, reason, text in report:
        mark = {"passed": "ok", "skipped": "skip"}.get(state) or ("FAIL" if EXITS.get(reason, 2) == 2 else "hold")
        print(f"{mark:5} {name:11} {reason + ': ' if reason else ''}{ascii(text)[1:-1]}")
    print(f"{ANSWERS[code]}; not checked, since the format knows nothing of it: {', '.join(OUTSIDE)}")
    return code


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Exception as failure:  # Python's own exit code for this would be 1, which means something else here
        sys.exit(print(f"cannot verify: {ascii(failure)}", file=sys.stderr) or 2)
