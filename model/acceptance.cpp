#include "model/acceptance.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "core/error.h"
#include "model/chat.h"
#include "model/checkpoints.h"
#include "model/generate.h"
#include "model/json.h"

namespace rotor {
namespace {

using Status = AcceptanceCheck::Status;

const AcceptanceCheck kTokenizer = {"tokenizer", "tokenizer complete, known texts encoded"};
const AcceptanceCheck kMeans = {"logits", "mean logits of 12 positions as published"};
const AcceptanceCheck kGreedy = {"greedy", "greedy answer begins as published"};

AcceptanceCheck outcome(AcceptanceCheck check, Status status, std::string detail) {
  check.status = status;
  check.detail = std::move(detail);
  return check;
}

// Llama 3's tokenizer as published with 2B4T, and texts with their ids.
constexpr std::size_t kLlama3Tokens = 128256;
constexpr std::size_t kLlama3Merges = 280147;
constexpr std::size_t kLlama3Specials = 256;
struct Golden {
  const char* text;
  std::vector<TokenId> ids;
};
const Golden kGoldens[] = {
    {"Explain why the sky appears blue.", {849, 21435, 3249, 279, 13180, 8111, 6437, 13}},
    {"User: What is your favourite food?", {1502, 25, 3639, 374, 701, 19214, 3691, 30}},
    {"def square(x):\n    return x * x\n", {755, 9518, 2120, 997, 262, 471, 865, 353, 865, 198}},
    {"I'M don't  WE'LL   \n\n  x", {40, 28703, 1541, 956, 220, 20255, 6, 4178, 35033, 220, 865}},
    {"Assistant: ", {72803, 25, 220}},
    {"1234567 3.14", {4513, 10961, 22, 220, 18, 13, 975}},
    {" vi\u1ec7c", {100769}},
    {"x \n y", {87, 720, 379}},
};

void check_llama3(const Vocabulary& vocabulary, const Tokenizer& tokenizer,
                  const std::string& name) {
  const auto specials = static_cast<std::size_t>(
      std::count_if(vocabulary.kinds.begin(), vocabulary.kinds.end(),
                    [](TokenKind kind) { return kind != TokenKind::Text; }));
  if (vocabulary.merges.size() != kLlama3Merges || specials != kLlama3Specials) {
    throw FormatError(name + ": " + std::to_string(specials) + " special tokens and " +
                      std::to_string(vocabulary.merges.size()) + " merges, expected " +
                      std::to_string(kLlama3Specials) + " and " + std::to_string(kLlama3Merges));
  }
  for (const Golden& golden : kGoldens) {
    if (tokenizer.encode(golden.text) == golden.ids) continue;
    throw FormatError(name + ": " + quote(golden.text) + " does not become its published ids");
  }
}

void check_bytes(const Tokenizer& tokenizer, const std::string& name) {
  std::vector<bool> seen(256);
  for (TokenId id = 0; id < tokenizer.size(); ++id) {
    const std::string_view bytes = tokenizer.bytes(id);
    if (!tokenizer.is_special(id) && bytes.size() == 1) {
      seen[static_cast<unsigned char>(bytes.front())] = true;
    }
  }
  const auto missing = std::find(seen.begin(), seen.end(), false);
  if (missing == seen.end()) return;
  throw FormatError(name + ": no token for byte " + std::to_string(missing - seen.begin()) +
                    ": some texts cannot be encoded");
}

// Published with Hugging Face's implementation of 2B4T (bf16, hence the tolerance).
constexpr double kMeanTolerance = 0.1;
constexpr std::uint32_t kGreedyTokens = 10;
constexpr TokenId k2b4tIds[] = {128000, 128000, 1502,   25,    2650, 527,
                                499,    30,     128009, 72803, 25,   220};
constexpr double k2b4tMeans[] = {-1.8665, -1.7681, -1.7043,  3.7446,  2.7730,   4.7133,
                                 0.9768,  -3.5018, -12.2812, -8.1477, -10.2571, -8.7610};
constexpr char k2b4tQuestion[] = "What is your favourite food?";
constexpr char k2b4tAnswer[] =
    "As an AI, I don't have personal preferences or the ability to eat food. However, I";

}  // namespace

AcceptanceCheck check_tokenizer(const std::string& model, const Config& config) {
  const auto file = vocabulary_file(model);
  if (!file) return outcome(kTokenizer, Status::NotRun, "there is none with this model");
  try {
    const Vocabulary vocabulary = read_vocabulary(model);
    const std::size_t size = vocabulary.tokens.size();
    if (size != config.vocab) {
      throw FormatError(*file + ": " + std::to_string(size) + " tokens for a model of " +
                        std::to_string(config.vocab));
    }
    const Tokenizer tokenizer = Tokenizer::from_vocabulary(vocabulary, *file);
    check_bytes(tokenizer, *file);
    if (size == kLlama3Tokens) check_llama3(vocabulary, tokenizer, *file);
    return outcome(
        kTokenizer, Status::Passed,
        std::to_string(size) + " tokens, " + std::to_string(vocabulary.merges.size()) + " merges");
  } catch (const FormatError& error) {
    return outcome(kTokenizer, Status::Failed, error.what());
  }
}

AcceptanceCheck check_logit_means(Session& session, std::span<const TokenId> ids,
                                  std::span<const double> published) {
  const auto count = static_cast<std::uint32_t>(ids.size());
  KvCache cache(session.device(), session.config(), Packing::F32, count);
  const std::span<const float> logits = session.transformer().forward_all(ids, cache);
  const std::size_t vocab = session.config().vocab;
  double worst = 0;
  std::size_t where = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto row = logits.subspan(i * vocab, vocab);
    const double mean = std::accumulate(row.begin(), row.end(), 0.0) / static_cast<double>(vocab);
    const double off = std::fabs(mean - published[i]);
    if (off <= worst) continue;
    worst = off;
    where = i;
    if (std::isnan(off)) break;
  }
  char text[96];
  std::snprintf(text, sizeof text, "worst difference %.4f, at position %zu (up to %.1f allowed)",
                worst, where, kMeanTolerance);
  return outcome(kMeans, worst <= kMeanTolerance ? Status::Passed : Status::Failed, text);
}

AcceptanceCheck check_greedy_answer(Session& session, const std::string& question,
                                    const std::string& published) {
  const Tokenizer& tokenizer = session.tokenizer();
  Conversation conversation(tokenizer, session.config().bos, "");
  conversation.ask(question);
  const std::vector<TokenId> prompt = conversation.ids();
  KvCache cache(session.device(), session.config(), Packing::F32,
                static_cast<std::uint32_t>(prompt.size()) + kGreedyTokens);
  Sampler sampler({.temperature = 0});
  const GenerateOptions options{.max_tokens = kGreedyTokens,
                                .stop_tokens = stop_ids(tokenizer, session.config().stop_tokens)};
  const GenerateResult result = generate(session.transformer(), cache, sampler, {}, prompt, options,
                                         [](TokenId) { return true; });
  AnswerText text({});
  const std::string answer = text.push(tokenizer.decode(result.tokens)) + text.flush();
  const bool same = !answer.empty() && published.starts_with(answer);
  return outcome(kGreedy, same ? Status::Passed : Status::Failed, quote(answer));
}

std::vector<AcceptanceCheck> check_published_runs(const std::string& model) {
  SessionOptions options;
  options.model = model;
  Session session(options);
  std::vector<AcceptanceCheck> checks = {check_logit_means(session, k2b4tIds, k2b4tMeans)};
  try {
    checks.push_back(check_greedy_answer(session, k2b4tQuestion, k2b4tAnswer));
  } catch (const FormatError& error) {
    checks.push_back(outcome(kGreedy, Status::Failed, error.what()));
  }
  return checks;
}

std::vector<AcceptanceCheck> skip_published_runs(const std::string& reason) {
  return {outcome(kMeans, Status::NotRun, reason), outcome(kGreedy, Status::NotRun, reason)};
}

}  // namespace rotor
