import pytest


def test_passes():
    assert True


def test_fails():
    assert 1 == 2, "plain"


def test_fails_more():
    assert 1 == 3, "more"


@pytest.mark.slow
@pytest.mark.parametrize(
    "value", ["a/b-1", "x::y", "[z]", "sp ace", "it's \"quoted\"", "größe", "$HOME`ls`", "a;b|c&d", "*", "-k", "", "back\\slash", "new\nline"]
)
def test_of(value):
    assert value == "never", "value " + value


class TestGroup:
    def test_fails(self):
        assert [1] == [2]

    class TestInner:
        @pytest.mark.parametrize("a,b", [(1, 2), (3, 4)])
        def test_fails(self, a, b):
            assert a == b, "inner"


@pytest.fixture
def broken():
    raise RuntimeError("no fixture")


def test_with_broken_fixture(broken):
    pass
