public class Caused {
    static void read() throws java.io.IOException { throw new java.io.IOException("disk gone"); }
    static void load() { try { read(); } catch (java.io.IOException e) { throw new IllegalStateException("cannot load", e); } }
    public static void main(String[] args) { try { load(); } catch (RuntimeException e) { throw new RuntimeException("start failed", e); } }
}
