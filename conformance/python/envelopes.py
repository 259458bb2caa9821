"""Row 4: every envelope of a packet by securesystemslib, every statement by in-toto-attestation; DSSE's own test vector."""
import base64
import copy
import json

from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from cryptography.hazmat.primitives.serialization import load_der_public_key
from lab import MATERIAL, check, pae, passed
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey


def read(envelope):
    # from_dict takes its argument apart.
    return Envelope.from_dict(copy.deepcopy(envelope))


def is_refused(envelope, key):
    try:
        read(envelope).verify([key], 1)
    except VerificationError:
        return True
    return False


def main():
    packet = MATERIAL / "packet"
    files = [*sorted((packet / "records").iterdir()), packet / "manifest.sigstore.json"]
    for file in files:
        bundle = json.loads(file.read_bytes())
        leaf = json.loads(base64.b64decode(bundle["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"]))
        spki = base64.b64decode(leaf["spec"]["hashedRekordV002"]["signature"]["verifier"]["publicKey"]["rawBytes"])
        envelope = bundle["dsseEnvelope"]
        key = SSlibKey.from_crypto(load_der_public_key(spki), keyid=envelope["signatures"][0]["keyid"])
        read(envelope).verify([key], 1)

        payload = base64.b64decode(envelope["payload"])
        check(read(envelope).pae() == pae(envelope["payloadType"], payload), f"{file}: another PAE")
        Statement.copy_from_pb(json_format.Parse(payload, statement_pb2.Statement())).validate()

        for changed in (
            {"payload": base64.b64encode(payload.replace(b"https", b"httpt", 1)).decode()},
            {"payloadType": "application/vnd.in-toto+jsom"},
        ):
            check(is_refused({**envelope, **changed}, key), f"{file}: {list(changed)[0]} changed, and it still verifies")
        # Verifiers must take both base64 alphabets; ours writes one.
        signature = dict(envelope["signatures"][0])
        signature["sig"] = base64.urlsafe_b64encode(base64.b64decode(signature["sig"])).decode()
        safe = {**envelope, "payload": base64.urlsafe_b64encode(payload).decode(), "signatures": [signature]}
        read(safe).verify([key], 1)

    vector = Envelope(b"hello world", "http://example.com/HelloWorld", {})
    check(vector.pae() == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world", "the specification's vector")
    check(pae("http://example.com/HelloWorld", b"hello world") == vector.pae(), "our own PAE in these scripts")
    passed(f"{len(files)} envelopes and statements are good; {2 * len(files)} changed ones are refused")


main()
