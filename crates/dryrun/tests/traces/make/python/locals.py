def outer():
    class Broken(Exception):
        pass

    raise Broken("a local class")


outer()
