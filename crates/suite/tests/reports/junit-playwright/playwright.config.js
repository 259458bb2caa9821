module.exports = { testDir: '.', workers: 1, retries: 1, projects: [{ name: 'one' }, { name: 'two' }], reporter: [['junit', { outputFile: process.env.F }]] };
