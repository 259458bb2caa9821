public class Printed {
    static class Boom extends Throwable { Boom(String m) { super(m); } }
    static void f() throws Boom { throw new Boom("own kind"); }
    public static void main(String[] args) { try { f(); } catch (Boom e) { e.printStackTrace(); } }
}
