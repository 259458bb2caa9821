def parse(text) { Integer.parseInt(text) }
def load(items) { items.collect { parse(it) } }
load(["1", "x"])
