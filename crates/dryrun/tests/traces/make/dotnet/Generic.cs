using System; using System.Collections.Generic; using System.Linq;
class Box<T> { public T Must(Dictionary<string, T> d, string k) { return d[k]; } }
class Generic { static void Main() { var l = new List<string> { "a" }.Select(k => new Box<int>().Must(new Dictionary<string, int>(), k)).ToList(); } }
