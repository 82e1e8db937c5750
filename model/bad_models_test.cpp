// A corpus of broken checkpoints (scripts/make_bad_models.py): each gives one clear line of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "model/checkpoints.h"
#include "model/tensor_names.h"
#include "model/test_files.h"

namespace rotor {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Opens a checkpoint and reads all of it.
void load(const std::string& path) {
  const auto model = open_checkpoint(path);
  for (std::uint32_t layer = 0; layer < model->config().layers; ++layer) {
    for (const Projection which : kProjections) model->projection(layer, which);
    for (const Norm which : kNorms) model->norm(layer, which);
  }
  model->final_norm();
  test::table_values(model->embedding());
  test::table_values(model->head());
}

TEST(BadModels, EachGivesItsOwnLine) {
  if (!test::has_numpy()) GTEST_SKIP() << "no numpy: make_bad_models.py cannot make the corpus";
  const test::TempFolder folder;
  ASSERT_EQ(test::run_script("make_bad_models.py", folder.path()), 0);
  std::ifstream manifest(folder / "manifest.tsv");
  std::size_t cases = 0;
  for (std::string name, words; std::getline(std::getline(manifest, name, '\t'), words); ++cases) {
    SCOPED_TRACE(name);
    try {
      load(folder / name);
      ADD_FAILURE() << "was accepted";
    } catch (const FormatError& e) {
      EXPECT_THAT(e.what(), HasSubstr(words));
      EXPECT_THAT(e.what(), StartsWith(folder / name));
      EXPECT_THAT(e.what(), Not(HasSubstr("\n")));
    }
  }
  EXPECT_GE(cases, 80u);
}

TEST(BadModels, MissingPathsAreNamed) {
  try {
    open_checkpoint("/nowhere/at/all");
    ADD_FAILURE() << "was accepted";
  } catch (const FormatError& e) {
    EXPECT_STREQ(e.what(), "/nowhere/at/all: no such file or folder");
  }
}

// The message of check_scale for a model of 2B4T's sizes; empty if it accepts.
std::string scale_error(std::uint32_t layer, Projection which, float scale) {
  const Config config = open_checkpoint("synthetic:2b4t/1")->config();
  try {
    check_scale(config, layer, which, scale, "f");
  } catch (const FormatError& e) {
    return e.what();
  }
  return "";
}

TEST(BadModels, AnInvertedScaleOf2b4tIsRecognised) {
  EXPECT_THAT(scale_error(0, Projection::Q, 0.8205f), HasSubstr("divided by the scale"));
  EXPECT_EQ(scale_error(0, Projection::Q, 1.21875f), "");
  EXPECT_EQ(scale_error(1, Projection::Q, 0.8205f), "");  // a plausible scale elsewhere
  EXPECT_THAT(scale_error(3, Projection::Down, 0.4f), HasSubstr("implausible"));
  EXPECT_THAT(scale_error(3, Projection::Down, 11), HasSubstr("implausible"));
  EXPECT_EQ(scale_error(3, Projection::Down, synthetic_scale(6912)), "");
}

}  // namespace
}  // namespace rotor
