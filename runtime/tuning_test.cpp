// The tuning record: what is written is read, what is wrong is told, and choices are followed.
#include "runtime/tuning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "runtime/choose.h"
#include "runtime/devices.h"

namespace rotor {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Whatever the CPU: the rows that need nothing of it.
const DeviceOptions kBaseline{.threads = 1, .feature_mask = feature::Baseline};
constexpr const char* kUsual = "cpu/matmul_bitpacked_portable";
constexpr const char* kOther = "cpu/matmul_int8_portable";

TunedProduct product(std::uint32_t m, const std::string& variant) {
  return {.n = 64,
          .k = 256,
          .m = m,
          .variant = variant,
          .tile = {},
          .seconds = 1e-4,
          .default_seconds = 2e-4};
}

TuningRecord record_of(const DeviceInfo& device, std::vector<TunedProduct> products) {
  return {{{tuning_key(device), std::move(products)}}};
}

class TuningTest : public testing::Test {
 protected:
  TuningTest() : folder_(fs::path(testing::TempDir()) / "rotor_tuning") {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~TuningTest() override { fs::remove_all(folder_); }

  std::string file(const std::string& text) {
    const std::string path = folder_ / "tuning.json";
    std::ofstream(path) << text;
    return path;
  }

  fs::path folder_;
  std::unique_ptr<Device> cpu_ = open_cpu(kBaseline);
};

TEST_F(TuningTest, BatchClassesCoverAllNumbersOfTokens) {
  std::uint64_t next = 1;
  for (const BatchClass& batch : kBatchClasses) {
    EXPECT_EQ(batch.first, next);
    EXPECT_LE(batch.first, batch.measured);
    EXPECT_GE(batch.last, batch.measured);
    for (const std::uint32_t m : {batch.first, batch.measured, batch.last}) {
      EXPECT_EQ(&batch_class(m), &batch) << m;
    }
    next = std::uint64_t{batch.last} + 1;
  }
  EXPECT_EQ(next, std::uint64_t{1} << 32);
}

TEST_F(TuningTest, WhatIsSavedIsLoaded) {
  TuningRecord record = record_of(cpu_->info(), {product(1, kOther), product(128, kUsual)});
  record.devices.front().products.front().tile = {16, 1, 128, 8};
  const std::string path = folder_ / "deep" / "tuning.json";
  save_tuning(path, record);
  EXPECT_EQ(write_tuning(load_tuning(path, true)), write_tuning(record));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "deep"), {}), 1) << "something stayed";
}

TEST_F(TuningTest, WhatIsTunedAgainIsReplacedAndTheRestStays) {
  DeviceInfo gpu = cpu_->info();
  gpu.driver = "another";
  TunedProduct of_another_model = product(1, kUsual);
  of_another_model.n = 640;
  TuningRecord record =
      record_of(cpu_->info(), {product(1, kUsual), product(5, kUsual), of_another_model});
  record.keep({tuning_key(gpu), {product(1, kUsual)}});
  record.keep({tuning_key(cpu_->info()), {product(1, kOther)}});
  ASSERT_EQ(record.devices.size(), 2u);
  EXPECT_EQ(record.devices[0].key.driver, "another");
  ASSERT_EQ(record.devices[1].products.size(), 2u);
  EXPECT_EQ(record.devices[1].products[0].variant, kOther);
  EXPECT_EQ(record.devices[1].products[1].n, 640u);
}

TEST_F(TuningTest, ChoicesAreFollowed) {
  const TuningRecord record =
      record_of(cpu_->info(), {product(1, kOther), product(5, kOther), product(32, kUsual)});
  KernelSet kernels(*cpu_, {}, Tuning(cpu_->info(), record));
  const Packing packing = kernels.weight_packing(64, 256);
  EXPECT_EQ(packing, Packing::Int8);
  const auto name = [&](std::uint32_t m, std::uint32_t n) {
    return kernels.product(kernels.weight_packing(n, 256), {m, n, 256, 256}).variant().name;
  };
  EXPECT_EQ(name(1, 64), kOther);
  EXPECT_EQ(name(8, 64), kOther);
  EXPECT_EQ(name(9, 64), kOther) << "a choice of another packing than that of single tokens";
  EXPECT_EQ(name(1, 80), kUsual) << "a shape that was not tuned";
  KernelSet preferring(*cpu_, {"matmul_bitpacked"}, Tuning(cpu_->info(), record));
  EXPECT_EQ(preferring.weight_packing(64, 256), Packing::Bits2);
  KernelSet others(*cpu_, {"norm_quant"}, Tuning(cpu_->info(), record));
  EXPECT_EQ(others.weight_packing(64, 256), Packing::Int8);
}

TEST_F(TuningTest, ARecordOfAnotherDeviceSaysNothing) {
  const auto changes = std::to_array<void (*)(DeviceInfo&)>({
      [](DeviceInfo& d) { d.name += " mk2"; },
      [](DeviceInfo& d) { d.driver += ".1"; },
      [](DeviceInfo& d) { d.threads += 1; },
      [](DeviceInfo& d) { d.features |= feature::Avx2; },
      [](DeviceInfo& d) { d.device_id = "0x1"; },
  });
  for (const auto change : changes) {
    DeviceInfo other = cpu_->info();
    change(other);
    const Tuning tuning(cpu_->info(), record_of(other, {product(1, kOther)}));
    EXPECT_TRUE(tuning.empty());
    EXPECT_THAT(tuning.complaints(), IsEmpty());
  }
}

TEST_F(TuningTest, WhatThisProgramCannotRunIsIgnoredWithALine) {
  TunedProduct strange_tile = product(1, kUsual);
  strange_tile.tile = {0, 65535};
  const std::pair<TunedProduct, const char*> bad[] = {
      {product(1, "cpu/matmul_of_tomorrow"), "there is no variant 'cpu/matmul_of_tomorrow'"},
      {product(1, "cpu/norm_quant_portable"), "does not serve products of weights"},
      {product(1, "cpu/matmul_bitpacked_avx2"), "device lacks AVX2"},
      {strange_tile, "has no tile of 0x65535"},
  };
  for (const auto& [wrong, why] : bad) {
    const Tuning tuning(cpu_->info(), record_of(cpu_->info(), {wrong, wrong, product(5, kOther)}));
    EXPECT_EQ(tuning.size(), 1u);
    EXPECT_THAT(tuning.complaints(), ElementsAre(HasSubstr(why)));
    EXPECT_EQ(KernelSet(*cpu_, {}, tuning).weight_packing(64, 256), Packing::Bits2);
  }
}

TEST_F(TuningTest, WhatIsNoRecordIsTold) {
  const std::string good = write_tuning(record_of(cpu_->info(), {product(1, kUsual)}));
  ASSERT_NO_THROW(parse_tuning(good, "good"));
  const auto with = [&](const std::string& pointer, nlohmann::json value) {
    nlohmann::json document = nlohmann::json::parse(good);
    document[nlohmann::json::json_pointer(pointer)] = std::move(value);
    return document.dump();
  };
  const std::string first = "/devices/0/products/0";
  const std::string bad[] = {"",
                             "[]",
                             "null",
                             "{}",
                             good.substr(0, good.size() / 2),
                             std::string(std::size_t{1} << 16, '['),
                             std::string(2u << 20, ' '),
                             with("/format", "rotor-report"),
                             with("/version", 2),
                             with("/devices", 3),
                             with("/devices/0/device/name", 3),
                             with("/devices/0/device/threads", -1),
                             with("/devices/0/products", nullptr),
                             with(first, 1),
                             with(first + "/n", 1ull << 32),
                             with(first + "/m", 0),
                             with(first + "/k", 2.5),
                             with(first + "/variant", std::string(600, 'x')),
                             with(first + "/tile/rows", 65536),
                             with(first + "/tile", 1),
                             with(first + "/seconds", 0),
                             with(first + "/seconds", -1e300)};
  for (const std::string& text : bad) {
    EXPECT_THROW(parse_tuning(text, "bad"), FormatError) << text.substr(0, 200);
    const std::string path = file(text);
    EXPECT_THROW(Tuning(cpu_->info(), TuningOptions{.file = path}), FormatError);
  }
}

TEST_F(TuningTest, OnlyANamedFileMustBeThere) {
  const std::string absent = folder_ / "absent.json";
  EXPECT_THROW(Tuning(cpu_->info(), TuningOptions{.file = absent}), FormatError);
  EXPECT_THROW(Tuning(cpu_->info(), TuningOptions{.file = folder_}), FormatError);
  EXPECT_TRUE(Tuning(cpu_->info(), TuningOptions{.file = absent, .use = false}).empty());
  ::setenv("ROTOR_TUNING", absent.c_str(), 1);
  EXPECT_EQ(usual_tuning_file(), absent);
  EXPECT_THAT(Tuning(cpu_->info(), TuningOptions{}).complaints(), IsEmpty());
  ::setenv("ROTOR_TUNING", file("{").c_str(), 1);
  EXPECT_THAT(Tuning(cpu_->info(), TuningOptions{}).complaints(),
              ElementsAre(HasSubstr("is not valid JSON")));
  ::unsetenv("ROTOR_TUNING");
  ::setenv("XDG_CACHE_HOME", "/caches", 1);
  EXPECT_EQ(usual_tuning_file(), "/caches/rotor/tuning.json");
}

}  // namespace
}  // namespace rotor
