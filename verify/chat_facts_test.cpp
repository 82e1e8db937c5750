// A broken KV cache cannot recall a name: fifty questions whose answers anybody can check, asked
// through the cache as a chat would.

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "model/chat.h"
#include "model/generate.h"
#include "model/session.h"

namespace rotor {
namespace {

class ChatFacts : public testing::Test {
 protected:
  ChatFacts()
      : session_({}),
        cache_(session_.device(), session_.config(), Packing::F32, session_.config().max_positions),
        chat_(session_.tokenizer(), session_.config().bos, "") {}

  // The answer to a question, with what the cache holds of the conversation reused.
  std::string ask(const std::string& question) {
    chat_.ask(question);
    const std::vector<TokenId> ids = chat_.ids();
    cache_.truncate(static_cast<std::uint32_t>(
        std::min(common_prefix(ids, cached_), std::size_t{cache_.length()})));
    const std::uint32_t kept = cache_.length();
    Sampler sampler({.temperature = 0});
    const GenerateOptions options{
        .max_tokens = 40,
        .stop_tokens = stop_ids(session_.tokenizer(), session_.config().stop_tokens)};
    const GenerateResult result =
        generate(session_.transformer(), cache_, sampler, std::span(ids).first(kept),
                 std::span(ids).subspan(kept), options, [](TokenId) { return true; });
    chat_.answer(result.tokens);
    cached_ = ids;
    cached_.insert(cached_.end(), result.tokens.begin(), result.tokens.end());
    return session_.tokenizer().decode(result.tokens);
  }

  Session session_;
  KvCache cache_;
  Conversation chat_;
  std::vector<TokenId> cached_;
};

TEST_F(ChatFacts, Sums) {
  for (int a = 1; a <= 6; ++a) {
    for (int b = 4; b <= 8; ++b) {
      chat_.reset();
      const std::string sum = std::to_string(a) + " plus " + std::to_string(b);
      EXPECT_EQ(ask("What is " + sum + "?"), sum + " is " + std::to_string(a + b) + ".");
    }
  }
}

TEST_F(ChatFacts, Capitals) {
  const std::pair<const char*, const char*> capitals[] = {
      {"Japan", "Tokyo"},    {"France", "Paris"},   {"Italy", "Rome"},  {"Spain", "Madrid"},
      {"Norway", "Oslo"},    {"Germany", "Berlin"}, {"Egypt", "Cairo"}, {"Greece", "Athens"},
      {"Ireland", "Dublin"}, {"Portugal", "Lisbon"}};
  for (const auto& [country, capital] : capitals) {
    chat_.reset();
    EXPECT_EQ(ask(std::string("What is the capital of ") + country + "?"),
              std::string("The capital of ") + country + " is " + capital + ".");
  }
}

TEST_F(ChatFacts, NamesFromEarlierTurns) {
  for (const std::string name :
       {"Lily", "Finn", "Ruby", "Toby", "Zoe", "Dora", "Alma", "Lucy", "Sam", "Mia"}) {
    chat_.reset();
    ask("My name is " + name + ".");
    ask("What is the capital of Japan?");
    ask("What is 3 plus 4?");
    EXPECT_EQ(ask("What is my name?"), "Your name is " + name + ".");
  }
}

}  // namespace
}  // namespace rotor
