describe('sums', () => { test('adds', () => {}); test.todo('subtracts'); test.skip('divides', () => {}); });
describe('after', () => { test('adds', () => {}); });
