// Beats three times, then ends by an uncaught exception that has a cause.
class OrderRejected(message: String, cause: Throwable) : RuntimeException(message, cause)

data class Order(val id: Int, val limit: Int?, val quantity: Int)

fun price(order: Order): Int = checkNotNull(order.limit) { "order ${order.id} has no limit" } * order.quantity

fun submit(orders: List<Order>) = orders.map { order ->
    try {
        price(order)
    } catch (e: IllegalStateException) {
        throw OrderRejected("order ${order.id} cannot be priced", e)
    }
}

fun main() {
    for (seq in 1..3) {
        println("""{"timestamp":"${java.time.Instant.now()}","level":"info","event":"heartbeat","message":"heartbeat #$seq","seq":$seq}""")
    }
    submit(listOf(Order(41, 3, 2), Order(42, null, 2)))
}
