using System; using System.Threading.Tasks;
class Awaited {
  static async Task<int> Work(int n) { await Task.Delay(1); throw new TimeoutException("too slow"); }
  static async Task<int> Outer() { return await Work(2); }
  static void Main() { Outer().GetAwaiter().GetResult(); }
}
