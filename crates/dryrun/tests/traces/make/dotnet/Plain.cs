using System;
class Plain { static void F(int n) { if (n == 0) throw new InvalidOperationException("counted down"); F(n - 1); } static void Main() { F(2); } }
