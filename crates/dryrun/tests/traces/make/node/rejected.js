async function work() { throw new RangeError("out of reach"); }
work();
