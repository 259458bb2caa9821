"""Row 5: record signatures by `openssl pkeyutl`, the log's signature too, and the packet's files by `sha256sum -c`."""
import base64
import json
import subprocess

from lab import MATERIAL, WORK, check, pae, passed


def verifies(key, message, signature, digest=()):
    for name, data in (("key.der", key), ("message", message), ("signature", signature)):
        (WORK / name).write_bytes(data)
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key.der", "-rawin", *digest]
    done = subprocess.run([*command, "-in", "message", "-sigfile", "signature"], cwd=WORK, capture_output=True)
    return done.returncode == 0


def main():
    packet = MATERIAL / "packet"
    files = [*sorted((packet / "records").iterdir()), packet / "manifest.sigstore.json"]
    for file in files:
        bundle = json.loads(file.read_bytes())
        leaf = json.loads(base64.b64decode(bundle["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"]))
        signature = leaf["spec"]["hashedRekordV002"]["signature"]
        key = base64.b64decode(signature["verifier"]["publicKey"]["rawBytes"])
        message = pae(bundle["dsseEnvelope"]["payloadType"], base64.b64decode(bundle["dsseEnvelope"]["payload"]))
        good = base64.b64decode(bundle["dsseEnvelope"]["signatures"][0]["sig"])
        check(base64.b64decode(signature["content"]) == good, f"{file}: leaf and envelope have different signatures")
        check(verifies(key, message, good, ["-digest", "sha256"]), f"{file}: openssl refuses the signature")
        check(not verifies(key, message + b" ", good, ["-digest", "sha256"]), f"{file}: openssl accepts another message")

    note = (packet / "checkpoint").read_text()
    text, lines = note.split("\n\n")
    name, blob = lines.split("\n")[0].removeprefix("— ").split(" ")
    root = json.loads((packet / "trust/trusted_root.json").read_bytes())
    log_key = base64.b64decode(root["tlogs"][0]["publicKey"]["rawBytes"])
    signed = (text + "\n").encode()
    check(name == text.split("\n")[0], "the first signature is not the log's")
    check(verifies(log_key, signed, base64.b64decode(blob)[4:]), "openssl refuses the log's signature")
    check(not verifies(log_key, signed + b"\n", base64.b64decode(blob)[4:]), "openssl accepts another checkpoint")

    def sums():
        return subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=packet, capture_output=True, text=True)

    listed = (packet / "SHA256SUMS").read_text().count("\n")
    good = sums()
    check(good.returncode == 0 and good.stdout.count(": OK") == listed, f"sha256sum -c: {good.stdout}{good.stderr}")
    description = packet / "packet.json"
    before = description.read_bytes()
    try:
        description.write_bytes(before + b"\n")
        check(sums().returncode != 0, "sha256sum accepts a changed packet.json")
    finally:
        description.write_bytes(before)
    passed(f"{len(files)} record signatures, the log's, and {listed} lines of SHA256SUMS")


main()
