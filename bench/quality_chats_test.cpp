#include "bench/quality_chats.h"

#include <gtest/gtest.h>

#include <map>

namespace rotor {
namespace {

TEST(QualityChats, AreManyAndAlwaysTheSame) {
  const std::vector<QualityChat> chats = quality_chats(200);
  ASSERT_EQ(chats.size(), 200u);
  const std::vector<QualityChat> fewer = quality_chats(10);
  std::map<std::string, int> topics;
  for (std::size_t i = 0; i < chats.size(); ++i) {
    ++topics[chats[i].topic];
    if (i < fewer.size()) {
      EXPECT_EQ(fewer[i].turns, chats[i].turns);
    }
  }
  EXPECT_EQ(topics.size(), 8u);
  for (const auto& [topic, count] : topics) EXPECT_EQ(count, 25) << topic;
}

// Whoever listens can answer: what is asked for at the end was said in the first turn.
TEST(QualityChats, NamesAndPetsAreToldFirst) {
  for (const QualityChat& chat : quality_chats(200)) {
    const bool recalls = chat.topic == "names" || chat.topic == "pets";
    EXPECT_EQ(chat.turns.size() > 1, recalls) << chat.turns.back();
    if (recalls) {
      EXPECT_TRUE(answer_has(chat.turns.front(), chat.expected)) << chat.turns.front();
    }
  }
}

TEST(AnswerHas, WantsTheWholeWord) {
  EXPECT_TRUE(answer_has("7 plus 8 is 15.", "15"));
  EXPECT_FALSE(answer_has("7 plus 8 is 151.", "15"));
  EXPECT_FALSE(answer_has("7 plus 8 is 115.", "15"));
  EXPECT_TRUE(answer_has("tokyo", "Tokyo"));
  EXPECT_TRUE(answer_has("A cow moos.", "moo"));
  EXPECT_FALSE(answer_has("A cow smooths.", "moo"));
  EXPECT_FALSE(answer_has("", "moo"));
}

}  // namespace
}  // namespace rotor
