const { describe, it } = require('node:test'); const assert = require('node:assert');
describe('outer', () => { describe('inner', () => { it('adds', () => assert.equal(1 + 1, 3)); it('is skipped', { skip: 'no network' }, () => {}); }); it('passes', () => {}); });
