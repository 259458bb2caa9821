"""Tests of every ending."""
import sys
import time

import pytest


def test_passes():
    print("to stdout")
    print("to stderr", file=sys.stderr)


def test_fails():
    assert {"a": 1, "b": "<&>\"'"} == {"a": 2, "b": "<&>\"'"}


def test_raises():
    raise RuntimeError("bell \x07 and escape \x1b[31mred\x1b[0m")


@pytest.fixture
def broken_setup():
    raise OSError("no database")


def test_setup_error(broken_setup):
    pass


@pytest.fixture
def broken_teardown():
    yield
    raise OSError("cannot drop the database")


def test_teardown_error(broken_teardown):
    pass


def test_fails_and_teardown_error(broken_teardown):
    assert 1 == 2, "the call failed first"


@pytest.mark.skip
def test_skipped_where_declared():
    pass


@pytest.mark.skip(reason="needs a licence")
def test_skipped_with_reason():
    pass


def test_skipped_in_its_body():
    pytest.skip("not today")


@pytest.mark.xfail(reason="bug 12")
def test_expected_failure():
    assert False


@pytest.mark.xfail(reason="bug 13")
def test_passes_unexpectedly():
    pass


@pytest.mark.xfail(strict=True, reason="bug 14")
def test_passes_unexpectedly_strict():
    pass


@pytest.mark.parametrize("text", ["plain", "a b", "ü<&>", "new\nline", ""])
def test_parameters(text):
    assert "<" not in text


@pytest.mark.timeout(0.2)
def test_times_out():
    time.sleep(5)


class TestClass:
    def test_method(self, record_property):
        record_property("key", "value")

    class TestInner:
        def test_deep(self):
            assert [1, 2, 3] == [1, 2, 4]
