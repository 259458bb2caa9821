public class Suppressed {
    static class Door implements AutoCloseable { public void close() { throw new IllegalStateException("door stuck"); } }
    public static void main(String[] args) throws Exception { try (Door a = new Door(); Door b = new Door()) { throw new Exception("inside"); } }
}
