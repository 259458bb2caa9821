def fail(error):
    raise error


def gather():
    errors = []
    for error in (ValueError("first"), TypeError("second")):
        try:
            fail(error)
        except Exception as caught:
            errors.append(caught)
    raise ExceptionGroup("several", errors + [ExceptionGroup("inner", [KeyError("third"), OSError("fourth")])])


gather()
