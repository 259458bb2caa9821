public class Init {
    static class Broken { static int n = Integer.parseInt("x"); }
    public static void main(String[] args) { System.out.println(Broken.n); }
}
