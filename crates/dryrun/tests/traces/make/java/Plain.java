public class Plain {
    static void check(int n) { if (n < 1) throw new IllegalArgumentException("n must be positive: " + n); check(n - 1); }
    public static void main(String[] args) { check(3); }
}
