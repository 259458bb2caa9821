using System; using System.Threading.Tasks;
class Tasks {
  static async Task<int> Work(int n) { await Task.Delay(1); if (n > 1) throw new ArgumentException("bad " + n); return n; }
  static async Task<int> Outer() { return await Work(2) + await Work(1); }
  static void Main() { Console.WriteLine(Outer().Result); }
}
