#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "model/weights.h"

namespace rotor {
namespace {

// The first elements of some tensors, made by an independent generator.
nlohmann::json probe(const std::string& name) {
  std::ifstream file(std::string(ROTOR_SOURCE_DIR) + "/verify/goldens/synthetic.json");
  return nlohmann::json::parse(file).at(name + "/probe");
}

class SyntheticProbe : public testing::TestWithParam<const char*> {};

TEST_P(SyntheticProbe, FirstElementsAreTheGoldenOnes) {
  const auto model = open_checkpoint("synthetic:" + std::string(GetParam()));
  const auto golden = probe(GetParam());

  const TernaryMatrix q = model->projection(0, Projection::Q);
  const auto rows = golden.at("model.layers.0.self_attn.q_proj.weight");
  for (std::uint32_t r = 0; r < rows.size(); ++r) {
    const auto row = q.row(r).first(rows[r].size());
    EXPECT_EQ(std::vector<int>(row.begin(), row.end()), rows[r].get<std::vector<int>>()) << r;
  }
  EXPECT_EQ(q.scales().front().scale, golden.at("weight_scale_H").get<float>());

  // The probe of the embedding is its row 1.
  const auto second = golden.at("model.embed_tokens.weight").get<std::vector<float>>();
  const Table table = model->embedding();
  std::vector<float> row(table.columns);
  const std::size_t stride = row_bytes(table.packing, table.columns);
  decode_row(table.packing, table.bytes.subspan(stride, stride), row);
  row.resize(second.size());
  EXPECT_EQ(row, second);

  const auto gains = golden.at("model.norm.weight").get<std::vector<float>>();
  std::vector<float> norm = model->final_norm();
  norm.resize(gains.size());
  EXPECT_EQ(norm, gains);
}

INSTANTIATE_TEST_SUITE_P(Presets, SyntheticProbe,
                         testing::Values("odd/1", "2b4t-2layer/1", "2b4t/1"), [](const auto& test) {
                           std::string name = test.param;
                           std::erase_if(name, [](char c) { return !std::isalnum(c); });
                           return name;
                         });

TEST(Synthetic, EveryTensorHasTheShapeOfItsPreset) {
  const auto model = open_checkpoint("synthetic:odd/18446744073709551615");
  const Config& config = model->config();
  for (const Projection which : {Projection::Q, Projection::K, Projection::V, Projection::O,
                                 Projection::Gate, Projection::Up, Projection::Down}) {
    const TernaryMatrix matrix = model->projection(2, which);
    const auto [n, k] = projection_shape(config, which);
    EXPECT_EQ(matrix.n(), n);
    EXPECT_EQ(matrix.k(), k);
  }
  for (const Norm which : {Norm::Input, Norm::AttentionSub, Norm::PostAttention, Norm::FfnSub}) {
    EXPECT_EQ(model->norm(0, which).size(), norm_size(config, which));
  }
  EXPECT_EQ(model->head().bytes.data(), model->embedding().bytes.data());
}

TEST(Synthetic, BadNamesAreRefusedWithThePresets) {
  for (const char* name :
       {"synthetic:", "synthetic:odd", "synthetic:odd/", "synthetic:odd/-1", "synthetic:odd/1x",
        "synthetic:huge/1", "synthetic:odd/18446744073709551616"}) {
    try {
      open_checkpoint(name);
      ADD_FAILURE() << name << " was accepted";
    } catch (const UsageError& e) {
      EXPECT_NE(std::string(e.what()).find("odd, 2b4t-2layer, 2b4t"), std::string::npos)
          << e.what();
    }
  }
}

}  // namespace
}  // namespace rotor
