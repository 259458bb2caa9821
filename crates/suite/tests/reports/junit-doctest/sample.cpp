#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
#include <stdexcept>
TEST_SUITE("calc") {
TEST_CASE("adds") { CHECK(1+1==2); }
TEST_CASE("fails <a&b> äöü") { CHECK(1==2); CHECK(2==3); }
}
TEST_CASE("throws") { throw std::runtime_error("boom"); }
TEST_CASE("skipped" * doctest::skip()) { CHECK(false); }
TEST_CASE("mayfail" * doctest::may_fail()) { CHECK(false); }
TEST_CASE("shouldfail" * doctest::should_fail()) { CHECK(false); }
TEST_CASE("shouldfail passes" * doctest::should_fail()) { CHECK(true); }
TEST_CASE("timesout" * doctest::timeout(0.0000001)) { CHECK(true); }
TEST_CASE("sub") { SUBCASE("one") { CHECK(true); } SUBCASE("two") { CHECK(false); } }
TEST_CASE("dies") { if (getenv("DIE")) abort(); }
TEST_CASE_TEMPLATE("typed", T, int, char) { CHECK(sizeof(T)==4); }
