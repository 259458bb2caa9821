public class Reflect {
    public static void target() { int[] a = new int[1]; a[2] = 3; }
    public static void main(String[] args) throws Exception { Reflect.class.getMethod("target").invoke(null); }
}
