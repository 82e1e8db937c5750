#include "model/tokenizer_gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "model/test_files.h"

namespace rotor {
namespace {

using test::kDemo;
using testing::HasSubstr;

// The demo tokenizer as a GGUF file would hold it.
GgufTokenizer demo_keys() {
  const Vocabulary vocabulary = read_vocabulary(kDemo);
  GgufTokenizer keys;
  keys.model = "gpt2";
  keys.tokens = vocabulary.tokens;
  keys.merges = vocabulary.merges;
  for (const TokenKind kind : vocabulary.kinds) {
    keys.types.push_back(kind == TokenKind::Text ? kGgufNormalToken : kGgufControlToken);
  }
  return keys;
}

std::string refusal(const GgufTokenizer& keys) {
  try {
    Tokenizer::from_vocabulary(gguf_vocabulary(keys, "x.gguf"), "x.gguf");
  } catch (const FormatError& error) {
    return error.what();
  }
  return "no error";
}

TEST(TokenizerGguf, IsTheTokenizerOfTheJsonFile) {
  const Vocabulary want = read_vocabulary(kDemo);
  for (const bool with_types : {true, false}) {
    GgufTokenizer keys = demo_keys();
    if (!with_types) keys.types.clear();
    const Vocabulary got = gguf_vocabulary(keys, "x.gguf");
    EXPECT_EQ(got.tokens, want.tokens);
    EXPECT_EQ(got.kinds, want.kinds);
    EXPECT_EQ(got.merges, want.merges);
    EXPECT_EQ(got.ignore_merges, want.ignore_merges);
  }
}

TEST(TokenizerGguf, ReadsAFileOfAnIndependentWriter) {
  if (!test::has_numpy()) GTEST_SKIP() << "no numpy: model_files.py cannot make a GGUF file";
  const test::TempFolder folder;
  ASSERT_EQ(test::model_files("write " + kDemo + " " + (folder / "m.gguf") + " i2_s"), 0);
  const Tokenizer json = Tokenizer::open(kDemo);
  for (const std::string& place : {folder / "m.gguf", folder.path()}) {
    const Tokenizer gguf = Tokenizer::open(place);
    const std::string text = "The future of AI: 12345 Gr\u00FC\u00DFe<|eot_id|>";
    EXPECT_EQ(gguf.encode(text, Specials::Parse), json.encode(text, Specials::Parse));
    EXPECT_EQ(gguf.size(), json.size());
  }
}

TEST(TokenizerGguf, HidesPaddingAndBrokenControlTokens) {
  GgufTokenizer keys = demo_keys();
  const std::size_t first = keys.tokens.size();
  for (const char* text : {"[PAD0]", "", "<|eot_id|>"}) keys.tokens.emplace_back(text);
  keys.types.insert(keys.types.end(), {5, 3, 3});
  const Tokenizer tokenizer = Tokenizer::from_vocabulary(gguf_vocabulary(keys, "x"), "x");
  const std::vector<TokenId> ids = tokenizer.encode("[PAD0]<|eot_id|>", Specials::Parse);
  EXPECT_TRUE(std::ranges::all_of(ids, [&](TokenId id) { return id < first; }));
}

TEST(TokenizerGguf, RefusesOtherKinds) {
  GgufTokenizer keys = demo_keys();
  keys.pre = "gpt-2";
  EXPECT_THAT(refusal(keys), HasSubstr("x.gguf: tokenizer.ggml.pre is \"gpt-2\""));
  keys = demo_keys();
  keys.types[7] = 6;
  EXPECT_THAT(refusal(keys), HasSubstr("is of type byte"));
  keys = demo_keys();
  keys.tokens[7] = "\u2581the";
  EXPECT_THAT(refusal(keys), HasSubstr("token 7 (\"\u2581the\") is not in byte-level characters"));
  for (const char* pre : {"llama-bpe", "llama3", "llama-v3"}) {
    keys = demo_keys();
    keys.pre = pre;
    EXPECT_EQ(refusal(keys), "no error");
  }
}

TEST(VocabularyFile, IsNamedOrFoundInAFolder) {
  const test::TempFolder folder;
  EXPECT_EQ(vocabulary_file(folder.path()), std::nullopt);
  EXPECT_EQ(vocabulary_file(folder / "nothing"), std::nullopt);
  EXPECT_EQ(vocabulary_file("synthetic:odd/1"), std::nullopt);
  std::filesystem::copy(kDemo + "/tokenizer.json", folder.path());
  EXPECT_EQ(vocabulary_file(folder.path()), folder / "tokenizer.json");
  EXPECT_EQ(vocabulary_file(folder / "tokenizer.json"), folder / "tokenizer.json");
  try {
    read_vocabulary("/nonexistent/folder");
    FAIL() << "no error";
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("/nonexistent/folder: no tokenizer here"));
  }
}

}  // namespace
}  // namespace rotor
