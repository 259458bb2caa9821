def f():
    error = ValueError("with notes")
    error.add_note("  the first note, indented")
    error.add_note("  the second")
    raise error


f()
