class Thing:
    def __del__(self):
        raise ValueError("in a finalizer")


thing = Thing()
del thing
