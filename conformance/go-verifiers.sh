#!/usr/bin/env bash
# Row 14: cosign over every record of a packet, Tessera's fsck over an exported log. Run by `cargo xtask conformance --all 14`.
#
# Needs a Go toolchain and a module proxy; without them it says so and ends with 77. MATERIAL holds packet/, log/ and logs/; TOOLS is where
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

install() { # program, module path, version
  [ -x "$GOBIN/$1-$3" ] && return
  timeout 1500 go install "$2@$3" || skip "go install $2@$3 failed: no toolchain that is new enough, or no module proxy"
  mv "$GOBIN/$1" "$GOBIN/$1-$3"
}

command -v go >/dev/null || skip "no Go toolchain"
install fsck github.com/transparency-dev/tessera/cmd/fsck $TESSERA
install cosign github.com/sigstore/cosign/v3/cmd/cosign $COSIGN

wrong=0
# expect pass|refuse TRANSCRIPT COMMAND…: the transcript keeps command, output and exit code.
expect() {
  local wanted=$1 transcript=$transcripts/$2 status
  shift 2
  echo "\$ $*" >"$transcript"
  timeout 120 "$@" >>"$transcript" 2>&1 </dev/null
  status=$?
  echo "=> $status" >>"$transcript"
  if { [ "$wanted" = pass ] && [ $status -ne 0 ]; } || { [ "$wanted" = refuse ] && [ $status -eq 0 ]; }; then
    wrong=$((wrong + 1))
    [ $wanted = pass ] && echo "REFUSED, and should pass:" || echo "PASSED, and should be refused:"
    tail -n 4 "$transcript"
  fi
}

# Tessera: every leaf, every tile, the root and the log's signature.
fsck="$GOBIN/fsck-$TESSERA --ui=false"
expect pass fsck-real.txt $fsck --storage_url="file://$MATERIAL/log/" --public_key="$MATERIAL/log.vkey"
expect pass fsck-70000.txt $fsck --storage_url="file://$MATERIAL/logs/70000/" --public_key="$MATERIAL/logs/70000/log.vkey"
for file in tile/0/007 tile/1/000 tile/entries/123 checkpoint; do
  rm -rf "$WORK/log" && cp -r "$MATERIAL/logs/70000" "$WORK/log"
  python3 -c 'import sys; p = sys.argv[1]; b = bytearray(open(p, "rb").read()); b[30] ^= 1; open(p, "wb").write(b)' "$WORK/log/$file"
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
cosign="$GOBIN/cosign-$COSIGN verify-blob-attestation"
root=$MATERIAL/packet/trust/trusted_root.json
records=0
for bundle in "$MATERIAL"/packet/records/*.json "$MATERIAL/packet/manifest.sigstore.json"; do
  read -r kind digest < <(python3 facts.py "$bundle")
  name=$(basename "$bundle" .sigstore.json)
  about="--bundle $bundle --key key.pem --type $kind --digestAlg sha256 --digest $digest"
  expect pass "cosign-$name-key.txt" $cosign $about --insecure-ignore-tlog=true
  expect pass "cosign-$name-log.txt" $cosign $about --trusted-root "$root"
  records=$((records + 1))
  # The first refusal says it all.
  [ $wrong -gt 0 ] && break
done
openssl ecparam -genkey -name prime256v1 -noout 2>/dev/null | openssl ec -pubout >other.pem 2>/dev/null
expect refuse cosign-other-key.txt $cosign ${about/key.pem/other.pem} --trusted-root "$root"
expect refuse cosign-other-type.txt $cosign ${about/$kind/https://example.com/x} --trusted-root "$root"
expect refuse cosign-other-artifact.txt $cosign ${about/$digest/${digest:1}0} --trusted-root "$root"
sed 's/"treeSize"/"treesize"/; s/"hashes":\["./"hashes":["_/' "$bundle" >changed.json
expect refuse cosign-changed-proof.txt $cosign ${about/$bundle/changed.json} --trusted-root "$root"
python3 - "$root" <<'PYTHON'
import base64, json, os, sys
root = json.load(open(sys.argv[1]))
key = root["tlogs"][0]["publicKey"]
raw = bytearray(base64.b64decode(key["rawBytes"]))
raw[-32:] = os.urandom(32)
key["rawBytes"] = base64.b64encode(raw).decode()
json.dump(root, open("other_root.json", "w"))
PYTHON
expect refuse cosign-other-log.txt $cosign $about --trusted-root other_root.json

[ $wrong -eq 0 ] || exit 1
echo "cosign $COSIGN takes all $records records, with and without the log; tessera $TESSERA's fsck takes both logs; changed ones are refused"
