const assert = require('assert');
describe('hooks', () => {
  it('passes', () => {});
  it('is to be written');
  describe('before', () => { before(() => { throw new Error('no database'); }); it('never starts', () => {}); it('nor this', () => {}); });
  describe('after', () => { after(() => { throw new Error('still open'); }); it('passes', () => {}); });
  it('passes too', () => {});
});
