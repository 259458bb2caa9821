// Row 6, second half: the same values as canonical.py, by npm's canonicalize. File: the first argument.
import canonicalize from 'canonicalize';
import { readFileSync } from 'node:fs';

// Not by `readline`: it also ends lines at U+2028, which JSON texts may hold.
const lines = readFileSync(process.argv[2], 'utf8').split('\n').slice(0, -1);
for (const line of lines) {
  const [spelling, ours] = line.split('\t');
  const theirs = canonicalize(JSON.parse(spelling));
  if (theirs !== ours) {
    console.error(`${spelling}: ours ${ours}, canonicalize ${theirs}`);
    process.exit(1);
  }
}
if (lines.length < 1000) {
  console.error(`only ${lines.length} values`);
  process.exit(1);
}
console.log(`${lines.length} values as canonicalize has them`);
