#include "reports/hardware.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "reports/report.h"
#include "reports/schema.h"

namespace rotor {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string table_text() {
  return load_file(ROTOR_SOURCE_DIR "/reports/reference/hardware.json");
}

TEST(Hardware, TheBuiltInTableIsValidAndEveryFigureHasASource) {
  EXPECT_THAT(schema_violations(load_file(ROTOR_SOURCE_DIR "/reports/hardware-1.schema.json"),
                                table_text()),
              IsEmpty());
  const HardwareTable table = built_in_hardware();
  EXPECT_THAT(table.targets, SizeIs(3));
  // The model's products are all of its trits: 30 layers.
  double trits = 0;
  for (const auto& p : table.model.products) trits += 30.0 * p.n * p.k;
  EXPECT_EQ(trits, table.model.trits.value);
  EXPECT_EQ(table.model.ternary_bytes.value, trits / 4);
}

TEST(Hardware, ABadTableIsNamed) {
  const Json valid = Json::parse(table_text());
  const std::pair<const char*, Json> edits[] = {{"/targets/0/bus_bytes_per_s/value", 0},
                                                {"/targets/1/lane_ops_per_s/low", "many"},
                                                {"/bus_reach/low", 0.9},
                                                {"/bus_reach/high", 1.1},
                                                {"/targets/0/id", "hd615"},
                                                {"/targets/0/without/0/kernel", ""},
                                                {"/format/name", "other"},
                                                {"/model", nullptr}};
  for (const auto& [pointer, value] : edits) {
    Json broken = valid;
    broken[Json::json_pointer(pointer)] = value;
    try {
      read_hardware(broken.dump(), "mine.json");
      ADD_FAILURE() << pointer;
    } catch (const FormatError& error) {
      EXPECT_THAT(error.what(), HasSubstr("mine.json: ")) << pointer;
    }
  }
  EXPECT_THROW(read_hardware("{", "mine.json"), FormatError);
}

}  // namespace
}  // namespace rotor
