#!/usr/bin/env bash
# Row 14: cosign over every record of a packet, Tessera's fsck over an exported log. Run by `cargo xtask conformance --all 14`.
#
# Needs a Go toolchain and a module proxy; without them it says so and ends with 77; a program that does not build, and help of our
# own that fails, is a failure. MATERIAL holds packet/, log/ and logs/; TOOLS is where
# programs and transcripts go. cosign alone takes some minutes to build and a gigabyte of modules.
set -uo pipefail
COSIGN=v3.0.4
TESSERA=v1.0.4
export GOBIN=$TOOLS/go-bin GOCACHE=$TOOLS/go-cache GOMODCACHE=$TOOLS/go-modules GOFLAGS="-modcacherw -buildvcs=false" HOME=$WORK
transcripts=$TOOLS/transcripts
mkdir -p "$GOBIN" "$transcripts"

skip() {
  echo "$1"
  exit 77
}

broken() {
  echo "broken: $1" >&2
  exit 1
}

# What go says if it is too old, or if the modules' source is out of reach; nothing else is a reason to skip.
OUT_OF_REACH='requires go >= |module requires Go|invalid go version|toolchain not available|dial tcp|i/o timeout|deadline exceeded|no such host|TLS handshake timeout|connection reset by peer|unexpected EOF|GOPROXY=off|50[234] '
install() { # program, module path, version
  [ -x "$GOBIN/$1-$3" ] && return
  local said=$WORK/install-$1
  if ! timeout 1500 go install "$2@$3" 2>"$said"; then
    cat "$said" >&2
    grep -qE 'SECURITY ERROR|checksum mismatch' "$said" && broken "go install $2@$3: not the module that it was"
    grep -qE "$OUT_OF_REACH" "$said" || broken "go install $2@$3"
    skip "go install $2@$3: $(grep -m 1 -E "$OUT_OF_REACH" "$said" | cut -c 1-200)"
  fi
  mv "$GOBIN/$1" "$GOBIN/$1-$3" || broken "go install $2@$3 left no program"
}

command -v go >/dev/null || skip "no Go toolchain"
install fsck github.com/transparency-dev/tessera/cmd/fsck $TESSERA
install cosign github.com/sigstore/cosign/v3/cmd/cosign $COSIGN

wrong=0
# expect pass|refuse TRANSCRIPT COMMAND…: the transcript keeps command, output and exit code. A command that took too long or could
# not be started (124 and above) has refused nothing.
expect() {
  local wanted=$1 transcript=$transcripts/$2 status
  shift 2
  echo "\$ $*" >"$transcript"
  "$@" >>"$transcript" 2>&1 </dev/null
  status=$?
  echo "=> $status" >>"$transcript"
  if { [ "$wanted" = pass ] && [ $status -ne 0 ]; } || { [ "$wanted" = refuse ] && { [ $status -eq 0 ] || [ $status -ge 124 ]; }; }; then
    wrong=$((wrong + 1))
    [ $wanted = pass ] && echo "REFUSED, and should pass ($status):" || echo "NOT REFUSED, and should be ($status):"
    tail -n 4 "$transcript"
  fi
}

# Tessera: every leaf, every tile, the root and the log's signature. It ends with 0 also when it says `fsck failed`, and it asks for a
# file that it does not like again and again: only what it says counts, and it is not waited for.
fsck_says() {
  timeout 20 "$GOBIN/fsck-$TESSERA" --ui=false "$@" 2>&1 | tee /dev/stderr | grep -q "Successfully fsck'd log"
}
fsck=fsck_says
expect pass fsck-real.txt $fsck --storage_url="file://$MATERIAL/log/" --public_key="$MATERIAL/log.vkey"
expect pass fsck-70000.txt $fsck --storage_url="file://$MATERIAL/logs/70000/" --public_key="$MATERIAL/logs/70000/log.vkey"
for file in tile/0/007 tile/1/000 tile/entries/123 checkpoint; do
  rm -rf "$WORK/log" && cp -r "$MATERIAL/logs/70000" "$WORK/log" || broken "the log cannot be copied"
  python3 -c 'import sys; p = sys.argv[1]; b = bytearray(open(p, "rb").read()); b[30] ^= 1; open(p, "wb").write(b)' "$WORK/log/$file" ||
    broken "$file cannot be changed"
  expect refuse "fsck-changed-${file//\//-}.txt" $fsck --storage_url="file://$WORK/log/" --public_key="$WORK/log/log.vkey"
done

# cosign: our signature alone, then with the log's proof under our trusted root.
cd "$WORK" || exit 1
cat >facts.py <<'PYTHON'
import base64, json, pathlib, sys
bundle = json.loads(pathlib.Path(sys.argv[1]).read_bytes())
statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
leaf = json.loads(base64.b64decode(bundle["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"]))
key = leaf["spec"]["hashedRekordV002"]["signature"]["verifier"]["publicKey"]["rawBytes"]
pathlib.Path("key.pem").write_text(f"-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n")
print(statement["predicateType"], statement["subject"][0]["digest"]["sha256"])
PYTHON
cosign="timeout 60 $GOBIN/cosign-$COSIGN verify-blob-attestation"
root=$MATERIAL/packet/trust/trusted_root.json
records=0
for bundle in "$MATERIAL"/packet/records/*.json "$MATERIAL/packet/manifest.sigstore.json"; do
  read -r kind digest < <(python3 facts.py "$bundle") || broken "no facts about $bundle"
  name=$(basename "$bundle" .sigstore.json)
  about="--bundle $bundle --key key.pem --type $kind --digestAlg sha256 --digest $digest"
  expect pass "cosign-$name-key.txt" $cosign $about --insecure-ignore-tlog=true
  expect pass "cosign-$name-log.txt" $cosign $about --trusted-root "$root"
  records=$((records + 1))
  # The first refusal says it all.
  [ $wrong -gt 0 ] && break
done
openssl ecparam -genkey -name prime256v1 -noout 2>/dev/null | openssl ec -pubout >other.pem 2>/dev/null || broken "no other key"
expect refuse cosign-other-key.txt $cosign ${about/key.pem/other.pem} --trusted-root "$root"
expect refuse cosign-other-artifact.txt $cosign ${about/$digest/${digest:1}0} --trusted-root "$root"
python3 - "$bundle" <<'PYTHON' || broken "no changed proof"
import base64, json, sys
bundle = json.load(open(sys.argv[1]))
hashes = bundle["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["hashes"]
hashes[0] = base64.b64encode(bytes(32)).decode()
json.dump(bundle, open("changed.json", "w"))
PYTHON
expect refuse cosign-changed-proof.txt $cosign ${about/$bundle/changed.json} --trusted-root "$root"
python3 - "$root" <<'PYTHON' || broken "no other root"
import base64, json, os, sys
root = json.load(open(sys.argv[1]))
key = root["tlogs"][0]["publicKey"]
raw = bytearray(base64.b64decode(key["rawBytes"]))
raw[-32:] = os.urandom(32)
key["rawBytes"] = base64.b64encode(raw).decode()
json.dump(root, open("other_root.json", "w"))
PYTHON
expect refuse cosign-other-log.txt $cosign $about --trusted-root other_root.json

if [ $wrong -gt 0 ]; then
  # Go's DSSE library computes a key id of its own, the SSH fingerprint `SHA256:…`, and passes over signatures whose `keyid` is another.
  sed -E 's/"keyid":"[^"]*",//' "$bundle" >without_keyid.json
  echo "the last record without its keyid:"
  $cosign ${about/$bundle/without_keyid.json} --trusted-root "$root" 2>&1 | tail -n 1
  exit 1
fi
echo "cosign $COSIGN takes all $records records, with and without the log; tessera $TESSERA's fsck takes both logs; changed ones are refused"
