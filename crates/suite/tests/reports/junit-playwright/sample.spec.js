const { test, expect } = require('@playwright/test');
test('adds', async () => { expect(1 + 1).toBe(2); });
test('only on one', async ({}, info) => { expect(info.project.name).toBe('one'); });
test('again', async ({}, info) => { expect(info.retry).toBe(1); });
test.skip('is skipped', async () => {});
test.describe('inner', () => { test('adds', async () => {}); });
