#include <gtest/gtest.h>
#include <stdexcept>
#include <cstdlib>
TEST(Calc, Adds) { EXPECT_EQ(1+1, 2); }
TEST(Calc, Fails) { EXPECT_EQ(1, 2) << "unicode äöü € \x1b[31mred\x1b[0m"; EXPECT_TRUE(false) << "<a&b> ]]>"; }
TEST(Calc, Skipped) { GTEST_SKIP() << "no network"; }
TEST(Calc, DISABLED_Off) { FAIL(); }
TEST(Calc, Throws) { throw std::runtime_error("boom"); }
TEST(Calc, Props) { RecordProperty("key", "value"); }
class Fix : public ::testing::Test { protected: void SetUp() override { ASSERT_TRUE(false) << "setup failed"; } };
TEST_F(Fix, NeedsSetup) {}
class SuiteFix : public ::testing::Test { protected: static void SetUpTestSuite() { ADD_FAILURE() << "suite setup failed"; } };
TEST_F(SuiteFix, One) {}
TEST_F(SuiteFix, Two) {}
class P : public ::testing::TestWithParam<std::string> {};
TEST_P(P, NotB) { EXPECT_NE(GetParam(), "b"); }
INSTANTIATE_TEST_SUITE_P(Words, P, ::testing::Values("a", "b", "c&\"<"));
template <typename T> class Typed : public ::testing::Test {};
using Types = ::testing::Types<int, char>;
TYPED_TEST_SUITE(Typed, Types);
TYPED_TEST(Typed, IsInt) { EXPECT_EQ(sizeof(TypeParam), sizeof(int)); }
class Env : public ::testing::Environment { void SetUp() override { if (getenv("ENVFAIL")) ADD_FAILURE() << "environment"; } };
int main(int c, char** v) { ::testing::InitGoogleTest(&c, v); ::testing::AddGlobalTestEnvironment(new Env); return RUN_ALL_TESTS(); }
