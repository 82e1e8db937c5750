// GGUF files and folders that an independent writer made, against the demo model they were made
// from.
#include "model/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.h"
#include "core/half.h"
#include "model/gguf_keys.h"
#include "model/tensor_names.h"
#include "model/test_files.h"

namespace rotor {
namespace {

using test::kDemo;
using test::model_files;
using testing::HasSubstr;

void expect_same_config(const Config& a, const Config& b) {
  EXPECT_EQ(a.vocab, b.vocab);
  EXPECT_EQ(a.hidden, b.hidden);
  EXPECT_EQ(a.ffn, b.ffn);
  EXPECT_EQ(a.layers, b.layers);
  EXPECT_EQ(a.heads, b.heads);
  EXPECT_EQ(a.kv_heads, b.kv_heads);
  EXPECT_EQ(a.head_dim, b.head_dim);
  EXPECT_EQ(a.max_positions, b.max_positions);
  EXPECT_EQ(a.rope_theta, b.rope_theta);
  EXPECT_EQ(a.norm_epsilon, b.norm_epsilon);
  EXPECT_EQ(a.tied_head, b.tied_head);
  EXPECT_EQ(a.bos, b.bos);
}

// Everything but the tables.
void expect_same_layers(const Checkpoint& a, const Checkpoint& b) {
  for (std::uint32_t layer = 0; layer < a.config().layers; ++layer) {
    for (const Projection which : kProjections) {
      const TernaryMatrix x = a.projection(layer, which);
      const TernaryMatrix y = b.projection(layer, which);
      EXPECT_TRUE(std::ranges::equal(x.trits(), y.trits())) << gguf_name(layer, which);
      EXPECT_EQ(x.scales().front().scale, y.scales().front().scale) << gguf_name(layer, which);
    }
    for (const Norm which : kNorms) EXPECT_EQ(a.norm(layer, which), b.norm(layer, which));
  }
  EXPECT_EQ(a.final_norm(), b.final_norm());
}

class ModelFiles : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::has_numpy()) GTEST_SKIP() << "no numpy: model_files.py cannot make the files";
  }
  test::TempFolder folder_;
};

TEST_F(ModelFiles, EveryTernaryTypeCarriesTheDemoModel) {
  const auto demo = open_checkpoint(kDemo);
  for (const char* arguments : {"i2_s", "tq1_0", "tq2_0", "i2_s --arch bitnet-25",
                                "i2_s --version 2", "tq2_0 --arch bitnet"}) {
    SCOPED_TRACE(arguments);
    ASSERT_EQ(model_files("write " + kDemo + " " + (folder_ / "m.gguf") + " " + arguments), 0);
    const auto model = open_checkpoint(folder_ / "m.gguf");
    expect_same_config(model->config(), demo->config());
    expect_same_layers(*model, *demo);
    EXPECT_TRUE(std::ranges::equal(test::table_values(model->embedding()),
                                   test::table_values(demo->embedding()), {}, f32_to_f16,
                                   f32_to_f16));
  }
  EXPECT_EQ(open_checkpoint(folder_.path())->config().vocab, 2048u);  // a folder with one .gguf
}

// The writer reads its own block format back as floats; rotor must see the same, rounded to f16.
TEST_F(ModelFiles, EveryTableTypeIsDecodedAsTheIndependentReaderDoes) {
  for (const std::string type : {"f32", "f16", "bf16", "q8_0", "q4_0", "q6_k"}) {
    SCOPED_TRACE(type);
    const std::string file = folder_ / (type + ".gguf");
    const std::string plain = folder_ / "plain.gguf";
    ASSERT_EQ(model_files("write " + kDemo + " " + file + " i2_s --embedding " + type), 0);
    ASSERT_EQ(model_files("write " + file + " " + plain + " i2_s --embedding f32"), 0);
    const auto model = open_checkpoint(file);
    const auto expected = open_checkpoint(plain);
    EXPECT_TRUE(std::ranges::equal(test::table_values(model->head()),
                                   test::table_values(expected->head()), {}, f32_to_f16,
                                   f32_to_f16));
  }
}

TEST_F(ModelFiles, AnUntiedHeadIsRead) {
  for (const std::string kind : {"packed", "i2_s"}) {
    const std::string path = folder_ / kind;
    ASSERT_EQ(model_files("random " + path + " " + kind + " --untied --embedding f32"), 0);
    const auto model = open_checkpoint(path);
    EXPECT_FALSE(model->config().tied_head);
    EXPECT_NE(test::table_values(model->head()), test::table_values(model->embedding()));
  }
}

TEST_F(ModelFiles, ShardsAndTheOlderLinearClassGiveTheSameModel) {
  const auto demo = open_checkpoint(kDemo);
  ASSERT_EQ(model_files("write " + kDemo + " " + (folder_ / "shards") + " packed --shards 3"), 0);
  expect_same_layers(*open_checkpoint(folder_ / "shards"), *demo);
  // The reciprocal of a reciprocal is exact for powers of two only: compare through the file.
  ASSERT_EQ(model_files("write " + kDemo + " " + (folder_ / "older") +
                        " packed --linear-class bitlinear"),
            0);
  ASSERT_EQ(model_files("write " + (folder_ / "older") + " " + (folder_ / "newer") + " packed"), 0);
  const auto older = open_checkpoint(folder_ / "older");
  const auto newer = open_checkpoint(folder_ / "newer");
  expect_same_layers(*older, *newer);
}

TEST_F(ModelFiles, ElevenLayersAreNotInTextOrder) {
  ASSERT_EQ(model_files("random " + (folder_ / "m.gguf") + " i2_s --layers 11"), 0);
  ASSERT_EQ(model_files("random " + (folder_ / "hf") + " packed --layers 11"), 0);
  expect_same_layers(*open_checkpoint(folder_ / "m.gguf"), *open_checkpoint(folder_ / "hf"));
}

TEST_F(ModelFiles, TheTokenizerTravelsInTheFile) {
  const std::string path = folder_ / "m.gguf";
  ASSERT_EQ(model_files("write " + kDemo + " " + path + " i2_s"), 0);
  const GgufTokenizer tokenizer = read_gguf_tokenizer(path);
  EXPECT_EQ(tokenizer.model, "gpt2");
  EXPECT_EQ(tokenizer.pre, "");
  EXPECT_EQ(tokenizer.tokens.size(), 2048u);
  EXPECT_EQ(tokenizer.types.size(), 2048u);
  EXPECT_EQ(tokenizer.types[2032], kGgufControlToken);
  EXPECT_EQ(tokenizer.types[0], kGgufNormalToken);
  EXPECT_FALSE(tokenizer.merges.empty());
  EXPECT_EQ(tokenizer.bos, 2032u);
  EXPECT_EQ(tokenizer.eos, 2033u);
}

}  // namespace
}  // namespace rotor
