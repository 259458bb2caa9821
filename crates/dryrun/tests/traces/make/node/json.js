try { null.f(); } catch (err) { console.log(JSON.stringify({ level: 50, time: 1795000000000, msg: "failed", err: { type: err.name, message: err.message, stack: err.stack } })); }
