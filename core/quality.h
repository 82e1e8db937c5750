// Plain data that crosses folders: how well a model writes on a device, and whether the sampler draws
// what it should. The fields are those of the report format, which explains them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"

namespace rotor {

// How likely a held text is to the model.
struct TextScore {
  std::string name;
  std::uint32_t tokens = 0;  // that were predicted
  double nll = 0;            // mean, in nats
  double seconds = 0;
};

// Generated chats that end with a question whose answer is known.
struct ChatScore {
  struct Topic {
    std::uint32_t asked = 0;
    std::uint32_t right = 0;
  };
  struct Wrong {
    std::string question;
    std::string expected;  // a word of the right answer
    std::string answer;
  };
  std::map<std::string, Topic> topics;
  std::vector<Wrong> wrong;         // at most kShownWrong
  std::uint32_t answer_tokens = 0;  // of all turns
  double seconds = 0;               // prompts and answers of all turns

  static constexpr std::size_t kShownWrong = 5;

  Topic total() const {
    Topic all;
    for (const auto& [name, topic] : topics) {
      all.asked += topic.asked;
      all.right += topic.right;
    }
    return all;
  }
};

// One way to choose tokens: how much what it writes repeats itself, and what it costs.
struct StrategyScore {
  std::string name;
  std::uint32_t texts = 0;
  std::uint32_t tokens = 0;          // of all texts
  std::vector<double> distinct;      // share of different runs of 1, 2, 3, 4 tokens; mean of texts
  std::uint32_t longest_repeat = 0;  // in tokens, of the worst text
  std::vector<double> token_s;       // median seconds per token of each text
  std::vector<double> draw_samples_s;  // seconds to choose one token
};

// What one device makes of a model with one format of the cache and of the head.
struct QualityResult {
  std::string id;      // "quality/demo/kv_f16/head_stored"
  std::string device;  // "cpu:0"
  std::string model;
  std::string kv;                  // format of the cache
  std::string head;                // format of the table that gives the logits
  Status status = Status::NotRun;  // Pass: measured to the end; Skipped: cut short, the rest holds
  std::string reason_code;
  std::string message;
  std::optional<TextScore> text;
  std::optional<ChatScore> chats;
  std::vector<StrategyScore> strategies;
};

// Drawn tokens against the exact distribution after one filter.
struct SamplerCheck {
  std::string filter;
  std::uint64_t seed = 0;
  std::uint64_t draws = 0;
  std::uint32_t kept = 0;        // tokens that the filter leaves
  std::uint64_t impossible = 0;  // draws of other tokens
  double chi_square = 0;
  std::uint32_t freedom = 0;
  double p_value = 1;
  Status status = Status::NotRun;
  std::string reason_code;
  std::string message;
};

}  // namespace rotor
