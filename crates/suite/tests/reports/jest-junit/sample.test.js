const api = globalThis.vi ?? globalThis.jest;
describe('outer', () => {
  it('passes', () => { console.log('printed <&>'); });
  it('fails', () => { expect({ a: 1 }).toEqual({ a: 2 }); });
  it('throws', () => { throw new TypeError('bad \u001b[31mcolour\u001b[0m & <tag>'); });
  it.skip('is skipped', () => {});
  it.todo('is still to do');
  it.each([[1], [2]])('parameter %i', (n) => { expect(n).toBe(1); });
  describe('inner', () => {
    beforeAll(() => { throw new Error('no database'); });
    it('never starts', () => {});
  });
  it('times out', async () => { await new Promise(() => {}); }, 100);
});
describe('again', () => {
  it('same name', () => {});
  it('same name', () => { expect(1).toBe(2); });
});
