const { EventEmitter } = require("events");
const e = new EventEmitter();
setImmediate(() => e.emit("error", new Error("nobody listens")));
