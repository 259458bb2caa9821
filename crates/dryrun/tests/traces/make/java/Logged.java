import java.util.logging.*;
public class Logged {
    public static void main(String[] args) {
        try { Object o = null; o.hashCode(); } catch (NullPointerException e) { Logger.getLogger("shop").log(Level.SEVERE, "cannot hash", e); }
    }
}
