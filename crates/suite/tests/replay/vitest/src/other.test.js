import { test, expect } from 'vitest';

test('fails', () => { expect('here').toBe('there'); });
