// What rotor writes, read by an independent reader (scripts/model_files.py) and by rotor.
#include "model/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/error.h"
#include "model/commands.h"
#include "model/test_files.h"

namespace rotor {
namespace {

using test::kDemo;
using test::model_files;
using testing::HasSubstr;

class Convert : public testing::Test {
 protected:
  // 0 if the independent reader sees the same trits, scales, norms and tokenizer in both, and tables
  // that differ by at most `table` of the largest element.
  static int compare(const std::string& a, const std::string& b, double table) {
    if (!test::has_numpy()) return 0;
    std::ostringstream arguments;
    arguments << "compare " << a << " " << b << " --table " << table;
    return model_files(arguments.str());
  }

  static std::string contents(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  test::TempFolder folder_;
};

// f16 cannot hold the smallest elements of the embedding: 2^-25 is half its smallest step.
constexpr double kHalfRounding = 1e-7;

TEST_F(Convert, EveryTernaryFormatIsLossless) {
  for (const auto& [format, name] : {std::pair{TernaryFormat::Strided, "packed"},
                                     {TernaryFormat::I2S, "i2_s.gguf"},
                                     {TernaryFormat::Tq1, "tq1_0.gguf"},
                                     {TernaryFormat::Tq2, "tq2_0.gguf"}}) {
    SCOPED_TRACE(name);
    const ConvertResult result = convert(kDemo, folder_ / name, {.ternary = format});
    EXPECT_EQ(result.bytes, std::filesystem::file_size(result.file));
    EXPECT_EQ(result.worst_scale_error, 0);  // the scales are bf16, which f16 holds exactly here
    EXPECT_TRUE(result.tokenizer);
    EXPECT_EQ(compare(kDemo, folder_ / name, kHalfRounding), 0);
    EXPECT_EQ(open_checkpoint(folder_ / name)->config().stop_tokens,
              open_checkpoint(kDemo)->config().stop_tokens);
  }
}

TEST_F(Convert, ThereAndBackIsTheSameFile) {
  const std::string first = folder_ / "first.gguf";
  const std::string second = folder_ / "second.gguf";
  convert("synthetic:odd/3", first, {.ternary = TernaryFormat::I2S});
  convert(first, folder_ / "packed", {.ternary = TernaryFormat::Strided});
  convert(folder_ / "packed", second, {.ternary = TernaryFormat::I2S});
  EXPECT_EQ(contents(first), contents(second));
  EXPECT_EQ(compare(folder_ / "packed", first, 0), 0);
}

TEST_F(Convert, TheTokenizerGoesAlongBothWays) {
  convert(kDemo, folder_ / "m.gguf", {.ternary = TernaryFormat::I2S});
  convert(folder_ / "m.gguf", folder_ / "packed", {.ternary = TernaryFormat::Strided});
  EXPECT_EQ(compare(kDemo, folder_ / "packed", kHalfRounding), 0);
}

// A block format moves an element by half a step, or by a whole one where the extreme of the other
// sign finds no code; a step is the extreme over 127, 32 or 8. Q6_K also rounds its scales to 1/128
// of the largest, and all round d to f16 (2^-11).
TEST_F(Convert, TableFormatsAreReadByOthers) {
  const std::pair<TableFormat, double> cases[] = {
      {TableFormat::F32, 0},
      {TableFormat::Bf16, 0},
      {TableFormat::Q8_0, 0.5 / 127 + 0x1p-11},
      {TableFormat::Q6_K, 1.0 / 32 + 0.5 / 128 + 0x1p-11},
      {TableFormat::Q4_0, 1.0 / 8 + 0x1p-11},
  };
  for (const auto& [format, bound] : cases) {
    SCOPED_TRACE(table_format_name(format));
    convert(kDemo, folder_ / "m.gguf", {.ternary = TernaryFormat::Tq2, .table = format});
    EXPECT_EQ(compare(kDemo, folder_ / "m.gguf", bound), 0);
  }
}

TEST_F(Convert, ScalesThatF16RoundsAreReported) {
  const char* data = std::getenv("ROTOR_TESTDATA");
  if (data == nullptr) GTEST_SKIP() << "ROTOR_TESTDATA is not set: models/demo-bf16 not converted";
  const std::string master = std::string(data) + "/models/demo-bf16";
  EXPECT_EQ(convert(master, folder_ / "a.gguf", {.ternary = TernaryFormat::I2S}).worst_scale_error,
            0);
  const double error =
      convert(master, folder_ / "b.gguf", {.ternary = TernaryFormat::Tq1}).worst_scale_error;
  EXPECT_GT(error, 0);
  EXPECT_LE(error, 0x1p-11);  // half a step of f16
  EXPECT_EQ(compare(master, folder_ / "a.gguf", kHalfRounding), 0);
}

TEST_F(Convert, ProgressEndsAtOne) {
  std::vector<double> shares;
  const ConvertResult result =
      convert("synthetic:odd/1", folder_ / "m.gguf", {.progress = [&](double share) {
                shares.push_back(share);
                return true;
              }});
  EXPECT_TRUE(result.complete);
  EXPECT_TRUE(std::is_sorted(shares.begin(), shares.end()));
  EXPECT_EQ(shares.back(), 1);
}

TEST_F(Convert, WhenEndedEarlyNothingStaysBehind) {
  for (const TernaryFormat format : {TernaryFormat::I2S, TernaryFormat::Strided}) {
    const std::string out = folder_ / std::string(ternary_format_name(format));
    const ConvertResult result =
        convert("synthetic:odd/1", out,
                {.ternary = format, .progress = [](double share) { return share < 0.5; }});
    EXPECT_FALSE(result.complete);
    EXPECT_FALSE(std::filesystem::exists(result.file));
    EXPECT_FALSE(std::filesystem::exists(result.file + ".part"));
  }
}

// Without a tokenizer the file says so in the words of llama.cpp, and loads.
TEST_F(Convert, GeneratedWeightsHaveNoTokenizer) {
  const std::string out = folder_ / "m.gguf";
  EXPECT_FALSE(convert("synthetic:odd/1", out, {}).tokenizer);
  EXPECT_FALSE(vocabulary_file(out));
  EXPECT_THAT(contents(out).substr(0, 2000), HasSubstr("no_vocab"));
  EXPECT_EQ(open_checkpoint(out)->config().vocab, 1003u);
}

TEST_F(Convert, TheNameOfTheFileChoosesItsFormat) {
  const std::pair<const char*, const char*> cases[] = {
      {"folder", "safetensors, packed (offline)"},
      {"m.gguf", "GGUF 3, I2_S projections, F16 embedding"},
      {"m-tq1_0.gguf", "GGUF 3, TQ1_0 projections, F16 embedding"},
      {"M-TQ2_0.gguf", "GGUF 3, TQ2_0 projections, F16 embedding"},
  };
  std::ostringstream talk;
  for (const auto& [name, description] : cases) {
    EXPECT_EQ(run_convert({.in = kDemo, .out = folder_ / name}, talk), kExitOk);
    EXPECT_EQ(open_checkpoint(folder_ / name)->description(), description);
  }
  EXPECT_THROW(run_convert({.in = kDemo, .out = folder_ / "p.gguf", .to = "packed"}, talk),
               UsageError);
  EXPECT_THROW(run_convert({.in = kDemo, .out = folder_ / "p", .to = "q4"}, talk), UsageError);
  EXPECT_THROW(run_convert({.in = kDemo, .out = folder_ / "p", .embedding = "q6"}, talk),
               UsageError);
}

template <typename E>
std::string error_of(const std::string& out, const ConvertOptions& options) {
  try {
    convert("synthetic:odd/1", out, options);
  } catch (const E& e) {
    return e.what();
  }
  return "accepted";
}

TEST_F(Convert, WhatAFormatCannotCarryIsRefused) {
  const std::string out = folder_ / "m.gguf";
  EXPECT_THAT(error_of<UsageError>(out, {.ternary = TernaryFormat::Tq2}),
              HasSubstr("whole blocks"));
  EXPECT_THAT(error_of<UsageError>(out, {.table = TableFormat::Q6_K}),
              HasSubstr("whole blocks of q6_k"));
  EXPECT_THAT(error_of<UsageError>(out, {.architecture = "llama"}),
              HasSubstr("architecture \"llama\""));
  EXPECT_THAT(error_of<UsageError>(folder_ / "hf",
                                   {.ternary = TernaryFormat::Strided, .table = TableFormat::Q8_0}),
              HasSubstr("safetensors has no embedding format q8_0"));
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST_F(Convert, AnOutputThatCannotBeWrittenLeavesNothingBehind) {
  EXPECT_THAT(error_of<OutputError>(folder_ / "none/m.gguf", {}), HasSubstr("cannot create"));
  EXPECT_THAT(error_of<OutputError>("/dev/full", {}), HasSubstr("not a regular file"));
  EXPECT_THAT(error_of<OutputError>(folder_.path(), {}), HasSubstr("not a regular file"));
  // A file size limit fails in the same place as a full disk.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before = {};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small = {100'000, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const std::string error = error_of<OutputError>(folder_ / "m.gguf", {});
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_THAT(error, HasSubstr("cannot write"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

}  // namespace
}  // namespace rotor
