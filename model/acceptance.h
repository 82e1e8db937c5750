// The acceptance list: what must hold before a checkpoint can be trusted.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/session.h"

namespace rotor {

// One point of the list.
struct AcceptanceCheck {
  enum class Status : std::uint8_t { Passed, Failed, NotRun };
  std::string id;    // for programs: "codes"
  std::string what;  // for people: "no ternary code is 3"
  Status status = Status::NotRun;
  std::string detail;  // what was found, what is wrong, or why it was not run
};

// The tokenizer of a model: there, of the right size, made of all bytes. For the vocabulary of
// Llama 3 also the numbers of merges and special tokens, and texts whose ids are published.
AcceptanceCheck check_tokenizer(const std::string& model, const Config& config);

// The mean of all logits at each position of a text, against means that were published.
AcceptanceCheck check_logit_means(Session& session, std::span<const TokenId> ids,
                                  std::span<const double> published);

// Greedy decoding: the first ten tokens of the answer to a question must begin `published`.
AcceptanceCheck check_greedy_answer(Session& session, const std::string& question,
                                    const std::string& published);

// Both of the above with what Hugging Face published for 2B4T, on the CPU. Loads the model.
std::vector<AcceptanceCheck> check_published_runs(const std::string& model);
// The same checks, not run for this reason.
std::vector<AcceptanceCheck> skip_published_runs(const std::string& reason);

}  // namespace rotor
