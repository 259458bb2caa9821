log(-1, base = "x")
