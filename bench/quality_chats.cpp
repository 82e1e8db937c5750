#include "bench/quality_chats.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>
#include <utility>

#include "core/random.h"

namespace rotor {
namespace {

using Pair = std::pair<const char*, const char*>;

constexpr Pair kCapitals[] = {
    {"Japan", "Tokyo"},      {"France", "Paris"},     {"Italy", "Rome"},
    {"Spain", "Madrid"},     {"Norway", "Oslo"},      {"Germany", "Berlin"},
    {"Egypt", "Cairo"},      {"Greece", "Athens"},    {"Ireland", "Dublin"},
    {"Portugal", "Lisbon"},  {"Peru", "Lima"},        {"China", "Beijing"},
    {"Chile", "Santiago"},   {"Canada", "Ottawa"},    {"Russia", "Moscow"},
    {"Hungary", "Budapest"}, {"Sweden", "Stockholm"}, {"Austria", "Vienna"},
    {"Kenya", "Nairobi"},    {"Cuba", "Havana"},      {"Finland", "Helsinki"},
    {"Poland", "Warsaw"},    {"Iran", "Tehran"},      {"Denmark", "Copenhagen"}};
constexpr Pair kOpposites[] = {
    {"hot", "cold"},   {"big", "small"},  {"open", "closed"}, {"loud", "quiet"},
    {"dark", "light"}, {"rich", "poor"},  {"wet", "dry"},     {"fast", "slow"},
    {"up", "down"},    {"early", "late"}, {"new", "old"},     {"full", "empty"},
    {"happy", "sad"},  {"soft", "hard"},  {"near", "far"},    {"night", "day"}};
constexpr Pair kColors[] = {{"grass", "green"},        {"snow", "white"},
                            {"coal", "black"},         {"the sky", "blue"},
                            {"a carrot", "orange"},    {"a ripe tomato", "red"},
                            {"a ripe lemon", "yellow"}};
constexpr Pair kSounds[] = {{"a dog", "bark"},  {"a duck", "quack"}, {"an owl", "hoot"},
                            {"a cow", "moo"},   {"a frog", "croak"}, {"a cat", "meow"},
                            {"a lion", "roar"}, {"a sheep", "bleat"}};
constexpr const char* kNames[] = {"Lily", "Finn", "Ruby", "Toby", "Zoe",  "Dora", "Alma", "Lucy",
                                  "Sam",  "Mia",  "Rosa", "Noah", "Hugo", "Nora", "Theo", "Emil",
                                  "Leo",  "Ben",  "Ivy",  "Jack", "Maya", "Iris"};
constexpr const char* kPets[] = {"dog",  "cat",  "duck", "frog",   "owl",    "crow",
                                 "bear", "fox",  "hen",  "turtle", "rabbit", "mouse",
                                 "lamb", "goat", "pony", "robin"};

template <typename T, std::size_t n>
const T& pick(const T (&list)[n], Random& random) {
  return list[random.below(n)];
}

QualityChat sum(Random& random) {
  const std::uint32_t a = 1 + random.below(20);
  const std::uint32_t b = 1 + random.below(20);
  const std::string x = std::to_string(a);
  const std::string y = std::to_string(b);
  const bool order = random.below(2) == 0;
  return {"sums",
          {order ? "Add " + x + " and " + y + "." : "What is " + x + " plus " + y + "?"},
          std::to_string(a + b)};
}

QualityChat difference(Random& random) {
  const std::uint32_t a = 1 + random.below(20);
  const std::uint32_t b = 1 + random.below(a);
  const std::string x = std::to_string(a);
  const std::string y = std::to_string(b);
  const bool order = random.below(2) == 0;
  return {"differences",
          {order ? "Take " + y + " from " + x + "." : "What is " + x + " minus " + y + "?"},
          std::to_string(a - b)};
}

QualityChat capital(Random& random) {
  const auto& [country, city] = pick(kCapitals, random);
  const bool order = random.below(2) == 0;
  return {"capitals",
          {std::string(order ? "Name the capital of " : "What is the capital of ") + country +
           (order ? "." : "?")},
          city};
}

QualityChat opposite(Random& random) {
  const Pair& pair = pick(kOpposites, random);
  const bool back = random.below(2) == 0;
  const std::string asked = back ? pair.second : pair.first;
  return {"opposites", {"What is the opposite of " + asked + "?"}, back ? pair.first : pair.second};
}

QualityChat color(Random& random) {
  const auto& [thing, word] = pick(kColors, random);
  return {"colors", {std::string("What color is ") + thing + "?"}, word};
}

QualityChat sound(Random& random) {
  const auto& [animal, word] = pick(kSounds, random);
  return {"sounds", {std::string("What sound does ") + animal + " make?"}, word};
}

// One to four questions about other things.
void add_other_turns(std::vector<std::string>& turns, Random& random) {
  constexpr std::array kOthers = {sum, difference, capital, opposite, color, sound};
  for (std::uint32_t count = 1 + random.below(4); count > 0; --count) {
    turns.push_back(kOthers[random.below(kOthers.size())](random).turns.front());
  }
}

QualityChat name(Random& random) {
  const std::string who = pick(kNames, random);
  QualityChat chat{"names", {}, who};
  chat.turns.push_back(random.below(2) == 0 ? "My name is " + who + "."
                                            : "Hello, I am " + who + ".");
  add_other_turns(chat.turns, random);
  chat.turns.push_back("What is my name?");
  return chat;
}

QualityChat pet(Random& random) {
  const std::string animal = pick(kPets, random);
  QualityChat chat{"pets", {"I have a pet " + animal + "."}, animal};
  add_other_turns(chat.turns, random);
  chat.turns.push_back("What pet do I have?");
  return chat;
}

char lower(char c) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

}  // namespace

std::vector<QualityChat> quality_chats(std::uint32_t count) {
  constexpr std::array kTopics = {sum, capital, name, difference, opposite, pet, color, sound};
  std::vector<QualityChat> chats;
  for (std::uint32_t i = 0; i < count; ++i) {
    Random random(mix(0xC4A75) + i);
    chats.push_back(kTopics[i % kTopics.size()](random));
  }
  return chats;
}

bool answer_has(std::string_view answer, std::string_view word) {
  const auto is_letter = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  const auto same = [](char a, char b) { return lower(a) == lower(b); };
  for (std::size_t begin = 0; begin < answer.size();) {
    if (!is_letter(answer[begin])) {
      ++begin;
      continue;
    }
    std::size_t end = begin;
    while (end < answer.size() && is_letter(answer[end])) ++end;
    std::string_view found = answer.substr(begin, end - begin);
    if (found.size() == word.size() + 1 && lower(found.back()) == 's') found.remove_suffix(1);
    if (std::equal(found.begin(), found.end(), word.begin(), word.end(), same)) return true;
    begin = end;
  }
  return false;
}

}  // namespace rotor
