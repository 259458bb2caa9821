function connect() { throw new Error("refused"); }
function start() {
  try { connect(); } catch (cause) { throw new Error("cannot start", { cause }); }
}
start();
