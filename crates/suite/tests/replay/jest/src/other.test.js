test('fails', () => { expect('here').toBe('there'); });
