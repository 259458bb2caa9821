import pathlib

SEEN = pathlib.Path("seen")


def test_second_time():
    seen = SEEN.exists()
    SEEN.touch()
    assert seen, "the first time"


def test_never():
    assert False, "always"
