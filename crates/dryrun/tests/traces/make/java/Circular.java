public class Circular {
    public static void main(String[] args) {
        RuntimeException a = new RuntimeException("a"); RuntimeException b = new RuntimeException("b", a); a.initCause(b); throw a;
    }
}
