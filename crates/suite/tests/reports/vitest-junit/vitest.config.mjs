export default { test: { globals: true, include: ['*.test.js'], reporters: ['junit'], outputFile: 'vitest.xml', testTimeout: 1000 } };
