#include "model/chat.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/error.h"
#include "model/unicode.h"

namespace rotor {
namespace {

// As Python's str.strip, which the published template calls: White_Space and four old separators.
bool is_blank(char32_t code) {
  return char_class(code) == CharClass::Space || (code >= 0x1C && code <= 0x1F);
}

std::string_view trim(std::string_view text) {
  std::size_t begin = text.size();
  std::size_t end = text.size();
  bool found = false;
  for (std::size_t pos = 0; pos < text.size();) {
    const Utf8Char c = decode_utf8(text, pos);
    if (!is_blank(c.code)) {
      if (!found) begin = pos;
      found = true;
      end = pos + c.size;
    }
    pos += c.size;
  }
  return text.substr(begin, end - begin);
}

TokenId end_of_turn(const Tokenizer& tokenizer) {
  if (const auto id = tokenizer.special("<|eot_id|>")) return *id;
  throw FormatError("the tokenizer has no <|eot_id|>: this model was not taught to chat");
}

void append(std::vector<TokenId>& ids, std::span<const TokenId> more) {
  ids.insert(ids.end(), more.begin(), more.end());
}

}  // namespace

std::vector<TokenId> message_ids(const Tokenizer& tokenizer, std::string_view speaker,
                                 std::string_view text) {
  std::string line(speaker);
  line += ": ";
  line += trim(text);
  std::vector<TokenId> ids = tokenizer.encode(line, Specials::AsText);
  ids.push_back(end_of_turn(tokenizer));
  return ids;
}

std::vector<TokenId> stop_ids(const Tokenizer& tokenizer, std::span<const TokenId> configured) {
  std::vector<TokenId> ids(configured.begin(), configured.end());
  for (const char* name : {"<|eot_id|>", "<|end_of_text|>"}) {
    const auto id = tokenizer.special(name);
    if (id && std::find(ids.begin(), ids.end(), *id) == ids.end()) ids.push_back(*id);
  }
  return ids;
}

std::size_t common_prefix(std::span<const TokenId> a, std::span<const TokenId> b) {
  const auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<std::size_t>(in_a - a.begin());
}

Conversation::Conversation(const Tokenizer& tokenizer, TokenId bos, std::string system,
                           std::string answer_prompt)
    : tokenizer_(tokenizer),
      end_of_turn_(end_of_turn(tokenizer)),
      system_(trim(system)),
      head_{bos},
      answer_prompt_(tokenizer.encode(answer_prompt)) {
  if (!system_.empty()) append(head_, message_ids(tokenizer_, "System", system_));
}

void Conversation::ask(std::string_view question) {
  assert(exchanges_.empty() || exchanges_.back().answered);
  Exchange exchange;
  exchange.question = trim(question);
  exchange.question_ids = message_ids(tokenizer_, "User", question);
  append(exchange.question_ids, answer_prompt_);
  exchanges_.push_back(std::move(exchange));
}

void Conversation::withdraw() {
  assert(!exchanges_.empty() && !exchanges_.back().answered);
  exchanges_.pop_back();
}

void Conversation::answer(std::span<const TokenId> ids) {
  assert(!exchanges_.empty() && !exchanges_.back().answered);
  append(exchanges_.back().answer_ids, ids);
  exchanges_.back().answered = true;
}

void Conversation::reset() {
  exchanges_.clear();
  forgotten_ = 0;
}

std::vector<TokenId> Conversation::ids() const {
  std::vector<TokenId> all = head_;
  all.reserve(size());
  for (std::size_t i = forgotten_; i < exchanges_.size(); ++i) {
    append(all, exchanges_[i].question_ids);
    append(all, exchanges_[i].answer_ids);
    if (exchanges_[i].answered) all.push_back(end_of_turn_);
  }
  return all;
}

std::size_t Conversation::exchange_size(const Exchange& exchange) const {
  return exchange.question_ids.size() + exchange.answer_ids.size() + (exchange.answered ? 1 : 0);
}

std::size_t Conversation::size() const {
  std::size_t total = head_.size();
  for (std::size_t i = forgotten_; i < exchanges_.size(); ++i)
    total += exchange_size(exchanges_[i]);
  return total;
}

std::optional<std::size_t> Conversation::make_room(std::size_t capacity, std::size_t reserve) {
  std::size_t used = size();
  if (used + reserve <= capacity) return 0;
  std::size_t keep_from = forgotten_;
  while (keep_from + 1 < exchanges_.size() && used > capacity / 2) {
    used -= exchange_size(exchanges_[keep_from++]);
  }
  if (used >= capacity) return std::nullopt;
  return keep_from - std::exchange(forgotten_, keep_from);
}

std::string AnswerText::strip(std::string text) {
  if (begun_) return text;
  text.erase(0, text.find_first_not_of(' '));
  begun_ = !text.empty();
  return text;
}

}  // namespace rotor
