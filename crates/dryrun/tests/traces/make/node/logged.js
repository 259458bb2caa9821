function f() { null.x; }
try { f(); } catch (e) { console.error("request failed", e); }
