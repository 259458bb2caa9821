function f() { undefined.x; }
try { f(); } catch (e) { console.error(e); }
