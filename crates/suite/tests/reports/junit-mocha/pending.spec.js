const assert = require('assert');
describe('sums', () => {
  it('adds', () => assert.equal(1 + 1, 2));
  it('is to be written');
  describe('inner', () => { it.skip('is skipped', () => {}); it('adds', () => {}); });
});
