using System;
class Lines { static void Main() { throw new Exception("first line\nsecond line"); } }
