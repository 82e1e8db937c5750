// What the tuner decides, and that it finds something to decide on.
#include "bench/tune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/choose.h"
#include "runtime/devices.h"

namespace rotor {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<double> seven(double first, double step) {
  std::vector<double> values;
  for (int i = 0; i < 7; ++i) values.push_back(first + i * step);
  return values;
}

TEST(Tune, OnlyWhatIsFasterBeyondNoiseIsWorthAChange) {
  const std::vector<double> usual = seven(1.0, 0.01);
  EXPECT_TRUE(is_worth_a_change(usual, seven(0.9, 0.01)));
  EXPECT_FALSE(is_worth_a_change(usual, seven(0.99, 0.01))) << "1 % is too little";
  EXPECT_FALSE(is_worth_a_change(usual, seven(0.8, 0.1))) << "slower in some rounds";
  EXPECT_FALSE(is_worth_a_change(usual, usual));
  EXPECT_FALSE(is_worth_a_change(seven(0.9, 0), usual));
  EXPECT_FALSE(is_worth_a_change({}, {}));
  const double few[] = {1, 1, 1};
  const double fast[] = {0.5, 0.5, 0.5};
  EXPECT_FALSE(is_worth_a_change(few, fast)) << "three rounds tell nothing";
}

TEST(Tune, APackingHasACostOnlyWhereAllBatchesWereTimed) {
  const KernelVariant& row = *find_variant("cpu/matmul_bitpacked_portable");
  TunedPacking packing{Packing::Bits2, {}};
  for (const BatchClass& batch : kBatchClasses) {
    EXPECT_FALSE(packing.cost());
    packing.classes.push_back({batch.measured, row, 2.0, row, 1.0, 1});
  }
  ASSERT_TRUE(packing.cost());
  EXPECT_DOUBLE_EQ(*packing.cost(), kUses[0] + kUses[1] + kUses[2] + kUses[3]);
}

TEST(Tune, TheShapesAreThoseOfLoadedMatrices) {
  const std::vector<Shape> shapes = tuned_shapes(open_checkpoint("synthetic:2b4t/1")->config());
  ASSERT_EQ(shapes.size(), 4u);
  EXPECT_EQ(shapes[0].n, 3840u);
  EXPECT_EQ(shapes[2].n, 13824u);
  EXPECT_EQ(shapes[3].k, 6912u);
}

TEST(Tune, EveryBatchOfAProductGetsARowOfOnePacking) {
  const auto cpu = open_cpu({.threads = 1});
  Tuner tuner(*cpu, 1, [](const std::string&) { return true; });
  const TunedMatrix matrix = tuner.tune({64, 256}, 60);
  EXPECT_THAT(tuner.failures(), IsEmpty());
  EXPECT_THAT(matrix.left_out, IsEmpty());
  const std::vector<TunedProduct> products = matrix.products();
  ASSERT_EQ(products.size(), std::size(kBatchClasses));
  const TuningRecord record{{{tuning_key(cpu->info()), products}}};
  const Tuning tuning(cpu->info(), record);
  EXPECT_THAT(tuning.complaints(), IsEmpty());
  EXPECT_EQ(tuning.size(), products.size());
  for (const TunedProduct& product : products) {
    EXPECT_EQ(find_variant(product.variant)->packing, matrix.best.packing);
    EXPECT_GT(product.seconds, 0);
    EXPECT_GT(product.default_seconds, 0);
  }
  // Which of the two is faster is not asked: a packing is chosen by the sum over all batches, of which
  // one may lose, and on a busy machine times of one row differ.
  for (const TunedClass& found : matrix.best.classes) {
    const bool is_usual =
        found.chosen.name == found.usual.name && found.chosen.tile == found.usual.tile;
    if (is_usual) {
      EXPECT_EQ(found.chosen_s, found.usual_s) << "batch " << found.m;
    }
  }
}

TEST(Tune, WhatThereIsNoTimeForIsLeftOutAndSaid) {
  const auto cpu = open_cpu({.threads = 1, .feature_mask = feature::Baseline});
  Tuner tuner(*cpu, 1, [](const std::string&) { return true; });
  const TunedMatrix matrix = tuner.tune({64, 256}, 0);
  EXPECT_THAT(matrix.products(), IsEmpty());
  EXPECT_THAT(matrix.left_out, Contains("batch 1"));
  EXPECT_THAT(matrix.left_out, Contains("batch 128"));
  EXPECT_THAT(matrix.left_out, Contains(HasSubstr("packing int8")));
}

TEST(Tune, AnInterruptionEndsIt) {
  const auto cpu = open_cpu({.threads = 1, .feature_mask = feature::Baseline});
  int steps = 0;
  Tuner tuner(*cpu, 1, [&](const std::string&) { return ++steps < 2; });
  const TunedMatrix matrix = tuner.tune({64, 256}, 60);
  EXPECT_EQ(steps, 2);
  EXPECT_LE(matrix.products().size(), 1u);
}

}  // namespace
}  // namespace rotor
