public class Lines {
    public static void main(String[] args) { throw new RuntimeException("first line\nsecond line\nthird line"); }
}
