// Chats that end with a question whose answer anybody can check, in the words that the demo model was
// taught: sums, differences, capitals, opposites, colours, sounds, and the user's name and pet from
// earlier turns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rotor {

struct QualityChat {
  std::string topic;
  std::vector<std::string> turns;  // what the user says; the last one is the question
  std::string expected;            // a word of the right answer
};

// Chat i does not depend on how many there are; topics take turns. The same on every machine: shares
// of right answers can be compared.
std::vector<QualityChat> quality_chats(std::uint32_t count);

// Whether the answer has this word, perhaps with an s behind it ("moo": "A cow moos."). Upper and
// lower case are the same.
bool answer_has(std::string_view answer, std::string_view word);

}  // namespace rotor
