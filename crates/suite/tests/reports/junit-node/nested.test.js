const { describe, it, test } = require('node:test');
describe('outer', () => {
  it('adds', () => {});
  describe('inner', () => { it('adds', () => {}); it('is skipped', { skip: true }, () => {}); describe('deep', () => { it('adds', () => {}); it('is to be done', { todo: true }, () => {}); }); });
});
test('parent', async (t) => { await t.test('one', () => {}); await t.test('two', () => {}); });
