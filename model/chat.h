// A conversation as token ids, in the words that BitNet b1.58 2B4T was taught to chat with:
//   BOS "System: ..." <|eot_id|> "User: ..." <|eot_id|> "Assistant: ..." <|eot_id|> "User: ..." ...
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/stop_strings.h"
#include "model/tokenizer.h"

namespace rotor {

// Asks for an answer. The trailing space is part of the published template; without it the model
// begins with a space of its own.
inline constexpr std::string_view kAnswerPrompt = "Assistant: ";

// "User: " + text without white space at both ends + <|eot_id|>, as ids. `speaker` is "System",
// "User" or "Assistant". The text is never parsed for special tokens. Throws FormatError if the
// tokenizer has no <|eot_id|>.
std::vector<TokenId> message_ids(const Tokenizer& tokenizer, std::string_view speaker,
                                 std::string_view text);

// The ids that end an answer: those of the configuration, end of turn and end of text.
std::vector<TokenId> stop_ids(const Tokenizer& tokenizer, std::span<const TokenId> configured);

// How many ids two texts have in common at their beginning: keys and values of these can be kept.
std::size_t common_prefix(std::span<const TokenId> a, std::span<const TokenId> b);

// Questions and answers. Answers are kept as the ids that the model chose, never encoded again: the
// same text can have other ids, and the cache would not match.
class Conversation {
 public:
  struct Exchange {
    std::string question;
    std::vector<TokenId> question_ids;  // with the words that ask for an answer
    std::vector<TokenId> answer_ids;    // without the end of the turn
    bool answered = false;
  };

  // An empty `system` leaves that message out. The tokenizer must outlive the conversation.
  Conversation(const Tokenizer& tokenizer, TokenId bos, std::string system,
               std::string answer_prompt = std::string(kAnswerPrompt));

  // Appends the user's message; the last one must have been answered or withdrawn.
  void ask(std::string_view question);
  // Takes the last question back.
  void withdraw();
  // The model's answer to the last question, without the stop token.
  void answer(std::span<const TokenId> ids);
  // Forgets everything but the system message.
  void reset();

  // All that the model is to see: what comes next is the answer.
  std::vector<TokenId> ids() const;
  std::size_t size() const;                                 // ids().size()
  std::size_t system_size() const { return head_.size(); }  // of them, before the first message

  // Makes room for the answer in a context of `capacity` tokens. If fewer than `reserve` are free,
  // the oldest exchanges are forgotten until half of the context is free: as their successors move,
  // their keys and values must be computed again, which should be rare. Returns how many were
  // forgotten; nothing if the last question does not fit even alone (then nothing changes).
  std::optional<std::size_t> make_room(std::size_t capacity, std::size_t reserve);

  const std::string& system() const { return system_; }
  const std::vector<Exchange>& exchanges() const { return exchanges_; }  // forgotten ones, too
  std::size_t forgotten() const { return forgotten_; }                   // of them, at the front

 private:
  std::size_t exchange_size(const Exchange& exchange) const;

  const Tokenizer& tokenizer_;
  TokenId end_of_turn_;
  std::string system_;
  std::vector<TokenId> head_;  // BOS and system message
  std::vector<TokenId> answer_prompt_;
  std::vector<Exchange> exchanges_;
  std::size_t forgotten_ = 0;
};

// The bytes of an answer on their way to the reader: ends at stop strings, drops leading spaces,
// gives valid UTF-8.
class AnswerText {
 public:
  explicit AnswerText(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  // What can be shown after these bytes.
  std::string push(std::string_view bytes) { return utf8_.push(strip(stops_.push(bytes))); }
  // The rest, at the end.
  std::string flush() { return utf8_.push(strip(stops_.flush())) + utf8_.flush(); }
  bool stopped() const { return stops_.found(); }

 private:
  std::string strip(std::string text);

  StopStrings stops_;
  Utf8Stream utf8_;
  bool begun_ = false;  // something other than a space came
};

}  // namespace rotor
