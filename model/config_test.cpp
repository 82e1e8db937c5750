#include "model/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace rotor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// The smallest file that is accepted, with `extra` members in front.
std::string minimal(const std::string& extra = "", const std::string& quantisation = "{}") {
  return "{" + extra + R"("vocab_size":128256,"hidden_size":64,"intermediate_size":96,)" +
         R"("num_hidden_layers":2,"num_attention_heads":4,"quantization_config":)" + quantisation +
         "}";
}

std::string error_of(const std::string& text) {
  try {
    parse_config(text, "", "f");
  } catch (const FormatError& e) {
    return e.what();
  }
  return "accepted";
}

TEST(HfConfig, AbsentKeysGetTheDefaultsOfTheClass) {
  const HfConfig read = parse_config(minimal(), "", "f");
  EXPECT_EQ(read.config.kv_heads, 4u);
  EXPECT_EQ(read.config.head_dim, 16u);
  EXPECT_EQ(read.config.max_positions, 2048u);
  EXPECT_EQ(read.config.rope_theta, 500000.0f);
  EXPECT_EQ(read.config.norm_epsilon, 1e-5f);
  EXPECT_FALSE(read.config.tied_head);
  EXPECT_TRUE(read.quantisation.packed);
  EXPECT_TRUE(read.quantisation.reciprocal);
  EXPECT_THAT(read.config.stop_tokens, ElementsAre(128009));  // the vocabulary is Llama-3's
}

TEST(HfConfig, ScaleDirectionAndStorageFollowTheLinearClass) {
  const auto quantisation = [](const char* text) {
    return parse_config(minimal("", text), "", "f").quantisation;
  };
  const auto offline = quantisation(R"({"linear_class":"autobitlinear"})");
  EXPECT_TRUE(offline.packed && !offline.reciprocal);
  const auto online =
      quantisation(R"({"linear_class":"autobitlinear","quantization_mode":"online"})");
  EXPECT_TRUE(!online.packed && !online.reciprocal);
  const auto older = quantisation(R"({"linear_class":"bitlinear","quantization_mode":"online"})");
  EXPECT_TRUE(older.packed && older.reciprocal);
}

TEST(HfConfig, EndTokensOfBothFilesAreJoined) {
  const std::string config = minimal(R"("eos_token_id":128001,)");
  EXPECT_THAT(parse_config(config, R"({"eos_token_id":[128009,5]})", "f").config.stop_tokens,
              ElementsAre(5, 128001, 128009));
  EXPECT_THAT(parse_config(config, R"({"eos_token_id":null})", "f").config.stop_tokens,
              ElementsAre(128001, 128009));
}

TEST(HfConfig, NewerFilesKeepThetaInRopeParameters) {
  const std::string extra = R"("rope_parameters":{"rope_theta":1e4,"rope_type":"default"},)";
  EXPECT_EQ(parse_config(minimal(extra), "", "f").config.rope_theta, 10000.0f);
}

TEST(HfConfig, WhatWeCannotRunIsRefusedByName) {
  const std::pair<std::string, const char*> cases[] = {
      {minimal("", R"({"use_rms_norm":true})"), "\"use_rms_norm\" is true"},
      {minimal("", R"({"linear_class":"other"})"), "supported: bitlinear or autobitlinear"},
      {minimal("", R"({"quant_method":"gptq"})"), "\"quant_method\" is \"gptq\""},
      {minimal("", "null"), "not a BitNet b1.58 checkpoint"},
      {minimal(R"("model_type":"llama",)"), "\"model_type\" is \"llama\""},
      {minimal(R"("hidden_act":"silu",)"), "\"hidden_act\" is \"silu\""},
      {minimal(R"("attention_bias":true,)"), "\"attention_bias\" is true"},
      {minimal(R"("rope_scaling":{"rope_type":"yarn"},)"), "\"rope_type\" is \"yarn\""},
      {minimal(R"("num_key_value_heads":3,)"), "not a multiple of 3 key/value heads"},
      {minimal(R"("num_key_value_heads":8,)"), "key/value head count 8, expected 1 to 4"},
      {minimal(R"("head_dim":15,)"), "head size 15 is odd"},
      {minimal(R"("head_dim":4294967295,)"), "head size 4294967295, expected 1 to"},
      {minimal(R"("rms_norm_eps":0,)"), "norm epsilon"},
      {minimal(R"("rope_theta":-1,)"), "rope theta"},
      {minimal(R"("rope_theta":"big",)"), "\"rope_theta\" is not a number"},
      {minimal(R"("max_position_embeddings":0,)"), "position limit 0"},
      {minimal(R"("eos_token_id":128256,)"), "end token 128256"},
      {minimal(R"("bos_token_id":128256,)"), "begin token 128256"},
      {minimal(R"("bos_token_id":-1,)"), "\"bos_token_id\" is not an unsigned"},
      {minimal(R"("vocab_size":1,)"), "\"vocab_size\" appears twice"},
      {R"({"vocab_size":8})", "\"hidden_size\" is missing"},
      {"[]", "not a JSON object"},
      {"", "not valid JSON"},
  };
  for (const auto& [text, message] : cases) EXPECT_THAT(error_of(text), HasSubstr(message)) << text;
}

}  // namespace
}  // namespace rotor
