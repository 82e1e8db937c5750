#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/bench.h"
#include "core/error.h"

namespace rotor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Flags, GoogleBenchmarksFlagsAreTranslatedOrRefusedByName) {
  EXPECT_THAT(translate_benchmark_flags(
                  {"--suite", "all", "--benchmark_filter=b1$", "--benchmark_out=r.json"}),
              ElementsAre("--suite", "all", "--filter=b1$", "--out=r.json"));
  EXPECT_THAT(translate_benchmark_flags({"--benchmark_list_tests"}), ElementsAre("--list"));
  EXPECT_THAT(translate_benchmark_flags({"--benchmark_list_tests=false"}), ElementsAre());
  for (const char* flag : {"--benchmark_repetitions=3", "--benchmark_min_time=0.5s",
                           "--benchmark_format=json", "--benchmark_frobnicate"}) {
    try {
      translate_benchmark_flags({flag});
      ADD_FAILURE() << flag << " was accepted";
    } catch (const UsageError& error) {
      EXPECT_THAT(error.what(), HasSubstr("is not a flag of rotor-bench"));
      EXPECT_THAT(flag, HasSubstr(std::string(error.what()).substr(0, 15)));
    }
  }
}

TEST(Flags, DurationsHaveUnits) {
  EXPECT_DOUBLE_EQ(parse_duration("90"), 90);
  EXPECT_DOUBLE_EQ(parse_duration("90s"), 90);
  EXPECT_DOUBLE_EQ(parse_duration("10m"), 600);
  EXPECT_DOUBLE_EQ(parse_duration("1.5h"), 5400);
  for (const char* bad : {"", "m", "0", "-3s", "10 m", "10x", "nan", "inf"}) {
    EXPECT_THROW(parse_duration(bad), UsageError) << bad;
  }
}

TEST(Flags, SharesArePercentOrFraction) {
  EXPECT_DOUBLE_EQ(parse_share("3%"), 0.03);
  EXPECT_DOUBLE_EQ(parse_share("0.5"), 0.5);
  for (const char* bad : {"", "%", "0", "-1%", "100%", "3 %", "3%%", "nan", "x"}) {
    EXPECT_THROW(parse_share(bad), UsageError) << bad;
  }
}

TEST(Flags, SeedsAreDecimalOrHexadecimal) {
  EXPECT_EQ(parse_seed("42"), 42u);
  EXPECT_EQ(parse_seed("0x5eed"), 0x5eedu);
  EXPECT_EQ(parse_seed("0xffffffffffffffff"), ~std::uint64_t{0});
  for (const char* bad : {"", "0x", "-1", "+1", " 1", "5eed", "1 ", "0x10000000000000000"}) {
    EXPECT_THROW(parse_seed(bad), UsageError) << bad;
  }
}

}  // namespace
}  // namespace rotor
