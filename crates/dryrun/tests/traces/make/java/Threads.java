public class Threads {
    public static void main(String[] args) throws Exception {
        Thread t = new Thread(() -> { java.util.List.of(1, 2).forEach(n -> { throw new ArithmeticException("in a lambda"); }); }, "worker-1"); t.start(); t.join();
    }
}
