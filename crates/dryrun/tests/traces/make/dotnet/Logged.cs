using System;
class Logged { static void F() { string s = null; Console.WriteLine(s.Length); } static void Main() { try { F(); } catch (Exception e) { Console.Error.WriteLine(e); } } }
