public class NoMessage {
    public static void main(String[] args) { throw new IllegalStateException(); }
}
