// Files that are no Llama-3 tokenizer: each gets its own clear line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"
#include "model/tokenizer.h"

namespace rotor {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const json& demo_file() {
  static const json file = [] {
    std::ifstream in(ROTOR_SOURCE_DIR "/model/demo/tokenizer.json");
    return json::parse(in);
  }();
  return file;
}

// The message of the FormatError that the text sets off.
std::string refusal(const std::string& text) {
  try {
    Tokenizer::from_json(text, "x.json");
  } catch (const FormatError& error) {
    return error.what();
  }
  return "no error";
}

TEST(TokenizerJson, AcceptsBothFormsOfMerges) {
  json file = demo_file();
  for (json& merge : file["model"]["merges"]) {
    merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  }
  const Tokenizer strings = Tokenizer::from_json(file.dump(), "strings");
  const Tokenizer pairs = Tokenizer::from_json(demo_file().dump(), "pairs");
  const std::string text = "Once upon a time there was a tokenizer.";
  EXPECT_EQ(strings.encode(text), pairs.encode(text));
}

TEST(TokenizerJson, TakesTheLongestSpecialToken) {
  json file = demo_file();
  json longer = file["added_tokens"].back();
  longer["id"] = file["added_tokens"].size() + file["model"]["vocab"].size();
  longer["content"] = "<|eot_id|>>";
  file["added_tokens"].push_back(longer);
  const Tokenizer tokenizer = Tokenizer::from_json(file.dump(), "x.json");
  EXPECT_EQ(tokenizer.encode("<|eot_id|>>", Specials::Parse),
            std::vector<TokenId>{longer["id"].get<TokenId>()});
}

TEST(TokenizerJson, RefusesOtherKinds) {
  const struct {
    std::function<void(json&)> change;
    std::string message;
  } cases[] = {
      {[](json& f) { f = json::array(); }, "not a JSON object"},
      {[](json& f) { f["model"]["type"] = "Unigram"; }, "model.type is \"Unigram\", not \"BPE\""},
      {[](json& f) { f.erase("model"); }, "model.type is null"},
      {[](json& f) { f["model"]["byte_fallback"] = true; }, "model.byte_fallback is true"},
      {[](json& f) { f["model"]["dropout"] = 0.1; }, "model.dropout"},
      {[](json& f) { f["model"]["unk_token"] = "<unk>"; }, "model.unk_token"},
      {[](json& f) { f["model"]["end_of_word_suffix"] = "</w>"; }, "model.end_of_word_suffix"},
      {[](json& f) {
         f["normalizer"] = {{"type", "NFC"}};
       },
       "normalizer is an object, not null"},
      {[](json& f) { f["decoder"]["type"] = "Metaspace"; }, "decoder.type is \"Metaspace\""},
      {[](json& f) { f["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "\\s+"; },
       "its pattern is \"\\s+\", not"},
      {[](json& f) { f["pre_tokenizer"]["pretokenizers"].erase(1); }, "has not two steps"},
      {[](json& f) {
         f["pre_tokenizer"] = {{"type", "ByteLevel"}};
       },
       "pre_tokenizer.type"},
      {[](json& f) { f["pre_tokenizer"]["pretokenizers"][1]["use_regex"] = true; },
       "its use_regex is true, not false"},
      {[](json& f) { f["model"]["vocab"] = 1; }, "model.vocab is missing"},
      {[](json& f) { f["model"]["vocab"].erase("!"); }, "no token has id 0"},
      {[](json& f) { f["model"]["vocab"]["!"] = -1; }, "token \"!\" has no id between"},
      {[](json& f) { f["model"]["vocab"]["!"] = 1e18; }, "token \"!\" has no id between"},
      {[](json& f) { f["model"]["vocab"]["!"] = std::uint64_t{1} << 40; }, "has no id between"},
      {[](json& f) { f["model"]["vocab"]["!"] = 1; }, "share id 1"},
      {[](json& f) { f["model"]["vocab"][" "] = 2048; }, "not in byte-level characters"},
      {[](json& f) { f["model"]["vocab"]["\u4E00"] = 2048; }, "not in byte-level characters"},
      {[](json& f) { f["model"]["vocab"]["a\n\x1B[1m"] = 2048; }, "(\"a??[1m\") is not in byte-"},
      {[](json& f) {
         f["model"]["vocab"].erase("!");
         f["model"]["vocab"]["!!!!!!"] = 0;
         f["model"]["merges"] = json::array();
       },
       "no token for the single byte 33"},
      {[](json& f) { f["model"]["merges"] = "x"; }, "model.merges is missing"},
      {[](json& f) { f["model"]["merges"][0] = {"a"}; }, "merge 0 is not a pair"},
      {[](json& f) { f["model"]["merges"][0] = 7; }, "merge 0 is not a pair"},
      {[](json& f) { f["model"]["merges"][1] = "ab"; }, "merge 1 (\"ab\") is not two tokens"},
      {[](json& f) { f["model"]["merges"][1] = " b"; }, "is not two tokens"},
      {[](json& f) {
         f["model"]["merges"][1] = {"a b", "c"};
       },
       "is not two tokens"},
      {[](json& f) { f["model"]["merges"][1] = "!!!!!! !"; }, "are no tokens"},
      {[](json& f) { f["model"]["merges"][1] = f["model"]["merges"][0]; }, "is there twice"},
      {[](json& f) { f.erase("added_tokens"); }, "added_tokens is missing"},
      {[](json& f) { f["added_tokens"][0] = 3; }, "lacks its id or content"},
      {[](json& f) { f["added_tokens"][0].erase("id"); }, "lacks its id or content"},
      {[](json& f) { f["added_tokens"][0]["special"] = false; }, "is not special"},
      {[](json& f) { f["added_tokens"][0]["lstrip"] = true; }, ": lstrip is true, not false"},
      {[](json& f) { f["added_tokens"][0]["content"] = ""; }, "token 2032 is empty"},
      {[](json& f) { f["added_tokens"][0]["id"] = 5; }, "share id 5"},
      {[](json& f) { f["added_tokens"][1]["content"] = f["added_tokens"][0]["content"]; },
       "is there twice"},
  };
  for (const auto& c : cases) {
    json file = demo_file();
    c.change(file);
    EXPECT_THAT(refusal(file.dump()), HasSubstr(c.message));
    EXPECT_THAT(refusal(file.dump()), testing::StartsWith("x.json: "));
  }
}

TEST(TokenizerJson, RefusesWhatIsNotJson) {
  EXPECT_THAT(refusal(""), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal("{\"model\": "), HasSubstr("not valid JSON at byte 11"));
  EXPECT_THAT(refusal("{\"a\": 1e999}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal("{\"a\": \"\xFF\"}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal(std::string(100'000, '[')), HasSubstr("nested deeper"));
  EXPECT_THAT(refusal("{\"a\": 1, \"a\": 1}"), HasSubstr("appears twice"));
}

TEST(Vocabulary, NeedsAKindForEachToken) {
  Vocabulary vocabulary = read_vocabulary(ROTOR_SOURCE_DIR "/model/demo");
  vocabulary.kinds.pop_back();
  EXPECT_THROW(Tokenizer::from_vocabulary(vocabulary, "x"), FormatError);
}

TEST(Vocabulary, NeverEncodesUnusedTokens) {
  Vocabulary vocabulary = read_vocabulary(ROTOR_SOURCE_DIR "/model/demo");
  const auto pad = static_cast<TokenId>(vocabulary.tokens.size());
  vocabulary.tokens.push_back("[PAD]");
  vocabulary.kinds.push_back(TokenKind::Unused);
  const Tokenizer tokenizer = Tokenizer::from_vocabulary(vocabulary, "x");
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("[PAD]", Specials::Parse)), "[PAD]");
  EXPECT_TRUE(tokenizer.is_special(pad));
}

}  // namespace
}  // namespace rotor
