// Row 6-npm: the same values as canonical.py, by npm's canonicalize.
import canonicalize from 'canonicalize';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const count = process.env.COUNT ?? '100000';
const values = execFileSync(join(process.env.EXAMPLES, 'conformance_json'), ['values', count, '20260731'], { maxBuffer: 1 << 30 });
// Not by `readline`: it also ends lines at U+2028, which JSON texts may hold.
const lines = values.toString('utf8').split('\n').slice(0, -1);
for (const line of lines) {
  const [spelling, ours] = line.split('\t');
  const theirs = canonicalize(JSON.parse(spelling));
  if (theirs !== ours) {
    console.error(`${spelling}: ours ${ours}, canonicalize ${theirs}`);
    process.exit(1);
  }
}
if (lines.length !== Number(count)) {
  console.error(`${lines.length} values`);
  process.exit(1);
}
console.log(`${lines.length} values as canonicalize has them`);
