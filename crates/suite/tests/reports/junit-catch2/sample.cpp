#define CATCH_CONFIG_MAIN
#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#include <catch2/catch_reporter_tap.hpp>
#include <catch2/catch_reporter_sonarqube.hpp>
#endif
#include <stdexcept>
TEST_CASE("adds", "[calc]") { REQUIRE(1+1==2); }
TEST_CASE("fails <a&b> äöü", "[calc]") { CHECK(1==2); CHECK(2==3); }
TEST_CASE("throws", "[calc]") { throw std::runtime_error("boom"); }
TEST_CASE("hidden", "[.]") { REQUIRE(false); }
TEST_CASE("mayfail", "[!mayfail]") { CHECK(false); }
TEST_CASE("shouldfail", "[!shouldfail]") { CHECK(false); }
TEST_CASE("shouldfail but passes", "[!shouldfail]") { CHECK(true); }
TEST_CASE("empty") { }
TEST_CASE("sections") { SECTION("one") { CHECK(true); } SECTION("two") { CHECK(false); SECTION("deep") { CHECK(true); } } }
TEST_CASE("prints") { printf("out\n"); fprintf(stderr, "err\n"); WARN("careful"); CHECK(true); }
TEST_CASE("explicit") { FAIL("explicit message"); }
TEST_CASE("generates") { auto i = GENERATE(1,2,3); CHECK(i != 2); }
#ifdef SKIP
TEST_CASE("skipped") { SKIP("no network"); }
#endif
struct F { F() { if (getenv("FIX")) throw std::runtime_error("fixture"); } };
TEST_CASE_METHOD(F, "method") { CHECK(true); }
