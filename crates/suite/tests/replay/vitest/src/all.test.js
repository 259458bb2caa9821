import { test, describe, expect } from 'vitest';

const fails = (text) => () => { throw new Error(text); };

test('passes', () => { expect(1).toBe(1); });
test('fails', fails('at the top'));
test('fails more', fails('more'));

describe('outer', () => {
  test('fails', fails('in outer'));
  describe('inner > deeper', () => {
    test('a > b', fails('with signs'));
    test('fails (1) [2] {3} a.b*c+d? ^e$ f|g \\h', fails('with what means something'));
  });
  describe("it's \"quoted\" `x` $HOME", () => {
    test('größe / a/b-1 :: c', fails('with letters'));
  });
});

describe.each([['a/b-1', 1], ['%', 2]])('of [%s]', (name, n) => {
  test.each([1, 2])('case %i', (i) => { expect({ name, n, i }).toEqual({}); });
});

test.skip('skipped', fails('never'));
