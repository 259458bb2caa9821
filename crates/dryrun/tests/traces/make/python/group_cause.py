try:
    try:
        raise ExceptionGroup("jobs", [ValueError("one"), RuntimeError("two")])
    except* ValueError as group:
        raise ConnectionError("gave up")
except ZeroDivisionError:
    pass
