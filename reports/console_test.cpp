#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <sstream>

#include "reports/test_report.h"
#include "reports/text.h"

namespace rotor {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Text, NumbersKeepTheirDigits) {
  EXPECT_EQ(show_number(0.33804), "0.338");
  EXPECT_EQ(show_number(9.9994), "9.999");
  EXPECT_EQ(show_number(9.9996), "10.00");
  EXPECT_EQ(show_number(99.996), "100.0");
  EXPECT_EQ(show_number(1054.4), "1054");
  EXPECT_EQ(show_number(99.96, 3), "100");
  EXPECT_EQ(show_number(std::numeric_limits<double>::infinity()), "-");
}

TEST(Text, TimesChangeTheirUnitWhereRoundingDoes) {
  EXPECT_EQ(show_seconds(131.42e-6), "131.4 µs");
  EXPECT_EQ(show_seconds(999.94e-6), "999.9 µs");
  EXPECT_EQ(show_seconds(999.96e-6), "1.000 ms");
  EXPECT_EQ(show_seconds(2.5), "2.500 s");
  EXPECT_EQ(show_bytes(32768), "32 KiB");
  EXPECT_EQ(show_bytes(1536), "1.5 KiB");
  EXPECT_EQ(show_percent(0.004), "0.4%");
  EXPECT_EQ(show_percent(0.0996), "10%");
}

TEST(Text, ColumnsAreCharactersNotBytes) {
  EXPECT_EQ(columns_of("±µ×"), 3u);
  EXPECT_EQ(pad_left("±1", 4), "  ±1");
  EXPECT_EQ(clip("±µ×abc", 4), "±µ×…");
  EXPECT_EQ(clip("±µ×", 3), "±µ×");
}

TEST(Text, NothingInAFileSteersTheTerminal) {
  EXPECT_EQ(printable("a\tb\r\n±µ×·–"), "a\tb\r\n±µ×·–");
  EXPECT_EQ(printable("lab\x1b[2J\x7f"), "lab\uFFFD[2J\uFFFD");
  EXPECT_EQ(printable("\xC2\x9B"
                      "2J"),
            "\uFFFD"
            "2J");
  EXPECT_EQ(printable(std::string_view("\0x", 2)), "\uFFFDx");
}

TEST(Console, EveryLineFitsTheScreen) {
  const Report report = sample_report();
  std::istringstream text(heading(report) + result_tables(report));
  for (std::string line; std::getline(text, line);) {
    EXPECT_LE(columns_of(line), kConsoleColumns) << line;
  }
}

TEST(Console, TablesListTheFastestFirstAndWhatIsWrongLast) {
  const std::string text = result_tables(sample_report());
  const std::size_t fast = text.find("✓ matmul_fast");
  const std::size_t slow = text.find("✓ matmul_slow");
  const std::size_t dense = text.find("✓ matmul_dense_eigen");
  const std::size_t wrong = text.find("✗ matmul_wrong");
  ASSERT_NE(wrong, std::string::npos);
  EXPECT_LT(fast, slow);
  EXPECT_LT(slow, dense);
  EXPECT_LT(dense, wrong);
  EXPECT_THAT(text, HasSubstr("100.0 µs"));
  EXPECT_THAT(text, HasSubstr("8.00      -  exact"));
  EXPECT_THAT(text, Not(HasSubstr("matmul_other")));  // unsupported: the closing block tells
}

TEST(Console, LayersHaveATableForEachPositionAndWinNothing) {
  const std::string text = result_tables(sample_report_with_layers());
  const std::size_t near = text.find("30 layers of 2560, position 4 ");
  const std::size_t far = text.find("30 layers of 2560, position 2047 ");
  ASSERT_NE(far, std::string::npos);
  EXPECT_LT(near, far);
  EXPECT_THAT(text.substr(near, far - near), HasSubstr("layers_f16"));
  EXPECT_THAT(text.substr(text.find("Fastest")), Not(HasSubstr("layers_f16")));
}

TEST(Console, ProductsOfLayersHaveATableOfTheirOwn) {
  Report report = sample_report_with_layers();
  CaseResult products = timed_layers("products@1x1", 4, {1e-3});
  products.spec.op = "products";
  report.results.push_back(products);
  const std::string text = result_tables(report);
  const std::size_t own = text.find("products of 30 layers of 2560 ");
  ASSERT_NE(own, std::string::npos);
  EXPECT_THAT(text.substr(0, own), Not(HasSubstr("products@1x1")));
  EXPECT_THAT(text.substr(own), HasSubstr("products@1x1"));
}

TEST(Console, LimitsAreShownAndWhatIsAboveThemIsAnAlarm) {
  Report report = sample_report();
  // 1,638,400 bytes of a 100 us case, at 16.4 GB/s and then at half of that.
  report.roofs.push_back({"cpu:0", "int8_dot", {}, "start", 1e15, "ops/s", {1e15}, {}});
  report.roofs[0].median = 20.48e9;
  EXPECT_THAT(result_tables(report), HasSubstr("8.00   80%m  exact"));
  EXPECT_THAT(result_tables(report), HasSubstr("256 MiB"));
  EXPECT_THAT(closing_block(report), Not(HasSubstr("above")));
  report.roofs[0].median = 10.24e9;
  EXPECT_THAT(result_tables(report), HasSubstr(" !160%m  exact"));
  EXPECT_THAT(closing_block(report), HasSubstr("1 time above the device's measured limit"));
}

// The sample: 15 MB a token in 1 to 1.5 ms, on a device that reads 20 GB/s and was not asked for its
// arithmetic.
TEST(Console, ModelsAreHeldAgainstTheLimitsOfTheirDevice) {
  const std::string text = result_tables(sample_report());
  EXPECT_NE(text.find("1000       -   500.0 µs  15.00   75%m      3250      -"), std::string::npos)
      << text;
}

TEST(Console, TheClosingBlockLeavesNothingOut) {
  const std::string text = closing_block(sample_report());
  for (const char* part :
       {"6: 1 fail_verify, 3 pass, 1 skipped, 1 unsupported", "20 of 20 injected kernel bugs",
        "cpu/matmul_other: no_avx512, needs AVX-512 (1 case)", "budget: no time left",
        "cpu/matmul_wrong/n2560_k2560_b1: fail_verify", "want 3, got 4",
        "repeat: rotor-bench --filter '^cpu/matmul_wrong/n2560_k2560_b1$' --seed 0x5eed",
        "exit 2        1 case is wrong"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(Console, HeadingNamesProgramMachineAndDevices) {
  const std::string text = heading(sample_report());
  for (const char* part : {"rotor-bench 0.1.0", "seed 0x5eed", "Example CPU, 2 cores", "L3 32 MiB",
                           "16 GiB", "cpu:0"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

}  // namespace
}  // namespace rotor
