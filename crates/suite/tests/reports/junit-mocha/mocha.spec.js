const assert = require('node:assert');
describe('outer', () => {
  it('passes', () => {});
  it('fails', () => { assert.deepStrictEqual({ a: 1 }, { a: 2 }); });
  it.skip('is skipped', () => {});
  it('is pending');
  describe('inner', () => {
    before(() => { throw new Error('no database'); });
    it('never starts', () => {});
  });
});
