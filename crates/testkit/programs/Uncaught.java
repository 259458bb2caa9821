import java.util.List;
import java.util.Map;

/** Beats three times, then ends by an uncaught exception that has a cause and a suppressed one. */
public class Uncaught {
    static class OrderRejected extends RuntimeException {
        OrderRejected(String message, Throwable cause) {
            super(message, cause);
        }
    }

    static class Session implements AutoCloseable {
        @Override
        public void close() {
            throw new IllegalStateException("session 7 was closed twice");
        }
    }

    static int price(Map<String, Integer> order) {
        return order.get("limit") * order.get("quantity");
    }

    static void submit(int id, Map<String, Integer> order) {
        try (Session session = new Session()) {
            price(order);
        } catch (NullPointerException e) {
            throw new OrderRejected("order " + id + " cannot be priced", e);
        }
    }

    public static void main(String[] args) {
        for (int seq : List.of(1, 2, 3)) {
            System.out.printf(
                    "{\"timestamp\":\"%s\",\"level\":\"info\",\"event\":\"heartbeat\",\"message\":\"heartbeat #%d\",\"seq\":%d}%n",
                    java.time.Instant.now(), seq, seq);
        }
        submit(42, Map.of("quantity", 2));
    }
}
