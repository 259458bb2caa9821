#define BOOST_TEST_MODULE Sample
#include <boost/test/included/unit_test.hpp>
#include <boost/test/data/test_case.hpp>
#include <stdexcept>
namespace utf = boost::unit_test;
BOOST_AUTO_TEST_SUITE(Calc)
BOOST_AUTO_TEST_CASE(adds) { BOOST_TEST(1+1==2); }
BOOST_AUTO_TEST_CASE(fails) { BOOST_TEST(1==2); BOOST_TEST(2==3, "äöü <a&b>"); }
BOOST_AUTO_TEST_CASE(throws) { throw std::runtime_error("boom"); }
BOOST_AUTO_TEST_CASE(off, * utf::disabled()) { BOOST_TEST(false); }
BOOST_AUTO_TEST_CASE(expected, * utf::expected_failures(1)) { BOOST_TEST(false); }
BOOST_AUTO_TEST_CASE(needs, * utf::depends_on("Calc/fails")) { BOOST_TEST(true); }
BOOST_AUTO_TEST_CASE(noassert) { }
BOOST_AUTO_TEST_CASE(crash) { if (getenv("DIE")) { int* p = nullptr; *p = 1; } }
BOOST_AUTO_TEST_SUITE(Inner)
BOOST_AUTO_TEST_CASE(adds) { BOOST_TEST(true); }
BOOST_AUTO_TEST_CASE(required) { BOOST_REQUIRE(1==2); }
BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
BOOST_DATA_TEST_CASE(data, utf::data::make({1,2,3})) { BOOST_TEST(sample != 2); }
struct Fx { Fx() { BOOST_REQUIRE_MESSAGE(false, "setup"); } };
BOOST_FIXTURE_TEST_CASE(fixture, Fx) { BOOST_TEST(true); }
struct Suite { void setup() { throw std::runtime_error("suite setup"); } };
BOOST_AUTO_TEST_SUITE(Broken, * utf::fixture<Suite>())
BOOST_AUTO_TEST_CASE(a) { }
BOOST_AUTO_TEST_CASE(b) { }
BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_CASE(warns) { BOOST_WARN(false); BOOST_TEST(true); }
