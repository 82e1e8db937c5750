#include "model/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"
#include "core/random.h"

namespace rotor {
namespace {

using Ids = std::vector<TokenId>;
using nlohmann::json;

const Tokenizer& demo() {
  static const Tokenizer tokenizer = Tokenizer::open(ROTOR_SOURCE_DIR "/model/demo");
  return tokenizer;
}

// The Llama-3 tokenizer is not in the repository: its folder is $ROTOR_TESTDATA/tokenizer/llama3.
class Llama3 : public testing::Test {
 protected:
  void SetUp() override {
    if (std::getenv("ROTOR_TESTDATA") == nullptr) {
      GTEST_SKIP() << "ROTOR_TESTDATA is not set: the Llama-3 tokenizer was not tested";
    }
  }
  static std::string data(const std::string& path) {
    return std::string(std::getenv("ROTOR_TESTDATA")) + "/" + path;
  }
  static const Tokenizer& llama3() {
    static const Tokenizer tokenizer = Tokenizer::open(data("tokenizer/llama3"));
    return tokenizer;
  }
};

TEST_F(Llama3, GivesTheIdsOfAnIndependentImplementation) {
  std::ifstream in(data("goldens/tokenizer.json"));
  const json goldens = json::parse(in);
  ASSERT_EQ(goldens["cases"].size(), 374);
  for (const json& golden : goldens["cases"]) {
    const std::string text = golden["text"];
    const Ids ids = golden["ids"];
    EXPECT_EQ(llama3().encode(text, Specials::Parse), ids) << golden["i"] << " " << golden["cat"];
    EXPECT_EQ(llama3().decode(ids, Specials::Parse), text) << golden["i"] << " " << golden["cat"];
    const Ids plain = golden.value("ids_no_special", ids);
    EXPECT_EQ(llama3().encode(text), plain) << golden["i"] << " " << golden["cat"];
    EXPECT_EQ(llama3().decode(plain), text) << golden["i"] << " " << golden["cat"];
  }
}

TEST_F(Llama3, EncodesTheTextsOfTheModelNotes) {
  EXPECT_EQ(llama3().size(), 128256);
  const std::map<std::string, Ids> cases = {
      {"Explain why the sky appears blue.", {849, 21435, 3249, 279, 13180, 8111, 6437, 13}},
      {"What is seven multiplied by eight?", {3923, 374, 8254, 56016, 555, 8223, 30}},
      {"Объясни, зачем компьютеру нужна память.",
       {74339, 34694, 102955, 23446, 11, 44946, 111455, 77573, 89052, 58060, 3865, 77083, 14525,
        107957, 94975, 13}},
      {"def square(x):\n    return x * x\n", {755, 9518, 2120, 997, 262, 471, 865, 353, 865, 198}},
      {"User: What is your favourite food?", {1502, 25, 3639, 374, 701, 19214, 3691, 30}},
      {"System: You are a helpful assistant.", {2374, 25, 1472, 527, 264, 11190, 18328, 13}},
      {"Assistant: ", {72803, 25, 220}},
      {"Assistant:", {72803, 25}},
      {"I'M don't  WE'LL   \n\n  x", {40, 28703, 1541, 956, 220, 20255, 6, 4178, 35033, 220, 865}},
      {"1234567 3.14", {4513, 10961, 22, 220, 18, 13, 975}},
      {"  leading", {220, 6522}},
      {"trailing  ", {376, 14612, 256}},
      {"a\u00A0b", {64, 115648}},
      {"\r\n\r\nab\t\tc", {881, 370, 197, 1470}},
      {"日本語テスト 👩‍👩‍👧",
       {102433, 102158, 57933, 71634, 62904, 102, 102470, 9468, 239, 102, 102470, 9468, 239, 100}},
      {" việc", {100769}},  // cannot be reached by merging
      {"ektedir", {101673}},
      {"½²Ⅷ7", {27154, 30556, 71567, 100, 22}},
      {"foo_bar.baz()", {8134, 14725, 960, 1394, 368}},
      {"'sup's", {596, 455, 596}},
      {"a\u2028b", {64, 378, 101, 65}},
      {"\u200B\u200Bx", {88996, 87}},
      {"مرحبا", {101244, 30925, 103645}},
      {std::string("\0\1", 2), {188, 189}},
  };
  for (const auto& [text, ids] : cases) EXPECT_EQ(llama3().encode(text), ids) << text;
}

TEST_F(Llama3, ReplacesInvalidUtf8BeforeEncoding) {
  EXPECT_EQ(llama3().encode("a\xFF\xE2\x82z"), llama3().encode("a\uFFFD\uFFFDz"));
}

// A word of 1 MB takes less than a second; the bound of the test allows for sanitizers and load.
TEST_F(Llama3, EncodesLongWords) {
  Random random(7);
  std::string word;
  for (int i = 0; i < 1'000'000; ++i) word += static_cast<char>('a' + random.below(26));
  EXPECT_EQ(llama3().decode(llama3().encode(word)), word);
  EXPECT_EQ(llama3().decode(llama3().encode(std::string(1'000'000, 'a'))).size(), 1'000'000);
}

TEST(Tokenizer, NeverParsesSpecialsOutOfPlainText) {
  const TokenId eot = demo().special("<|eot_id|>").value();
  EXPECT_TRUE(demo().is_special(eot));
  EXPECT_THAT(demo().encode("a<|eot_id|>b"), testing::Not(testing::Contains(eot)));
  EXPECT_EQ(demo().decode(demo().encode("a<|eot_id|>b")), "a<|eot_id|>b");

  const Ids parsed = demo().encode("a<|eot_id|><|eot_id|> b<|eot_id", Specials::Parse);
  EXPECT_EQ(std::count(parsed.begin(), parsed.end(), eot), 2);
  EXPECT_EQ(demo().decode(parsed), "a b<|eot_id");
  EXPECT_EQ(demo().decode(parsed, Specials::Parse), "a<|eot_id|><|eot_id|> b<|eot_id");
  EXPECT_FALSE(demo().special("the"));
  EXPECT_FALSE(demo().special("<|eot_id"));
}

TEST(Tokenizer, DecodingGivesTheTextBack) {
  const std::string texts[] = {"",
                               " ",
                               "The future of AI",
                               "Grüße aus Ωμέγα\n\n\t… 日本語 👩‍👩‍👧",
                               std::string("\0\x7F", 2),
                               "don't  stop\r\n",
                               std::string(5000, ' '),
                               "<|begin_of_text|>"};
  for (const std::string& text : texts) EXPECT_EQ(demo().decode(demo().encode(text)), text);
}

TEST(Tokenizer, BytesOfTokensAddUpToTheText) {
  std::string joined;
  for (const TokenId id : demo().encode("Naïve 你好")) joined += demo().bytes(id);
  EXPECT_EQ(joined, "Naïve 你好");
}

TEST(Tokenizer, RefusesIdsOutOfRange) {
  const Ids ids = {static_cast<TokenId>(demo().size())};
  EXPECT_THROW(demo().decode(ids), UsageError);
}

// The rule read literally: merge the pair of lowest rank, leftmost first, until there is none.
std::vector<std::string> merge_literally(std::string_view piece, const json& merges) {
  std::map<std::pair<std::string, std::string>, std::size_t> ranks;
  for (std::size_t i = 0; i < merges.size(); ++i) ranks[{merges[i][0], merges[i][1]}] = i;
  std::vector<std::string> parts;
  for (const char c : piece) parts.emplace_back(1, c);
  for (;;) {
    std::size_t best = merges.size();
    std::size_t at = 0;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = ranks.find({parts[i], parts[i + 1]});
      if (found == ranks.end() || found->second >= best) continue;
      best = found->second;
      at = i;
    }
    if (best == merges.size()) return parts;
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

TEST(Tokenizer, MergesAsTheRuleSays) {
  std::ifstream in(ROTOR_SOURCE_DIR "/model/demo/tokenizer.json");
  json file = json::parse(in);
  file["model"]["ignore_merges"] = false;
  const Tokenizer tokenizer = Tokenizer::from_json(file.dump(), "demo");
  Random random(3);
  for (int round = 0; round < 300; ++round) {
    std::string word;
    for (std::uint32_t n = 1 + random.below(40); n > 0; --n) word += "aeinorst"[random.below(8)];
    std::vector<std::string> got;
    for (const TokenId id : tokenizer.encode(word)) got.emplace_back(tokenizer.bytes(id));
    ASSERT_EQ(got, merge_literally(word, file["model"]["merges"])) << word;
  }
}

}  // namespace
}  // namespace rotor
