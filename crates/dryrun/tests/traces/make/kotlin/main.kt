class Broken(message: String, cause: Throwable? = null) : RuntimeException(message, cause)
fun parse(text: String): Int = text.toInt()
fun load(items: List<String>) = items.map { parse(it) }
fun main() {
    try { load(listOf("1", "x")) } catch (e: NumberFormatException) { throw Broken("cannot load", e) }
}
