#include "bench/quality.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "bench/kv.h"
#include "bench/quality_chats.h"
#include "bench/repetition.h"
#include "bench/sampling.h"
#include "core/stats.h"
#include "model/chat.h"
#include "model/prefix_cache.h"
#include "model/score.h"
#include "runtime/choose.h"
#include "verify/faults.h"

namespace rotor {
namespace {

// What is compared: formats of the cache with the head as stored, then formats of the head.
struct Setup {
  Packing kv;
  HeadFormat head;
};
constexpr Setup kSetups[] = {
    {Packing::F32, HeadFormat::Stored},     {Packing::F16, HeadFormat::Stored},
    {Packing::Int8Row, HeadFormat::Stored}, {Packing::F32, HeadFormat::Int8},
    {Packing::F32, HeadFormat::Bits6},      {Packing::F32, HeadFormat::Exact}};

// Positions of the cache; a longer text is scored in windows of this many tokens.
constexpr std::uint32_t kContext = 1024;
constexpr std::uint32_t kAnswerTokens = 40;

constexpr const char* kBeginnings[] = {"Once upon a time, there was a", "Long ago, a",
                                       "In a village, there lived a", "The future of AI"};
// Repetition depends on the length, so every text gets this many tokens and goes on through the ends
// that the model would make.
constexpr std::uint32_t kTextTokens = 192;

struct Strategy {
  const char* name;
  SamplingOptions options;
};

std::vector<Strategy> strategies() {
  return {{"greedy", {.temperature = 0}},
          {"greedy, no repeat of 4", {.temperature = 0, .no_repeat_ngram = 4}},
          {"greedy, penalty 1.3", {.temperature = 0, .repetition_penalty = 1.3f}},
          {"temperature 1", {}},
          {"top-k 40", {.top_k = 40}},
          {"nucleus 0.9", {.top_p = 0.9f}},
          {"min-p 0.1", {.min_p = 0.1f}},
          {"nucleus 0.9, no repeat of 4", {.top_p = 0.9f, .no_repeat_ngram = 4}},
          {"nucleus 0.9, penalty 1.3", {.top_p = 0.9f, .repetition_penalty = 1.3f}},
          {"temperature 0.6, nucleus 0.9", {.temperature = 0.6f, .top_p = 0.9f}}};
}

// One setup.
class SetupRun {
 public:
  SetupRun(Device& device, Transformer& transformer, const Tokenizer& tokenizer,
           const QualitySuite& suite, Packing format, double until_s, QualityResult& result)
      : transformer_(transformer),
        tokenizer_(tokenizer),
        suite_(suite),
        until_s_(until_s),
        result_(result),
        cache_(device, transformer.config(), format,
               std::min(kContext, transformer.config().max_positions)) {}

  // Fills the result; false if something was left out.
  bool run() {
    if (!score_text()) return false;
    // Chats may use half of the time, so that a slow device shows a little of everything.
    const double now = steady_seconds();
    const bool asked = ask_questions(now + (until_s_ - now) / 2);
    return write_texts() && asked;
  }

 private:
  bool go_on(const std::string& step) {
    return steady_seconds() < until_s_ && suite_.go_on(result_.id + ": " + step);
  }

  // In windows, each behind its own beginning-of-text token.
  bool score_text() {
    const TokenId bos = transformer_.config().bos;
    const std::vector<TokenId> all = tokenizer_.encode(suite_.text);
    const std::size_t window = cache_.capacity() - 1;
    TextScore score;
    score.name = suite_.text_name;
    double nll = 0;
    const double start = steady_seconds();
    for (std::size_t begin = 0; begin < all.size(); begin += window) {
      std::vector<TokenId> ids(1, bos);
      ids.insert(ids.end(), all.begin() + static_cast<std::ptrdiff_t>(begin),
                 all.begin() + static_cast<std::ptrdiff_t>(std::min(begin + window, all.size())));
      const Scores scores = rotor::score(transformer_, cache_, ids, Recompute::Never,
                                         [this] { return go_on("held text"); });
      if (scores.nll.size() + 1 != ids.size()) return false;  // cut short
      nll += std::accumulate(scores.nll.begin(), scores.nll.end(), 0.0);
      score.tokens += static_cast<std::uint32_t>(scores.nll.size());
    }
    score.seconds = steady_seconds() - start;
    score.nll = nll / score.tokens;
    if (score.tokens > 0) result_.text = score;
    return true;
  }

  bool ask_questions(double until_s) {
    result_.chats.emplace();
    const double start = steady_seconds();
    PrefixCache cache(transformer_, cache_);
    bool complete = true;
    for (const QualityChat& chat : quality_chats(suite_.chats)) {
      complete = steady_seconds() < until_s && go_on("chats");
      if (!complete) break;
      judge(chat, hold(chat, cache));
    }
    result_.chats->seconds = steady_seconds() - start;
    if (result_.chats->topics.empty()) result_.chats.reset();
    return complete;
  }

  // The answer to the last turn of a chat.
  std::string hold(const QualityChat& chat, PrefixCache& cache) {
    Conversation conversation(tokenizer_, transformer_.config().bos, "");
    Sampler sampler({.temperature = 0});
    const GenerateOptions options{
        .max_tokens = kAnswerTokens,
        .stop_tokens = stop_ids(tokenizer_, transformer_.config().stop_tokens)};
    GenerateResult last;
    for (const std::string& turn : chat.turns) {
      conversation.ask(turn);
      last = cache.generate(sampler, conversation.ids(), options, [](TokenId) { return true; });
      conversation.answer(last.tokens);
      result_.chats->answer_tokens += static_cast<std::uint32_t>(last.tokens.size());
    }
    return tokenizer_.decode(last.tokens);
  }

  void judge(const QualityChat& chat, const std::string& answer) {
    ChatScore::Topic& topic = result_.chats->topics[chat.topic];
    ++topic.asked;
    if (answer_has(answer, chat.expected)) {
      ++topic.right;
    } else if (result_.chats->wrong.size() < ChatScore::kShownWrong) {
      result_.chats->wrong.push_back({chat.turns.back(), chat.expected, answer});
    }
  }

  // Strategies take turns, so that a machine that slows down slows all of them.
  bool write_texts() {
    const std::vector<Strategy> all = strategies();
    std::vector<StrategyScore> scores(all.size());
    for (std::size_t text = 0; text < std::size(kBeginnings); ++text) {
      for (std::size_t i = 0; i < all.size(); ++i) {
        if (!go_on(all[i].name)) return false;
        scores[i].name = all[i].name;
        write_text(all[i], kBeginnings[text], scores[i]);
      }
    }
    for (StrategyScore& score : scores) {
      for (double& share : score.distinct) share /= score.texts;
    }
    result_.strategies = scores;
    return true;
  }

  void write_text(const Strategy& strategy, const std::string& beginning, StrategyScore& score) {
    SamplingOptions options = strategy.options;
    options.bos = transformer_.config().bos;
    options.seed = score.texts + 1;  // the same texts on every device, as far as it can
    Sampler sampler(options);
    std::vector<TokenId> text(1, transformer_.config().bos);
    const std::vector<TokenId> words = tokenizer_.encode(beginning);
    text.insert(text.end(), words.begin(), words.end());
    cache_.truncate(0);
    std::vector<double> times_s;
    const auto on_token = [&](TokenId) {
      times_s.push_back(steady_seconds());
      return true;
    };
    const std::vector<TokenId> written =
        generate(transformer_, cache_, sampler, {}, text,
                 {.max_tokens = kTextTokens, .stop_tokens = {}}, on_token)
            .tokens;
    score.distinct.resize(4, 0);
    for (std::uint32_t n = 1; n <= 4; ++n) score.distinct[n - 1] += distinct_ngrams(written, n);
    score.longest_repeat = std::max(score.longest_repeat, longest_repeat(written));
    score.tokens += static_cast<std::uint32_t>(written.size());
    std::adjacent_difference(times_s.begin(), times_s.end(), times_s.begin());
    if (times_s.size() > 1) score.token_s.push_back(median(std::span(times_s).subspan(1)));
    ++score.texts;
    text.insert(text.end(), written.begin(), written.end());
    if (score.texts == std::size(kBeginnings)) time_draws(sampler, text, score);
  }

  // What choosing alone costs: on the logits behind the text that was just written.
  void time_draws(Sampler& sampler, const std::vector<TokenId>& text, StrategyScore& score) {
    cache_.truncate(cache_.length() - 1);  // there is room for a token, however small the context
    const std::span<const float> logits = transformer_.forward({&text.back(), 1}, cache_);
    const auto draw = [&](std::uint64_t, std::uint32_t count) {
      const double start = steady_seconds();
      for (std::uint32_t i = 0; i < count; ++i) sampler.next(logits, text);
      return Timing{steady_seconds() - start, {}};
    };
    SamplingRules rules;
    rules.time_s = 0.02;
    rules.max_samples = 15;
    score.draw_samples_s = take_samples(draw, steady_seconds, rules).samples_s;
  }

  Transformer& transformer_;
  const Tokenizer& tokenizer_;
  const QualitySuite& suite_;
  double until_s_;
  QualityResult& result_;
  KvCache cache_;
};

QualityResult planned(const Device& device, const QualitySuite& suite, const Setup& setup) {
  QualityResult result;
  result.kv = packing_name(setup.kv);
  result.head = head_format_name(setup.head);
  result.id = "quality/" + suite.model + "/kv_" + result.kv + "/head_" + result.head;
  result.device = device.info().id;
  result.model = suite.model;
  return result;
}

void set_reason(QualityResult& result, Status status, const std::string& code,
                const std::string& message) {
  result.status = status;
  result.reason_code = code;
  result.message = message;
}

// The model on one device, packed again where the head changes.
class QualityRun {
 public:
  QualityRun(Device& device, const Checkpoint& checkpoint, const Tokenizer& tokenizer,
             const QualitySuite& suite)
      : device_(device), checkpoint_(checkpoint), tokenizer_(tokenizer), suite_(suite) {}

  QualityResult run(const Setup& setup, double until_s) {
    QualityResult result = planned(device_, suite_, setup);
    const std::optional<Fault> fault = run_if_sound(device_, [&] {
      load(setup.head);
      SetupRun run(device_, *transformer_, tokenizer_, suite_, setup.kv, until_s, result);
      if (run.run()) {
        result.status = Status::Pass;
      } else {
        set_reason(result, Status::Skipped, "budget", "cut short for lack of time; raise --budget");
      }
    });
    if (fault) set_reason(result, fault->status, fault->reason_code, fault->message);
    return result;
  }

 private:
  void load(HeadFormat head) {
    if (!kernels_) {
      kernels_.emplace(device_, std::vector<std::string>{}, Tuning(device_.info(), suite_.tuning));
    }
    if (transformer_ && head == head_) return;
    transformer_.emplace(*kernels_, checkpoint_, TransformerOptions{.head = head});
    head_ = head;
  }

  Device& device_;
  const Checkpoint& checkpoint_;
  const Tokenizer& tokenizer_;
  const QualitySuite& suite_;
  std::optional<KernelSet> kernels_;
  std::optional<Transformer> transformer_;
  HeadFormat head_ = HeadFormat::Stored;
};

}  // namespace

std::string measure_quality(Device& device, const std::string& model, const QualitySuite& suite) {
  std::vector<Setup> setups;
  for (const Setup& setup : kSetups) {
    if (suite.wanted(planned(device, suite, setup).id)) setups.push_back(setup);
  }
  if (setups.empty()) return "";
  if (!vocabulary_file(model)) return model + " has no tokenizer";
  const std::unique_ptr<Checkpoint> checkpoint = open_checkpoint(model);
  if (!suite.alone && !fits_kv_ab(checkpoint->config())) {
    return "the model is large, and others wait; ask for it with --suite quality";
  }
  const Tokenizer tokenizer = Tokenizer::open(model);
  QualityRun run(device, *checkpoint, tokenizer, suite);
  const double end_s = steady_seconds() + suite.time_s;
  for (std::size_t i = 0; i < setups.size(); ++i) {
    const double now = steady_seconds();
    suite.on_result(
        run.run(setups[i], now + (end_s - now) / static_cast<double>(setups.size() - i)));
  }
  return "";
}

}  // namespace rotor
