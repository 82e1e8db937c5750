#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "core/error.h"
#include "core/written.h"
#include "model/commands.h"
#include "model/generate.h"
#include "model/stop_strings.h"

namespace rotor {
namespace {

using Json = nlohmann::ordered_json;

std::string format(const char* pattern, auto... values) {
  char text[256];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

Json rate_json(std::optional<double> rate) {
  return rate ? Json(*rate) : Json();
}

std::string megabytes(std::size_t bytes) {
  return format("%.1f MB", static_cast<double>(bytes) / 1e6);
}

// The most memory that this process had in use so far.
std::size_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

// One text, and how it came about.
struct Sample {
  std::uint64_t seed = 0;
  GenerateResult result;
  std::string text;            // valid UTF-8, up to a stop string
  bool stopped_early = false;  // at a stop string
};

const char* cause_for_people(const Sample& sample, const KvCache& cache) {
  if (sample.stopped_early) return "at a stop string";
  switch (sample.result.stop) {
    case StopCause::StopToken:
      return "end of text";
    case StopCause::MaxTokens:
      return "--max-tokens reached";
    case StopCause::ContextFull:
      return cache.capacity() < cache.longest() ? "context full; raise --context"
                                                : "context full: the model has no more positions";
    case StopCause::Caller:
      return "interrupted";
  }
  return "?";
}

const char* finish_reason(const Sample& sample) {
  if (sample.stopped_early) return "stop_string";
  switch (sample.result.stop) {
    case StopCause::StopToken:
      return "stop_token";
    case StopCause::MaxTokens:
      return "max_tokens";
    case StopCause::ContextFull:
      return "context_full";
    case StopCause::Caller:
      return "interrupted";
  }
  return "?";
}

Json sample_json(const Sample& sample) {
  const GenerateResult& result = sample.result;
  return {{"seed", sample.seed},
          {"ids", result.tokens},
          {"text", sample.text},
          {"finish_reason", finish_reason(sample)},
          {"timings",
           {{"prompt_tokens", result.prompt_tokens},
            {"prompt_seconds", result.prompt_seconds},
            {"first_token_seconds", result.first_token_seconds},
            {"decode_seconds", result.decode_seconds},
            {"prompt_tokens_per_second", rate_json(result.prompt_rate())},
            {"decode_tokens_per_second", rate_json(result.decode_rate())}}}};
}

// 0.6 and not 0.60000002384185791.
double decimal(float value) {
  return std::strtod(format("%.7g", static_cast<double>(value)).c_str(), nullptr);
}

Json sampling_json(const SamplingOptions& options) {
  return {{"temperature", decimal(options.temperature)},
          {"top_k", options.top_k},
          {"top_p", decimal(options.top_p)},
          {"min_p", decimal(options.min_p)},
          {"repetition_penalty", decimal(options.repetition_penalty)},
          {"no_repeat_ngram", options.no_repeat_ngram}};
}

std::string read_prompt(const GenerateCommand& command) {
  if (command.prompt_file.empty()) return command.prompt;
  std::string text = read_file(command.prompt_file);
  if (text.ends_with('\n')) text.pop_back();
  if (text.empty())
    throw FormatError(input_name(command.prompt_file) + ": is empty: no text to continue");
  return text;
}

// Text is read and written, unless it is ids.
SessionOptions session_options(const GenerateCommand& command) {
  SessionOptions options = command.session;
  options.needs_tokenizer = !command.ids;
  return options;
}

// One run of the command: all its samples on one session and one cache.
class GenerateRun {
 public:
  GenerateRun(const GenerateCommand& command, std::ostream& out, std::ostream& talk)
      : command_(command),
        out_(out),
        talk_(talk),
        text_(read_prompt(command)),
        session_(session_options(command)),
        prompt_(encode(text_)),
        cache_(session_.device(), session_.config(), command.kv, capacity()) {}

  int run() {
    std::vector<Sample> samples;
    for (std::uint32_t i = 0; i < command_.samples && !interrupted(); ++i) {
      if (command_.samples > 1 && !command_.json) tell_number(i);
      samples.push_back(generate_sample(i));
      if (!command_.json) tell_sample(samples.back());
    }
    if (command_.json) {
      out_ << to_json(samples).dump(1, ' ', false, Json::error_handler_t::replace) << '\n';
      check_output();
    } else {
      tell_session();
    }
    return interrupted() ? kExitInterrupted : kExitOk;
  }

 private:
  std::vector<TokenId> encode(const std::string& text) {
    if (command_.ids && !session_.has_tokenizer()) {
      return parse_ids(text, "prompt", session_.config().vocab);
    }
    std::vector<TokenId> ids = session_.tokenizer().encode(text, Specials::Parse);
    const TokenId bos = session_.config().bos;
    if (ids.empty() || ids.front() != bos) ids.insert(ids.begin(), bos);
    return ids;
  }

  std::uint32_t capacity() const {
    if (command_.context != 0) return command_.context;
    return static_cast<std::uint32_t>(std::min<std::size_t>(prompt_.size() + command_.max_tokens,
                                                            session_.config().max_positions));
  }

  // What the cache holds of the prompt is not computed again, but for the last token, whose logits
  // are needed.
  Sample generate_sample(std::uint32_t index) {
    const std::size_t kept = command_.no_cache || index == 0 ? 0 : prompt_.size() - 1;
    cache_.truncate(static_cast<std::uint32_t>(kept));
    Sample sample;
    sample.seed = command_.sampling.seed + index;
    SamplingOptions sampling = command_.sampling;
    sampling.seed = sample.seed;
    sampling.bos = session_.config().bos;
    Sampler sampler(sampling);
    StopStrings stops(command_.stop_strings);
    Utf8Stream utf8;
    const auto on_token = [&](TokenId token) {
      if (command_.ids) out_ << token << ' ';
      if (session_.has_tokenizer() && !session_.tokenizer().is_special(token)) {
        show(sample, utf8.push(stops.push(session_.tokenizer().bytes(token))));
      }
      check_output();
      return !interrupted() && !stops.found();
    };
    const GenerateOptions options{
        .max_tokens = command_.max_tokens,
        .stop_tokens = session_.config().stop_tokens,
        .recompute = command_.no_cache ? Recompute::EveryToken : Recompute::Never};
    const auto all = std::span<const TokenId>(prompt_);
    sample.result = generate(session_.transformer(), cache_, sampler, all.first(kept),
                             all.subspan(kept), options, on_token);
    show(sample, utf8.push(stops.flush()));
    show(sample, utf8.flush());
    sample.stopped_early = stops.found();
    if (!command_.json) out_ << std::endl;
    check_output();
    return sample;
  }

  void show(Sample& sample, const std::string& text) {
    sample.text += text;
    if (!command_.json && !command_.ids) out_ << text << std::flush;
  }

  void check_output() { check_written(out_, "the answer"); }

  // For people: that of the down projection and one token.
  const KernelVariant& matmul() {
    KernelSet& kernels = session_.kernels();
    const MatmulParams p{.m = 1, .n = session_.config().hidden, .k = session_.config().ffn};
    return kernels.product(kernels.weight_packing(p.n, p.k), p).variant();
  }

  void tell_number(std::uint32_t index) {
    talk_ << (index == 0 ? "" : "\n") << "sample     " << index + 1 << " of " << command_.samples
          << ", seed " << command_.sampling.seed + index << std::endl;
  }

  void tell_sample(const Sample& sample) {
    const GenerateResult& result = sample.result;
    const auto plural = [](std::size_t count) { return count == 1 ? "" : "s"; };
    talk_ << format("\nprompt     %5u token%s in %.3f s, ", result.prompt_tokens,
                    plural(result.prompt_tokens), result.prompt_seconds)
          << rate_text(result.prompt_rate())
          << format("; first token after %.3f s\n", result.first_token_seconds)
          << format("generated  %5zu token%s in %.3f s, ", result.tokens.size(),
                    plural(result.tokens.size()), result.decode_seconds)
          << rate_text(result.decode_rate()) << "\n";
    talk_ << "stopped    " << cause_for_people(sample, cache_) << std::endl;
  }

  void tell_session() {
    const Transformer& transformer = session_.transformer();
    const DeviceInfo& device = session_.device().info();
    talk_ << (command_.samples > 1 ? "\n" : "") << "model      " << session_.description()
          << "\ndevice     " << device.name << ", ";
    if (device.backend == Backend::Cpu) talk_ << device.threads << " threads, ";
    talk_ << matmul().name << (session_.kernels().tuning().empty() ? "" : ", tuned") << "\n";
    talk_ << "memory     " << megabytes(transformer.weight_bytes()) << " weights, "
          << megabytes(transformer.table_bytes()) << " embedding, " << megabytes(cache_.bytes())
          << " cache (" << cache_.capacity() << " positions, " << packing_name(cache_.format())
          << "), " << megabytes(transformer.activation_bytes()) << " activations\n";
  }

  Json to_json(const std::vector<Sample>& samples) {
    const Transformer& transformer = session_.transformer();
    const DeviceInfo& device = session_.device().info();
    Json list = Json::array();
    for (const Sample& sample : samples) list.push_back(sample_json(sample));
    return {{"model", session_.description()},
            {"device", {{"id", device.id}, {"name", device.name}, {"threads", device.threads}}},
            {"kernel", matmul().name},
            {"tuned", !session_.kernels().tuning().empty()},
            {"prompt", {{"text", text_}, {"ids", prompt_}}},
            {"sampling", sampling_json(command_.sampling)},
            {"samples", list},
            {"memory",
             {{"weight_bytes", transformer.weight_bytes()},
              {"embedding_bytes", transformer.table_bytes()},
              {"cache_bytes", cache_.bytes()},
              {"cache_positions", cache_.capacity()},
              {"cache_format", packing_name(cache_.format())},
              {"activation_bytes", transformer.activation_bytes()},
              {"peak_resident_bytes", peak_resident_bytes()}}}};
  }

  const GenerateCommand& command_;
  std::ostream& out_;
  std::ostream& talk_;
  std::string text_;
  Session session_;
  std::vector<TokenId> prompt_;
  KvCache cache_;
};

}  // namespace

int run_generate(const GenerateCommand& command, std::ostream& out, std::ostream& talk) {
  // Impossible options end the command before a large model is loaded.
  Sampler{command.sampling};
  StopStrings{command.stop_strings};
  return GenerateRun(command, out, talk).run();
}

}  // namespace rotor
