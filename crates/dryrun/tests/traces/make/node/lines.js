function f() { throw new Error("first line\nsecond line\nthird line"); }
f();
