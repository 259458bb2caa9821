// Row 3: every bundle of a packet, verified by Sigstore's own verifier with the packet's trusted root; then 12 ways to change one.
//
// Thresholds: one log entry, no timestamp (the log is the witness of order, not of time). Packet: the first argument.
import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const packet = process.argv[2];
const read = (name) => JSON.parse(readFileSync(join(packet, name), 'utf8'));
const root = read('trust/trusted_root.json');

const entry = (bundle) => bundle.verificationMaterial.tlogEntries[0];
const leaf = (bundle) => JSON.parse(Buffer.from(entry(bundle).canonicalizedBody, 'base64'));
// The keys that the reader knows. Here they come out of the leaves; that they are the right ones is the ledger's `key-event` records' matter.
const spki = (bundle) => Buffer.from(leaf(bundle).spec.hashedRekordV002.signature.verifier.publicKey.rawBytes, 'base64');

function verify(bundle, trusted = root, key = spki(pristine)) {
  const hint = pristine.verificationMaterial.publicKey.hint;
  const keys = { [hint]: { publicKey: createPublicKey({ key, format: 'der', type: 'spki' }), validFor: () => true } };
  const material = toTrustMaterial(TrustedRoot.fromJSON(trusted), (h) => {
    if (!keys[h]) throw new Error(`unknown key ${h}`);
    return keys[h];
  });
  const verifier = new Verifier(material, { tlogThreshold: 1, timestampThreshold: 0, ctlogThreshold: 0 });
  return verifier.verify(toSignedEntity(bundleFromJSON(bundle)));
}

const names = readdirSync(join(packet, 'records')).map((n) => `records/${n}`).concat('manifest.sigstore.json');
let pristine;
for (const name of names) {
  pristine = read(name);
  verify(pristine);
}

// The last record has a long path, and is not the manifest.
pristine = read(names.at(-2));
const flip = (base64, at = 5) => {
  const bytes = Buffer.from(base64, 'base64');
  bytes[at] ^= 1;
  return bytes.toString('base64');
};
const proof = (bundle) => entry(bundle).inclusionProof;
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const mutations = {
  hash: (b) => { proof(b).hashes[0] = flip(proof(b).hashes[0]); },
  index: (b) => { proof(b).logIndex = entry(b).logIndex = String(Number(entry(b).logIndex) - 1); },
  size: (b) => { proof(b).treeSize = String(Number(proof(b).treeSize) + 1); },
  checkpoint: (b) => { proof(b).checkpoint.envelope = proof(b).checkpoint.envelope.replace(/\n\d+\n/, (n) => `\n${Number(n) + 1}\n`); },
  payload: (b) => { b.dsseEnvelope.payload = flip(b.dsseEnvelope.payload); },
  type: (b) => { b.dsseEnvelope.payloadType = 'application/json'; },
  sig: (b) => { b.dsseEnvelope.signatures[0].sig = flip(b.dsseEnvelope.signatures[0].sig, 20); },
  keyid: (b) => { b.dsseEnvelope.signatures[0].keyid = '00'.repeat(32); },
  hint: (b) => { b.verificationMaterial.publicKey.hint = '00'.repeat(32); },
  body: (b) => { entry(b).canonicalizedBody = flip(entry(b).canonicalizedBody, 60); },
  'log key': (b, trusted) => {
    const raw = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' });
    trusted.tlogs[0].publicKey.rawBytes = raw.toString('base64');
  },
  'second signature': (b) => { b.dsseEnvelope.signatures.push({ ...b.dsseEnvelope.signatures[0] }); },
};
// Two more: somebody else's good signature over the same payload, and the record of another leaf.
const more = {
  'signed by a stranger': (b) => {
    const body = Buffer.from(b.dsseEnvelope.payload, 'base64');
    const head = `DSSEv1 ${b.dsseEnvelope.payloadType.length} ${b.dsseEnvelope.payloadType} ${body.length} `;
    const key = createPrivateKey(other.privateKey.export({ format: 'pem', type: 'pkcs8' }));
    b.dsseEnvelope.signatures[0].sig = sign('sha256', Buffer.concat([Buffer.from(head), body]), key).toString('base64');
  },
  'entry of another record': (b) => { b.verificationMaterial.tlogEntries = read(names[1]).verificationMaterial.tlogEntries; },
};
// What this verifier does not read: it takes the tree's size from the checkpoint, and finds the key by the hint alone.
const unread = ['size', 'keyid'];

// gonogo's own verifier reads every byte, and refuses each change of a bundle in the packet's directory.
function gonogo(bundle, name) {
  const dir = join(process.env.WORK, 'packet');
  cpSync(packet, dir, { recursive: true });
  writeFileSync(join(dir, name), JSON.stringify(bundle));
  const key = readFileSync(join(process.env.MATERIAL, 'log.vkey'), 'utf8').trim();
  const { status } = spawnSync(process.env.GONOGO, ['verify', dir, '--log-key', key]);
  rmSync(dir, { recursive: true });
  return status;
}
if (gonogo(pristine, names.at(-2)) !== 0) throw new Error('gonogo refuses the packet as it is');

const wrong = [];
const why = [];
for (const [what, change] of Object.entries({ ...mutations, ...more })) {
  const bundle = structuredClone(pristine);
  const trusted = structuredClone(root);
  change(bundle, trusted);
  try {
    verify(bundle, trusted);
    if (!unread.includes(what)) wrong.push(`${what}: accepted by @sigstore/verify`);
    why.push(`  ${what}: not read by @sigstore/verify`);
  } catch (e) {
    why.push(`  ${what}: ${e.code ?? e.name}: ${e.message.split('\n')[0]}`);
  }
  if (what !== 'log key' && gonogo(bundle, names.at(-2)) !== 2) wrong.push(`${what}: not refused by gonogo verify`);
}
console.log(why.join('\n'));
if (wrong.length > 0) {
  console.error(wrong.join('\n'));
  process.exit(1);
}
console.log(`${names.length} bundles verify; of ${why.length} changed ones @sigstore/verify refuses all but ${unread.length}, gonogo all`);
