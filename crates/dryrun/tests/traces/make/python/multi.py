def f():
    raise ValueError("one line\n  and one that goes on")


f()
