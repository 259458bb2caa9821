class Refusal extends Error { constructor(m) { super(m); this.name = "Refusal"; this.code = 17; } }
function ask() { throw new Refusal("not today"); }
ask();
